//! A collapsed network with its code's quantiser becomes two model files, one for the encoder and one for the decoder.
//!
//! `layers` brings weights to the device's order, `calibrate` finds the ranges of activations, `quantize` makes integers,
//! `side` puts a file together.
//! The result has been loaded by `irmae-infer` before it is handed out.

mod calibrate;
mod layers;
mod quantize;
mod side;
mod subject;

use irmae_infer::RawType;
use irmae_infer::format::{self, CodeSpec, Kind, Precision, WriteError};
use sha2::{Digest, Sha256};
use tch::Tensor;

use crate::batches::DeviceData;
use crate::code::CodeTables;
use crate::data::{Normalization, RawItems};
use crate::model::Model;
use side::Side;

pub use layers::to_frames;
pub use subject::{ExportReport, REPORT, Subject, SubjectError, network_folder, read_bytes, read_code};

/// Encoder and decoder as the bytes of their files.
#[derive(Debug, Clone)]
pub struct Exported {
    /// `encoder.irmae`
    pub encoder: Vec<u8>,
    /// `decoder.irmae`
    pub decoder: Vec<u8>,
}

/// What is exported.
#[derive(Debug)]
pub struct Source<'a> {
    /// The network, its linear stack collapsed.
    pub model: &'a Model,
    /// The quantiser of its code.
    pub code: &'a CodeTables,
    /// How raw values become the network's inputs.
    pub normalization: &'a Normalization,
    /// Type of the raw values.
    pub raw: RawType,
    /// Normalised training items to calibrate on. Shape: `[N, C, H, W]`.
    pub calibration: &'a Tensor,
}

/// Why a network cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A linear stack is still there.
    #[error("the network still has its linear stack; run `trainer collapse` first")]
    NotCollapsed,
    /// A size that a model file cannot hold.
    #[error("{part}.{index} has a size that a model file cannot hold (kernels up to 255, maps up to 65535)")]
    TooLarge {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Index of the layer.
        index: usize,
    },
    /// The code is too long.
    #[error("the code has {0} coefficients, a model file holds at most {max}; collapse with a lower --rank", max = format::MAX_CODE)]
    CodeTooLong(usize),
    /// An f16 weight overflows.
    #[error("{part}.{index} has a weight beyond the range of f16; export with --quantize f32 or i8")]
    BeyondF16 {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Index of the layer.
        index: usize,
    },
    /// Outputs finer than i8 weights can make them.
    #[error(
        "{part}.{index} gives outputs that are finer than i8 weights resolve; lower --bytes, or export with --quantize f16"
    )]
    TooFine {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Index of the layer.
        index: usize,
    },
    /// ReLU at the end of a network for data that is not centred at its raw zero.
    #[error(
        "{part}.{index} ends the decoder in ReLU, which i8 cannot do for this data; use activation = \"none\" there"
    )]
    ReluOnOffset {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Index of the layer.
        index: usize,
    },
    /// The writer refuses the result.
    #[error("{part}: {source}")]
    Write {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Why.
        source: WriteError,
    },
}

/// Writes encoder and decoder at `precision`.
///
/// # Errors
/// An [`ExportError`] that names the layer and what to do.
pub fn export(source: &Source<'_>, precision: Precision) -> Result<Exported, ExportError> {
    if !source.model.stack().is_empty() {
        return Err(ExportError::NotCollapsed);
    }
    if source.code.rank() > format::MAX_CODE {
        return Err(ExportError::CodeTooLong(source.code.rank()));
    }
    tch::no_grad(|| {
        let side = |kind| Side::new(source, kind, precision)?.file();
        Ok(Exported { encoder: side(Kind::Encoder)?, decoder: side(Kind::Decoder)? })
    })
}

/// Items that a network is calibrated on, spread over the training part. Shape: `[N, C, H, W]`.
pub fn calibration(train: &DeviceData) -> Tensor {
    const ITEMS: usize = 1024;
    let pieces: Vec<Tensor> = train.pieces(ITEMS, ITEMS).map(|indices| train.batch(&indices)).collect();
    Tensor::cat(&pieces, 0)
}

/// The device's name of a raw type.
pub fn raw_type(items: &RawItems) -> RawType {
    match items {
        RawItems::U8(_) => RawType::U8,
        RawItems::I16(_) => RawType::I16,
        RawItems::U16(_) => RawType::U16,
        RawItems::F32(_) => RawType::F32,
    }
}

/// The network's output in raw units, neither rounded nor saturated. Shape: that of `y`, `[N, C, H, W]`.
pub fn to_raw_units(y: &Tensor, normalization: &Normalization) -> Tensor {
    let per_channel = |values: &[f32]| Tensor::from_slice(values).view([-1, 1, 1]).to_device(y.device());
    y * per_channel(&normalization.scale) + per_channel(&normalization.offset)
}

/// An id that encoder and decoder have in common at every precision: a hash of weights and code quantiser.
pub fn model_id(model: &Model, code: &CodeTables) -> u64 {
    let mut hash = Sha256::new();
    let weights: Vec<f32> = Vec::try_from(model.parameters().flat().to_device(tch::Device::Cpu)).expect("f32");
    let CodeSpec { resolutions, bits, max_len, deadzones, steps, spreads, means, blur, knots } = &code.spec;
    weights.iter().chain(resolutions).for_each(|value| hash.update(value.to_le_bytes()));
    [bits, &vec![*max_len], deadzones, steps, spreads, &vec![*blur]].into_iter().for_each(|bytes| hash.update(bytes));
    means.iter().for_each(|mean| hash.update(mean.to_le_bytes()));
    knots.iter().for_each(|knot| hash.update(knot.to_le_bytes()));
    u64::from_le_bytes(hash.finalize()[..8].try_into().expect("a hash has 32 bytes"))
}
