//! The model file: envelope, postcard header, weight blob, checksum. `FORMAT.md` has every byte.
//!
//! Reader and writer face each other here: `Envelope::parse` and `Envelope::emit`, `Fields` and what serde makes of [`Header`],
//! and `Sections` lays out the blob for both.

mod header;
mod read;
#[cfg(feature = "std")]
mod write;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

pub(crate) use header::Sections;
pub use header::{Element, Header, LayerHeader};
pub(crate) use read::Fields;
#[cfg(feature = "std")]
pub use write::{AlignedBytes, CodeSpec, LayerSpec, ModelSpec, TransferSpec, WeightsSpec, WriteError, write};

use crate::error::LoadError;

/// First bytes of a model file.
pub const MAGIC: [u8; 4] = *b"IRMA";
/// Version that this crate writes. It reads every minor version of the same major one.
pub const VERSION: (u8, u8) = (5, 0);
/// Alignment of the file's first byte, of the weight blob and of each section in it.
pub const ALIGNMENT: usize = 16;
/// Layers in a model, at most.
pub const MAX_LAYERS: usize = 12;
/// Coefficients in a code, at most.
pub const MAX_CODE: usize = 1024;
/// Bits of a coefficient, at most.
pub const MAX_BITS: u8 = 15;
/// Bits of a coefficient, at least.
pub const MIN_BITS: u8 = 5;

pub(crate) const ENVELOPE_LEN: usize = 32;
pub(crate) const CHECKSUM_LEN: usize = 4;

/// Byte offsets of the envelope's fields. All numbers are little-endian.
mod field {
    pub(super) const MAJOR: usize = 4;
    pub(super) const MINOR: usize = 5;
    pub(super) const KIND: usize = 6;
    pub(super) const PRECISION: usize = 7;
    pub(super) const MODEL_ID: usize = 8;
    pub(super) const FILE_LEN: usize = 16;
    pub(super) const HEADER_LEN: usize = 20;
    pub(super) const BLOB_OFFSET: usize = 24;
    pub(super) const BUFFER_LEN: usize = 28;
}

/// Which half of the autoencoder a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// From samples to code.
    Encoder = 0,
    /// From code to samples.
    Decoder = 1,
}

/// Number type of the weights; activations are `f32` for the first two and integers for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Precision {
    /// `f32` weights and arithmetic.
    F32 = 0,
    /// `f16` weights, `f32` arithmetic.
    F16 = 1,
    /// `i8` weights, integer arithmetic.
    I8 = 2,
}

/// The fixed first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    pub(crate) precision: Precision,
    pub(crate) model_id: u64,
    pub(crate) file_len: usize,
    pub(crate) header_len: usize,
    pub(crate) blob_offset: usize,
    pub(crate) buffer_len: usize,
}

impl Envelope {
    /// Of no file.
    pub(crate) const NONE: Self = Self {
        kind: Kind::Encoder,
        precision: Precision::I8,
        model_id: 0,
        file_len: usize::MAX,
        header_len: usize::MAX,
        blob_offset: usize::MAX,
        buffer_len: usize::MAX,
    };

    /// Reads and checks the envelope and the checksum over the whole file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        if bytes.len() < ENVELOPE_LEN {
            return Err(LoadError::Truncated { needed: ENVELOPE_LEN as u32, given: bytes.len() as u32 });
        }
        if bytes[..4] != MAGIC {
            return Err(LoadError::NotAModel);
        }
        if bytes[field::MAJOR] != VERSION.0 {
            return Err(LoadError::Version { major: bytes[field::MAJOR], minor: bytes[field::MINOR] });
        }
        let file_len = read_u32(bytes, field::FILE_LEN) as usize;
        if file_len < ENVELOPE_LEN + CHECKSUM_LEN || bytes.len() < file_len {
            return Err(LoadError::Truncated { needed: file_len as u32, given: bytes.len() as u32 });
        }
        let (body, checksum) = bytes[..file_len].split_at(file_len - CHECKSUM_LEN);
        if read_u32(checksum, 0) != crc32(body) {
            return Err(LoadError::Checksum);
        }
        let envelope = Self {
            kind: match bytes[field::KIND] {
                0 => Kind::Encoder,
                1 => Kind::Decoder,
                _ => return Err(LoadError::Header),
            },
            precision: match bytes[field::PRECISION] {
                0 => Precision::F32,
                1 => Precision::F16,
                2 => Precision::I8,
                _ => return Err(LoadError::Header),
            },
            model_id: u64::from(read_u32(bytes, field::MODEL_ID))
                | u64::from(read_u32(bytes, field::MODEL_ID + 4)) << 32,
            file_len,
            header_len: read_u32(bytes, field::HEADER_LEN) as usize,
            blob_offset: read_u32(bytes, field::BLOB_OFFSET) as usize,
            buffer_len: read_u32(bytes, field::BUFFER_LEN) as usize,
        };
        envelope.check_lengths()?;
        Ok(envelope)
    }

    fn check_lengths(&self) -> Result<(), LoadError> {
        let header_end = ENVELOPE_LEN.checked_add(self.header_len).ok_or(LoadError::Length)?;
        let in_order = header_end <= self.blob_offset && self.blob_offset <= self.file_len - CHECKSUM_LEN;
        if in_order && self.blob_offset.is_multiple_of(ALIGNMENT) { Ok(()) } else { Err(LoadError::Length) }
    }

    /// The envelope's bytes, [`Envelope::parse`]'s inverse.
    #[cfg(feature = "std")]
    pub(crate) fn emit(&self) -> [u8; ENVELOPE_LEN] {
        let mut bytes = [0; ENVELOPE_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        (bytes[field::MAJOR], bytes[field::MINOR]) = VERSION;
        bytes[field::KIND] = self.kind as u8;
        bytes[field::PRECISION] = self.precision as u8;
        bytes[field::MODEL_ID..][..8].copy_from_slice(&self.model_id.to_le_bytes());
        for (at, value) in [
            (field::FILE_LEN, self.file_len),
            (field::HEADER_LEN, self.header_len),
            (field::BLOB_OFFSET, self.blob_offset),
            (field::BUFFER_LEN, self.buffer_len),
        ] {
            bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        bytes
    }

    pub(crate) fn header<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[ENVELOPE_LEN..ENVELOPE_LEN + self.header_len]
    }

    pub(crate) fn blob<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.blob_offset..self.file_len - CHECKSUM_LEN]
    }
}

/// Bytes of working memory that the model in `file` needs, read from its envelope without any check.
///
/// Made for a constant: `static BUFFER: [u8; buffer_len(FILE)]`. [`Model::load`](crate::Model::load) checks that the figure
/// is right. 0 where the file is too short to say.
pub const fn buffer_len(file: &[u8]) -> usize {
    if file.len() < ENVELOPE_LEN { 0 } else { read_u32(file, field::BUFFER_LEN) as usize }
}

/// Bytes of a window of samples of the model in `file`, read from its header without any check.
///
/// Made for a constant, as [`buffer_len`]. 0 where the file is too short to say.
pub const fn window_len(file: &[u8]) -> usize {
    // RawType's index, then height, width and channels as varints.
    let (mut at, mut len, mut dimension) = (ENVELOPE_LEN + 1, 1, 0);
    while dimension < 3 {
        let (mut value, mut shift) = (0, 0);
        loop {
            if at >= file.len() || shift > 14 {
                return 0;
            }
            let byte = file[at] as usize;
            value |= (byte & 0x7f) << shift;
            (at, shift) = (at + 1, shift + 7);
            if byte < 0x80 {
                break;
            }
        }
        (len, dimension) = (len * value, dimension + 1);
    }
    match file[ENVELOPE_LEN] {
        0 => len,
        1 | 2 => 2 * len,
        _ => 4 * len,
    }
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    // No table: a model is loaded once, and 1 KB of flash is worth more than the milliseconds.
    Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC).checksum(bytes)
}

const fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
