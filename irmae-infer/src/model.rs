//! A checked view of a model file. After [`Model::load`] nothing can fail for want of bytes or of sense in the file.

use half::f16;
use heapless::Vec;

use crate::error::LoadError;
use crate::format::{
    Element, Envelope, Header, Kind, LayerHeader, MAX_BITS, MAX_CODE, MAX_LAYERS, Precision, Sections,
};
use crate::kernels::{FloatParams, IntParams};
use crate::layer::{Activation, Op, Shape};
use crate::sample::{RawType, Transfer};

/// Weights of a layer, borrowed from the file.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// `f32`
    F32(FloatParams<'a, f32>),
    /// `f16`
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
    pub(crate) fn sums_rows(&self) -> bool {
        self.op == Op::Dense && self.input.height > 1
    }
}

/// A layer's part of the buffer: first its ring of input rows, then its accumulators; the next layer's part follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) ring: usize,
    pub(crate) accumulators: usize,
    pub(crate) end: usize,
}

impl Region {
    /// The only place where the buffer is laid out.
    fn plan(start: usize, op: Op, input: Shape, output: Shape, element: Element) -> Option<Self> {
        let ring_len = op.ring_rows(input).checked_mul(input.row_len())?.checked_mul(element.size())?;
        let accumulators = start.checked_add(ring_len)?.checked_next_multiple_of(BUFFER_ALIGNMENT)?;
        let accumulators_len = accumulator_count(op, input, output).checked_mul(4)?;
        Some(Self { ring: start, accumulators, end: accumulators.checked_add(accumulators_len)? })
    }
}

/// Alignment of the buffer and of all parts of it.
pub(crate) const BUFFER_ALIGNMENT: usize = 4;

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
    bits: &'a [u8],
    steps: &'a [f32],
    transfer: Transfer<'a>,
    input_clamp: [i32; 2],
    layers: Vec<Layer<'a>, MAX_LAYERS>,
}

impl<'a> Model<'a> {
    /// Checks `bytes` once and for all: checksum, lengths, shapes, ranges of the accumulators, size of the buffer.
    ///
    /// # Errors
    /// A [`LoadError`] that says what is wrong; hostile bytes are refused like damaged ones.
    pub fn load(bytes: &'a [u8]) -> Result<Self, LoadError> {
        if !(bytes.as_ptr() as usize).is_multiple_of(crate::format::ALIGNMENT) {
            return Err(LoadError::Misaligned);
        }
        let envelope = Envelope::parse(bytes)?;
        let header: Header<'a> = postcard::from_bytes(envelope.header(bytes)).map_err(|_| LoadError::Header)?;
        check_code(&header)?;
        let mut sections = Sections::new(envelope.blob(bytes));
        let transfer = load_transfer(&envelope, &header, &mut sections)?;
        let steps = sections.take(header.bits.len())?;
        let layers = load_layers(&envelope, &header, &mut sections)?;
        sections.finish()?;
        let model = Self {
            envelope,
            raw: header.raw,
            frame: header.frame,
            bits: header.bits,
            steps,
            transfer,
            input_clamp: header.input_clamp,
            layers,
        };
        model.check_buffer_len()?;
        Ok(model)
    }

    /// That this model has the id `expected`, as an encoder and its decoder have one in common.
    ///
    /// # Errors
    /// [`LoadError::ModelId`]
    pub fn expect_id(self, expected: u64) -> Result<Self, LoadError> {
        if self.id() == expected { Ok(self) } else { Err(LoadError::ModelId { expected, found: self.id() }) }
    }

    fn check_buffer_len(&self) -> Result<(), LoadError> {
        let needed = planned_len(&self.layers).ok_or(LoadError::Length)?;
        if needed == self.envelope.buffer_len {
            Ok(())
        } else {
            Err(LoadError::BufferLen { stated: self.envelope.buffer_len as u32, needed: needed as u32 })
        }
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
        self.bits.len()
    }

    /// Bits of each coefficient in a packet.
    pub fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// Quantiser step of each coefficient.
    pub fn steps(&self) -> &'a [f32] {
        self.steps
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
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers
    }

    /// How raw samples and the network's numbers belong together.
    pub fn transfer(&self) -> Transfer<'a> {
        self.transfer
    }

    pub(crate) fn input_clamp(&self) -> [i32; 2] {
        self.input_clamp
    }
}

/// Bytes of the buffer for `layers`: their parts, then one row of the last one's output.
fn planned_len(layers: &[Layer<'_>]) -> Option<usize> {
    let last = layers.last()?;
    let output_row = last.output.row_len().checked_mul(last.output_element.size())?;
    let len = last.region.end.checked_add(output_row)?.checked_next_multiple_of(BUFFER_ALIGNMENT)?;
    (len <= i32::MAX as usize).then_some(len)
}

fn check_code(header: &Header<'_>) -> Result<(), LoadError> {
    let widths = header.bits.iter().all(|bits| (1..=MAX_BITS).contains(bits));
    if widths && (1..=MAX_CODE).contains(&header.bits.len()) { Ok(()) } else { Err(LoadError::Code) }
}

fn load_transfer<'a>(
    envelope: &Envelope,
    header: &Header<'_>,
    sections: &mut Sections<'a>,
) -> Result<Transfer<'a>, LoadError> {
    let channels = usize::from(header.frame.channels);
    let real = envelope.precision != Precision::I8 || header.raw == RawType::F32;
    Ok(match (header.raw, envelope.kind) {
        _ if real => Transfer::Real { offset: sections.take(channels)?, gain: sections.take(channels)? },
        (RawType::U8, _) | (RawType::I16, Kind::Decoder) => Transfer::Identity,
        (RawType::U16, Kind::Decoder) => Transfer::OffsetBinary,
        _ => Transfer::Fixed { offset: sections.take(channels)?, gain: sections.take(channels)? },
    })
}

fn load_layers<'a>(
    envelope: &Envelope,
    header: &Header<'_>,
    sections: &mut Sections<'a>,
) -> Result<Vec<Layer<'a>, MAX_LAYERS>, LoadError> {
    let code = Shape::flat(header.bits.len() as u16);
    let (mut input, output) = match envelope.kind {
        Kind::Encoder => (header.frame, code),
        Kind::Decoder => (code, header.frame),
    };
    let mut layers = Vec::new();
    let (mut element, mut clamp, mut start) = (header.input, header.input_clamp, 0);
    if element != first_element(envelope, header.raw) || !element.holds(clamp) {
        return Err(LoadError::Layer { index: 0 });
    }
    for (index, layer) in (0_u8..).zip(&header.layers) {
        let mismatch = LoadError::Layer { index };
        check_layer(envelope.precision, input, layer).ok_or(mismatch)?;
        let weights = load_weights(envelope.precision, input, layer, sections)?;
        if let Weights::I8(params) = &weights {
            check_accumulator(layer.op, input, clamp, params).ok_or(LoadError::Overflow { index })?;
        }
        let region = Region::plan(start, layer.op, input, layer.output, element).ok_or(LoadError::Length)?;
        let loaded = Layer {
            op: layer.op,
            activation: layer.activation,
            input,
            output: layer.output,
            input_element: element,
            output_element: layer.element,
            weights,
            region,
        };
        layers.push(loaded).map_err(|_| LoadError::Header)?;
        (input, element, clamp, start) = (layer.output, layer.element, layer.clamp, region.end);
    }
    if input != output || layers.is_empty() || element != last_element(envelope, header.raw) {
        return Err(LoadError::Layer { index: (layers.len() as u8).saturating_sub(1) });
    }
    Ok(layers)
}

fn is_right_element(precision: Precision, element: Element) -> bool {
    (precision == Precision::I8) == (element != Element::F32)
}

/// What a session puts into the first layer: raw pixels as `u8`, everything else of an integer model as `i16`.
fn first_element(envelope: &Envelope, raw: RawType) -> Element {
    match (envelope.precision, envelope.kind, raw) {
        (Precision::F32 | Precision::F16, ..) => Element::F32,
        (Precision::I8, Kind::Encoder, RawType::U8) => Element::U8,
        (Precision::I8, ..) => Element::I16,
    }
}

/// What a session takes from the last layer; see [`first_element`].
fn last_element(envelope: &Envelope, raw: RawType) -> Element {
    match (envelope.precision, envelope.kind, raw) {
        (Precision::F32 | Precision::F16, ..) => Element::F32,
        (Precision::I8, Kind::Decoder, RawType::U8) => Element::U8,
        (Precision::I8, ..) => Element::I16,
    }
}

fn check_layer(precision: Precision, input: Shape, layer: &LayerHeader) -> Option<()> {
    input.checked_len()?;
    layer.output.checked_len()?;
    let fits = layer.op.fits(input, layer.output)
        && is_right_element(precision, layer.element)
        && layer.element.holds(layer.clamp);
    fits.then_some(())
}

fn load_weights<'a>(
    precision: Precision,
    input: Shape,
    layer: &LayerHeader,
    sections: &mut Sections<'a>,
) -> Result<Weights<'a>, LoadError> {
    let bias_len = layer.op.bias_len(layer.output);
    let weights_len = layer.op.fan_in(input).checked_mul(bias_len).ok_or(LoadError::Length)?;
    let channels = usize::from(layer.output.channels);
    let activation = layer.activation;
    Ok(match precision {
        Precision::F32 => Weights::F32(FloatParams {
            weights: sections.take(weights_len)?,
            bias: sections.take(bias_len)?,
            activation,
        }),
        Precision::F16 => Weights::F16(FloatParams {
            weights: sections.take(weights_len)?,
            bias: sections.take(bias_len)?,
            activation,
        }),
        Precision::I8 => {
            let post_len = if activation.is_curved() { channels } else { 0 };
            Weights::I8(IntParams {
                weights: sections.take(weights_len)?,
                bias: sections.take(bias_len)?,
                acc_shift: layer.acc_shift,
                multiplier: sections.take(channels)?,
                post: [sections.take(post_len)?, sections.take(post_len)?],
                activation,
                clamp: layer.clamp,
            })
        }
    })
}

/// That `|bias| + sum |w| |x|`, shifted, stays within `i32` whatever the input, so that sums are exact in any order.
fn check_accumulator(op: Op, input: Shape, clamp: [i32; 2], params: &IntParams<'_>) -> Option<()> {
    let x_max = u64::from(clamp[0].unsigned_abs().max(clamp[1].unsigned_abs()));
    let sum_max = (op.fan_in(input) as u64).checked_mul(128 * x_max)?;
    let bias_max = params.bias.iter().map(|b| u64::from(b.unsigned_abs())).max().unwrap_or(0);
    let shifted_max = sum_max.checked_add(bias_max)?.checked_mul(1_u64.checked_shl(params.acc_shift.into())?)?;
    (shifted_max <= i32::MAX as u64).then_some(())
}
