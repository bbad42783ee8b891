//! Why bytes are not a packet.

use core::fmt;

/// Why bytes are not a packet of this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// Fewer bytes than any packet has, or than were announced.
    Truncated,
    /// The packet's head names no operating point of this model.
    Head {
        /// The byte.
        found: u8,
    },
    /// More payload than this model's packets have.
    TooLong,
    /// The buffer for the packet or for the coefficients is too small.
    BufferTooSmall {
        /// Bytes or coefficients needed.
        needed: u16,
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
            Self::Head { found } => {
                write!(f, "this model has no head {found:02x}: the packet is damaged or of another model")
            }
            Self::TooLong => f.write_str("packet is longer than any of this model: it is damaged or of another model"),
            Self::Version { found } => {
                write!(f, "not a full packet of version 2, which starts with 21: it starts with {found:02x}")
            }
            Self::Model { expected, found } => write!(
                f,
                "packet is of a model whose id ends in {found:02x}, this one's ends in {expected:02x}: use the encoder's own decoder"
            ),
            Self::Checksum => f.write_str("packet is damaged: its CRC does not match"),
            Self::BufferTooSmall { needed } => write!(f, "buffer is too small: {needed} are needed"),
        }
    }
}

impl core::error::Error for PacketError {}
