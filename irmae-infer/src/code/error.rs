//! Why bytes are not a packet.

use core::fmt;

/// Why bytes are not a packet of this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// Fewer bytes than the packet says it has.
    Truncated,
    /// The packet's head is none of this model's.
    Head {
        /// The byte.
        found: u8,
    },
    /// The payload does not end as payloads do.
    Ending,
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
            Self::Head { found } => {
                write!(f, "no packet of this model starts its code with {found:02x}: it is damaged or of another model")
            }
            Self::Ending => {
                f.write_str("packet does not end as packets of this model do: it is damaged or of another model")
            }
            Self::Trailing { count } => write!(f, "{count} bytes follow the packet"),
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
