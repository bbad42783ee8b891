//! Packets in two profiles.
//!
//! [`Profile::Bare`] is a length byte and the levels, for links that bring addresses, counters and a CRC of their own, as LoRaWAN
//! does. [`Profile::Full`] is for those that do not, such as a UART or a bare radio: it puts around that a version, the model, a
//! sequence number and a CRC, six bytes in all. [`framing`](crate::framing) finds packets in a stream of bytes.
//!
//! ```
//! # use irmae_infer::{Aligned, Model, include_model};
//! use irmae_infer::framing::{FrameReader, encode_frame, frame_len_max};
//! use irmae_infer::packet::{Arrival, MAX_PACKET_LEN, PacketDecoder, Profile, encode_packet};
//!
//! # static ENCODER: &[u8] = include_model!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/image-i8/encoder.irmae"));
//! # let model = Model::load(ENCODER)?;
//! # let levels = vec![0_i16; model.code_len()];
//! // On the node, for each window:
//! let sequence = 41;
//! let mut packet = [0; 12];
//! let len = encode_packet(&model, &levels, Profile::Full, sequence, packet.len(), &mut packet)?;
//! let mut frame = [0; frame_len_max(12)];
//! let frame_len = encode_frame(&packet[..len], &mut frame)?;
//!
//! // On the receiver, for each byte:
//! let mut buffer = [0; MAX_PACKET_LEN];
//! let mut reader = FrameReader::new(&mut buffer);
//! let mut packets = PacketDecoder::new(&model, Profile::Full);
//! let mut code = vec![0; model.code_len()];
//! for &byte in &frame[..frame_len] {
//!     if let Some(packet) = reader.push(byte) {
//!         let received = packets.decode(packet, &mut code)?;
//!         assert_eq!((received.sequence, received.arrival), (Some(41), Arrival::InOrder));
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod sequence;

use crc::{CRC_16_IBM_SDLC, Crc, NoTable};

use crate::code::{self, HalfSteps, PacketError};
use crate::model::Model;
pub use sequence::Arrival;
use sequence::History;

/// Bytes of a packet in either profile, at most.
pub const MAX_PACKET_LEN: usize = Profile::Full.overhead_len() + u8::MAX as usize;

/// First byte of a full packet: version 1 in the upper four bits, profile 1 in the lower.
const FULL: u8 = 0x11;
/// Bytes before the length byte: [`FULL`], model, sequence number.
const HEAD_LEN: usize = 3;
const CHECKSUM_LEN: usize = 2;
/// What a full packet has around a bare one.
const ENVELOPE_LEN: usize = HEAD_LEN + CHECKSUM_LEN;

/// What a packet brings besides its payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Profile {
    /// Its length.
    #[default]
    Bare,
    /// Version, model, sequence number, length and CRC.
    Full,
}

impl Profile {
    /// Bytes besides the payload.
    pub const fn overhead_len(self) -> usize {
        match self {
            Self::Bare => code::OVERHEAD_LEN,
            Self::Full => code::OVERHEAD_LEN + ENVELOPE_LEN,
        }
    }

    /// Bytes of a whole packet of a code with these widths.
    pub fn packet_len(self, bits: &[u8]) -> usize {
        code::packet_len(bits) - code::OVERHEAD_LEN + self.overhead_len()
    }
}

/// Writes the levels of a window as a packet of at most `max_bytes`, overhead included, and returns its length. What does not fit is
/// left out from the last coefficient on; the overhead always goes out. `sequence` counts packets and wraps around; bare packets do
/// not have it.
///
/// # Errors
/// [`PacketError::BufferTooSmall`] where `packet` cannot hold it.
pub fn encode_packet(
    model: &Model<'_>,
    levels: &[i16],
    profile: Profile,
    sequence: u8,
    max_bytes: usize,
    packet: &mut [u8],
) -> Result<usize, PacketError> {
    match profile {
        Profile::Bare => code::pack(model.bits(), levels, max_bytes, packet),
        Profile::Full => encode_full(model.bits(), model.id(), levels, sequence, max_bytes, packet),
    }
}

fn encode_full(
    bits: &[u8],
    model_id: u64,
    levels: &[i16],
    sequence: u8,
    max_bytes: usize,
    packet: &mut [u8],
) -> Result<usize, PacketError> {
    let kept = code::prefix_len(bits, max_bytes.saturating_sub(ENVELOPE_LEN)).min(levels.len());
    let bits = &bits[..kept];
    let len = Profile::Full.packet_len(bits);
    let packet = packet.get_mut(..len).ok_or(PacketError::BufferTooSmall { needed: len as u16 })?;
    let (body, checksum) = packet.split_at_mut(len - CHECKSUM_LEN);
    let (head, bare) = body.split_at_mut(HEAD_LEN);
    head.copy_from_slice(&[FULL, short_id(model_id), sequence]);
    code::pack(bits, levels, bare.len(), bare)?;
    checksum.copy_from_slice(&crc16(model_id, body).to_le_bytes());
    Ok(len)
}

/// A packet that was sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Received {
    /// Its bytes.
    pub len: usize,
    /// Its number; bare packets have none.
    pub sequence: Option<u8>,
    /// Its place among those before; bare packets always are in order.
    pub arrival: Arrival,
}

/// Packets to codes, in half steps. Remembers which sequence numbers have come.
#[derive(Debug, Clone)]
pub struct PacketDecoder<'m> {
    bits: &'m [u8],
    model_id: u64,
    profile: Profile,
    history: History,
}

impl<'m> PacketDecoder<'m> {
    /// A decoder of one node's packets.
    pub fn new(model: &Model<'m>, profile: Profile) -> Self {
        Self { bits: model.bits(), model_id: model.id(), profile, history: History::default() }
    }

    /// Reads a packet that is alone in `packet` into `code`; coefficients that did not come are 0.
    ///
    /// # Errors
    /// A [`PacketError`]; `code` is then unspecified, and the packet does not count as received.
    pub fn decode(&mut self, packet: &[u8], code: &mut [HalfSteps]) -> Result<Received, PacketError> {
        let (len, sequence) = self.read(packet, code)?;
        if len < packet.len() {
            return Err(PacketError::Trailing { count: (packet.len() - len).min(usize::from(u16::MAX)) as u16 });
        }
        Ok(self.receive(len, sequence))
    }

    /// Reads the packet at the start of `bytes`, as [`PacketDecoder::decode`], whatever follows.
    ///
    /// # Errors
    /// The same but [`PacketError::Trailing`].
    pub fn decode_first(&mut self, bytes: &[u8], code: &mut [HalfSteps]) -> Result<Received, PacketError> {
        let (len, sequence) = self.read(bytes, code)?;
        Ok(self.receive(len, sequence))
    }

    /// Forgets which packets have come, as when the node has started anew.
    pub fn restart(&mut self) {
        self.history = History::default();
    }

    fn receive(&mut self, len: usize, sequence: Option<u8>) -> Received {
        let arrival = sequence.map_or(Arrival::InOrder, |sequence| self.history.note(sequence));
        Received { len, sequence, arrival }
    }

    fn read(&self, bytes: &[u8], code: &mut [HalfSteps]) -> Result<(usize, Option<u8>), PacketError> {
        match self.profile {
            Profile::Bare => Ok((code::unpack(self.bits, bytes, code)?, None)),
            Profile::Full => {
                let (body, sequence) = open_full(self.model_id, bytes)?;
                code::unpack(self.bits, &body[HEAD_LEN..], code)?;
                Ok((body.len() + CHECKSUM_LEN, Some(sequence)))
            }
        }
    }
}

/// All of the full packet at the start of `bytes` but its CRC, which is right; and its number.
fn open_full(model_id: u64, bytes: &[u8]) -> Result<(&[u8], u8), PacketError> {
    if let Some(&found) = bytes.first().filter(|&&found| found != FULL) {
        return Err(PacketError::Version { found });
    }
    let &[_, found, sequence, payload_len] = bytes.first_chunk().ok_or(PacketError::Truncated)?;
    let expected = short_id(model_id);
    if found != expected {
        return Err(PacketError::Model { expected, found });
    }
    let len = Profile::Full.overhead_len() + usize::from(payload_len);
    let packet = bytes.get(..len).ok_or(PacketError::Truncated)?;
    let (body, checksum) = packet.split_at(len - CHECKSUM_LEN);
    if crc16(model_id, body).to_le_bytes() == checksum { Ok((body, sequence)) } else { Err(PacketError::Checksum) }
}

/// What a packet says of its model. All of the id goes into the CRC.
const fn short_id(model_id: u64) -> u8 {
    model_id as u8
}

/// Of HDLC and PPP: up to three flipped bits of a packet are noticed for certain, and of other damage all but 1 in 65,536.
fn crc16(model_id: u64, body: &[u8]) -> u16 {
    let crc = Crc::<u16, NoTable>::new(&CRC_16_IBM_SDLC);
    let mut digest = crc.digest();
    digest.update(&model_id.to_le_bytes());
    digest.update(body);
    digest.finalize()
}

#[cfg(test)]
mod tests;
