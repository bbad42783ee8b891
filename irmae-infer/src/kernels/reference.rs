//! The equations as loops. Names follow them: `p, q` are an output pixel, `i, j` a tap, `c` an input channel and `o` an
//! output channel. Nothing here is done for speed.

use core::ops::Range;

use super::packing::Matrix;
use super::params::{Arithmetic, FloatParams, FloatWeight, IntParams, unpack};
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};
use crate::layer::{Op, Window};

/// Rows of a convolution or a transposed one in integers.
pub(super) fn int_rows(
    op: Op,
    geometry: &ConvGeometry,
    out_rows: Range<usize>,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    y: &mut IntOutput<'_>,
) {
    for (n, p) in out_rows.enumerate() {
        let start = n * y.row_step;
        let store = |at: usize, value: i32| match &mut y.values {
            IntsMut::U8(y) => y[start + at] = value as u8,
            IntsMut::I16(y) => y[start + at] = value as i16,
        };
        match x.values {
            Ints::U8(values) => gather_row(op, geometry, p, &x.with(values), &params.arithmetic(), store),
            Ints::I16(values) => gather_row(op, geometry, p, &x.with(values), &params.arithmetic(), store),
        }
    }
}

/// A row of a convolution or a transposed one in real numbers.
pub(super) fn float_row<W: FloatWeight>(
    op: Op,
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<&[f32]>,
    params: &FloatParams<'_, W>,
    y: &mut [f32],
) {
    gather_row(op, geometry, out_row, x, &params.arithmetic(), |at, value| y[at] = value);
}

/// The input coordinate that tap `tap` of output coordinate `out` reads, if there is one; it may lie in the padding.
///
/// A convolution reads `out s - pad + tap`; a transposed one `r` with `r s - pad + tap = out`.
fn source(op: Op, axis: usize, out: usize, tap: usize) -> Option<isize> {
    match op {
        Op::Conv(Window { stride, padding, .. }) => {
            Some((out * usize::from(stride[axis]) + tap) as isize - isize::from(padding[axis]))
        }
        Op::ConvTranspose(Window { stride, padding, .. }) => {
            let (stride, reach) = (usize::from(stride[axis]), (out + usize::from(padding[axis])).checked_sub(tap)?);
            reach.is_multiple_of(stride).then_some((reach / stride) as isize)
        }
        Op::Dense => None,
    }
}

/// Output row `p`: `y[q, o] = f(b[o] + sum w[o, i, j, c] x[r, t, c])`, where tap `(i, j)` of output `(p, q)` reads input `(r, t)`.
/// Taps are summed in the order of the inputs that they read.
fn gather_row<A: Arithmetic>(
    op: Op,
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<&[A::X]>,
    arithmetic: &A,
    mut store: impl FnMut(usize, A::Y),
) {
    let ConvGeometry { input, output, window } = geometry;
    let (channels, out_channels) = (usize::from(input.channels), usize::from(output.channels));
    let kernel = window.kernel.map(usize::from);
    // A later tap of a transposed convolution reads an earlier input.
    let in_order = |i: usize, kernel: usize| if matches!(op, Op::ConvTranspose(_)) { kernel - 1 - i } else { i };
    for q in 0..usize::from(output.width) {
        for o in 0..out_channels {
            let mut acc = arithmetic.bias(o);
            for i in (0..kernel[0]).map(|i| in_order(i, kernel[0])) {
                let Some(row) = source(op, 0, p, i).and_then(|r| x.row(r)) else { continue };
                for j in (0..kernel[1]).map(|j| in_order(j, kernel[1])) {
                    let Some(pixel) = source(op, 1, q, j).and_then(|t| pixel(row, t, channels)) else { continue };
                    let first = ((o * kernel[0] + i) * kernel[1] + j) * channels;
                    for (c, &x) in pixel.iter().enumerate() {
                        acc = arithmetic.multiply_add(acc, x, arithmetic.weight(op, geometry, first + c));
                    }
                }
            }
            store(q * out_channels + o, arithmetic.finish(o, acc));
        }
    }
}

/// `acc[v] += sum_k w[v, k] x[k]`
pub(super) fn dense_accumulate_int<X: Integer>(x: &[X], weights: &[u32], acc: &mut [i32]) {
    let matrix = Matrix { outputs: acc.len(), inputs: x.len() };
    for (v, acc) in acc.iter_mut().enumerate() {
        let weight = |k| i32::from(unpack(weights, matrix.int_byte(v, k)));
        *acc += (0..).zip(x).map(|(k, x)| weight(k) * x.to_i32()).sum::<i32>();
    }
}

/// `acc[v] += sum_k w[v, k] x[k]`
pub(super) fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]) {
    let matrix = Matrix { outputs: acc.len(), inputs: x.len() };
    for (v, acc) in acc.iter_mut().enumerate() {
        *acc = (0..).zip(x).fold(*acc, |acc, (k, x)| acc + x * weights[matrix.float_index(v, k)].to_f32());
    }
}

/// The channels of pixel `column`, `None` where it is padding.
fn pixel<X>(row: &[X], column: isize, channels: usize) -> Option<&[X]> {
    let start = usize::try_from(column).ok()? * channels;
    row.get(start..start + channels)
}
