//! A classifier: layers that may be none, and the paper's head on what they give.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::init;
use crate::layer::{Activation, Layer, Op, Shape};
use crate::model::TorchLayer;
use crate::params::{ParameterShape, Parameters};

/// Body and head.
///
/// ```text
/// x --- body ---> n values --- Linear n -> n, ReLU, Dropout 0.5 --- the same again --- Linear n -> classes
/// ```
#[derive(Debug)]
pub(super) struct Classifier {
    body: Vec<TorchLayer>,
    head: [TorchLayer; 3],
    parameters: Parameters,
}

impl Classifier {
    /// A fresh one for items of shape `input`; the same seed gives the same weights on every device.
    pub(super) fn initialise(input: Shape, body: &[Layer], classes: usize, seed: u64, device: Device) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let classifier = Classifier::zeros(input, body, classes, Device::Cpu);
        for layer in classifier.body.iter().chain(&classifier.head) {
            init::layer_(&layer.weight, &layer.bias, &mut random);
        }
        if device == Device::Cpu {
            return classifier;
        }
        let moved = Classifier::zeros(input, body, classes, device);
        moved.parameters.flat().shallow_clone().copy_(classifier.parameters.flat());
        moved
    }

    fn zeros(input: Shape, body: &[Layer], classes: usize, device: Device) -> Self {
        let mut inputs = vec![input];
        for layer in body {
            inputs.push(layer.output_shape(inputs[inputs.len() - 1]).expect("layers of a checked network"));
        }
        let features = inputs[inputs.len() - 1].count();
        let dense = |out, activation| Layer { op: Op::Dense(Shape::vector(out)), activation };
        let head =
            [dense(features, Activation::Relu), dense(features, Activation::Relu), dense(classes, Activation::None)];
        inputs.extend([Shape::vector(features); 2]);
        let layers: Vec<Layer> = body.iter().chain(&head).copied().collect();
        let parameters = Parameters::zeros(&shapes(&layers, &inputs), device);
        let mut leaves = parameters.leaves().iter().map(Tensor::shallow_clone);
        let mut leaf = || leaves.next().expect("a parameter for every layer");
        let mut built: Vec<TorchLayer> = layers
            .iter()
            .zip(&inputs)
            .map(|(&layer, &input)| TorchLayer { layer, input, weight: leaf(), bias: leaf() })
            .collect();
        let head = built.split_off(body.len()).try_into().expect("three layers");
        Classifier { body: built, head, parameters }
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Scores of the classes. Shape: `[N, classes]`. With `random`, which is for training, half of the hidden values are dropped.
    pub(super) fn scores(&self, x: &Tensor, mut random: Option<&mut ChaCha8Rng>) -> Tensor {
        let [first, second, last] = &self.head;
        let hidden = [first, second].into_iter().fold(self.body(x), |x, layer| {
            let y = layer.forward(&x);
            match &mut random {
                Some(random) => &y * dropout_like(&y, random),
                None => y,
            }
        });
        last.forward(&hidden).flatten(1, -1)
    }

    /// What the second layer of the head gives: features of an item for comparing sets of them. Shape: `[N, n]`.
    pub(super) fn features(&self, x: &Tensor) -> Tensor {
        let [first, second, _] = &self.head;
        second.forward(&first.forward(&self.body(x))).flatten(1, -1)
    }

    /// Share of `items` (in pieces, with their labels) that is classified wrongly.
    pub(super) fn error(&self, pieces: impl Iterator<Item = (Tensor, Tensor)>) -> f64 {
        let (mut wrong, mut count) = (0.0, 0);
        tch::no_grad(|| {
            for (x, labels) in pieces {
                let predicted = self.scores(&x, None).argmax(1, false);
                wrong += predicted.ne_tensor(&labels).sum(Kind::Float).double_value(&[]);
                count += labels.size()[0];
            }
        });
        wrong / count.max(1) as f64
    }

    fn body(&self, x: &Tensor) -> Tensor {
        self.body.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x))
    }
}

/// What dropout at 1/2 multiplies `values` by: 0 or 2. Our own random numbers repeat on every device, whatever else draws.
fn dropout_like(values: &Tensor, random: &mut ChaCha8Rng) -> Tensor {
    let mut bytes = vec![0; values.numel()];
    random.fill_bytes(&mut bytes);
    bytes.iter_mut().for_each(|byte| *byte = (*byte & 1) * 2);
    Tensor::from_slice(&bytes).view_as(values).to_device(values.device())
}

fn shapes(layers: &[Layer], inputs: &[Shape]) -> Vec<ParameterShape> {
    let of = |(index, (layer, &input)): (usize, (&Layer, &Shape))| {
        let name = |what: &str| format!("{index}.{what}");
        let shape = layer.weight_shape(input).iter().map(|&n| n as i64).collect();
        [
            ParameterShape { name: name("weight"), shape, output_axis: 0 },
            ParameterShape { name: name("bias"), shape: vec![layer.bias_count() as i64], output_axis: 0 },
        ]
    };
    layers.iter().zip(inputs).enumerate().flat_map(of).collect()
}
