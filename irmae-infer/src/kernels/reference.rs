//! The equations as loops. Names follow them: `p, q` are an output pixel, `i, j` a tap, `c` an input channel and `o` an
//! output channel. Nothing here is done for speed.

use super::params::{Arithmetic, ConvGeometry, Rows};

/// Output row `p` of a convolution: `y[q, o] = f(b[o] + sum_ijc w[o, i, j, c] x[p s - pad + i, q s - pad + j, c])`.
pub(super) fn conv_row<A: Arithmetic>(
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    weights: &[A::W],
    arithmetic: &A,
    y: &mut [A::Y],
) {
    gather_row(geometry, p, x, weights, arithmetic, y, |out, tap, stride, padding| {
        Some((out * stride + tap) as isize - padding as isize)
    });
}

/// Output row `p` of a transposed convolution: the sum over all taps `(i, j)` and input pixels `(r, t)` with
/// `r s - pad + i = p` and `t s - pad + j = q`.
pub(super) fn conv_transpose_row<A: Arithmetic>(
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    weights: &[A::W],
    arithmetic: &A,
    y: &mut [A::Y],
) {
    gather_row(geometry, p, x, weights, arithmetic, y, |out, tap, stride, padding| {
        let reach = (out + padding).checked_sub(tap)?;
        reach.is_multiple_of(stride).then_some((reach / stride) as isize)
    });
}

/// Sums over the taps of each output. `source(out, tap, stride, padding)` is the input coordinate that a tap reads for an
/// output coordinate, if there is one; it may lie in the padding.
fn gather_row<A: Arithmetic>(
    geometry: &ConvGeometry,
    p: usize,
    x: &Rows<'_, A::X>,
    weights: &[A::W],
    arithmetic: &A,
    y: &mut [A::Y],
    source: impl Fn(usize, usize, usize, usize) -> Option<isize>,
) {
    let ConvGeometry { input, output, window } = geometry;
    let (channels, out_channels) = (usize::from(input.channels), usize::from(output.channels));
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    for q in 0..usize::from(output.width) {
        for o in 0..out_channels {
            let mut acc = arithmetic.bias(o);
            for i in 0..kernel[0] {
                let Some(row) = source(p, i, stride[0], padding[0]).and_then(|r| x.row(r)) else { continue };
                for j in 0..kernel[1] {
                    let column = source(q, j, stride[1], padding[1]);
                    let Some(pixel) = column.and_then(|t| pixel(row, t, channels)) else { continue };
                    acc = dot(arithmetic, acc, pixel, tap(weights, geometry, o, i, j));
                }
            }
            y[q * out_channels + o] = arithmetic.finish(o, acc);
        }
    }
}

/// `acc[o] += sum_i w[o * stride + i] x[i]`
pub(super) fn dense_accumulate<X: Copy, W: Copy, A: Copy>(
    x: &[X],
    weights: &[W],
    stride: usize,
    acc: &mut [A],
    multiply_add: impl Fn(A, X, W) -> A,
) {
    for (acc, weights) in acc.iter_mut().zip(weights.chunks(stride)) {
        *acc = x.iter().zip(weights).fold(*acc, |acc, (&x, &w)| multiply_add(acc, x, w));
    }
}

/// The channels of pixel `column`, `None` where it is padding.
fn pixel<X>(row: &[X], column: isize, channels: usize) -> Option<&[X]> {
    let start = usize::try_from(column).ok()? * channels;
    row.get(start..start + channels)
}

/// Weights `w[o, i, j, ..]`.
fn tap<'w, W>(weights: &'w [W], geometry: &ConvGeometry, o: usize, i: usize, j: usize) -> &'w [W] {
    let [kernel_height, kernel_width] = geometry.window.kernel.map(usize::from);
    let channels = usize::from(geometry.input.channels);
    &weights[((o * kernel_height + i) * kernel_width + j) * channels..][..channels]
}

fn dot<A: Arithmetic>(arithmetic: &A, acc: A::Acc, x: &[A::X], w: &[A::W]) -> A::Acc {
    x.iter().zip(w).fold(acc, |acc, (&x, &w)| arithmetic.multiply_add(acc, x, w))
}
