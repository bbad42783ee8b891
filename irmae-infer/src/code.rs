//! From coefficients to bytes and back, at a fixed width for each coefficient.
//!
//! Coefficient `i` has `bits[i]` bits and step `D_i`. Its level is `q = floor(c / D_i)`, saturated to `bits[i]` bits, and
//! stands for the middle of its cell, `c = (q + 1/2) D_i`. A (bare) packet is one byte that counts the payload, then the levels
//! in two's complement, most significant bit first, padded with zeros to a whole byte.
//!
//! Coefficients go out in order of variance, so a packet may be cut after any of them: [`pack`] takes the bytes that it
//! may use, and [`unpack`] gives those that did not come as absent, which stands for `c = 0`, their mean.

use core::fmt;

/// Bytes of a packet besides its payload.
pub const OVERHEAD_LEN: usize = 1;

/// A coefficient in a decoder's hands, in half steps: `2 q + 1`, or 0 where it did not arrive.
pub type HalfSteps = i16;

/// The half steps of level `q`.
pub const fn half_steps(level: i16) -> HalfSteps {
    // Levels have at most 15 bits, so this fits.
    level.wrapping_mul(2).wrapping_add(1)
}

/// The level of a coefficient that is `steps` quantiser steps: `floor(steps)` within `bits`.
pub fn level(steps: f32, bits: u8) -> i16 {
    clamp_level(libm::floorf(steps) as i32, bits)
}

/// `level` within `bits` bits: `-2^(bits-1) ..= 2^(bits-1) - 1`.
pub fn clamp_level(level: i32, bits: u8) -> i16 {
    let half = 1_i32 << (bits - 1);
    level.clamp(-half, half - 1) as i16
}

/// Why bytes are not a packet of this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// Fewer bytes than the packet's first byte announces.
    Truncated,
    /// More payload than the model's code has.
    TooLong,
    /// The padding bits are not zero, or whole bytes carry no coefficient.
    Padding,
    /// The buffer for the packet or for the coefficients is too small.
    BufferTooSmall {
        /// Bytes or coefficients needed.
        needed: u16,
    },
    /// Bytes after the packet, where it should be alone.
    Trailing {
        /// How many.
        count: u16,
    },
    /// The first byte is not that of a full packet that this crate reads.
    Version {
        /// The byte.
        found: u8,
    },
    /// The packet names another model, or that byte is damaged.
    Model {
        /// The last byte of this model's id.
        expected: u8,
        /// The byte in the packet.
        found: u8,
    },
    /// The CRC does not match: a bit has changed, or the packet is of another model.
    Checksum,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("packet is truncated"),
            Self::TooLong => f.write_str("packet is longer than the model's code: it belongs to another model"),
            Self::Trailing { count } => write!(f, "{count} bytes follow the packet"),
            Self::Version { found } => {
                write!(f, "not a full packet of version 1, which starts with 11: it starts with {found:02x}")
            }
            Self::Model { expected, found } => write!(
                f,
                "packet is of a model whose id ends in {found:02x}, this one's ends in {expected:02x}: use the encoder's own decoder"
            ),
            Self::Checksum => f.write_str("packet is damaged: its CRC does not match"),
            Self::Padding => {
                f.write_str("packet has bits set where there must be none: it is damaged or of another model")
            }
            Self::BufferTooSmall { needed } => write!(f, "buffer is too small: {needed} are needed"),
        }
    }
}

impl core::error::Error for PacketError {}

/// Bytes of a whole packet of a code with these widths.
pub fn packet_len(bits: &[u8]) -> usize {
    OVERHEAD_LEN + bits.iter().map(|&b| usize::from(b)).sum::<usize>().div_ceil(8)
}

/// How many coefficients fit a packet of `max_bytes`.
pub(crate) fn prefix_len(bits: &[u8], max_bytes: usize) -> usize {
    let mut room = max_bytes.saturating_sub(OVERHEAD_LEN).min(usize::from(u8::MAX)) * 8;
    bits.iter()
        .take_while(|&&b| {
            let fits = usize::from(b) <= room;
            room = room.saturating_sub(usize::from(b));
            fits
        })
        .count()
}

/// Writes levels as a packet of at most `max_bytes`, and returns its length.
///
/// # Errors
/// [`PacketError::BufferTooSmall`] where `packet` cannot hold it.
pub fn pack(bits: &[u8], levels: &[i16], max_bytes: usize, packet: &mut [u8]) -> Result<usize, PacketError> {
    let kept = prefix_len(bits, max_bytes).min(levels.len());
    let len = packet_len(&bits[..kept]);
    let packet = packet.get_mut(..len).ok_or(PacketError::BufferTooSmall { needed: len as u16 })?;
    let (head, mut payload) = packet.split_at_mut(OVERHEAD_LEN);
    head.fill((len - OVERHEAD_LEN) as u8);
    // Bits that fill no byte yet, the last ones lowest.
    let (mut pending, mut count) = (0_u32, 0);
    for (&width, &level) in bits[..kept].iter().zip(levels) {
        pending = pending << width | u32::from(level as u16) & ((1 << width) - 1);
        count += u32::from(width);
        while count >= 8
            && let Some(byte) = payload.split_off_first_mut()
        {
            count -= 8;
            *byte = (pending >> count) as u8;
        }
    }
    // Padding is 0.
    if let Some(byte) = payload.first_mut() {
        *byte = (pending << (8 - count)) as u8;
    }
    Ok(len)
}

/// Reads the packet at the start of `bytes` into `code`, in half steps, and returns its length.
///
/// # Errors
/// A [`PacketError`]; `code` is then unspecified.
pub fn unpack(bits: &[u8], bytes: &[u8], code: &mut [HalfSteps]) -> Result<usize, PacketError> {
    let payload_len = usize::from(*bytes.first().ok_or(PacketError::Truncated)?);
    let len = OVERHEAD_LEN + payload_len;
    let packet = bytes.get(..len).ok_or(PacketError::Truncated)?;
    if len > packet_len(bits) {
        return Err(PacketError::TooLong);
    }
    let code = code.get_mut(..bits.len()).ok_or(PacketError::BufferTooSmall { needed: bits.len() as u16 })?;
    let kept = prefix_len(bits, len);
    if packet_len(&bits[..kept]) != len {
        return Err(PacketError::Padding);
    }
    code.fill(0);
    let mut at = 8 * OVERHEAD_LEN;
    for (&width, coefficient) in bits[..kept].iter().zip(code.iter_mut()) {
        let raw = (0..width).fold(0_i16, |raw, i| raw << 1 | bit(packet, at + usize::from(i)));
        at += usize::from(width);
        let unused = 16 - u32::from(width);
        *coefficient = half_steps(raw << unused >> unused);
    }
    if (at..8 * len).any(|at| bit(packet, at) != 0) { Err(PacketError::Padding) } else { Ok(len) }
}

fn bit(packet: &[u8], at: usize) -> i16 {
    i16::from(packet[at / 8] >> (7 - at % 8) & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: [u8; 4] = [6, 5, 4, 2];
    const LEVELS: [i16; 4] = [-32, 15, -1, 1];
    /// 100000 01111 1111 01, then padding.
    const PACKET: [u8; 4] = [3, 0b1000_0001, 0b1111_1110, 0b1000_0000];

    #[test]
    fn packet_is_these_bytes() {
        let mut packet = [0xff; 4];
        assert_eq!(packet_len(&BITS), 4);
        assert_eq!(pack(&BITS, &LEVELS, usize::MAX, &mut packet), Ok(4));
        assert_eq!(packet, PACKET);
        let mut code = [0; 4];
        assert_eq!(unpack(&BITS, &packet, &mut code), Ok(4));
        assert_eq!(code, LEVELS.map(half_steps));
        assert_eq!(code, [-63, 31, -1, 3]);
    }

    #[test]
    fn every_cut_is_a_packet_whose_missing_coefficients_are_zero() {
        for (max_bytes, kept) in [(0, 0), (1, 0), (2, 1), (3, 3), (4, 4)] {
            let mut packet = [0; 4];
            let len = pack(&BITS, &LEVELS, max_bytes, &mut packet).unwrap();
            assert!(len <= max_bytes.max(OVERHEAD_LEN));
            let mut code = [7; 4];
            assert_eq!(unpack(&BITS, &packet[..len], &mut code), Ok(len));
            let mut expected = [0; 4];
            expected[..kept].copy_from_slice(&LEVELS.map(half_steps)[..kept]);
            assert_eq!(code, expected);
        }
    }

    #[test]
    fn damage_is_refused() {
        let mut code = [0; 4];
        assert_eq!(unpack(&BITS, &[], &mut code), Err(PacketError::Truncated));
        assert_eq!(unpack(&BITS, &PACKET[..3], &mut code), Err(PacketError::Truncated));
        assert_eq!(unpack(&BITS, &[4, 0, 0, 0, 0], &mut code), Err(PacketError::TooLong));
        assert_eq!(unpack(&BITS, &[3, 0x81, 0xfe, 0x81], &mut code), Err(PacketError::Padding));
        assert_eq!(unpack(&BITS, &PACKET, &mut code[..3]), Err(PacketError::BufferTooSmall { needed: 4 }));
        assert_eq!(pack(&BITS, &LEVELS, 9, &mut [0; 3]), Err(PacketError::BufferTooSmall { needed: 4 }));
    }

    #[test]
    fn levels_saturate() {
        assert_eq!([level(-99.0, 3), level(-0.1, 3), level(0.0, 3), level(3.9, 3), level(4.0, 3)], [-4, -1, 0, 3, 3]);
        assert_eq!([clamp_level(i32::MIN, 15), clamp_level(i32::MAX, 1)], [-16_384, 0]);
        assert_eq!(level(f32::NAN, 3), 0);
    }
}
