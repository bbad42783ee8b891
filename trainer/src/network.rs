//! A whole network on paper: its layers, checked against the data's shape before anything is built.

use serde::{Deserialize, Serialize};

use crate::data::DataShape;
use crate::layer::{Activation, Layer, LayerError, Op, Shape};

/// Encoder, linear stack and decoder, fully resolved: every size is a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Shape of one item of the data.
    pub input: DataShape,
    /// Number of values in the code.
    pub latent: usize,
    /// Square linear layers without bias between encoder and decoder (L); 0 is a plain autoencoder.
    pub linear_layers: usize,
    /// From the item to the code; the last layer is linear and has `latent` outputs.
    pub encoder: Vec<Layer>,
    /// From the code (`latent x 1 x 1`) back to the item.
    pub decoder: Vec<Layer>,
}

/// Why a network cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A layer cannot take what reaches it.
    #[error(
        "{place} does not fit: {problem}; the data is {data}: use larger data (--resize) or fewer or smaller layers"
    )]
    Layer {
        /// Path of the layer, e.g. `encoder.3`.
        place: String,
        /// Shape of one item.
        data: Shape,
        /// What is wrong.
        problem: LayerError,
    },
    /// An empty encoder or decoder.
    #[error("the {part} has no layers; give at least one")]
    Empty {
        /// `encoder` or `decoder`.
        part: &'static str,
    },
    /// A latent size of 0.
    #[error("the latent size is 0; give --latent 1 or more")]
    NoLatent,
    /// The encoder does not end in the code.
    #[error(
        "encoder.{last} gives {got}, but the code has {latent} values: end the encoder in a dense layer (or a \
         convolution down to 1x1) with {latent} outputs, or set latent to what it gives"
    )]
    CodeSize {
        /// Index of the encoder's last layer.
        last: usize,
        /// What it gives.
        got: Shape,
        /// What it should give.
        latent: usize,
    },
    /// The encoder's last layer is not linear.
    #[error(
        "encoder.{last} has an activation, but the encoder must end in a linear layer (activation = \"none\"): \
         the linear stack is folded into it"
    )]
    NotLinear {
        /// Index of the encoder's last layer.
        last: usize,
    },
    /// The decoder starts with a layer that cannot be read as a dense one.
    #[error("decoder.0 must be a dense layer or a transposed convolution: it takes the code as a 1x1 map")]
    DecoderStart,
    /// The decoder does not give back the shape of the data.
    #[error(
        "the decoder ends in {got}, but the data is {data}: change the output channels, or the stride and \
         output_padding of its transposed convolutions"
    )]
    OutputShape {
        /// What the decoder gives.
        got: Shape,
        /// Shape of one item.
        data: Shape,
    },
}

impl NetworkSpec {
    /// Shape of one item as a feature map.
    pub fn item_shape(&self) -> Shape {
        Shape::new(self.input.channels, self.input.height, self.input.width)
    }

    /// Checks that the layers fit each other, the code and the data.
    ///
    /// # Errors
    /// A line that names the layer, what it got and what to change.
    pub fn check(&self) -> Result<(), NetworkError> {
        let data = self.item_shape();
        if self.latent == 0 {
            return Err(NetworkError::NoLatent);
        }
        let [Some(last), Some(first)] = [self.encoder.last(), self.decoder.first()] else {
            return Err(NetworkError::Empty { part: if self.encoder.is_empty() { "encoder" } else { "decoder" } });
        };
        let last_index = self.encoder.len() - 1;
        let got = output(&self.encoder_shapes()?);
        if got != Shape::vector(self.latent) {
            return Err(NetworkError::CodeSize { last: last_index, got, latent: self.latent });
        }
        if last.activation != Activation::None {
            return Err(NetworkError::NotLinear { last: last_index });
        }
        if matches!(first.op, Op::Conv(_)) {
            return Err(NetworkError::DecoderStart);
        }
        let got = output(&self.decoder_shapes()?);
        if got != data {
            return Err(NetworkError::OutputShape { got, data });
        }
        Ok(())
    }

    /// Shapes along the encoder: the item, then what each layer gives (one more than there are layers).
    ///
    /// # Errors
    /// When a layer cannot take its input.
    pub fn encoder_shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        self.shapes("encoder", &self.encoder, self.item_shape())
    }

    /// Shapes along the decoder, from the code on.
    ///
    /// # Errors
    /// When a layer cannot take its input.
    pub fn decoder_shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        self.shapes("decoder", &self.decoder, Shape::vector(self.latent))
    }

    fn shapes(&self, part: &str, layers: &[Layer], input: Shape) -> Result<Vec<Shape>, NetworkError> {
        let mut shapes = vec![input];
        for (index, layer) in layers.iter().enumerate() {
            let place = || format!("{part}.{index}");
            let shape = layer.output_shape(output(&shapes)).map_err(|problem| NetworkError::Layer {
                place: place(),
                data: self.item_shape(),
                problem,
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }
}

/// The shape that comes out at the end.
fn output(shapes: &[Shape]) -> Shape {
    shapes[shapes.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    fn image(height: usize, width: usize) -> DataShape {
        DataShape { channels: 1, height, width, one_dimensional: false }
    }

    #[test]
    fn shapes_of_micro_image() {
        let spec = presets::find("micro-image").unwrap().network(image(28, 28), 32, 4).unwrap();
        let shapes: Vec<[usize; 3]> = spec.encoder_shapes().unwrap().into_iter().map(Into::into).collect();
        assert_eq!(shapes, [[1, 28, 28], [16, 14, 14], [32, 7, 7], [32, 1, 1]]);
    }

    #[test]
    fn errors_name_the_layer_and_the_cure() {
        let good = presets::find("micro-image").unwrap().network(image(28, 28), 32, 4).unwrap();
        let too_small = NetworkSpec { input: image(3, 3), ..good.clone() };
        let text = too_small.check().unwrap_err().to_string();
        assert!(text.starts_with("encoder.1 does not fit: its 4x4 kernel is larger than the 16x1x1"), "{text}");
        let wrong_code = NetworkSpec { latent: 16, ..good.clone() };
        assert!(wrong_code.check().unwrap_err().to_string().contains("the code has 16 values"));
        let wrong_output = NetworkSpec { input: image(30, 30), ..good.clone() };
        assert_eq!(
            wrong_output.check(),
            Err(NetworkError::OutputShape { got: Shape::new(1, 28, 28), data: Shape::new(1, 30, 30) })
        );
        let mut not_linear = good;
        not_linear.encoder[2].activation = Activation::Relu;
        assert_eq!(not_linear.check(), Err(NetworkError::NotLinear { last: 2 }));
    }
}
