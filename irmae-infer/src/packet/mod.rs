//! Packets in two profiles.
//!
//! [`Profile::Bare`] is the head (operating point and class) and the payload, for links that bring addresses, counters and a CRC of their own, as LoRaWAN
//! does. [`Profile::Full`] is for those that do not, such as a UART or a bare radio: it puts around that a version, the model, a
//! sequence number and a CRC, six bytes in all. [`framing`](crate::framing) finds packets in a stream of bytes; where nothing is lost, as in
//! a file, a byte before each packet that counts it is enough.
//!
//! ```
//! # use irmae_infer::{Aligned, Model, include_model};
//! use irmae_infer::framing::{FrameReader, encode_frame, frame_len_max};
//! use irmae_infer::packet::{Arrival, MAX_PACKET_LEN, PacketDecoder, Profile, encode_packet};
//!
//! # static ENCODER: &[u8] = include_model!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/image-i8/encoder.irmae"));
//! # let model = Model::load(ENCODER)?;
//! # let window = vec![0_i16; model.code_len()];
//! // On the node, for each window:
//! let sequence = 41;
//! let mut packet = [0; 12];
//! let len = encode_packet(&model, &window, Profile::Full, sequence, packet.len(), &mut packet)?;
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

use crate::code::{self, Code, MAX_PAYLOAD_LEN, PacketError};
use crate::model::Model;
pub use sequence::Arrival;
use sequence::History;

/// Bytes of a packet in either profile, at most.
pub const MAX_PACKET_LEN: usize = Profile::Full.overhead_len() + MAX_PAYLOAD_LEN;

/// First byte of a full packet: version 2 in the upper four bits, profile 1 in the lower.
const FULL: u8 = 0x21;
/// Bytes before those of a bare packet: [`FULL`], model, sequence number.
const HEAD_LEN: usize = 3;
const CHECKSUM_LEN: usize = 2;
/// What a full packet has around a bare one.
const ENVELOPE_LEN: usize = HEAD_LEN + CHECKSUM_LEN;

/// What a packet brings besides its payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Profile {
    /// Operating point and class.
    #[default]
    Bare,
    /// Version, model, sequence number, the byte of a bare packet, and CRC.
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

    /// Bytes of a packet of that code, at most.
    pub fn packet_len_max(self, code: &Code<'_>) -> usize {
        code.packet_len_max() - code::OVERHEAD_LEN + self.overhead_len()
    }
}

/// Writes the code of a window as a packet of at most `max_bytes`, overhead included, and returns its length; see [`Code::pack`].
/// The overhead always goes out. `sequence` counts packets and wraps around; bare packets do not have it.
///
/// # Errors
/// [`PacketError::BufferTooSmall`] where `packet` is smaller than the packet might become.
pub fn encode_packet(
    model: &Model<'_>,
    code: &[i16],
    profile: Profile,
    sequence: u8,
    max_bytes: usize,
    packet: &mut [u8],
) -> Result<usize, PacketError> {
    match profile {
        Profile::Bare => model.code().pack(code, max_bytes, packet),
        Profile::Full => encode_full(&model.code(), model.id(), code, sequence, max_bytes, packet),
    }
}

fn encode_full(
    tables: &Code<'_>,
    model_id: u64,
    code: &[i16],
    sequence: u8,
    max_bytes: usize,
    packet: &mut [u8],
) -> Result<usize, PacketError> {
    let needed = max_bytes.clamp(Profile::Full.overhead_len(), Profile::Full.packet_len_max(tables));
    let packet = packet.get_mut(..needed).ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
    let (head, bare) = packet.split_at_mut(HEAD_LEN);
    head.copy_from_slice(&[FULL, short_id(model_id), sequence]);
    let body_len = HEAD_LEN + tables.pack(code, needed - ENVELOPE_LEN, bare)?;
    let (body, checksum) = packet.split_at_mut(body_len);
    checksum[..CHECKSUM_LEN].copy_from_slice(&crc16(model_id, body).to_le_bytes());
    Ok(body_len + CHECKSUM_LEN)
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

/// Packets to codes. Remembers which sequence numbers have come.
#[derive(Debug, Clone)]
pub struct PacketDecoder<'m> {
    tables: Code<'m>,
    model_id: u64,
    profile: Profile,
    history: History,
}

impl<'m> PacketDecoder<'m> {
    /// A decoder of one node's packets.
    pub fn new(model: &Model<'m>, profile: Profile) -> Self {
        Self { tables: model.code(), model_id: model.id(), profile, history: History::default() }
    }

    /// Reads `packet` into `code`; coefficients that did not come are 0.
    ///
    /// # Errors
    /// A [`PacketError`]; `code` is then unspecified, and the packet does not count as received.
    pub fn decode(&mut self, packet: &[u8], code: &mut [i16]) -> Result<Received, PacketError> {
        let sequence = self.read(packet, code)?;
        let arrival = sequence.map_or(Arrival::InOrder, |sequence| self.history.note(sequence));
        Ok(Received { len: packet.len(), sequence, arrival })
    }

    /// Reads the packet at the start of `bytes`, where a byte before it counts its bytes, as [`PacketDecoder::decode`]. That byte is in
    /// [`Received::len`].
    ///
    /// # Errors
    /// The same.
    pub fn decode_first(&mut self, bytes: &[u8], code: &mut [i16]) -> Result<Received, PacketError> {
        let (&len, rest) = bytes.split_first().ok_or(PacketError::Truncated)?;
        let packet = rest.get(..len.into()).ok_or(PacketError::Truncated)?;
        let received = self.decode(packet, code)?;
        Ok(Received { len: 1 + received.len, ..received })
    }

    /// Forgets which packets have come, as when the node has started anew.
    pub fn restart(&mut self) {
        self.history = History::default();
    }

    /// Reads a packet, and its number if it has one.
    fn read(&self, packet: &[u8], code: &mut [i16]) -> Result<Option<u8>, PacketError> {
        if self.profile == Profile::Bare {
            return self.tables.unpack(packet, code).map(|()| None);
        }
        let &[version, short, sequence] = packet.first_chunk().ok_or(PacketError::Truncated)?;
        check_head(version, short, self.model_id)?;
        let (body, &checksum) = packet.split_last_chunk().ok_or(PacketError::Truncated)?;
        if crc16(self.model_id, body) != u16::from_le_bytes(checksum) {
            return Err(PacketError::Checksum);
        }
        self.tables.unpack(body.get(HEAD_LEN..).unwrap_or_default(), code)?;
        Ok(Some(sequence))
    }
}

/// That a full packet is of a version that is read here, and of this model.
fn check_head(version: u8, short: u8, model_id: u64) -> Result<(), PacketError> {
    let expected = short_id(model_id);
    if version != FULL {
        Err(PacketError::Version { found: version })
    } else if short != expected {
        Err(PacketError::Model { expected, found: short })
    } else {
        Ok(())
    }
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
