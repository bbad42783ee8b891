//! Errors: one small enum a verb.

use core::fmt;

use crate::format::{Kind, VERSION};
use crate::sample::RawType;

/// Why bytes are not a model that this crate can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadError {
    /// The first byte is not at a multiple of 16. Wrap the bytes in [`Aligned`](crate::Aligned).
    Misaligned,
    /// Fewer bytes than the file says it has.
    Truncated {
        /// Bytes of the whole file.
        needed: u32,
        /// Bytes that were given.
        given: u32,
    },
    /// The magic number is missing.
    NotAModel,
    /// The file has another major version.
    Version {
        /// Its major version.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// The CRC-32 does not match: a bit has changed.
    Checksum,
    /// The header does not read as one, or has more layers or coefficients than this crate takes.
    Header,
    /// Lengths contradict each other or overflow.
    Length,
    /// The layer cannot make its output of its input, has numbers of the wrong type, or is a transposed convolution in an encoder.
    Layer {
        /// Index of the layer.
        index: u8,
    },
    /// An accumulator of the layer could overflow.
    Overflow {
        /// Index of the layer.
        index: u8,
    },
    /// The model is of `f32` or `f16`, and this program has been built without the feature `float`.
    Precision,
    /// The model is a decoder, and this program has been built without the feature `decode`.
    Decoder,
    /// The tables of the code are wrong.
    Code,
    /// The file states another buffer size than its layers need.
    BufferLen {
        /// Bytes that the file states.
        stated: u32,
        /// Bytes that the layers need.
        needed: u32,
    },
    /// A decoder that does not belong to this encoder, or the other way about.
    ModelId {
        /// The id that was asked for.
        expected: u64,
        /// The id in the file.
        found: u64,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misaligned => f.write_str(
                "model bytes are not aligned to 16: wrap them in irmae_infer::Aligned or use include_model!",
            ),
            Self::Truncated { needed, given } => {
                write!(f, "model file is truncated: {given} of {needed} bytes; copy or export it again")
            }
            Self::NotAModel => f.write_str("not an IRMAE model file: it does not start with IRMA"),
            Self::Version { major, minor } => write!(
                f,
                "model file has format version {major}.{minor}, this program reads {}.x: export it again or update",
                VERSION.0
            ),
            Self::Checksum => {
                f.write_str("model file is damaged: its checksum does not match; copy or export it again")
            }
            Self::Header => f.write_str("model file has a header that cannot be read"),
            Self::Length => f.write_str("model file has lengths that contradict each other"),
            Self::Layer { index } => write!(
                f,
                "layer {index} of the model file does not fit its input, or is a transposed convolution in an encoder"
            ),
            Self::Overflow { index } => write!(f, "layer {index} of the model file could overflow its accumulator"),
            Self::Precision => f.write_str(
                "this program runs i8 models only: build irmae-infer with the feature float, or export with --quantize i8",
            ),
            Self::Decoder => f.write_str(
                "this model file is a decoder, and the program can only encode; build irmae-infer with its feature `decode`",
            ),
            Self::Code => f.write_str("model file has a code whose tables are impossible"),
            Self::BufferLen { stated, needed } => {
                write!(f, "model file states a buffer of {stated} bytes, its layers need {needed}")
            }
            Self::ModelId { expected, found } => {
                write!(
                    f,
                    "model id is {found:016x}, expected {expected:016x}: encoder and decoder are of different models"
                )
            }
        }
    }
}

impl core::error::Error for LoadError {}

/// Why an encoder or decoder cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The model is the other half.
    Kind {
        /// What the model is.
        found: Kind,
    },
    /// The buffer is too small.
    BufferTooSmall {
        /// Bytes that the model needs.
        needed: u32,
        /// Bytes that were given.
        given: u32,
    },
    /// The buffer's first byte is not at a multiple of 4. Wrap it in [`Aligned`](crate::Aligned).
    BufferMisaligned,
    /// The samples are of a type that the model was not made for.
    SampleType {
        /// The type that it was made for.
        expected: RawType,
        /// The type that was given.
        given: RawType,
    },
    /// A slice of samples or coefficients has the wrong length.
    Length {
        /// Values that it should have.
        expected: u32,
        /// Values that it has.
        given: u32,
    },
    /// Real-valued coefficients were given to, or asked of, an integer model.
    NotReal,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { found: Kind::Encoder } => f.write_str("this model file is an encoder, a decoder is needed"),
            Self::Kind { found: Kind::Decoder } => f.write_str("this model file is a decoder, an encoder is needed"),
            Self::BufferTooSmall { needed, given } => {
                write!(f, "buffer of {given} bytes is too small: the model needs {needed}")
            }
            Self::BufferMisaligned => f.write_str("buffer is not aligned to 4: wrap it in irmae_infer::Aligned"),
            Self::SampleType { expected, given } => {
                write!(f, "model takes samples of type {expected:?}, not {given:?}")
            }
            Self::Length { expected, given } => write!(f, "{expected} values are needed, {given} were given"),
            Self::NotReal => f.write_str("an i8 model has no real-valued coefficients"),
        }
    }
}

impl core::error::Error for RunError {}
