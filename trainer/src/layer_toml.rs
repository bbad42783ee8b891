//! A layer as it stands in a TOML file, and the way to and from [`Layer`].
//!
//! ```toml
//! [[network.encoder]]
//! type = "conv2d"
//! out = 16            # channels
//! kernel = 4          # or [rows, columns]
//! stride = 2          # default 1
//! padding = 1         # default 0
//! activation = "relu" # relu, tanh, sigmoid, none (default)
//!
//! [[network.decoder]]
//! type = "dense"
//! shape = [32, 7, 7]  # or out = N for a plain vector
//! ```

use serde::{Deserialize, Serialize};

use crate::layer::{Activation, Layer, Op, Shape, Window};

/// The kinds of layer a file can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Convolution over samples.
    Conv1d,
    /// Convolution over an image.
    Conv2d,
    /// Transposed convolution over samples.
    #[serde(rename = "conv_transpose1d")]
    ConvTranspose1d,
    /// Transposed convolution over an image.
    #[serde(rename = "conv_transpose2d")]
    ConvTranspose2d,
    /// Fully connected.
    Dense,
}

/// One number for both directions (1-D layers: along the samples), or `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pair {
    /// The same number both ways.
    Same(usize),
    /// Vertical, horizontal.
    Each([usize; 2]),
}

/// The flat table that describes one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerToml {
    #[serde(rename = "type")]
    kind: LayerKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_padding: Option<Pair>,
    #[serde(default)]
    activation: Activation,
}

impl LayerToml {
    /// Fills in the number of outputs where the file left it out.
    pub(crate) fn with_default_out(mut self, out: usize) -> Self {
        if self.out.is_none() && self.shape.is_none() {
            self.out = Some(out);
        }
        self
    }

    fn dense(&self) -> Result<Op, String> {
        if self.kernel.is_some() || self.stride.is_some() || self.padding.is_some() || self.output_padding.is_some() {
            return Err("a dense layer takes no kernel, stride or padding".into());
        }
        match (self.out, self.shape) {
            (Some(n), None) => Ok(Op::Dense(Shape::vector(n))),
            (None, Some(shape)) => Ok(Op::Dense(shape)),
            (Some(_), Some(_)) => Err("a dense layer takes `out` or `shape`, not both".into()),
            (None, None) => Err("a dense layer needs `out = N` or `shape = [channels, rows, columns]`".into()),
        }
    }

    fn window(&self) -> Result<Window, String> {
        let one_dimensional = matches!(self.kind, LayerKind::Conv1d | LayerKind::ConvTranspose1d);
        // What a 1-D layer has in the direction that it does not move in.
        let pair = |value: Option<Pair>, default: usize, idle: usize| match value {
            None if one_dimensional => Ok([idle, default]),
            None => Ok([default, default]),
            Some(Pair::Same(n)) if one_dimensional => Ok([idle, n]),
            Some(Pair::Same(n)) => Ok([n, n]),
            Some(Pair::Each(_)) if one_dimensional => Err("a 1-D layer takes one number, not a pair".to_string()),
            Some(Pair::Each(both)) => Ok(both),
        };
        if self.shape.is_some() {
            return Err("a convolution takes `out = CHANNELS`, not `shape`".into());
        }
        let kernel = self.kernel.ok_or("a convolution needs `kernel`")?;
        Ok(Window {
            out_channels: self.out.ok_or("a convolution needs `out = CHANNELS`")?,
            kernel: pair(Some(kernel), 1, 1)?,
            stride: pair(self.stride, 1, 1)?,
            padding: pair(self.padding, 0, 0)?,
            output_padding: pair(self.output_padding, 0, 0)?,
        })
    }
}

impl TryFrom<LayerToml> for Layer {
    type Error = String;

    fn try_from(toml: LayerToml) -> Result<Self, String> {
        let op = match toml.kind {
            LayerKind::Dense => toml.dense()?,
            LayerKind::Conv1d | LayerKind::Conv2d if toml.output_padding.is_some() => {
                return Err("output_padding belongs to transposed convolutions only".into());
            }
            LayerKind::Conv1d | LayerKind::Conv2d => Op::Conv(toml.window()?),
            LayerKind::ConvTranspose1d | LayerKind::ConvTranspose2d => Op::ConvTranspose(toml.window()?),
        };
        Ok(Layer { op, activation: toml.activation })
    }
}

impl From<Layer> for LayerToml {
    fn from(layer: Layer) -> Self {
        let empty = LayerToml {
            kind: LayerKind::Dense,
            out: None,
            shape: None,
            kernel: None,
            stride: None,
            padding: None,
            output_padding: None,
            activation: layer.activation,
        };
        match layer.op {
            Op::Dense(shape) if shape == Shape::vector(shape.channels) => {
                LayerToml { out: Some(shape.channels), ..empty }
            }
            Op::Dense(shape) => LayerToml { shape: Some(shape), ..empty },
            Op::Conv(window) => from_window(window, [LayerKind::Conv1d, LayerKind::Conv2d], empty),
            Op::ConvTranspose(window) => LayerToml {
                output_padding: Some(pair_of(window.output_padding, moves_in_1d(&window))),
                ..from_window(window, [LayerKind::ConvTranspose1d, LayerKind::ConvTranspose2d], empty)
            },
        }
    }
}

/// A window that is idle vertically is written as a 1-D layer; a 1x1 one is the same either way.
fn moves_in_1d(window: &Window) -> bool {
    let vertical = (window.kernel[0], window.stride[0], window.padding[0], window.output_padding[0]);
    vertical == (1, 1, 0, 0) && (window.kernel[1], window.stride[1]) != (1, 1)
}

fn pair_of([vertical, horizontal]: [usize; 2], one_dimensional: bool) -> Pair {
    match one_dimensional || vertical == horizontal {
        true => Pair::Same(horizontal),
        false => Pair::Each([vertical, horizontal]),
    }
}

fn from_window(window: Window, [kind_1d, kind_2d]: [LayerKind; 2], empty: LayerToml) -> LayerToml {
    let one_dimensional = moves_in_1d(&window);
    LayerToml {
        kind: if one_dimensional { kind_1d } else { kind_2d },
        out: Some(window.out_channels),
        kernel: Some(pair_of(window.kernel, one_dimensional)),
        stride: Some(pair_of(window.stride, one_dimensional)),
        padding: Some(pair_of(window.padding, one_dimensional)),
        ..empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Layer, String> {
        toml::from_str::<Layer>(text).map_err(|e| e.message().to_string())
    }

    #[test]
    fn every_kind_survives_the_way_to_toml_and_back() {
        for text in [
            "type = 'conv2d'\nout = 16\nkernel = [4, 3]\nstride = 2\npadding = 1\nactivation = 'relu'",
            "type = 'conv1d'\nout = 16\nkernel = 4\nstride = 2\npadding = 1",
            "type = 'conv_transpose2d'\nout = 1\nkernel = 4\nstride = 2\npadding = 1\noutput_padding = [0, 1]",
            "type = 'conv_transpose1d'\nout = 3\nkernel = 4\nstride = 2\noutput_padding = 1\nactivation = 'tanh'",
            "type = 'dense'\nshape = [32, 7, 7]\nactivation = 'sigmoid'",
            "type = 'dense'\nout = 32",
        ] {
            let layer = parse(text).unwrap();
            assert_eq!(parse(&toml::to_string(&layer).unwrap()), Ok(layer), "{text}");
        }
    }

    #[test]
    fn errors_say_what_is_missing_or_unknown() {
        assert_eq!(parse("type = 'conv2d'\nout = 4").unwrap_err(), "a convolution needs `kernel`");
        assert!(parse("type = 'pool'").unwrap_err().contains("conv_transpose1d"));
        assert!(parse("type = 'dense'\nsize = 3").unwrap_err().contains("expected one of"));
    }
}
