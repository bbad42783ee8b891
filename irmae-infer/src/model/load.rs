//! The checks of [`Model::load`](super::Model::load): all that can be wrong with a file is found here.

use super::{Layer, Model, Region, Weights, align};
use crate::code::{Code, KNOTS, Tables};
use crate::error::LoadError;
use crate::format::{Element, Envelope, Fields, Header, Kind, LayerHeader, MAX_LAYERS, Precision, Sections};
#[cfg(feature = "float")]
use crate::kernels::{FloatParams, FloatWeight};
use crate::kernels::{IntParams, int_weights_len, scratch_len};
use crate::layer::{DECODES, Op, Shape};
use crate::pipeline::Progress;
use crate::sample::{RawType, Transfer};

/// Checks and takes apart a file whose first byte is aligned, into `model`, which has no layers.
pub(super) fn load<'a>(model: &mut Model<'a>, bytes: &'a [u8]) -> Result<(), LoadError> {
    model.envelope = Envelope::parse(bytes)?;
    if cfg!(not(feature = "float")) && model.envelope.precision != Precision::I8 {
        return Err(LoadError::Precision);
    }
    if !DECODES && model.envelope.kind == Kind::Decoder {
        return Err(LoadError::Decoder);
    }
    let mut fields = Fields::new(model.envelope.header(bytes));
    let header = fields.header();
    if !fields.is_sound() {
        return Err(LoadError::Header);
    }
    let mut sections = Sections::new(model.envelope.blob(bytes));
    model.transfer = load_transfer(&model.envelope, &header, &mut sections);
    model.resolutions = sections.take(header.bits.len());
    let means = sections.take(header.spreads.len());
    let knots = sections.take(header.bits.len().saturating_mul(KNOTS));
    if !sections.is_whole() {
        return Err(LoadError::Length);
    }
    let Header { bits, max_len, deadzones, steps, spreads, blur, .. } = header;
    let tables = Tables { bits, max_len, deadzones, steps, spreads, means, blur, knots };
    model.code = Code::new(tables).ok_or(LoadError::Code)?;
    (model.raw, model.frame, model.input_clamp) = (header.raw, header.frame, header.input_clamp);
    load_layers(model, header.input, fields, sections)
}

#[inline(never)]
fn load_transfer<'a>(envelope: &Envelope, header: &Header<'_>, sections: &mut Sections<'a>) -> Transfer<'a> {
    let channels = usize::from(header.frame.channels);
    let real = envelope.precision != Precision::I8 || header.raw == RawType::F32;
    match (header.raw, envelope.kind) {
        _ if real => Transfer::Real { offset: sections.take(channels), gain: sections.take(channels) },
        (RawType::U8, _) | (RawType::I16, Kind::Decoder) => Transfer::Identity,
        (RawType::U16, Kind::Decoder) => Transfer::OffsetBinary,
        _ => Transfer::Fixed { offset: sections.take(channels), gain: sections.take(channels) },
    }
}

/// Puts the layers into `model`, and says where its scratch memory starts.
fn load_layers<'a>(
    model: &mut Model<'a>,
    mut element: Element,
    mut fields: Fields<'_>,
    mut sections: Sections<'a>,
) -> Result<(), LoadError> {
    let (precision, raw, is_encoder) = (model.precision(), model.raw, model.kind() == Kind::Encoder);
    let code = Shape::flat(model.code_len() as u16);
    let (mut input, output) = if is_encoder { (model.frame, code) } else { (code, model.frame) };
    let (mut clamp, mut region, mut arriving, mut scratch) = (model.input_clamp, Region::default(), 1, 0);
    if element != end_element(precision, raw, is_encoder) || !element.holds(clamp) {
        return Err(LoadError::Layer { index: 0 });
    }
    let count = fields.length();
    if count > MAX_LAYERS {
        return Err(LoadError::Header);
    }
    for index in 0..count as u8 {
        let layer = fields.layer();
        if !fields.is_sound() {
            return Err(LoadError::Header);
        }
        let is_misplaced = is_encoder && matches!(layer.op, Op::ConvTranspose(_));
        if is_misplaced || !is_sound(precision, input, &layer) {
            return Err(LoadError::Layer { index });
        }
        let weights = load_weights(precision, input, &layer, &mut sections);
        if !sections.is_whole() {
            return Err(LoadError::Length);
        }
        if let Weights::I8(params) = &weights
            && !is_within_accumulator(layer.op, input, clamp, params)
        {
            return Err(LoadError::Overflow { index });
        }
        let LayerHeader { op, activation, output, element: output_element, .. } = layer;
        region = Region::plan(region.end, op, input, output, element, arriving);
        scratch = scratch.max(scratch_len(op, input, element));
        arriving = op.block_rows(output);
        let input_element = element;
        // There is room for as many as have been counted.
        let _ =
            model.layers.push(Layer { op, activation, input, output, input_element, output_element, weights, region });
        (input, element, clamp) = (output, output_element, layer.clamp);
    }
    if count == 0 || input != output || element != end_element(precision, raw, !is_encoder) {
        return Err(LoadError::Layer { index: (count as u8).saturating_sub(1) });
    }
    if !sections.is_empty() {
        return Err(LoadError::Length);
    }
    // Behind the layers' parts: what the last one makes at a time, then scratch memory for whichever is at work.
    let made = arriving.saturating_mul(output.row_len()).saturating_mul(element.size());
    model.scratch = align(region.end.saturating_add(made));
    let progress = size_of::<Progress>() * model.layers.len();
    let needed = align(model.scratch.saturating_add(scratch)).saturating_add(progress);
    check_buffer_len(model.buffer_len(), needed)
}

fn check_buffer_len(stated: usize, needed: usize) -> Result<(), LoadError> {
    if needed > i32::MAX as usize {
        Err(LoadError::Length)
    } else if needed != stated {
        Err(LoadError::BufferLen { stated: stated as u32, needed: needed as u32 })
    } else {
        Ok(())
    }
}

/// What a session puts into the first layer, or takes from the last one: at the sensor's end raw pixels as `u8`, everything
/// else of an integer model as `i16`.
fn end_element(precision: Precision, raw: RawType, is_sensor: bool) -> Element {
    match (precision, raw) {
        (Precision::F32 | Precision::F16, _) => Element::F32,
        (Precision::I8, RawType::U8) if is_sensor => Element::U8,
        (Precision::I8, _) => Element::I16,
    }
}

/// Whether the layer can make its output of its input, and has numbers of the right type.
fn is_sound(precision: Precision, input: Shape, layer: &LayerHeader) -> bool {
    input.checked_len().is_some()
        && layer.output.checked_len().is_some()
        && layer.op.fits(input, layer.output)
        && (precision == Precision::I8) == (layer.element != Element::F32)
        && layer.element.holds(layer.clamp)
}

#[inline(never)]
fn load_weights<'a>(
    precision: Precision,
    input: Shape,
    layer: &LayerHeader,
    sections: &mut Sections<'a>,
) -> Weights<'a> {
    let LayerHeader { op, output, activation, .. } = *layer;
    match precision {
        #[cfg(feature = "float")]
        Precision::F32 => Weights::F32(load_float(input, layer, sections)),
        #[cfg(feature = "float")]
        Precision::F16 => Weights::F16(load_float(input, layer, sections)),
        // Without the feature others are refused before.
        _ => {
            let channels = usize::from(output.channels);
            let post_len = if activation.is_curved() { channels } else { 0 };
            Weights::I8(IntParams {
                weights: sections.take(int_weights_len(op, input, output).unwrap_or(usize::MAX)),
                bias: sections.take(op.bias_len(output)),
                acc_shift: layer.acc_shift,
                multiplier: sections.take(channels),
                post: [sections.take(post_len), sections.take(post_len)],
                activation,
                clamp: layer.clamp,
            })
        }
    }
}

#[cfg(feature = "float")]
fn load_float<'a, W: FloatWeight>(
    input: Shape,
    layer: &LayerHeader,
    sections: &mut Sections<'a>,
) -> FloatParams<'a, W> {
    let bias_len = layer.op.bias_len(layer.output);
    let weights_len = layer.op.fan_in(input).saturating_mul(bias_len);
    FloatParams { weights: sections.take(weights_len), bias: sections.take(bias_len), activation: layer.activation }
}

/// Whether `|bias| + sum |w| |x|`, shifted, stays within `i32` whatever the input, so that sums are exact in any order.
#[inline(never)]
fn is_within_accumulator(op: Op, input: Shape, clamp: [i32; 2], params: &IntParams<'_>) -> bool {
    // The input has 16 bits at most, and less than 2^32 of it are summed.
    let x_max = clamp[0].unsigned_abs().max(clamp[1].unsigned_abs());
    let sum_max = op.fan_in(input) as u64 * u64::from(128 * x_max);
    let bias_max = params.bias.iter().fold(0, |most, b| b.unsigned_abs().max(most));
    // A shift of the whole width is none, even where all is 0.
    params.acc_shift < 31 && sum_max + u64::from(bias_max) <= (i32::MAX >> params.acc_shift) as u64
}
