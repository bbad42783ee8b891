//! One layer's work on a block of rows: from bytes of the buffer to the kernel for the layer's operation and number types.

use core::ops::Range;

#[cfg(feature = "float")]
use half::f16;

use crate::format::Element;
use crate::kernels::{ConvGeometry, IntParams, Integer, Kernels, Rows};
#[cfg(feature = "float")]
use crate::kernels::{FloatParams, FloatWeight};
use crate::layer::{Op, Window};
use crate::model::{Layer, Weights};
use crate::pipeline::{view, view_mut};

/// Adds input row `row` to the accumulators of a dense layer.
pub(crate) fn accumulate_row<K: Kernels>(
    layer: &Layer<'_>,
    row: usize,
    ring: &[u8],
    accumulators: &mut [u8],
    scratch: &mut [u32],
) {
    match &layer.weights {
        #[cfg(feature = "float")]
        Weights::F32(p) => add_float::<K, f32>(layer, p, row, view(ring), view_mut(accumulators)),
        #[cfg(feature = "float")]
        Weights::F16(p) => add_float::<K, f16>(layer, p, row, view(ring), view_mut(accumulators)),
        Weights::I8(p) => add_int::<K>(layer, p, row, ring, view_mut(accumulators), scratch),
    }
}

fn add_int<K: Kernels>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    row: usize,
    ring: &[u8],
    acc: &mut [i32],
    scratch: &mut [u32],
) {
    if row == 0 {
        acc.copy_from_slice(params.bias);
    }
    let matrix_len = layer.dense_matrix().int_len();
    for (out_row, acc) in acc.chunks_mut(layer.output.row_len()).enumerate() {
        let start = (row * usize::from(layer.output.height) + out_row) * matrix_len;
        accumulate_int::<K>(layer, ring, &params.weights[start..], scratch, acc);
    }
}

fn accumulate_int<K: Kernels>(layer: &Layer<'_>, ring: &[u8], weights: &[u32], scratch: &mut [u32], acc: &mut [i32]) {
    match layer.input_element {
        Element::U8 => K::dense_accumulate_int::<u8>(view(ring), weights, scratch, acc),
        _ => K::dense_accumulate_int::<i16>(view(ring), weights, scratch, acc),
    }
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

/// Makes output rows `rows` of a layer. Encoders have no transposed convolutions.
pub(crate) fn make_rows<K: Kernels, const DECODES: bool>(
    layer: &Layer<'_>,
    rows: Range<usize>,
    ring: &[u8],
    accumulators: &mut [u8],
    scratch: &mut [u32],
    output: &mut [u8],
) {
    let acc = accumulators;
    match (&layer.weights, layer.input_element, layer.output_element) {
        #[cfg(feature = "float")]
        (Weights::F32(p), ..) => {
            float_rows::<K, f32, DECODES>(layer, p, rows, view(ring), view_mut(acc), view_mut(output))
        }
        #[cfg(feature = "float")]
        (Weights::F16(p), ..) => {
            float_rows::<K, f16, DECODES>(layer, p, rows, view(ring), view_mut(acc), view_mut(output))
        }
        (Weights::I8(p), ..) if layer.op == Op::Dense => {
            dense_rows_int::<K>(layer, p, rows.start, ring, view_mut(acc), scratch, output);
        }
        (Weights::I8(p), Element::U8, Element::U8) => {
            int_rows::<K, u8, u8, DECODES>(layer, p, rows, view(ring), scratch, view_mut(output));
        }
        (Weights::I8(p), Element::U8, _) => {
            int_rows::<K, u8, i16, DECODES>(layer, p, rows, view(ring), scratch, view_mut(output));
        }
        (Weights::I8(p), _, Element::U8) => {
            int_rows::<K, i16, u8, DECODES>(layer, p, rows, view(ring), scratch, view_mut(output));
        }
        (Weights::I8(p), ..) => {
            int_rows::<K, i16, i16, DECODES>(layer, p, rows, view(ring), scratch, view_mut(output));
        }
    }
}

fn int_rows<K: Kernels, X: Integer, Y: Integer, const DECODES: bool>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    out_rows: Range<usize>,
    ring: &[X],
    scratch: &mut [u32],
    y: &mut [Y],
) {
    match layer.op {
        Op::Conv(window) => {
            K::conv_rows_int(&geometry(layer, window), out_rows, &rows(layer, ring), params, scratch, y);
        }
        Op::ConvTranspose(window) if DECODES => {
            K::conv_transpose_rows_int(&geometry(layer, window), out_rows, &rows(layer, ring), params, scratch, y);
        }
        Op::ConvTranspose(_) | Op::Dense => (),
    }
}

fn dense_rows_int<K: Kernels>(
    layer: &Layer<'_>,
    params: &IntParams<'_>,
    row: usize,
    ring: &[u8],
    acc: &mut [i32],
    scratch: &mut [u32],
    output: &mut [u8],
) {
    let sums = dense_sums(layer, row, params.bias, acc, |acc| {
        accumulate_int::<K>(layer, ring, &params.weights[row * layer.dense_matrix().int_len()..], scratch, acc);
    });
    match layer.output_element {
        Element::U8 => finish_row(layer, sums, output, |channel, sum| params.finish(channel, sum) as u8),
        _ => finish_row(layer, sums, view_mut(output), |channel, sum| params.finish(channel, sum) as i16),
    }
}

#[cfg(feature = "float")]
fn float_rows<K: Kernels, W: FloatWeight, const DECODES: bool>(
    layer: &Layer<'_>,
    params: &FloatParams<'_, W>,
    out_rows: Range<usize>,
    ring: &[f32],
    acc: &mut [f32],
    y: &mut [f32],
) {
    let x = rows(layer, ring);
    for (row, y) in out_rows.zip(y.chunks_exact_mut(layer.output.row_len())) {
        match layer.op {
            Op::Conv(window) => K::conv_row_float(&geometry(layer, window), row, &x, params, y),
            Op::ConvTranspose(window) if DECODES => {
                K::conv_transpose_row_float(&geometry(layer, window), row, &x, params, y);
            }
            Op::ConvTranspose(_) => (),
            Op::Dense => {
                let sums = dense_sums(layer, row, params.bias, acc, |acc| {
                    K::dense_accumulate_float(ring, &params.weights[row * layer.dense_matrix().float_len()..], acc);
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

fn rows<'a, X>(layer: &Layer<'_>, ring: &'a [X]) -> Rows<'a, X> {
    Rows {
        ring,
        ring_rows: layer.region.ring_rows,
        row_len: layer.input.row_len(),
        height: usize::from(layer.input.height),
    }
}
