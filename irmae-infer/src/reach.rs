//! Which input rows, and which zeros around them, the outputs of a layer reach.

use crate::layer::{DECODES, Op, Shape};

/// Zeros around the input of a layer, in memory, so that no patch of it reaches beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Margins {
    /// Rows above the input.
    pub above: usize,
    /// Rows below it.
    pub below: usize,
    /// Values before those of a row.
    pub before: usize,
    /// Values from one row to the next.
    pub row_step: usize,
}

impl Margins {
    /// Values of a whole input with all that is around it.
    pub fn whole_len(&self, input: Shape) -> usize {
        (self.above + usize::from(input.height) + self.below) * self.row_step + ROWS_SLACK
    }

    /// Copies a whole input to where it belongs among zeros.
    pub fn surround<X: Copy>(&self, input: Shape, x: &[X], zeros: &mut [X]) {
        let rows = zeros.chunks_mut(self.row_step).skip(self.above);
        for (x, row) in x.chunks_exact(input.row_len()).zip(rows) {
            row[self.before..][..x.len()].copy_from_slice(x);
        }
    }
}

/// Values behind the last input row that may be read, and have no effect: inputs are taken in fours.
pub const ROWS_SLACK: usize = 3;

/// Pixels that a block of rows of one pixel has, for each output phase.
const BLOCK_PIXELS: usize = 4;

impl Op {
    /// Output rows that are made at a time: several where a row has one pixel, so that kernels have pixels to share weights.
    #[cfg_attr(not(irmae_avx2), inline(never))]
    #[cfg_attr(irmae_avx2, inline)]
    pub fn block_rows(self, output: Shape) -> usize {
        let rows = match self {
            Op::Conv(_) if output.width == 1 => BLOCK_PIXELS,
            // Each output phase has its own weights.
            Op::ConvTranspose(window) if DECODES && output.width == 1 => BLOCK_PIXELS * usize::from(window.stride[0]),
            _ => 1,
        };
        rows.min(usize::from(output.height))
    }

    /// Where along `axis` (0 for rows, 1 for columns) the inputs of output `out` start, counted from the first
    /// [zero before](Op::zeros) the input.
    #[cfg_attr(irmae_avx2, inline)]
    pub(crate) fn first(self, axis: usize, out: usize) -> usize {
        match self {
            Op::Dense => 0,
            Op::Conv(window) => out * usize::from(window.stride[axis]),
            Op::ConvTranspose(window) if DECODES => {
                let (stride, padding) = (usize::from(window.stride[axis]), usize::from(window.padding[axis]));
                (out + padding % stride) / stride
            }
            Op::ConvTranspose(_) => 0,
        }
    }

    /// How many inputs, zeros among them, an output reads along `axis`, at most; a dense layer reads rows one by one.
    #[cfg_attr(irmae_avx2, inline)]
    pub(crate) fn span(self, axis: usize) -> usize {
        match self {
            Op::Dense => 1,
            Op::Conv(window) => window.kernel[axis].into(),
            Op::ConvTranspose(window) if DECODES => window.kernel[axis].div_ceil(window.stride[axis]).into(),
            Op::ConvTranspose(_) => 1,
        }
    }

    /// The zeros around the input of a layer.
    pub fn margins(self, input: Shape, output: Shape) -> Margins {
        let channels = usize::from(input.channels);
        let [above, below] = self.zeros(0, input.height, output.height);
        let [left, right] = self.zeros(1, input.width, output.width);
        let row_len = (left + usize::from(input.width) + right) * channels;
        // Rows of whole words move faster. Those of one pixel lie together, so that a patch of them does.
        let row_step = if input.width > 1 { row_len.next_multiple_of(4) } else { row_len };
        Margins { above, below, before: left * channels, row_step }
    }

    /// Zeros before and behind the input along `axis`, `n` values long: with them all that any of `out` outputs reads is there.
    fn zeros(self, axis: usize, n: u16, out: u16) -> [usize; 2] {
        let before = match self {
            Op::Dense => return [0, 0],
            Op::Conv(window) => window.padding[axis].into(),
            Op::ConvTranspose(window) if DECODES => {
                self.span(axis) - 1 - usize::from(window.padding[axis] / window.stride[axis])
            }
            Op::ConvTranspose(_) => 0,
        };
        let end = self.first(axis, usize::from(out) - 1) + self.span(axis);
        [before, end.saturating_sub(before + usize::from(n))]
    }

    /// Input rows, and rows of zeros, that must be in memory at the same time, if `arriving` rows come at a time.
    ///
    /// Rows come until the next block of output rows can be made, so up to `arriving - 1` more than that block needs.
    pub fn rows_held(self, input: Shape, output: Shape, arriving: usize) -> usize {
        let needed = self.first(0, self.block_rows(output) - 1) + self.span(0);
        let [above, below] = self.zeros(0, input.height, output.height);
        (needed + arriving - 1).min(above + usize::from(input.height) + below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Window;

    const K4S2P1: Window = Window { kernel: [4, 4], stride: [2, 2], padding: [1, 1] };

    #[test]
    fn zeros_are_as_many_as_outputs_read() {
        let (input, output) = (Shape::new(28, 28, 1), Shape::new(14, 14, 16));
        assert_eq!(Op::Conv(K4S2P1).zeros(0, input.height, output.height), [1, 1]);
        // Row 28 is not read by a kernel of 3.
        let window = Window { kernel: [3, 3], ..K4S2P1 };
        assert_eq!(Op::Conv(window).zeros(1, input.width, output.width), [1, 0]);
        // Outputs 0 and 27 of a transposed one read inputs -1 and 0, 13 and 14.
        let op = Op::ConvTranspose(K4S2P1);
        assert_eq!(op.zeros(0, output.height, input.height), [1, 1]);
        assert_eq!((op.first(0, 0), op.first(0, 1), op.first(0, 27), op.span(0)), (0, 1, 14, 2));
        assert_eq!(Op::Dense.zeros(0, 7, 1), [0, 0]);
    }

    #[test]
    fn rows_of_one_pixel_are_made_in_blocks() {
        let window = Window { kernel: [4, 1], stride: [2, 1], padding: [1, 0] };
        let (long, short) = (Shape::new(64, 1, 3), Shape::new(32, 1, 8));
        assert_eq!(Op::Conv(window).block_rows(short), 4);
        assert_eq!(Op::Conv(window).rows_held(long, short, 1), 10);
        // Blocks of 4 rows come in: up to 3 more than needed.
        assert_eq!(Op::Conv(window).rows_held(long, short, 4), 13);
        assert_eq!(Op::ConvTranspose(window).block_rows(long), 8);
        // Output rows 8 n to 8 n + 7 read input rows 4 n - 1 to 4 n + 4.
        assert_eq!(Op::ConvTranspose(window).rows_held(short, long, 1), 6);
        // Six rows, and a zero above and below.
        assert_eq!(Op::Conv(window).rows_held(Shape::new(6, 1, 3), Shape::new(3, 1, 8), 1), 8);
    }
}
