//! The checks of [`Model::load`](super::Model::load): all that can be wrong with a file is found here.

use heapless::Vec;

use super::{BUFFER_ALIGNMENT, Layer, Model, Region, Weights};
use crate::error::LoadError;
use crate::format::{
    Element, Envelope, Header, Kind, LayerHeader, MAX_BITS, MAX_CODE, MAX_LAYERS, Precision, Sections,
};
#[cfg(feature = "float")]
use crate::kernels::{FloatParams, FloatWeight};
use crate::kernels::{IntParams, int_weights_len, scratch_len};
use crate::layer::{Op, Shape};
use crate::sample::{RawType, Transfer};

/// Checks and takes apart a file whose first byte is aligned.
pub(super) fn load(bytes: &[u8]) -> Result<Model<'_>, LoadError> {
    let envelope = Envelope::parse(bytes)?;
    let header: Header<'_> = postcard::from_bytes(envelope.header(bytes)).map_err(|_| LoadError::Header)?;
    check_code(&header)?;
    let mut sections = Sections::new(envelope.blob(bytes));
    let transfer = load_transfer(&envelope, &header, &mut sections)?;
    let steps = sections.take(header.bits.len())?;
    let layers = load_layers(&envelope, &header, &mut sections)?;
    sections.finish()?;
    let scratch = check_buffer_len(&envelope, &layers)?;
    let Header { raw, frame, bits, input_clamp, .. } = header;
    Ok(Model { envelope, raw, frame, bits, steps, transfer, input_clamp, layers, scratch })
}

/// Where the scratch memory starts.
fn check_buffer_len(envelope: &Envelope, layers: &[Layer<'_>]) -> Result<usize, LoadError> {
    let (scratch, needed) = plan_end(layers).ok_or(LoadError::Length)?;
    if needed == envelope.buffer_len {
        Ok(scratch)
    } else {
        Err(LoadError::BufferLen { stated: envelope.buffer_len as u32, needed: needed as u32 })
    }
}

/// What follows the layers' parts of the buffer: what the last one makes at a time, then scratch memory for whichever
/// layer is at work. Start of the latter, and bytes of the whole.
fn plan_end(layers: &[Layer<'_>]) -> Option<(usize, usize)> {
    let last = layers.last()?;
    let output_len = last.block_rows().checked_mul(last.output.row_len())?.checked_mul(last.output_element.size())?;
    let scratch = last.region.end.checked_add(output_len)?.checked_next_multiple_of(BUFFER_ALIGNMENT)?;
    let scratch_len = layers
        .iter()
        .try_fold(0, |most, layer| Some(scratch_len(layer.op, layer.input, layer.input_element)?.max(most)))?;
    let len = scratch.checked_add(scratch_len)?.checked_next_multiple_of(BUFFER_ALIGNMENT)?;
    (len <= i32::MAX as usize).then_some((scratch, len))
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
    let (mut element, mut clamp, mut start, mut arriving) = (header.input, header.input_clamp, 0, 1);
    if element != first_element(envelope, header.raw) || !element.holds(clamp) {
        return Err(LoadError::Layer { index: 0 });
    }
    for (index, layer) in (0_u8..).zip(&header.layers) {
        let mismatch = LoadError::Layer { index };
        check_layer(envelope.precision, input, layer).ok_or(mismatch)?;
        let weights = load_weights(envelope.precision, input, layer, sections)?;
        match &weights {
            Weights::I8(params) => {
                check_accumulator(layer.op, input, clamp, params).ok_or(LoadError::Overflow { index })?;
            }
            #[cfg(feature = "float")]
            Weights::F32(_) | Weights::F16(_) => {}
        }
        let region = Region::plan(start, layer.op, input, layer.output, element, arriving).ok_or(LoadError::Length)?;
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
        arriving = layer.op.block_rows(layer.output);
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
    let LayerHeader { op, output, activation, .. } = *layer;
    Ok(match precision {
        #[cfg(feature = "float")]
        Precision::F32 => Weights::F32(load_float(input, layer, sections)?),
        #[cfg(feature = "float")]
        Precision::F16 => Weights::F16(load_float(input, layer, sections)?),
        #[cfg(not(feature = "float"))]
        Precision::F32 | Precision::F16 => return Err(LoadError::Precision),
        Precision::I8 => {
            let channels = usize::from(output.channels);
            let post_len = if activation.is_curved() { channels } else { 0 };
            Weights::I8(IntParams {
                weights: sections.take(int_weights_len(op, input, output).ok_or(LoadError::Length)?)?,
                bias: sections.take(op.bias_len(output))?,
                acc_shift: layer.acc_shift,
                multiplier: sections.take(channels)?,
                post: [sections.take(post_len)?, sections.take(post_len)?],
                activation,
                clamp: layer.clamp,
            })
        }
    })
}

#[cfg(feature = "float")]
fn load_float<'a, W: FloatWeight>(
    input: Shape,
    layer: &LayerHeader,
    sections: &mut Sections<'a>,
) -> Result<FloatParams<'a, W>, LoadError> {
    let bias_len = layer.op.bias_len(layer.output);
    let weights_len = layer.op.fan_in(input).checked_mul(bias_len).ok_or(LoadError::Length)?;
    Ok(FloatParams {
        weights: sections.take(weights_len)?,
        bias: sections.take(bias_len)?,
        activation: layer.activation,
    })
}

/// That `|bias| + sum |w| |x|`, shifted, stays within `i32` whatever the input, so that sums are exact in any order.
fn check_accumulator(op: Op, input: Shape, clamp: [i32; 2], params: &IntParams<'_>) -> Option<()> {
    let x_max = u64::from(clamp[0].unsigned_abs().max(clamp[1].unsigned_abs()));
    let sum_max = (op.fan_in(input) as u64).checked_mul(128 * x_max)?;
    let bias_max = params.bias.iter().map(|b| u64::from(b.unsigned_abs())).max().unwrap_or(0);
    // Within the width of `i32` even where all is 0: a longer shift is none.
    let scale = 1_u64.checked_shl(params.acc_shift.into()).filter(|&scale| scale <= i32::MAX as u64)?;
    let shifted_max = sum_max.checked_add(bias_max)?.checked_mul(scale)?;
    (shifted_max <= i32::MAX as u64).then_some(())
}
