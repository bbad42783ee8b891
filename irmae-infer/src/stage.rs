//! One layer's work on a block of rows: from bytes of the buffer to the kernel for the layer's operation and number types.

use core::ops::Range;

#[cfg(feature = "float")]
use half::f16;

use crate::format::Element;
use crate::kernels::{ConvGeometry, IntOutput, IntParams, Ints, IntsMut, Kernels, Rows};
#[cfg(feature = "float")]
use crate::kernels::{FloatParams, FloatWeight};
use crate::layer::{Op, Window};
#[cfg(feature = "float")]
use crate::line;
use crate::model::{Layer, Weights};
use crate::pipeline::{clear, view, view_mut};
use crate::reach::Margins;

/// Adds input row `row` to the accumulators of a dense layer.
pub(crate) fn accumulate_row<K: Kernels>(
    layer: &Layer<'_>,
    row: usize,
    row_bytes: &[u8],
    accumulators: &mut [u8],
    scratch: &mut [u32],
) {
    match &layer.weights {
        #[cfg(feature = "float")]
        Weights::F32(p) => add_float::<K, f32>(layer, p, row, view(row_bytes), view_mut(accumulators)),
        #[cfg(feature = "float")]
        Weights::F16(p) => add_float::<K, f16>(layer, p, row, view(row_bytes), view_mut(accumulators)),
        Weights::I8(p) => add_int::<K>(layer, p, row, row_bytes, view_mut(accumulators), scratch),
    }
}

/// The sums of an integer layer do without the bias, which is added last: at a frame's start they are 0 as all the buffer is.
fn add_int<K: Kernels>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    row: usize,
    row_bytes: &[u8],
    acc: &mut [i32],
    scratch: &mut [u32],
) {
    let matrix_len = layer.dense_matrix().int_len();
    let first = row * usize::from(layer.output.height) * matrix_len;
    let mut weights = params.weights.get(first..).unwrap_or_default();
    for acc in acc.chunks_exact_mut(layer.output.row_len()) {
        K::dense_accumulate_int(ints(row_bytes, layer.input_element), weights, scratch, acc);
        weights = weights.get(matrix_len..).unwrap_or_default();
    }
}

/// Values of an integer layer's input.
fn ints(bytes: &[u8], element: Element) -> Ints<'_> {
    if element == Element::U8 { Ints::U8(bytes) } else { Ints::I16(view(bytes)) }
}

#[cfg(feature = "float")]
fn add_float<K: Kernels, W: FloatWeight>(
    layer: &Layer<'_>,
    params: &FloatParams<'_, W>,
    row: usize,
    x: &[f32],
    acc: &mut [f32],
) {
    if row == 0 {
        acc.copy_from_slice(params.bias);
    }
    let matrix_len = layer.dense_matrix().float_len();
    for (out_row, acc) in acc.chunks_mut(layer.output.row_len()).enumerate() {
        let start = (row * usize::from(layer.output.height) + out_row) * matrix_len;
        K::dense_accumulate_float(x, &params.weights[start..], acc);
    }
}

/// Memory that a layer makes its output rows in.
pub(crate) struct Parts<'a> {
    /// The input rows that are held, and which row of the input lies first.
    pub(crate) rows: &'a [u8],
    pub(crate) first: isize,
    pub(crate) accumulators: &'a mut [u8],
    pub(crate) scratch: &'a mut [u32],
    /// Output rows, each `row_step` values behind the last.
    pub(crate) output: &'a mut [u8],
    pub(crate) row_step: usize,
}

/// Makes output rows `out_rows` of a layer. Encoders have no transposed convolutions.
pub(crate) fn make_rows<K: Kernels, const DECODES: bool>(layer: &Layer<'_>, out_rows: Range<usize>, parts: Parts<'_>) {
    let Parts { rows, first, accumulators, scratch, output, row_step } = parts;
    match &layer.weights {
        #[cfg(feature = "float")]
        Weights::F32(p) => {
            let x = rows_of(layer, first, view(rows));
            float_rows::<K, f32, DECODES>(layer, p, out_rows, &x, view_mut(accumulators), view_mut(output), row_step);
        }
        #[cfg(feature = "float")]
        Weights::F16(p) => {
            let x = rows_of(layer, first, view(rows));
            float_rows::<K, f16, DECODES>(layer, p, out_rows, &x, view_mut(accumulators), view_mut(output), row_step);
        }
        Weights::I8(p) => {
            let is_byte = layer.output_element == Element::U8;
            let values = if is_byte { IntsMut::U8(output) } else { IntsMut::I16(view_mut(output)) };
            let x = rows_of(layer, first, ints(rows, layer.input_element));
            let y = IntOutput { values, row_step };
            int_rows::<K, DECODES>(layer, p, out_rows, &x, view_mut(accumulators), scratch, y);
        }
    }
}

fn int_rows<K: Kernels, const DECODES: bool>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    out_rows: Range<usize>,
    x: &Rows<Ints<'_>>,
    acc: &mut [i32],
    scratch: &mut [u32],
    mut y: IntOutput<'_>,
) {
    match layer.op {
        Op::Conv(window) => K::conv_rows_int(&geometry(layer, window), out_rows, x, params, scratch, &mut y),
        Op::ConvTranspose(window) if DECODES => {
            K::conv_transpose_rows_int(&geometry(layer, window), out_rows, x, params, scratch, &mut y);
        }
        Op::ConvTranspose(_) => (),
        Op::Dense => {
            let row_len = layer.output.row_len();
            let first = out_rows.start * row_len;
            let sums = if layer.sums_rows() {
                acc.get(first..first + row_len).unwrap_or_default()
            } else {
                clear(bytemuck::cast_slice_mut(acc));
                let start = out_rows.start * layer.dense_matrix().int_len();
                let weights = params.weights.get(start..).unwrap_or_default();
                K::dense_accumulate_int(x.values.up_to(x.row_len), weights, scratch, acc);
                acc
            };
            let bias = params.bias.get(first..first + row_len).unwrap_or_default();
            if K::dense_finish_int(params, sums, bias, &mut y.values) {
                return;
            }
            // Decoders have many outputs, and encoders few.
            let (mut channel, is_linear) = (0, DECODES && params.is_linear());
            for (at, (&sum, &bias)) in sums.iter().zip(bias).enumerate() {
                y.values.set(at, params.finish_known(is_linear, channel, sum.wrapping_add(bias)));
                channel = if channel + 1 == usize::from(layer.output.channels) { 0 } else { channel + 1 };
            }
        }
    }
}

#[cfg(feature = "float")]
#[inline(never)]
fn float_rows<K: Kernels, W: FloatWeight, const DECODES: bool>(
    layer: &Layer<'_>,
    params: &FloatParams<'_, W>,
    out_rows: Range<usize>,
    x: &Rows<&[f32]>,
    acc: &mut [f32],
    y: &mut [f32],
    row_step: usize,
) {
    let row_len = layer.output.row_len();
    if row_step == row_len
        && let Some((geometry, x)) = line::turned(layer.op, [layer.input, layer.output], &out_rows, x)
    {
        let y = &mut y[..out_rows.len() * row_len];
        match layer.op {
            Op::Conv(_) => K::conv_row_float(&geometry, 0, &x, params, y),
            Op::ConvTranspose(_) if DECODES => K::conv_transpose_row_float(&geometry, 0, &x, params, y),
            Op::ConvTranspose(_) | Op::Dense => (),
        }
        return;
    }
    for (row, y) in out_rows.zip(y.chunks_mut(row_step)) {
        let y = &mut y[..row_len];
        match layer.op {
            Op::Conv(window) => K::conv_row_float(&geometry(layer, window), row, x, params, y),
            Op::ConvTranspose(window) if DECODES => {
                K::conv_transpose_row_float(&geometry(layer, window), row, x, params, y);
            }
            Op::ConvTranspose(_) => (),
            Op::Dense => {
                let sums = dense_sums(layer, row, params.bias, acc, |acc| {
                    let weights = &params.weights[row * layer.dense_matrix().float_len()..];
                    K::dense_accumulate_float(&x.values[..x.row_len], weights, acc);
                });
                y.iter_mut().zip(sums).for_each(|(y, &sum)| *y = params.finish(sum));
            }
        }
    }
}

/// The sums of output row `row` of a dense layer: already there if it sums up many input rows, else made now from its one.
#[cfg(feature = "float")]
fn dense_sums<'a>(
    layer: &Layer<'_>,
    row: usize,
    bias: &[f32],
    acc: &'a mut [f32],
    accumulate: impl FnOnce(&mut [f32]),
) -> &'a [f32] {
    let len = layer.output.row_len();
    let first = row * len;
    if layer.sums_rows() {
        return &acc[first..first + len];
    }
    acc.copy_from_slice(&bias[first..first + len]);
    accumulate(acc);
    acc
}

#[cfg_attr(irmae_avx2, inline)]
fn geometry(layer: &Layer<'_>, window: Window) -> ConvGeometry {
    ConvGeometry { input: layer.input, output: layer.output, window }
}

fn rows_of<V>(layer: &Layer<'_>, first: isize, values: V) -> Rows<V> {
    let Margins { row_step, before, .. } = layer.region.margins;
    Rows { values, first, row_step, before, row_len: layer.input.row_len(), height: layer.input.height.into() }
}
