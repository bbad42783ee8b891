//! One layer's work on a block of rows: from bytes of the buffer to the kernel for the layer's operation and number types.

use core::ops::Range;

#[cfg(feature = "float")]
use half::f16;

use crate::format::Element;
use crate::kernels::{ConvGeometry, IntOutput, IntParams, Ints, IntsMut, Kernels, Rows};
#[cfg(feature = "float")]
use crate::kernels::{FloatParams, FloatWeight};
use crate::layer::{Margins, Op, Window};
use crate::model::{Layer, Weights};
use crate::pipeline::{view, view_mut};

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

fn add_int<K: Kernels>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    row: usize,
    row_bytes: &[u8],
    acc: &mut [i32],
    scratch: &mut [u32],
) {
    if row == 0 {
        acc.copy_from_slice(params.bias);
    }
    let matrix_len = layer.dense_matrix().int_len();
    for (out_row, acc) in acc.chunks_mut(layer.output.row_len()).enumerate() {
        let start = (row * usize::from(layer.output.height) + out_row) * matrix_len;
        K::dense_accumulate_int(ints(row_bytes, layer.input_element), &params.weights[start..], scratch, acc);
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

/// Makes output rows `out_rows` of a layer, each `row_step` values behind the last. `rows` are its input rows in memory, the first of them
/// row `first`. Encoders have no transposed convolutions.
pub(crate) fn make_rows<K: Kernels, const DECODES: bool>(
    layer: &Layer<'_>,
    out_rows: Range<usize>,
    first: isize,
    rows: &[u8],
    accumulators: &mut [u8],
    scratch: &mut [u32],
    output: &mut [u8],
    row_step: usize,
) {
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
            let sums = dense_sums(layer, out_rows.start, params.bias, acc, |acc| {
                let weights = &params.weights[out_rows.start * layer.dense_matrix().int_len()..];
                K::dense_accumulate_int(x.values.up_to(x.row_len), weights, scratch, acc);
            });
            match y.values {
                IntsMut::U8(y) => finish_row(layer, sums, y, |channel, sum| params.finish(channel, sum) as u8),
                IntsMut::I16(y) => finish_row(layer, sums, y, |channel, sum| params.finish(channel, sum) as i16),
            }
        }
    }
}

#[cfg(feature = "float")]
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
                finish_row(layer, sums, y, |_, sum| params.finish(sum));
            }
        }
    }
}

/// The sums of output row `row` of a dense layer: already there if it sums up many input rows, else made now from its one.
fn dense_sums<'a, A: Copy>(
    layer: &Layer<'_>,
    row: usize,
    bias: &[A],
    acc: &'a mut [A],
    accumulate: impl FnOnce(&mut [A]),
) -> &'a [A] {
    let len = layer.output.row_len();
    let first = row * len;
    if layer.sums_rows() {
        return &acc[first..first + len];
    }
    acc.copy_from_slice(&bias[first..first + len]);
    accumulate(acc);
    acc
}

/// From sums to outputs, each with its channel.
fn finish_row<A: Copy, Y>(layer: &Layer<'_>, sums: &[A], y: &mut [Y], finish: impl Fn(usize, A) -> Y) {
    let channels = usize::from(layer.output.channels);
    for (pixel, sums) in y.chunks_exact_mut(channels).zip(sums.chunks_exact(channels)) {
        for (channel, (y, &sum)) in pixel.iter_mut().zip(sums).enumerate() {
            *y = finish(channel, sum);
        }
    }
}

fn geometry(layer: &Layer<'_>, window: Window) -> ConvGeometry {
    ConvGeometry { input: layer.input, output: layer.output, window }
}

fn rows_of<V>(layer: &Layer<'_>, first: isize, values: V) -> Rows<V> {
    let Margins { row_step, before, .. } = layer.region.margins;
    Rows { values, first, row_step, before, row_len: layer.input.row_len(), height: layer.input.height.into() }
}
