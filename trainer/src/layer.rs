//! One layer: what it computes, which shapes it takes, and its form in a TOML file.
//!
//! 1-D data is a feature map of height 1, so `conv1d` is a convolution with a `1 x k` kernel and the rest of the
//! trainer knows two dimensions only.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::layer_toml::LayerToml;

/// Shape of one feature map, `channels x height x width`. 1-D data has height 1; a plain vector is `n x 1 x 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns (samples of 1-D data).
    pub width: usize,
}

impl Shape {
    /// The shape `channels x height x width`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Shape { channels, height, width }
    }

    /// The shape of a vector of `n` values.
    pub const fn vector(n: usize) -> Self {
        Shape::new(n, 1, 1)
    }

    /// Number of values in the map.
    pub const fn count(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl From<[usize; 3]> for Shape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        Shape { channels, height, width }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(shape: Shape) -> Self {
        [shape.channels, shape.height, shape.width]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// What follows the linear part of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing: the layer is linear.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// A sliding window: the geometry of a convolution or of its transpose. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Channels that come out.
    pub out_channels: usize,
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Zero padding on either side.
    pub padding: [usize; 2],
    /// Rows and columns that a transposed convolution adds at the end; 0 for a convolution.
    pub output_padding: [usize; 2],
}

/// The linear part of a layer; each has a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Convolution (cross-correlation, as PyTorch has it).
    Conv(Window),
    /// Transposed convolution.
    ConvTranspose(Window),
    /// Fully connected; its outputs are read as a map of this shape, channels first.
    Dense(Shape),
}

/// One layer of an encoder or a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LayerToml", into = "LayerToml")]
pub struct Layer {
    /// The linear part.
    pub op: Op,
    /// What is applied to its output.
    pub activation: Activation,
}

/// Why a layer cannot take its input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The kernel does not fit, even with the padding.
    #[error("its {kernel_h}x{kernel_w} kernel is larger than the {input} that reaches it, padding included")]
    TooSmall {
        /// What reaches the layer.
        input: Shape,
        /// Kernel rows.
        kernel_h: usize,
        /// Kernel columns.
        kernel_w: usize,
    },
    /// A size of zero.
    #[error("{what} is 0; it must be at least 1")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// `output_padding` must be smaller than the stride.
    #[error("output_padding must be smaller than the stride")]
    OutputPadding,
    /// The padding of a transposed convolution eats all of its output.
    #[error("its padding leaves nothing of the output made from {input}; lower the padding")]
    Vanishes {
        /// What reaches the layer.
        input: Shape,
    },
}

impl Layer {
    /// Shape that comes out when `input` goes in.
    ///
    /// # Errors
    /// When the layer cannot take `input`.
    pub fn output_shape(&self, input: Shape) -> Result<Shape, LayerError> {
        match self.op {
            Op::Dense(out) if out.count() == 0 => Err(LayerError::Zero { what: "the number of outputs" }),
            Op::Dense(out) => Ok(out),
            Op::Conv(window) => window.conv_output(input),
            Op::ConvTranspose(window) => window.transposed_output(input),
        }
    }

    /// Shape of the weight, in PyTorch's order: `(out, in)`, `(out, in, kh, kw)`, transposed `(in, out, kh, kw)`.
    pub fn weight_shape(&self, input: Shape) -> Vec<usize> {
        match self.op {
            Op::Dense(out) => vec![out.count(), input.count()],
            Op::Conv(w) => vec![w.out_channels, input.channels, w.kernel[0], w.kernel[1]],
            Op::ConvTranspose(w) => vec![input.channels, w.out_channels, w.kernel[0], w.kernel[1]],
        }
    }

    /// Number of biases.
    pub fn bias_count(&self) -> usize {
        match self.op {
            Op::Dense(out) => out.count(),
            Op::Conv(w) | Op::ConvTranspose(w) => w.out_channels,
        }
    }
}

impl Window {
    fn check(&self) -> Result<(), LayerError> {
        let numbers = [
            ("the number of output channels", self.out_channels),
            ("the kernel", self.kernel[0].min(self.kernel[1])),
            ("the stride", self.stride[0].min(self.stride[1])),
        ];
        numbers.iter().try_for_each(|&(what, n)| if n == 0 { Err(LayerError::Zero { what }) } else { Ok(()) })
    }

    /// `out = (in + 2 padding - kernel) / stride + 1`, rounded down.
    fn conv_output(&self, input: Shape) -> Result<Shape, LayerError> {
        self.check()?;
        let size =
            |i: usize, n: usize| Some((n + 2 * self.padding[i]).checked_sub(self.kernel[i])? / self.stride[i] + 1);
        match (size(0, input.height), size(1, input.width)) {
            (Some(height), Some(width)) => Ok(Shape::new(self.out_channels, height, width)),
            _ => Err(LayerError::TooSmall { input, kernel_h: self.kernel[0], kernel_w: self.kernel[1] }),
        }
    }

    /// `out = (in - 1) stride - 2 padding + kernel + output_padding`.
    fn transposed_output(&self, input: Shape) -> Result<Shape, LayerError> {
        self.check()?;
        if (0..2).any(|i| self.output_padding[i] >= self.stride[i] && self.output_padding[i] > 0) {
            return Err(LayerError::OutputPadding);
        }
        let size = |i: usize, n: usize| {
            let full = n.checked_sub(1)? * self.stride[i] + self.kernel[i] + self.output_padding[i];
            full.checked_sub(2 * self.padding[i]).filter(|&n| n > 0)
        };
        match (size(0, input.height), size(1, input.width)) {
            (Some(height), Some(width)) => Ok(Shape::new(self.out_channels, height, width)),
            _ => Err(LayerError::Vanishes { input }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALVE: Window =
        Window { out_channels: 8, kernel: [4, 4], stride: [2, 2], padding: [1, 1], output_padding: [0, 0] };

    #[test]
    fn a_stride_2_convolution_and_its_transpose_mirror_each_other() {
        let conv = Layer { op: Op::Conv(HALVE), activation: Activation::Relu };
        assert_eq!(conv.output_shape(Shape::new(1, 28, 27)), Ok(Shape::new(8, 14, 13)));
        let back = Window { out_channels: 1, output_padding: [0, 1], ..HALVE };
        let back = Layer { op: Op::ConvTranspose(back), activation: Activation::None };
        assert_eq!(back.output_shape(Shape::new(8, 14, 13)), Ok(Shape::new(1, 28, 27)));
        assert_eq!(conv.weight_shape(Shape::new(3, 9, 9)), [8, 3, 4, 4]);
        assert_eq!(back.weight_shape(Shape::new(8, 9, 9)), [8, 1, 4, 4]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let conv = Layer { op: Op::Conv(HALVE), activation: Activation::None };
        let error = conv.output_shape(Shape::new(1, 1, 1)).unwrap_err();
        assert_eq!(error.to_string(), "its 4x4 kernel is larger than the 1x1x1 that reaches it, padding included");
        let bad = Window { output_padding: [2, 0], ..HALVE };
        let bad = Layer { op: Op::ConvTranspose(bad), activation: Activation::None };
        assert_eq!(bad.output_shape(Shape::new(1, 4, 4)), Err(LayerError::OutputPadding));
    }
}
