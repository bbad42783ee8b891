//! The network that a method trains, and the plain one that comes of it.

use tch::{Kind, Tensor};

use super::objective::Objective;
use super::{Likelihood, Method, subspace};
use crate::batches::DeviceData;
use crate::layer::{Activation, Layer, Op, Shape, Window};
use crate::model::{Model, layer_values};
use crate::network::NetworkSpec;
use crate::spectrum;

/// What is trained where `network` is to come of it: it has a parameter for whatever moves, and no other.
pub(super) fn trained_spec(objective: &Objective, network: &NetworkSpec) -> NetworkSpec {
    let linear_layers = match objective.method() {
        Method::Irmae | Method::IrmaeRelu => network.linear_layers,
        Method::IrmaeShared => network.linear_layers.min(1),
        _ => 0,
    };
    let mut spec = NetworkSpec { linear_layers, ..network.clone() };
    if objective.method() == Method::Vae {
        two_heads(&mut spec);
        if objective.likelihood == Likelihood::Bernoulli {
            let last = spec.decoder.len() - 1;
            spec.decoder[last].activation = Activation::Sigmoid;
        }
    }
    spec
}

/// Twice the outputs: the mean's, then the log-variance's.
fn two_heads(spec: &mut NetworkSpec) {
    let last = spec.encoder.len() - 1;
    spec.encoder[last].op = match spec.encoder[last].op {
        Op::Dense(_) => Op::Dense(Shape::vector(2 * spec.latent)),
        Op::Conv(window) => Op::Conv(Window { out_channels: 2 * spec.latent, ..window }),
        Op::ConvTranspose(window) => Op::ConvTranspose(Window { out_channels: 2 * spec.latent, ..window }),
    };
}

/// The plain network that `trained` stands for, where `network` was to come of it.
pub(super) fn model(objective: &Objective, network: &NetworkSpec, trained: Model, data: &DeviceData) -> Model {
    match objective.method() {
        Method::Ae | Method::AeL1 | Method::AeL2 | Method::Nested | Method::Irmae => trained,
        Method::IrmaeFixed => with_stack(&trained, objective.fixed.iter()),
        Method::IrmaeShared => with_stack(&trained, trained.stack().iter().cycle().take(network.linear_layers)),
        Method::IrmaeRelu => deeper(&trained),
        Method::Vae => mean_head(network, &trained),
        Method::Rrae => {
            let codes = spectrum::codes(&trained, data, usize::MAX);
            with_stack(&trained, [subspace::projection(&codes, objective.rank())].iter())
        }
    }
}

/// Encoder and decoder of `model` around a stack of these matrices.
fn with_stack<'a>(model: &Model, stack: impl Iterator<Item = &'a Tensor>) -> Model {
    let stack: Vec<Tensor> = stack.map(Tensor::detach).collect();
    let spec = NetworkSpec { linear_layers: stack.len(), ..model.spec().clone() };
    let layers = [model.encoder(), model.decoder()].into_iter().flat_map(layer_values);
    let values = layers.chain(stack).collect();
    Model::with_values(&spec, values, model.device())
}

/// ReLU between linear layers makes them layers of the encoder.
fn deeper(model: &Model) -> Model {
    let n = model.spec().latent;
    let dense = |activation| Layer { op: Op::Dense(Shape::vector(n)), activation };
    let mut spec = NetworkSpec { linear_layers: 0, ..model.spec().clone() };
    let mut values = layer_values(model.encoder());
    for (index, matrix) in model.stack().iter().enumerate() {
        let is_last = index + 1 == model.stack().len();
        spec.encoder.push(dense(if is_last { Activation::None } else { Activation::Relu }));
        values.extend([matrix.detach(), Tensor::zeros([n as i64], (Kind::Float, model.device()))]);
    }
    values.extend(layer_values(model.decoder()));
    Model::with_values(&spec, values, model.device())
}

/// The mean is the code.
fn mean_head(network: &NetworkSpec, trained: &Model) -> Model {
    let spec = NetworkSpec { linear_layers: 0, decoder: trained.spec().decoder.clone(), ..network.clone() };
    let mut encoder = layer_values(trained.encoder());
    let heads = encoder.len() - 2;
    for value in &mut encoder[heads..] {
        *value = value.narrow(0, 0, network.latent as i64);
    }
    encoder.extend(layer_values(trained.decoder()));
    Model::with_values(&spec, encoder, trained.device())
}
