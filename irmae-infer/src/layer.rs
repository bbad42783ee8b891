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
}

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
    fn lengths_that_overflow_are_none() {
        assert_eq!(Shape::new(2, 3, 4).checked_len(), Some(24));
        assert_eq!(Shape::new(u16::MAX, u16::MAX, u16::MAX).checked_len(), None);
    }
}
