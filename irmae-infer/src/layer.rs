//! What a layer is, without its weights: operation, shapes, and which rows it needs when.
//!
//! Activations lie in memory as height, width, channels (channels last). A one-dimensional signal is `height` samples of
//! width 1, so that a row of the network is one sample as the sensor delivers it.

/// Height, width and channels of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Rows; samples of a one-dimensional signal.
    pub height: u16,
    /// Pixels in a row; 1 for a one-dimensional signal.
    pub width: u16,
    /// Values in a pixel.
    pub channels: u16,
}

impl Shape {
    /// A shape from its three dimensions.
    pub const fn new(height: u16, width: u16, channels: u16) -> Self {
        Self { height, width, channels }
    }

    /// A flat vector of `n` values.
    pub const fn flat(n: u16) -> Self {
        Self::new(1, 1, n)
    }

    /// Values in one row.
    pub const fn row_len(self) -> usize {
        self.width as usize * self.channels as usize
    }

    /// Values in all rows; `None` where the count does not fit 31 bits.
    pub const fn checked_len(self) -> Option<usize> {
        match (self.width as u32).checked_mul(self.channels as u32) {
            Some(row) => match row.checked_mul(self.height as u32) {
                Some(n) if n <= i32::MAX as u32 => Some(n as usize),
                _ => None,
            },
            None => None,
        }
    }

    /// Values in all rows. Shapes of a loaded model always fit.
    pub const fn len(self) -> usize {
        self.row_len() * self.height as usize
    }

    /// Whether a dimension is zero.
    pub const fn is_empty(self) -> bool {
        self.height == 0 || self.width == 0 || self.channels == 0
    }
}

/// Kernel, stride and padding of a convolution, each as `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Window {
    /// Taps.
    pub kernel: [u8; 2],
    /// Step between windows (between input pixels, for a transposed convolution).
    pub stride: [u8; 2],
    /// Zeros around the input (rows and columns cut from the output, for a transposed convolution).
    pub padding: [u8; 2],
}

impl Window {
    /// Kernel, stride and padding, each as `[height, width]`.
    #[inline(always)]
    pub(crate) fn sizes(self) -> [[usize; 2]; 3] {
        let Self { kernel, stride, padding } = self;
        [
            [kernel[0].into(), kernel[1].into()],
            [stride[0].into(), stride[1].into()],
            [padding[0].into(), padding[1].into()],
        ]
    }

    /// Taps of one output per input channel.
    pub fn taps(self) -> usize {
        usize::from(self.kernel[0]) * usize::from(self.kernel[1])
    }
}

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

/// Whether there are transposed convolutions. Where there are none, the compiler is told at what takes much code.
pub(crate) const DECODES: bool = cfg!(feature = "decode");

/// The linear part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Op {
    /// `y[o] = b[o] + sum_i w[o, i] x[i]` over the flattened input.
    Dense,
    /// `y[p, q, o] = b[o] + sum w[o, i, j, c] x[p s - pad + i, q s - pad + j, c]`.
    Conv(Window),
    /// `y[p s - pad + i, q s - pad + j, o] += w[o, i, j, c] x[p, q, c]`, starting from `b[o]`.
    ConvTranspose(Window),
}

/// The function that follows the linear part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activation {
    /// `y = x`
    None,
    /// `y = max(x, 0)`
    Relu,
    /// `y = tanh x`
    Tanh,
    /// `y = 1 / (1 + exp(-x))`
    Sigmoid,
}

impl Activation {
    /// Whether an integer layer goes through the sigmoid table, and so has a second scale.
    pub const fn is_curved(self) -> bool {
        matches!(self, Self::Tanh | Self::Sigmoid)
    }
}

impl Op {
    /// Whether this operation can make `output` of `input`.
    ///
    /// A convolution gives `floor((n + 2 pad - k) / s) + 1`; a transposed one `(n - 1) s - 2 pad + k + extra`,
    /// with `extra < s` (the output padding).
    pub fn fits(self, input: Shape, output: Shape) -> bool {
        if input.is_empty() || output.is_empty() {
            return false;
        }
        let (Op::Conv(window) | Op::ConvTranspose(window)) = self else { return true };
        self.fits_along(window, 0, input.height, output.height) && self.fits_along(window, 1, input.width, output.width)
    }

    #[inline(never)]
    fn fits_along(self, window: Window, axis: usize, n: u16, out: u16) -> bool {
        let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|of| i32::from(of[axis]));
        let (n, out) = (i32::from(n), i32::from(out));
        if kernel == 0 || stride == 0 || padding >= kernel {
            return false;
        }
        if !DECODES || matches!(self, Op::Conv(_)) {
            let reach = n + 2 * padding - kernel;
            reach >= 0 && reach / stride + 1 == out
        } else {
            let least = (n - 1) * stride - 2 * padding + kernel;
            (least..least + stride).contains(&out)
        }
    }

    /// Products summed in one output, at most.
    pub fn fan_in(self, input: Shape) -> usize {
        match self {
            Op::Dense => input.len(),
            Op::Conv(window) | Op::ConvTranspose(window) => window.taps() * usize::from(input.channels),
        }
    }

    /// Number of weights. Natural order: `[out][in]` for a dense layer (in order height, width, channel),
    /// `[out channel][kernel row][kernel column][in channel]` for the others.
    pub fn weights_len(self, input: Shape, output: Shape) -> usize {
        self.fan_in(input) * self.bias_len(output)
    }

    /// Number of biases: one an output value for a dense layer, one an output channel for the others.
    pub fn bias_len(self, output: Shape) -> usize {
        match self {
            Op::Dense => output.len(),
            Op::Conv(_) | Op::ConvTranspose(_) => usize::from(output.channels),
        }
    }

    /// Multiplications by weights; those with zeros of the padding count too.
    pub fn macs(self, input: Shape, output: Shape) -> u64 {
        let per_pixel = self.fan_in(input) as u64 * u64::from(output.channels);
        match self {
            Op::Dense => self.weights_len(input, output) as u64,
            Op::Conv(_) => per_pixel * u64::from(output.height) * u64::from(output.width),
            Op::ConvTranspose(_) => per_pixel * u64::from(input.height) * u64::from(input.width),
        }
    }

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

/// Pixels that a block of rows of one pixel has, for each output phase.
const BLOCK_PIXELS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const K4S2P1: Window = Window { kernel: [4, 4], stride: [2, 2], padding: [1, 1] };

    #[test]
    fn convolution_halves_and_its_transpose_doubles() {
        let (large, small) = (Shape::new(28, 28, 1), Shape::new(14, 14, 16));
        assert!(Op::Conv(K4S2P1).fits(large, small));
        assert!(!Op::Conv(K4S2P1).fits(large, Shape::new(13, 14, 16)));
        assert!(Op::ConvTranspose(K4S2P1).fits(small, large));
        // One more row or column is the output padding; two more would be a stride.
        assert!(Op::ConvTranspose(K4S2P1).fits(small, Shape::new(29, 28, 1)));
        assert!(!Op::ConvTranspose(K4S2P1).fits(small, Shape::new(30, 28, 1)));
    }

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

    #[test]
    fn lengths_that_overflow_are_none() {
        assert_eq!(Shape::new(2, 3, 4).checked_len(), Some(24));
        assert_eq!(Shape::new(u16::MAX, u16::MAX, u16::MAX).checked_len(), None);
    }
}
