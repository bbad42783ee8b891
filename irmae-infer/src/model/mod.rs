//! A checked view of a model file. After [`Model::load`] nothing can fail for want of bytes or of sense in the file.

mod load;

#[cfg(feature = "float")]
use half::f16;
use heapless::Vec;

use crate::code::Code;
use crate::error::LoadError;
use crate::format::{Element, Envelope, Kind, MAX_LAYERS, Precision};
#[cfg(feature = "float")]
use crate::kernels::FloatParams;
use crate::kernels::IntParams;
use crate::kernels::packing::{self, Matrix};
use crate::layer::{Activation, Op, Shape};
use crate::reach::{Margins, ROWS_SLACK};
use crate::sample::{RawType, Transfer};

/// Weights of a layer, borrowed from the file.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// `f32`
    #[cfg(feature = "float")]
    F32(FloatParams<'a, f32>),
    /// `f16`
    #[cfg(feature = "float")]
    F16(FloatParams<'a, f16>),
    /// `i8`
    I8(IntParams<'a>),
}

/// A layer with its weights and its place in the buffer.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The linear part.
    pub op: Op,
    /// What follows it.
    pub activation: Activation,
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Number type of the input.
    pub input_element: Element,
    /// Number type of the output.
    pub output_element: Element,
    /// Weights.
    pub weights: Weights<'a>,
    pub(crate) region: Region,
}

impl Layer<'_> {
    /// Whether this is a dense layer on many rows, which sums up all its outputs as the rows arrive.
    #[cfg_attr(irmae_avx2, inline)]
    pub(crate) fn sums_rows(&self) -> bool {
        self.op == Op::Dense && self.input.height > 1
    }

    /// Output rows that are made at a time.
    #[cfg_attr(irmae_avx2, inline)]
    pub(crate) fn block_rows(&self) -> usize {
        self.op.block_rows(self.output)
    }

    /// The weights that join one input row and one output row of a dense layer.
    #[cfg_attr(irmae_avx2, inline)]
    pub(crate) fn dense_matrix(&self) -> Matrix {
        packing::dense_matrix(self.input, self.output)
    }
}

/// A layer's part of the buffer: first the input rows that it holds, between zeros, then its accumulators; the next layer's part
/// follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Region {
    /// Where the rows start.
    pub(crate) rows: usize,
    pub(crate) margins: Margins,
    pub(crate) accumulators: usize,
    pub(crate) end: usize,
}

impl Region {
    /// The only place where the buffer is laid out. Input rows come `arriving` at a time. What does not fit memory saturates.
    fn plan(start: usize, op: Op, input: Shape, output: Shape, element: Element, arriving: usize) -> Self {
        let margins = op.margins(input, output);
        let rows = op.rows_held(input, output, arriving);
        let values = rows.saturating_mul(margins.row_step).saturating_add(ROWS_SLACK);
        let accumulators = align(start.saturating_add(values.saturating_mul(element.size())));
        let accumulators_len = accumulator_count(op, input, output).saturating_mul(4);
        let end = accumulators.saturating_add(accumulators_len);
        Self { rows: start, margins, accumulators, end }
    }
}

/// Alignment of the buffer and of all parts of it.
pub(crate) const BUFFER_ALIGNMENT: usize = 4;

/// The next multiple of [`BUFFER_ALIGNMENT`], or the last there is.
fn align(len: usize) -> usize {
    len.saturating_add(BUFFER_ALIGNMENT - 1) / BUFFER_ALIGNMENT * BUFFER_ALIGNMENT
}

/// A dense layer on one row is computed an output row at a time; on many rows it sums up all outputs as rows arrive.
fn accumulator_count(op: Op, input: Shape, output: Shape) -> usize {
    match op {
        Op::Dense if input.height > 1 => output.len(),
        Op::Dense => output.row_len(),
        _ => 0,
    }
}

/// An encoder or decoder, borrowed from the bytes of its file.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    envelope: Envelope,
    raw: RawType,
    frame: Shape,
    code: Code<'a>,
    resolutions: &'a [f32],
    transfer: Transfer<'a>,
    input_clamp: [i32; 2],
    layers: Vec<Layer<'a>, MAX_LAYERS>,
    scratch: usize,
}

/// Memory for a model, which [`ModelSlot::load`] makes there: a model moved out of [`Model::load`] may take a kilobyte of flash for
/// the moving.
#[derive(Debug, Clone)]
pub struct ModelSlot<'a> {
    model: Model<'a>,
}

impl Default for ModelSlot<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> ModelSlot<'a> {
    /// Empty.
    #[inline]
    pub const fn new() -> Self {
        let model = Model {
            envelope: Envelope::NONE,
            raw: RawType::U8,
            frame: Shape::flat(0),
            code: Code::EMPTY,
            resolutions: &[],
            transfer: Transfer::Identity,
            input_clamp: [0; 2],
            layers: Vec::new(),
            scratch: 0,
        };
        Self { model }
    }

    /// [`Model::load`], into this memory.
    ///
    /// # Errors
    /// The same.
    pub fn load(&mut self, bytes: &'a [u8]) -> Result<&Model<'a>, LoadError> {
        if !(bytes.as_ptr() as usize).is_multiple_of(crate::format::ALIGNMENT) {
            return Err(LoadError::Misaligned);
        }
        self.model.layers.clear();
        load::load(&mut self.model, bytes)?;
        Ok(&self.model)
    }
}

impl<'a> Model<'a> {
    /// Checks `bytes` once and for all: checksum, lengths, shapes, ranges of the accumulators, size of the buffer.
    ///
    /// # Errors
    /// A [`LoadError`] that says what is wrong; hostile bytes are refused like damaged ones.
    pub fn load(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let mut slot = ModelSlot::new();
        slot.load(bytes)?;
        Ok(slot.model)
    }

    /// That this model has the id `expected`, as an encoder and its decoder have one in common.
    ///
    /// # Errors
    /// [`LoadError::ModelId`]
    pub fn expect_id(self, expected: u64) -> Result<Self, LoadError> {
        if self.id() == expected { Ok(self) } else { Err(LoadError::ModelId { expected, found: self.id() }) }
    }

    /// Encoder or decoder.
    pub fn kind(&self) -> Kind {
        self.envelope.kind
    }

    /// Number type of the weights.
    pub fn precision(&self) -> Precision {
        self.envelope.precision
    }

    /// The id that an encoder and its decoder have in common, whatever their precision.
    pub fn id(&self) -> u64 {
        self.envelope.model_id
    }

    /// Type of the raw samples.
    pub fn raw_type(&self) -> RawType {
        self.raw
    }

    /// Shape of a window of samples: height, width, channels.
    pub fn frame(&self) -> Shape {
        self.frame
    }

    /// Number of coefficients in a code.
    pub fn code_len(&self) -> usize {
        self.code.len()
    }

    /// How the code is quantised and coded.
    pub fn code(&self) -> Code<'a> {
        self.code
    }

    /// What one unit of each coefficient is worth.
    pub fn resolutions(&self) -> &'a [f32] {
        self.resolutions
    }

    /// Bytes of working memory, see [`buffer_len`](crate::format::buffer_len).
    pub fn buffer_len(&self) -> usize {
        self.envelope.buffer_len
    }

    /// Bytes of the file.
    pub fn file_len(&self) -> usize {
        self.envelope.file_len
    }

    /// The layers in order.
    #[cfg_attr(irmae_avx2, inline)]
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers
    }

    /// How raw samples and the network's numbers belong together.
    pub fn transfer(&self) -> Transfer<'a> {
        self.transfer
    }

    /// Where the buffer's scratch memory starts.
    pub(crate) fn scratch(&self) -> usize {
        self.scratch
    }

    pub(crate) fn input_clamp(&self) -> [i32; 2] {
        self.input_clamp
    }
}
