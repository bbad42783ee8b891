//! The network in torch.
//!
//! ```text
//!            encoder, all but its last layer        its last (linear) layer        L square layers, no bias
//! x (N,C,H,W) ----------------------------> h (N,c,h,w) ----------------> E h + e --- W_1 --- ... --- W_L ---> z (N,n)
//!
//!            decoder: its first layer is linear in z, then its activation
//! z (N,n) ---> D z + d ---> ... ---> y (N,C,H,W)
//! ```
//!
//! `x` and `y` are normalised. 1-D data has H = 1. After training `W = W_L ... W_1` is one matrix (see `collapse`).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::config::StackInit;
use crate::init;
use crate::layer::{Activation, Layer, Op, Shape, Window};
use crate::network::NetworkSpec;
use crate::params::{ParameterShape, Parameters};

/// An autoencoder with its linear stack.
#[derive(Debug)]
pub struct Model {
    spec: NetworkSpec,
    parameters: Parameters,
    encoder: Vec<TorchLayer>,
    /// `n x n` each; the first one is applied first.
    stack: Vec<Tensor>,
    decoder: Vec<TorchLayer>,
    device: Device,
}

/// A layer with its parameters.
#[derive(Debug)]
pub struct TorchLayer {
    /// What it computes.
    pub layer: Layer,
    /// Shape of one item that goes in.
    pub input: Shape,
    /// Weight, in PyTorch's order of axes.
    pub weight: Tensor,
    /// Bias. Shape: `[outputs or channels]`.
    pub bias: Tensor,
}

impl Model {
    /// A model with all parameters zero, to be loaded or [initialised](Self::initialise).
    ///
    /// # Panics
    /// If `spec` does not pass [`NetworkSpec::check`].
    pub fn zeros(spec: &NetworkSpec, device: Device) -> Self {
        let shapes =
            [spec.encoder_shapes().expect("a checked network"), spec.decoder_shapes().expect("a checked network")];
        let parameters = Parameters::zeros(&parameter_shapes(spec, &shapes), device);
        let mut leaves = parameters.leaves().iter().map(Tensor::shallow_clone);
        let mut layers = |layers: &[Layer], shapes: &[Shape]| -> Vec<TorchLayer> {
            let mut leaf = || leaves.next().expect("a parameter for every layer");
            let build = |(&layer, &input)| TorchLayer { layer, input, weight: leaf(), bias: leaf() };
            layers.iter().zip(shapes).map(build).collect()
        };
        let encoder = layers(&spec.encoder, &shapes[0]);
        let decoder = layers(&spec.decoder, &shapes[1]);
        let stack = leaves.collect();
        Model { spec: spec.clone(), encoder, stack, decoder, parameters, device }
    }

    /// A freshly initialised model; the same seed gives the same weights on every device.
    pub fn initialise(spec: &NetworkSpec, stack_init: StackInit, seed: u64, device: Device) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let model = Model::zeros(spec, Device::Cpu);
        for layer in model.encoder.iter().chain(&model.decoder) {
            init::layer_(&layer.weight, &layer.bias, &mut random);
        }
        model.stack.iter().for_each(|matrix| init::stack_(matrix, stack_init, &mut random));
        if device == Device::Cpu {
            return model;
        }
        let moved = Model::zeros(spec, device);
        moved.parameters.flat().shallow_clone().copy_(model.parameters.flat());
        moved
    }

    /// A model with these parameters: weight and bias of each layer of the encoder, then of the decoder, then the stack.
    ///
    /// # Panics
    /// As [`Model::zeros`], and if a parameter has another shape.
    pub fn with_values(spec: &NetworkSpec, values: Vec<Tensor>, device: Device) -> Self {
        let model = Model::zeros(spec, device);
        assert_eq!(values.len(), model.parameters.leaves().len(), "a value for every parameter");
        for (parameter, value) in model.parameters.leaves().iter().zip(values) {
            assert_eq!(parameter.numel(), value.numel(), "a parameter's shape");
            tch::no_grad(|| parameter.shallow_clone().copy_(&value));
        }
        model
    }

    /// What the model was built from.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Where it lives.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Layers of the encoder, the last (linear) one included.
    pub fn encoder(&self) -> &[TorchLayer] {
        &self.encoder
    }

    /// The square matrices between encoder and decoder; the first is applied first.
    pub fn stack(&self) -> &[Tensor] {
        &self.stack
    }

    /// Layers of the decoder.
    pub fn decoder(&self) -> &[TorchLayer] {
        &self.decoder
    }

    /// The encoder's last layer: E and e, linear.
    pub fn last_linear(&self) -> &TorchLayer {
        &self.encoder[self.encoder.len() - 1]
    }

    /// Normalised items (N,C,H,W) to the features h that reach the encoder's last layer.
    pub fn features(&self, x: &Tensor) -> Tensor {
        let hidden = &self.encoder[..self.encoder.len() - 1];
        hidden.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x))
    }

    /// Normalised items (N,C,H,W) to E h + e (N,n), before the linear stack.
    pub fn encode_before_stack(&self, x: &Tensor) -> Tensor {
        self.last_linear().forward(&self.features(x)).flatten(1, -1)
    }

    /// Normalised items (N,C,H,W) to codes z (N,n).
    pub fn encode(&self, x: &Tensor) -> Tensor {
        self.stack.iter().fold(self.encode_before_stack(x), |z, matrix| z.linear(matrix, None::<&Tensor>))
    }

    /// Codes (N,n) to normalised items (N,C,H,W).
    pub fn decode(&self, z: &Tensor) -> Tensor {
        let map = z.unsqueeze(-1).unsqueeze(-1);
        self.decoder.iter().fold(map, |x, layer| layer.forward(&x))
    }

    /// Normalised items (N,C,H,W) to their reconstructions.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.decode(&self.encode(x))
    }

    /// As [`forward`](Self::forward), layers computing in `kind`.
    ///
    /// The linear stack stays in f32: in bf16, rounding would drown the small singular values that are to vanish.
    pub fn forward_in(&self, x: &Tensor, kind: Kind) -> Tensor {
        if kind == Kind::Float {
            return self.forward(x);
        }
        let through = |layers: &[TorchLayer], x: Tensor| layers.iter().fold(x, |x, layer| layer.forward_in(&x, kind));
        let code = through(&self.encoder, x.to_kind(kind)).flatten(1, -1).to_kind(Kind::Float);
        let code = self.stack.iter().fold(code, |z, matrix| z.linear(matrix, None::<&Tensor>));
        through(&self.decoder, code.unsqueeze(-1).unsqueeze(-1).to_kind(kind)).to_kind(Kind::Float)
    }
}

impl TorchLayer {
    /// The layer, activation included. Maps are (N,c,h,w).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.activate(linear_part(&self.layer.op, x, &self.weight, Some(&self.bias)))
    }

    /// As [`forward`](Self::forward), for maps of `kind`.
    fn forward_in(&self, x: &Tensor, kind: Kind) -> Tensor {
        let (weight, bias) = (self.weight.to_kind(kind), self.bias.to_kind(kind));
        self.activate(linear_part(&self.layer.op, x, &weight, Some(&bias)))
    }

    fn activate(&self, mut y: Tensor) -> Tensor {
        match self.layer.activation {
            Activation::None => y,
            // In place: none of the linear parts needs its own output for its gradient.
            Activation::Relu => y.relu_(),
            Activation::Tanh => y.tanh_(),
            Activation::Sigmoid => y.sigmoid_(),
        }
    }
}

/// Weight and bias of each of `layers`, without their gradients.
pub(crate) fn layer_values(layers: &[TorchLayer]) -> Vec<Tensor> {
    layers.iter().flat_map(|layer| [layer.weight.detach(), layer.bias.detach()]).collect()
}

/// A layer without its activation, in whatever precision its tensors have.
pub(crate) fn linear_part(op: &Op, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let both = |pair: [usize; 2]| pair.map(|n| n as i64);
    match op {
        Op::Dense(out) => {
            let y = x.flatten(1, -1).linear(weight, bias);
            y.view([-1, out.channels as i64, out.height as i64, out.width as i64])
        }
        Op::Conv(Window { stride, padding, .. }) => x.conv2d(weight, bias, both(*stride), both(*padding), [1, 1], 1),
        Op::ConvTranspose(Window { stride, padding, output_padding, .. }) => {
            let (stride, padding, output_padding) = (both(*stride), both(*padding), both(*output_padding));
            x.conv_transpose2d(weight, bias, stride, padding, output_padding, 1, [1, 1])
        }
    }
}

/// Names and shapes in the order of the flat tensor: encoder, decoder, stack.
fn parameter_shapes(spec: &NetworkSpec, [encoder, decoder]: &[Vec<Shape>; 2]) -> Vec<ParameterShape> {
    let of_layers = |part: &'static str, layers: &[Layer], inputs: &[Shape]| -> Vec<ParameterShape> {
        let parameters = |(index, (layer, &input)): (usize, (&Layer, &Shape))| {
            let shape = layer.weight_shape(input).iter().map(|&n| n as i64).collect();
            let output_axis = i64::from(matches!(layer.op, Op::ConvTranspose(_)));
            let name = |what: &str| format!("{part}.{index}.{what}");
            [
                ParameterShape { name: name("weight"), shape, output_axis },
                ParameterShape { name: name("bias"), shape: vec![layer.bias_count() as i64], output_axis: 0 },
            ]
        };
        layers.iter().zip(inputs).enumerate().flat_map(parameters).collect()
    };
    let n = spec.latent as i64;
    let stack = (0..spec.linear_layers).map(|index| ParameterShape {
        name: format!("stack.{index}"),
        shape: vec![n, n],
        output_axis: 0,
    });
    let mut shapes = of_layers("encoder", &spec.encoder, encoder);
    shapes.extend(of_layers("decoder", &spec.decoder, decoder));
    shapes.extend(stack);
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataShape;
    use crate::presets;

    fn forward_shape(preset: &str, input: DataShape, latent: usize, linear_layers: usize) -> Vec<i64> {
        let spec = presets::find(preset).unwrap().network(input, latent, linear_layers).unwrap();
        let model = Model::initialise(&spec, StackInit::Orthogonal, 1, Device::Cpu);
        let size = [2, input.channels as i64, input.height as i64, input.width as i64];
        let x = Tensor::rand(size, (Kind::Float, Device::Cpu));
        assert_eq!(model.encode(&x).size(), [2, latent as i64]);
        model.forward(&x).size()
    }

    #[test]
    fn every_preset_gives_back_the_shape_of_its_data_odd_sizes_included() {
        let image = |channels, height, width| DataShape { channels, height, width, one_dimensional: false };
        let window = |channels, width| DataShape { channels, height: 1, width, one_dimensional: true };
        assert_eq!(forward_shape("micro-image", image(1, 27, 30), 9, 2), [2, 1, 27, 30]);
        assert_eq!(forward_shape("micro-1d", window(3, 101), 8, 1), [2, 3, 1, 101]);
        assert_eq!(forward_shape("paper-shapes", image(3, 32, 32), 32, 2), [2, 3, 32, 32]);
        assert_eq!(forward_shape("paper-mnist", image(1, 33, 35), 16, 0), [2, 1, 33, 35]);
    }

    #[test]
    fn names_are_paths_and_paper_mnist_has_the_papers_size() {
        let image = DataShape { channels: 1, height: 32, width: 32, one_dimensional: false };
        let spec = presets::find("paper-mnist").unwrap().network(image, 128, 8).unwrap();
        let model = Model::zeros(&spec, Device::Cpu);
        let names: Vec<&str> = model.parameters().named().map(|(name, _)| name).collect();
        assert_eq!((names[0], names[9], names[10]), ("encoder.0.weight", "encoder.4.bias", "decoder.0.weight"));
        assert_eq!(names.last(), Some(&"stack.7"));
        let encoder: usize = model.encoder().iter().map(|l| l.weight.numel() + l.bias.numel()).sum();
        assert_eq!(encoder, 820_320, "the facts say about 820k at n = 128");
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let image = DataShape { channels: 1, height: 8, width: 8, one_dimensional: false };
        let spec = presets::find("micro-image").unwrap().network(image, 4, 2).unwrap();
        let flat = |seed| Model::initialise(&spec, StackInit::Orthogonal, seed, Device::Cpu).parameters().flat().copy();
        assert_eq!(flat(3), flat(3));
        assert_ne!(flat(3), flat(4));
    }
}
