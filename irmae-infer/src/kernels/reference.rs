//! The equations as loops. Names follow them: `p, q` are an output pixel, `i, j` a tap, `c` an input channel and `o` an
//! output channel. Nothing here is done for speed.

use super::packing::Matrix;
use super::params::{Arithmetic, ConvGeometry, FloatWeight, Integer, Rows, unpack};
use crate::layer::Op;

/// Output row `p` of a convolution: `y[q, o] = f(b[o] + sum_ijc w[o, i, j, c] x[p s - pad + i, q s - pad + j, c])`.
pub(super) fn conv_row<A: Arithmetic>(
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    arithmetic: &A,
    y: &mut [A::Y],
) {
    gather_row(Op::Conv(geometry.window), geometry, p, x, arithmetic, y, |out, tap, stride, padding| {
        Some((out * stride + tap) as isize - padding as isize)
    });
}

/// Output row `p` of a transposed convolution: the sum over all taps `(i, j)` and input pixels `(r, t)` with
/// `r s - pad + i = p` and `t s - pad + j = q`.
pub(super) fn conv_transpose_row<A: Arithmetic>(
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    arithmetic: &A,
    y: &mut [A::Y],
) {
    gather_row(Op::ConvTranspose(geometry.window), geometry, p, x, arithmetic, y, |out, tap, stride, padding| {
        let reach = (out + padding).checked_sub(tap)?;
        reach.is_multiple_of(stride).then_some((reach / stride) as isize)
    });
}

/// Sums over the taps of each output, in the order of the inputs that they read. `source(out, tap, stride, padding)` is the input coordinate that a tap reads for an
/// output coordinate, if there is one; it may lie in the padding.
fn gather_row<A: Arithmetic>(
    op: Op,
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    arithmetic: &A,
    y: &mut [A::Y],
    source: impl Fn(usize, usize, usize, usize) -> Option<isize>,
) {
    let ConvGeometry { input, output, window } = geometry;
    let (channels, out_channels) = (usize::from(input.channels), usize::from(output.channels));
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    // A later tap of a transposed convolution reads an earlier input.
    let in_order = |i: usize, kernel: usize| if matches!(op, Op::ConvTranspose(_)) { kernel - 1 - i } else { i };
    for q in 0..usize::from(output.width) {
        for o in 0..out_channels {
            let mut acc = arithmetic.bias(o);
            for i in (0..kernel[0]).map(|i| in_order(i, kernel[0])) {
                let Some(row) = source(p, i, stride[0], padding[0]).and_then(|r| x.row(r)) else { continue };
                for j in (0..kernel[1]).map(|j| in_order(j, kernel[1])) {
                    let column = source(q, j, stride[1], padding[1]);
                    let Some(pixel) = column.and_then(|t| pixel(row, t, channels)) else { continue };
                    let first = ((o * kernel[0] + i) * kernel[1] + j) * channels;
                    for (c, &x) in pixel.iter().enumerate() {
                        acc = arithmetic.multiply_add(acc, x, arithmetic.weight(op, geometry, first + c));
                    }
                }
            }
            y[q * out_channels + o] = arithmetic.finish(o, acc);
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
