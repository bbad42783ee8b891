//! Writes model files. The host's side of the format, so it may allocate.

use std::vec::Vec;

use half::f16;

use super::{
    ALIGNMENT, CHECKSUM_LEN, ENVELOPE_LEN, Element, Envelope, Header, Kind, LayerHeader, MAX_LAYERS, Precision,
    Sections, crc32,
};
use crate::code::{Code, Tables};
use crate::error::LoadError;
use crate::kernels::packing;
use crate::layer::Shape;
use crate::model::Model;
use crate::sample::RawType;

/// A model in the writer's hands.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Encoder or decoder.
    pub kind: Kind,
    /// Number type of the weights.
    pub precision: Precision,
    /// The id that encoder and decoder have in common.
    pub model_id: u64,
    /// Type of the raw samples.
    pub raw: RawType,
    /// Shape of a window of samples.
    pub frame: Shape,
    /// The code.
    pub code: CodeSpec,
    /// See [`Transfer`](crate::Transfer).
    pub transfer: TransferSpec,
    /// Number type of the first layer's input.
    pub input: Element,
    /// Least and largest input of the first layer.
    pub input_clamp: [i32; 2],
    /// The layers in order.
    pub layers: Vec<LayerSpec>,
}

/// How the code is quantised and coded; see [`Code`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CodeSpec {
    /// What one unit of a coefficient is worth.
    pub resolutions: Vec<f32>,
    /// Bits of each coefficient.
    pub bits: Vec<u8>,
    /// Most bytes of a payload.
    pub max_len: u8,
    /// Zero cell of each operating point, in steps / 256.
    pub deadzones: Vec<u8>,
    /// A step for each coefficient of each point, in eighths of an octave.
    pub steps: Vec<u8>,
    /// Bits of each coefficient's distance from its mean, class by class.
    #[serde(default)]
    pub spreads: Vec<u8>,
    /// Means of each coefficient in units, class by class.
    #[serde(default)]
    pub means: Vec<i16>,
    /// Distances from the mean below `2^blur` units are alike to whoever looks for the class of a code.
    #[serde(default)]
    pub blur: u8,
    /// [`KNOTS`](crate::code::KNOTS) of each coefficient's cumulative distribution.
    pub knots: Vec<u16>,
}

impl CodeSpec {
    /// The code, if its tables are sound.
    pub fn code(&self) -> Option<Code<'_>> {
        Code::new(Tables {
            bits: &self.bits,
            max_len: self.max_len,
            deadzones: &self.deadzones,
            steps: &self.steps,
            spreads: &self.spreads,
            means: &self.means,
            blur: self.blur,
            knots: &self.knots,
        })
    }
}

/// Offsets and gains per channel; see [`Transfer`](crate::Transfer).
#[derive(Debug, Clone)]
pub enum TransferSpec {
    /// None.
    Identity,
    /// Offset and gain.
    Fixed(Vec<i32>, Vec<i32>),
    /// Offset and gain.
    Real(Vec<f32>, Vec<f32>),
}

/// A layer with its weights.
#[derive(Debug, Clone)]
pub struct LayerSpec {
    /// All but the weights.
    pub header: LayerHeader,
    /// Weights, in the order of [`Op::weights_len`](crate::Op::weights_len); [`write()`] packs them.
    pub weights: WeightsSpec,
}

/// Weights of a layer.
#[derive(Debug, Clone)]
pub enum WeightsSpec {
    /// Weights and biases.
    F32(Vec<f32>, Vec<f32>),
    /// Weights and biases.
    F16(Vec<f16>, Vec<f32>),
    /// See [`IntParams`](crate::kernels::IntParams).
    I8 {
        /// Weights within +-127.
        weights: Vec<i8>,
        /// Biases at the accumulator's scale.
        bias: Vec<i32>,
        /// One an output channel.
        multiplier: Vec<i32>,
        /// Second multiplier and offset, one an output channel; empty unless the activation is tanh or sigmoid.
        post: [Vec<i32>; 2],
    },
}

/// Why a model cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// More layers than [`MAX_LAYERS`].
    TooManyLayers,
    /// The header could not be written.
    Header,
    /// The file would be larger than 2 GiB.
    TooLarge,
    /// The reader refuses the result.
    Refused(LoadError),
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooManyLayers => write!(f, "a model file holds at most {MAX_LAYERS} layers"),
            Self::Header => f.write_str("the model's header cannot be written"),
            Self::TooLarge => f.write_str("the model file would exceed 2 GiB"),
            Self::Refused(error) => write!(f, "the model cannot be run: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// The bytes of the file. They have been loaded again by [`Model::load`], so they run.
///
/// # Errors
/// A [`WriteError`]; sizes that contradict each other show as [`WriteError::Refused`].
pub fn write(spec: &ModelSpec) -> Result<Vec<u8>, WriteError> {
    let header = Header {
        raw: spec.raw,
        frame: spec.frame,
        bits: &spec.code.bits,
        max_len: spec.code.max_len,
        deadzones: &spec.code.deadzones,
        steps: &spec.code.steps,
        spreads: &spec.code.spreads,
        blur: spec.code.blur,
        input: spec.input,
        input_clamp: spec.input_clamp,
    };
    if spec.layers.len() > MAX_LAYERS {
        return Err(WriteError::TooManyLayers);
    }
    let layers: Vec<LayerHeader> = spec.layers.iter().map(|layer| layer.header).collect();
    let header = postcard::to_stdvec(&(header, layers)).map_err(|_| WriteError::Header)?;
    let blob = blob(spec);
    let blob_offset = (ENVELOPE_LEN + header.len()).next_multiple_of(ALIGNMENT);
    let mut envelope = Envelope {
        kind: spec.kind,
        precision: spec.precision,
        model_id: spec.model_id,
        file_len: blob_offset + blob.len() + CHECKSUM_LEN,
        header_len: header.len(),
        blob_offset,
        buffer_len: 0,
    };
    if i32::try_from(envelope.file_len).is_err() {
        return Err(WriteError::TooLarge);
    }
    // The reader knows the size of the buffer: the first try states none and is told.
    if let Err(LoadError::BufferLen { needed, .. }) = load(&assemble(&envelope, &header, &blob)) {
        envelope.buffer_len = needed as usize;
    }
    let file = assemble(&envelope, &header, &blob);
    load(&file).map(|()| file).map_err(WriteError::Refused)
}

fn assemble(envelope: &Envelope, header: &[u8], blob: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(envelope.file_len);
    file.extend_from_slice(&envelope.emit());
    file.extend_from_slice(header);
    file.resize(envelope.blob_offset, 0);
    file.extend_from_slice(blob);
    file.extend_from_slice(&crc32(&file).to_le_bytes());
    file
}

fn load(file: &[u8]) -> Result<(), LoadError> {
    Model::load(AlignedBytes::new(file).as_slice()).map(|_| ())
}

fn blob(spec: &ModelSpec) -> Vec<u8> {
    let mut blob = Vec::new();
    match &spec.transfer {
        TransferSpec::Identity => {}
        TransferSpec::Fixed(offset, gain) => {
            Sections::emit(&mut blob, offset);
            Sections::emit(&mut blob, gain);
        }
        TransferSpec::Real(offset, gain) => {
            Sections::emit(&mut blob, offset);
            Sections::emit(&mut blob, gain);
        }
    }
    Sections::emit(&mut blob, &spec.code.resolutions);
    Sections::emit(&mut blob, &spec.code.means);
    Sections::emit(&mut blob, &spec.code.knots);
    let mut input = match spec.kind {
        Kind::Encoder => spec.frame,
        Kind::Decoder => Shape::flat(spec.code.bits.len() as u16),
    };
    for layer in &spec.layers {
        let LayerHeader { op, output, .. } = layer.header;
        match &layer.weights {
            WeightsSpec::F32(weights, bias) => {
                Sections::emit(&mut blob, &packing::pack_float(op, input, output, weights));
                Sections::emit(&mut blob, bias);
            }
            WeightsSpec::F16(weights, bias) => {
                Sections::emit(&mut blob, &packing::pack_float(op, input, output, weights));
                Sections::emit(&mut blob, bias);
            }
            WeightsSpec::I8 { weights, bias, multiplier, post } => {
                Sections::emit(&mut blob, &packing::pack_int(op, input, output, weights));
                Sections::emit(&mut blob, bias);
                Sections::emit(&mut blob, multiplier);
                Sections::emit(&mut blob, &post[0]);
                Sections::emit(&mut blob, &post[1]);
            }
        }
        input = output;
    }
    blob
}

const _: () = assert!(align_of::<u128>() == ALIGNMENT);

/// Bytes on the heap at an address that is a multiple of 16: a model file or a buffer on the host.
#[derive(Debug, Clone)]
pub struct AlignedBytes {
    /// `u128` for its alignment.
    blocks: Vec<u128>,
    len: usize,
}

impl AlignedBytes {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeroed(bytes.len());
        aligned.as_mut_slice().copy_from_slice(bytes);
        aligned
    }

    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { blocks: std::vec![0; len.div_ceil(ALIGNMENT)], len }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[..self.len]
    }

    /// The bytes.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[..self.len]
    }
}
