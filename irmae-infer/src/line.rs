//! One-dimensional signals: a block of rows with one pixel each, as one row of pixels.
//!
//! Kernels take what neighbouring pixels share from memory once. Rows of one pixel lie one behind the other, so a block of them is
//! a row; along it go kernel, stride and padding of the other axis, and weights lie in the same order.

use core::ops::Range;

use crate::kernels::{ConvGeometry, Rows};
use crate::layer::{Op, Shape, Window};

/// Outputs that kernels of real numbers make at once.
const BLOCK: usize = 8;

/// Output rows `out_rows` of a convolution or a transposed one, as the columns of row 0 of another geometry: that, and its input. `None` where
/// rows have more pixels than one, or weights lie in another order.
pub(crate) fn turned<'x>(
    op: Op,
    [input, output]: [Shape; 2],
    out_rows: &Range<usize>,
    x: &Rows<&'x [f32]>,
) -> Option<(ConvGeometry, Rows<&'x [f32]>)> {
    let (window, is_transposed) = match op {
        Op::Conv(window) => (window, false),
        Op::ConvTranspose(window) => (window, true),
        Op::Dense => return None,
    };
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| usize::from(pair[0]));
    let across = [window.kernel, window.stride, window.padding].map(|pair| pair[1]);
    let is_line = across == [1, 1, 0] && input.width == 1 && x.row_step == x.row_len;
    if !is_line || is_transposed && !phases_are_apart(kernel, stride, output.channels.into()) {
        return None;
    }
    let (start, last) = (out_rows.start, out_rows.end - 1);
    // Input rows, and how far behind the first one's outputs these begin.
    let (first, end, padding) = if is_transposed {
        let first = ((start + padding) / stride + 1) as isize - (kernel / stride) as isize;
        let before = (start + padding) as isize - first * stride as isize;
        (first, ((last + padding) / stride + 1) as isize, before as u8)
    } else {
        let first = (start * stride) as isize - padding as isize;
        (first, first + ((last - start) * stride + kernel) as isize, 0)
    };
    let width = usize::try_from(end - first).ok()?;
    let place = usize::try_from(first - x.first).ok()? * x.row_step;
    let row_len = width * x.row_len;
    let x = Rows { values: x.values.get(place..)?, first: 0, row_step: row_len, before: 0, row_len, height: 1 };
    let shape = |width, channels| Shape::new(1, width as u16, channels);
    let window = Window { kernel: [1, window.kernel[0]], stride: [1, window.stride[0]], padding: [0, padding] };
    let (input, output) = (shape(width, input.channels), shape(out_rows.len(), output.channels));
    Some((ConvGeometry { input, output, window }, x))
}

/// Whether the weights of a transposed convolution lie alike for phases of rows, one behind the other, and of columns, together: all
/// phases have as many taps, and outputs are in whole blocks or in none.
fn phases_are_apart(kernel: usize, stride: usize, channels: usize) -> bool {
    kernel.is_multiple_of(stride) && (channels.is_multiple_of(BLOCK) || stride * channels < BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{FloatParams, Kernels, Portable, pack_float};
    use crate::layer::Activation;
    use std::vec::Vec;

    fn wave(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * i + 3 * i) % 101) as f32 / 50.0 - 1.0).collect()
    }

    /// Output rows, if the layer has any.
    fn output_len(n: i32, [kernel, stride, padding]: [u8; 3], is_transposed: bool) -> Option<u16> {
        let [kernel, stride, padding] = [kernel, stride, padding].map(i32::from);
        let len = match is_transposed {
            true => (n - 1) * stride - 2 * padding + kernel,
            false => (n + 2 * padding - kernel).div_euclid(stride) + 1,
        };
        u16::try_from(len).ok().filter(|&len| len > 0)
    }

    /// The layer by rows and by blocks of four; false where it cannot be turned.
    fn is_turned(op: Op, input: Shape, output: Shape) -> bool {
        let weights = pack_float(op, input, output, &wave(op.weights_len(input, output)));
        let bias = wave(output.channels.into());
        let params = FloatParams { weights: &weights, bias: &bias, activation: Activation::Relu };
        let margins = op.margins(input, output);
        let mut whole = std::vec![0.0; margins.whole_len(input)];
        margins.surround(input, &wave(input.len()), &mut whole);
        let x = Rows::whole(&*whole, &margins, input);
        let run = |geometry: &ConvGeometry, row, x: &Rows<&[f32]>, y: &mut [f32]| match op {
            Op::ConvTranspose(_) => Portable::conv_transpose_row_float(geometry, row, x, &params, y),
            _ => Portable::conv_row_float(geometry, row, x, &params, y),
        };
        let (Op::Conv(window) | Op::ConvTranspose(window)) = op else { return false };
        let row_len = output.row_len();
        let (mut by_rows, mut by_blocks) = (std::vec![0.0; output.len()], std::vec![0.0; output.len()]);
        for (row, y) in by_rows.chunks_mut(row_len).enumerate() {
            run(&ConvGeometry { input, output, window }, row, &x, y);
        }
        for (block, y) in by_blocks.chunks_mut(4 * row_len).enumerate() {
            let rows = 4 * block..4 * block + y.len() / row_len;
            let Some((geometry, x)) = turned(op, [input, output], &rows, &x) else { return false };
            run(&geometry, 0, &x, y);
        }
        let is_same = by_rows.iter().zip(&by_blocks).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(is_same, "{op:?} {input:?} {output:?}: {by_rows:?} {by_blocks:?}");
        true
    }

    #[test]
    fn a_block_of_rows_is_what_its_rows_are() {
        let mut counts = [0; 2];
        for (kernel, stride, padding) in (1..7).flat_map(|k| (1..4).flat_map(move |s| (0..k).map(move |p| (k, s, p)))) {
            let window = Window { kernel: [kernel, 1], stride: [stride, 1], padding: [padding, 0] };
            for [from, to] in [[1, 8], [8, 16], [3, 1], [8, 1], [2, 5], [4, 12]] {
                for (n, is_transposed) in [(5, false), (13, false), (5, true), (13, true)] {
                    let Some(len) = output_len(n, [kernel, stride, padding], is_transposed) else { continue };
                    let (input, output) = (Shape::new(n as u16, 1, from), Shape::new(len, 1, to));
                    let op = if is_transposed { Op::ConvTranspose(window) } else { Op::Conv(window) };
                    counts[usize::from(is_turned(op, input, output))] += 1;
                }
            }
        }
        assert!(counts[0] > 100 && counts[1] > 1000, "{counts:?}");
    }

    #[test]
    fn images_stay_as_they_are() {
        let window = Window { kernel: [4, 4], stride: [2, 2], padding: [1, 1] };
        assert!(!is_turned(Op::Conv(window), Shape::new(8, 8, 3), Shape::new(4, 4, 8)));
    }
}
