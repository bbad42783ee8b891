//! From a trained network with its linear stack to a plain one: fold, rotate, cut.
//!
//! With h the features before the encoder's last layer, `z = W (E h + e)` the code (`W = W_L ... W_1`), `D z + d` the
//! decoder's first layer, and mu and U the mean and principal axes of z over the training set:
//!
//! ```text
//! code    c = U_r^T (z - mu) = A h + a        A = U_r^T W E        a = U_r^T (W e - mu)
//! decoder D z + d            = B c + b        B = D U_r            b = D mu + d
//! ```
//!
//! Uncut (r = n) this changes nothing but rounding; c is decorrelated and ordered by variance, so that a prefix of it is
//! itself a code. All of it is computed in f64.

use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::layer::{Activation, Layer, Op, Shape};
use crate::model::{Model, TorchLayer, layer_values, linear_part};
use crate::network::NetworkSpec;
use crate::quality;
use crate::spectrum::{self, PrincipalAxes};

/// A linear layer as a matrix, in f64 on the CPU.
#[derive(Debug)]
struct Affine {
    /// Shape: `[out, in]`.
    weight: Tensor,
    /// Shape: `[out]`.
    bias: Tensor,
}

/// A folded and rotated network, ready to be cut to any rank.
#[derive(Debug)]
pub struct Collapse<'a> {
    model: &'a Model,
    /// A and a at full rank.
    encoder: Affine,
    /// B and b at full rank.
    decoder: Affine,
    /// Variance of each coefficient, descending.
    pub variances: Vec<f64>,
}

impl<'a> Collapse<'a> {
    /// Folds the stack of `model` and rotates its code onto the principal axes that it has over `data`.
    pub fn new(model: &'a Model, data: &DeviceData) -> Self {
        Self::along(model, spectrum::principal_axes(&spectrum::codes(model, data, usize::MAX)))
    }

    /// Folds the stack of `model` and moves its code to the mean and the (orthonormal) axes that are given.
    pub fn along(model: &'a Model, PrincipalAxes { mean, axes, variances }: PrincipalAxes) -> Self {
        let last = affine(model.last_linear());
        let first = affine(&model.decoder()[0]);
        let double = |matrix: &Tensor| matrix.detach().to_device(Device::Cpu).to_kind(Kind::Double);
        let n = model.spec().latent as i64;
        let identity = Tensor::eye(n, (Kind::Double, Device::Cpu));
        let stack = model.stack().iter().fold(identity, |product, matrix| double(matrix).mm(&product));
        let encoder = Affine {
            weight: axes.tr().mm(&stack).mm(&last.weight),
            bias: axes.tr().mv(&(stack.mv(&last.bias) - &mean)),
        };
        let decoder = Affine { weight: first.weight.mm(&axes), bias: first.weight.mv(&mean) + first.bias };
        Collapse { model, encoder, decoder, variances }
    }

    /// The plain network that keeps the first `rank` coefficients.
    ///
    /// # Panics
    /// If `rank` is 0 or above the size of the code.
    pub fn cut(&self, rank: usize) -> Model {
        assert!((1..=self.variances.len()).contains(&rank), "rank {rank} of {}", self.variances.len());
        let order: Vec<usize> = (0..rank).collect();
        rebuild(self.model, &self.encoder, &self.decoder, &order)
    }
}

/// `model` without its linear stack (of which it must have none) and with the coefficients at `order` alone, in that
/// order.
///
/// # Panics
/// If an index is not below the size of the code.
pub fn select(model: &Model, order: &[usize]) -> Model {
    assert!(model.stack().is_empty(), "a collapsed network");
    rebuild(model, &affine(model.last_linear()), &affine(&model.decoder()[0]), order)
}

/// `model` with these matrices around the code, of which the coefficients at `order` are kept.
fn rebuild(model: &Model, encoder: &Affine, decoder: &Affine, order: &[usize]) -> Model {
    let indices: Vec<i64> = order.iter().map(|&index| index as i64).collect();
    let indices = Tensor::from_slice(&indices);
    let (before, after) = (&model.encoder()[..model.encoder().len() - 1], &model.decoder()[1..]);
    let mut all = layer_values(before);
    all.extend([encoder.weight.index_select(0, &indices), encoder.bias.index_select(0, &indices)]);
    all.extend([decoder.weight.index_select(1, &indices), decoder.bias.shallow_clone()]);
    all.extend(layer_values(after));
    Model::with_values(&dense_around_code(model.spec(), order.len()), all, model.device())
}

/// The network's description with dense layers on both sides of a code of `rank` values and no stack.
fn dense_around_code(spec: &NetworkSpec, rank: usize) -> NetworkSpec {
    let mut spec = spec.clone();
    let start = spec.decoder_shapes().expect("a built network")[1];
    let last = spec.encoder.len() - 1;
    spec.encoder[last] = Layer { op: Op::Dense(Shape::vector(rank)), activation: Activation::None };
    spec.decoder[0].op = Op::Dense(start);
    NetworkSpec { latent: rank, linear_layers: 0, ..spec }
}

/// The matrix of a layer's linear part: its own weight if it is dense, else its answer to every unit input.
fn affine(layer: &TorchLayer) -> Affine {
    let double = |tensor: &Tensor| tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    let (weight, bias) = (double(&layer.weight), double(&layer.bias));
    if matches!(layer.layer.op, Op::Dense(_)) {
        return Affine { weight, bias };
    }
    let Shape { channels, height, width } = layer.input;
    let map = [-1, channels as i64, height as i64, width as i64];
    let options = (Kind::Double, Device::Cpu);
    let units = Tensor::eye(layer.input.count() as i64, options).view(map);
    let zero = Tensor::zeros([layer.input.count() as i64], options).view(map);
    Affine {
        weight: linear_part(&layer.layer.op, &units, &weight, None).flatten(1, -1).tr(),
        bias: linear_part(&layer.layer.op, &zero, &weight, Some(&bias)).flatten(0, -1),
    }
}

/// Mean squared error of a collapsed network's reconstructions when only the first coefficients of its code are kept.
#[derive(Debug)]
pub struct PrefixError<'a> {
    model: &'a Model,
    data: &'a DeviceData,
    limit: usize,
}

impl<'a> PrefixError<'a> {
    /// Over at most `limit` items of `data`; `model` is a collapsed network at full rank.
    pub fn new(model: &'a Model, data: &'a DeviceData, limit: usize) -> Self {
        PrefixError { model, data, limit }
    }

    /// The error with the first `rank` coefficients, in normalised units.
    pub fn at(&self, rank: usize) -> f64 {
        quality::mse(self.data, self.limit, |x| {
            let code = self.model.encode(x);
            let (_, n) = code.size2().expect("codes are a matrix");
            let kept = code.narrow(1, 0, rank as i64);
            self.model.decode(&kept.constant_pad_nd([0, n - rank as i64]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StackInit;
    use crate::data::{DataShape, Normalization, RawItems};
    use crate::presets;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Largest difference of the outputs before and after, relative to the largest output.
    const TOLERANCE: f64 = 1e-5;

    fn noise(shape: DataShape) -> DeviceData {
        let count = 24 * shape.channels * shape.height * shape.width;
        let values = ChaCha8Rng::seed_from_u64(1).random_iter::<f32>().take(count).collect();
        let items = ndarray::Array4::from_shape_vec([24, shape.channels, shape.height, shape.width], values).unwrap();
        let normalization = Normalization { offset: vec![0.1; shape.channels], scale: vec![0.5; shape.channels] };
        DeviceData::upload(&RawItems::F32(items), &normalization, Device::Cpu)
    }

    fn check(preset: &str, shape: DataShape, linear_layers: usize) {
        let spec = presets::find(preset).unwrap().network(shape, 10, linear_layers).unwrap();
        let model = Model::initialise(&spec, StackInit::Orthogonal, 3, Device::Cpu);
        let data = noise(shape);
        let collapse = Collapse::new(&model, &data);
        let plain = collapse.cut(10);
        plain.spec().check().unwrap();
        assert_eq!((plain.spec().linear_layers, plain.spec().latent), (0, 10));

        let x = data.batch(&Tensor::arange(24, (Kind::Int64, Device::Cpu)));
        let (before, after) = (model.forward(&x), plain.forward(&x));
        let error = ((&after - &before).abs().max() / before.abs().max()).double_value(&[]);
        assert!(error < TOLERANCE, "{preset}: {error:e}");

        let axes = spectrum::principal_axes(&plain.encode(&x));
        let mean = (axes.mean.abs().max() / axes.variances[0].sqrt()).double_value(&[]);
        assert!(mean < 1e-4, "{preset}: the code's mean is {mean:e} deviations");
        assert!(
            axes.variances.iter().zip(&collapse.variances).all(|(a, b)| (a - b).abs() < 1e-4 * collapse.variances[0])
        );
    }

    #[test]
    fn an_uncut_collapse_changes_nothing_but_rounding() {
        let image = |channels, height, width| DataShape { channels, height, width, one_dimensional: false };
        check("micro-image", image(1, 28, 28), 4);
        check("micro-image", image(2, 13, 10), 0);
        check("micro-1d", DataShape { channels: 3, height: 1, width: 50, one_dimensional: true }, 3);
        // Its encoder ends in a convolution on a 2x2 map, its decoder starts with a transposed one on 1x1.
        check("paper-shapes", image(3, 32, 32), 2);
    }

    #[test]
    fn coefficients_can_be_chosen_in_any_order() {
        let shape = DataShape { channels: 1, height: 8, width: 8, one_dimensional: false };
        let spec = presets::find("micro-image").unwrap().network(shape, 3, 0).unwrap();
        let model = Model::initialise(&spec, StackInit::Pytorch, 3, Device::Cpu);
        let x = noise(shape).batch(&Tensor::from_slice(&[0i64, 5]));
        let (code, swapped) = (model.encode(&x), select(&model, &[2, 0]));
        let expected = code.index_select(1, &Tensor::from_slice(&[2i64, 0]));
        assert!((swapped.encode(&x) - &expected).abs().max().double_value(&[]) < TOLERANCE);
        let without = model.decode(&(&code * Tensor::from_slice(&[1f32, 0.0, 1.0])));
        assert!((swapped.decode(&expected) - without).abs().max().double_value(&[]) < TOLERANCE);
    }

    #[test]
    fn a_cut_code_is_a_prefix_of_the_whole_one() {
        let shape = DataShape { channels: 1, height: 8, width: 8, one_dimensional: false };
        let spec = presets::find("micro-image").unwrap().network(shape, 6, 2).unwrap();
        let model = Model::initialise(&spec, StackInit::Pytorch, 3, Device::Cpu);
        let data = noise(shape);
        let collapse = Collapse::new(&model, &data);
        let (whole, cut) = (collapse.cut(6), collapse.cut(2));
        let x = data.batch(&Tensor::from_slice(&[0i64, 5]));
        let difference = (whole.encode(&x).narrow(1, 0, 2) - cut.encode(&x)).abs().max().double_value(&[]);
        assert!(difference < TOLERANCE, "{difference:e}");
        let error = PrefixError::new(&whole, &data, 24);
        let of_cut = quality::mse(&data, 24, |x| cut.forward(x));
        assert!((error.at(2) - of_cut).abs() < TOLERANCE * of_cut);
    }
}
