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
use crate::model::{Model, TorchLayer, linear_part};
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
        let PrincipalAxes { mean, axes, variances } =
            spectrum::principal_axes(&spectrum::codes(model, data, usize::MAX));
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
        let model = Model::zeros(&self.spec(rank), self.model.device());
        let inner = |part: &[TorchLayer], range: std::ops::Range<usize>| -> Vec<Tensor> {
            part[range].iter().flat_map(|layer| [layer.weight.detach(), layer.bias.detach()]).collect()
        };
        let (encoder, decoder) = (self.model.encoder(), self.model.decoder());
        let mut values = inner(encoder, 0..encoder.len() - 1);
        let rank = rank as i64;
        values.extend([self.encoder.weight.narrow(0, 0, rank), self.encoder.bias.narrow(0, 0, rank)]);
        values.extend([self.decoder.weight.narrow(1, 0, rank), self.decoder.bias.shallow_clone()]);
        values.extend(inner(decoder, 1..decoder.len()));
        for (parameter, value) in model.parameters().leaves().iter().zip(values) {
            tch::no_grad(|| parameter.shallow_clone().copy_(&value));
        }
        model
    }

    /// The network's description with dense layers on both sides of a code of `rank` values and no stack.
    fn spec(&self, rank: usize) -> NetworkSpec {
        let mut spec = self.model.spec().clone();
        let start = spec.decoder_shapes().expect("a built network")[1];
        let last = spec.encoder.len() - 1;
        spec.encoder[last] = Layer { op: Op::Dense(Shape::vector(rank)), activation: Activation::None };
        spec.decoder[0].op = Op::Dense(start);
        NetworkSpec { latent: rank, linear_layers: 0, ..spec }
    }
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
