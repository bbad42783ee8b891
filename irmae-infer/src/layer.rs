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
    fn is_valid(self) -> bool {
        (0..2).all(|i| self.kernel[i] > 0 && self.stride[i] > 0 && self.padding[i] < self.kernel[i])
    }

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
        let dims = [(input.height, output.height), (input.width, output.width)];
        match self {
            Op::Dense => true,
            Op::Conv(window) => {
                window.is_valid()
                    && dims.iter().enumerate().all(|(i, &(n, out))| {
                        let reach = u32::from(n) + 2 * u32::from(window.padding[i]);
                        let kernel = u32::from(window.kernel[i]);
                        reach >= kernel && (reach - kernel) / u32::from(window.stride[i]) + 1 == u32::from(out)
                    })
            }
            Op::ConvTranspose(window) => {
                window.is_valid()
                    && dims.iter().enumerate().all(|(i, &(n, out))| {
                        let stride = i32::from(window.stride[i]);
                        let least = (i32::from(n) - 1) * stride - 2 * i32::from(window.padding[i])
                            + i32::from(window.kernel[i]);
                        (least..least + stride).contains(&i32::from(out))
                    })
            }
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
    pub fn block_rows(self, output: Shape) -> usize {
        let rows = match self {
            Op::Conv(_) if output.width == 1 => BLOCK_PIXELS,
            // Each output phase has its own weights.
            Op::ConvTranspose(window) if output.width == 1 => BLOCK_PIXELS * usize::from(window.stride[0]),
            _ => 1,
        };
        rows.min(usize::from(output.height))
    }

    /// Input rows that must be in memory at the same time, if `arriving` rows come at a time.
    ///
    /// Rows come until the next block of output rows can be made, so up to `arriving - 1` more than that block needs. A multiple
    /// of `arriving`, so that rows that come together lie together in a ring.
    pub fn ring_rows(self, input: Shape, output: Shape, arriving: usize) -> usize {
        let block = self.block_rows(output);
        let needed = match self {
            Op::Dense => 1,
            Op::Conv(window) => (block - 1) * usize::from(window.stride[0]) + usize::from(window.kernel[0]),
            Op::ConvTranspose(window) => {
                let [kernel, stride, padding] =
                    [window.kernel, window.stride, window.padding].map(|of| usize::from(of[0]));
                // Blocks of several rows start at a multiple of the stride.
                let reach = if block > 1 { block - 1 + padding % stride } else { 0 };
                kernel.div_ceil(stride) + reach / stride
            }
        };
        (needed + arriving - 1).next_multiple_of(arriving).min(usize::from(input.height))
    }

    /// Input rows that must have arrived before output row `out_row` can be computed.
    pub(crate) fn rows_needed(self, input: Shape, out_row: usize) -> usize {
        let height = usize::from(input.height);
        let needed = match self {
            Op::Dense => height,
            Op::Conv(window) => (out_row * usize::from(window.stride[0]) + usize::from(window.kernel[0]))
                .saturating_sub(usize::from(window.padding[0])),
            Op::ConvTranspose(window) => (out_row + usize::from(window.padding[0])) / usize::from(window.stride[0]) + 1,
        };
        needed.clamp(1, height)
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
    fn rows_needed_counts_padding() {
        let input = Shape::new(28, 28, 1);
        assert_eq!(Op::Conv(K4S2P1).rows_needed(input, 0), 3);
        assert_eq!(Op::Conv(K4S2P1).rows_needed(input, 1), 5);
        assert_eq!(Op::Conv(K4S2P1).rows_needed(input, 13), 28);
        let input = Shape::new(14, 14, 16);
        assert_eq!(Op::ConvTranspose(K4S2P1).rows_needed(input, 0), 1);
        assert_eq!(Op::ConvTranspose(K4S2P1).rows_needed(input, 1), 2);
        assert_eq!(Op::ConvTranspose(K4S2P1).rows_needed(input, 27), 14);
        assert_eq!(Op::ConvTranspose(K4S2P1).ring_rows(input, Shape::new(28, 28, 16), 1), 2);
    }

    #[test]
    fn rows_of_one_pixel_are_made_in_blocks() {
        let window = Window { kernel: [4, 1], stride: [2, 1], padding: [1, 0] };
        let (long, short) = (Shape::new(64, 1, 3), Shape::new(32, 1, 8));
        assert_eq!(Op::Conv(window).block_rows(short), 4);
        assert_eq!(Op::Conv(window).ring_rows(long, short, 1), 10);
        // Blocks of 4 rows come in: up to 3 more than needed, in a ring that holds whole blocks.
        assert_eq!(Op::Conv(window).ring_rows(long, short, 4), 16);
        assert_eq!(Op::ConvTranspose(window).block_rows(long), 8);
        // Output rows 8 n to 8 n + 7 read input rows 4 n - 1 to 4 n + 4.
        assert_eq!(Op::ConvTranspose(window).ring_rows(short, long, 1), 6);
        assert_eq!(Op::Conv(window).ring_rows(Shape::new(6, 1, 3), Shape::new(3, 1, 8), 1), 6);
    }

    #[test]
    fn lengths_that_overflow_are_none() {
        assert_eq!(Shape::new(2, 3, 4).checked_len(), Some(24));
        assert_eq!(Shape::new(u16::MAX, u16::MAX, u16::MAX).checked_len(), None);
    }
}
