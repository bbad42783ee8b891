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
    let ConvGeometry { input, output, window } = geometry;
    let (channels, out_channels) = (usize::from(input.channels), usize::from(output.channels));
    for q in 0..usize::from(output.width) {
        for o in 0..out_channels {
            let mut acc = arithmetic.bias(o);
            for i in 0..usize::from(window.kernel[0]) {
                let Some(row) = x.row(source(p, i, window.stride[0], window.padding[0])) else { continue };
                for j in 0..usize::from(window.kernel[1]) {
                    let column = source(q, j, window.stride[1], window.padding[1]);
                    let Some(pixel) = pixel(row, column, channels) else { continue };
                    acc = dot(arithmetic, acc, pixel, tap(weights, geometry, o, i, j));
                }
            }
            y[q * out_channels + o] = arithmetic.finish(o, acc);
        }
    }
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
    let ConvGeometry { input, output, window } = geometry;
    let (channels, out_channels) = (usize::from(input.channels), usize::from(output.channels));
    for q in 0..usize::from(output.width) {
        for o in 0..out_channels {
            let mut acc = arithmetic.bias(o);
            for i in 0..usize::from(window.kernel[0]) {
                let row = transposed_source(p, i, window.stride[0], window.padding[0]).and_then(|r| x.row(r));
                let Some(row) = row else { continue };
                for j in 0..usize::from(window.kernel[1]) {
                    let column = transposed_source(q, j, window.stride[1], window.padding[1]);
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

/// Input coordinate under tap `tap` of output `out`.
fn source(out: usize, tap: usize, stride: u8, padding: u8) -> isize {
    (out * usize::from(stride) + tap) as isize - isize::from(padding)
}

/// Input coordinate whose tap `tap` falls on output `out`, if it is a whole number.
fn transposed_source(out: usize, tap: usize, stride: u8, padding: u8) -> Option<isize> {
    let reach = out as isize + isize::from(padding) - tap as isize;
    let stride = isize::from(stride);
    (reach >= 0 && reach % stride == 0).then(|| reach / stride)
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
