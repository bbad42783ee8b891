//! Adam, AdamW, SGD, RMSprop and Muon over one flat vector of parameters.
//!
//! With `p` the parameters, `g` the gradient, `m` and `v` the moments, `t` the step from 1 and bias corrections
//! `c1 = 1 - beta1^t`, `c2 = 1 - beta2^t`, Adam is
//!
//! ```text
//! m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2        p <- p - lr (m / c1) / (sqrt(v / c2) + eps)
//! ```
//!
//! `v` is kept without its factor `1 - beta2`, which with `lr`, `c1` and `c2` goes into two numbers computed on the host:
//! a step is eight operations on flat tensors and never waits for the device.
//!
//! Muon (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024) steps along the nearest matrix with
//! orthogonal rows to the momentum of a weight: `p <- p - lr sqrt(max(1, rows / columns)) orthogonal(g + mu m)`. All directions of a layer
//! are learned at one pace. The linear stack and the biases keep Adam, the former because a low rank comes of learning
//! directions at different paces.

use tch::Tensor;

use crate::config::OptimizerKind;
use crate::params::{ParameterShape, Parameters};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const RMSPROP_MEMORY: f64 = 0.99;
const MOMENTUM: f64 = 0.9;
const MUON_MOMENTUM: f64 = 0.95;
/// Adam's rate beside Muon, as a part of Muon's.
const MUON_ADAM_RATE: f64 = 0.1;

/// An optimiser with its state.
#[derive(Debug)]
pub struct Optimizer {
    kind: OptimizerKind,
    weight_decay: f64,
    /// Steps taken.
    step: u64,
    /// Adam's m, or SGD's velocity. Shape: that of the flat parameters; RMSprop: empty.
    first_moment: Tensor,
    /// Adam's `v / (1 - beta2)`, or RMSprop's mean square. Shape: that of the flat parameters; SGD: empty.
    second_moment: Tensor,
    /// Where the weights that Muon steps lie in the flat parameters.
    matrices: Vec<Matrix>,
}

/// A weight as a matrix with a row for each output.
#[derive(Debug, Clone)]
struct Matrix {
    start: i64,
    shape: Vec<i64>,
    /// The axis of the outputs: 1 in transposed convolutions.
    output_axis: i64,
}

impl Optimizer {
    /// A fresh optimiser for `parameters`.
    pub fn new(kind: OptimizerKind, weight_decay: f64, parameters: &Parameters) -> Self {
        let flat = parameters.flat();
        let moment = |is_kept: bool| if is_kept { flat.zeros_like() } else { flat.narrow(0, 0, 0).zeros_like() };
        let matrices = if kind == OptimizerKind::Muon { matrices(parameters) } else { Vec::new() };
        Optimizer {
            kind,
            weight_decay,
            step: 0,
            first_moment: moment(kind != OptimizerKind::Rmsprop),
            second_moment: moment(kind != OptimizerKind::Sgd),
            matrices,
        }
    }

    /// Steps taken so far.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// First and second moment, as they are saved.
    pub fn moments(&self) -> [&Tensor; 2] {
        [&self.first_moment, &self.second_moment]
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// When the sizes are not those of this optimiser.
    pub fn restore(&mut self, step: u64, [first, second]: [&Tensor; 2]) -> Result<(), String> {
        if first.size() != self.first_moment.size() || second.size() != self.second_moment.size() {
            return Err(format!("its moments have {:?} values, not {:?}", first.size(), self.first_moment.size()));
        }
        self.step = step;
        self.first_moment.copy_(first);
        self.second_moment.copy_(second);
        Ok(())
    }

    /// One step down the gradient of `loss`.
    pub fn minimise(&mut self, loss: &Tensor, parameters: &Parameters, learning_rate: f64) {
        let gradients = Tensor::run_backward(&[loss], parameters.leaves(), false, false);
        let flat: Vec<Tensor> = gradients.iter().map(|gradient| gradient.view(-1)).collect();
        tch::no_grad(|| self.update(Tensor::cat(&flat, 0), parameters.flat().shallow_clone(), learning_rate));
    }

    fn update(&mut self, mut gradient: Tensor, mut parameters: Tensor, learning_rate: f64) {
        self.step += 1;
        if self.weight_decay > 0.0 {
            match self.kind {
                OptimizerKind::Adamw => drop(parameters.g_mul_scalar_(1.0 - learning_rate * self.weight_decay)),
                _ => gradient += &parameters * self.weight_decay,
            }
        }
        match self.kind {
            OptimizerKind::Adam | OptimizerKind::Adamw => self.adam(&gradient, &mut parameters, learning_rate),
            OptimizerKind::Sgd => self.sgd(&gradient, &mut parameters, learning_rate),
            OptimizerKind::Rmsprop => self.rmsprop(&gradient, &mut parameters, learning_rate),
            OptimizerKind::Muon => self.muon(&gradient, &mut parameters, learning_rate),
        }
    }

    fn muon(&mut self, gradient: &Tensor, parameters: &mut Tensor, learning_rate: f64) {
        // Adam goes over everything, and what it does to the matrices is taken back: they have a momentum of their own.
        let (before, moments) = (parameters.copy(), self.first_moment.copy());
        self.adam(gradient, parameters, MUON_ADAM_RATE * learning_rate);
        for matrix in &self.matrices {
            let of = |flat: &Tensor| flat.narrow(0, matrix.start, matrix.shape.iter().product());
            let (mut momentum, mut weight) = (of(&self.first_moment), of(parameters));
            momentum.copy_(&of(&moments).lerp(&of(gradient), 1.0 - MUON_MOMENTUM));
            let ahead = of(gradient).lerp(&momentum, MUON_MOMENTUM);
            weight.copy_(&(of(&before) - matrix.orthogonal(&ahead) * learning_rate));
        }
    }

    fn adam(&mut self, gradient: &Tensor, parameters: &mut Tensor, learning_rate: f64) {
        let correction = |beta: f64| 1.0 - beta.powi(self.step as i32);
        let (c1, c2) = (correction(BETA1), correction(BETA2));
        let _ = self.first_moment.lerp_(gradient, 1.0 - BETA1);
        let _ = self.second_moment.g_mul_scalar_(BETA2).addcmul_(gradient, gradient);
        // p - lr/c1 m / (sqrt(v/c2) + eps) = p + m / (a sqrt(v/(1-beta2)) + b)
        let a = -c1 / learning_rate * ((1.0 - BETA2) / c2).sqrt();
        let b = -c1 / learning_rate * EPSILON;
        let denominator = self.second_moment.sqrt().g_mul_scalar_(a).g_add_scalar_(b);
        let _ = parameters.addcdiv_(&self.first_moment, &denominator);
    }

    fn sgd(&mut self, gradient: &Tensor, parameters: &mut Tensor, learning_rate: f64) {
        let _ = self.first_moment.g_mul_scalar_(MOMENTUM).g_add_(gradient);
        *parameters -= &self.first_moment * learning_rate;
    }

    fn rmsprop(&mut self, gradient: &Tensor, parameters: &mut Tensor, learning_rate: f64) {
        let square = gradient * gradient;
        let _ = self.second_moment.lerp_(&square, 1.0 - RMSPROP_MEMORY);
        let denominator =
            self.second_moment.sqrt().g_mul_scalar_(-1.0 / learning_rate).g_add_scalar_(-EPSILON / learning_rate);
        let _ = parameters.addcdiv_(gradient, &denominator);
    }
}

/// The weights of layers: what has more than one axis, and is not of the linear stack.
fn matrices(parameters: &Parameters) -> Vec<Matrix> {
    let mut start = 0;
    let mut matrix = |parameter: &ParameterShape| {
        let matrix = Matrix { start, shape: parameter.shape.clone(), output_axis: parameter.output_axis };
        start += parameter.shape.iter().product::<i64>();
        (parameter.shape.len() > 1 && !parameter.name.starts_with("stack.")).then_some(matrix)
    };
    parameters.shapes().iter().filter_map(&mut matrix).collect()
}

impl Matrix {
    /// The step for a flat `gradient`: orthogonal rows (or columns, where there are more rows), by five steps of the iteration
    /// `x <- a x + (b x x' + c (x x')^2) x`, which takes singular values to about 1.
    fn orthogonal(&self, gradient: &Tensor) -> Tensor {
        const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
        let axes = gradient.view(self.shape.as_slice()).transpose(0, self.output_axis);
        let rows = axes.flatten(1, -1);
        let is_tall = rows.size()[0] > rows.size()[1];
        let mut x = if is_tall { rows.tr() } else { rows.shallow_clone() };
        x = &x / (x.norm() + 1e-12);
        let [a, b, c] = COEFFICIENTS;
        for _ in 0..5 {
            let gram = x.mm(&x.tr());
            x = &x * a + (&gram * b + gram.mm(&gram) * c).mm(&x);
        }
        let x = if is_tall { x.tr() } else { x };
        let scale = (rows.size()[0] as f64 / rows.size()[1] as f64).max(1.0).sqrt();
        (x * scale).view_as(&axes).transpose(0, self.output_axis).reshape([-1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::{self, OptimizerConfig};
    use tch::{Device, Kind};

    /// Largest difference, relative to the largest value, after some steps of our optimiser and of tch's.
    fn difference(kind: OptimizerKind, weight_decay: f64, theirs: impl Fn(&nn::VarStore) -> nn::Optimizer) -> f64 {
        tch::manual_seed(5);
        let (x, target) =
            (Tensor::randn([32, 6], (Kind::Float, Device::Cpu)), Tensor::randn([32, 3], (Kind::Float, Device::Cpu)));
        let loss =
            |weight: &Tensor, bias: &Tensor| (x.linear(weight, Some(bias)).tanh() - &target).square().mean(Kind::Float);
        let store = nn::VarStore::new(Device::Cpu);
        let (weight, bias) = (store.root().randn_standard("w", &[3, 6]), store.root().zeros("b", &[3]));
        let shape =
            |name: &str, shape: &[i64]| ParameterShape { name: name.into(), shape: shape.into(), output_axis: 0 };
        let parameters = Parameters::zeros(&[shape("w", &[3, 6]), shape("b", &[3])], Device::Cpu);
        tch::no_grad(|| parameters.flat().narrow(0, 0, 18).copy_(&weight.view(-1)));

        let (mut ours, mut theirs) = (Optimizer::new(kind, weight_decay, &parameters), theirs(&store));
        for _ in 0..50 {
            ours.minimise(&loss(&parameters.leaves()[0], &parameters.leaves()[1]), &parameters, 0.01);
            theirs.backward_step(&loss(&weight, &bias));
        }
        let expected = Tensor::cat(&[weight.view(-1), bias.view(-1)], 0);
        let error = (parameters.flat() - &expected).abs().max() / expected.abs().max();
        error.double_value(&[])
    }

    #[test]
    fn fifty_steps_equal_those_of_tch() {
        let sgd = nn::Sgd { momentum: MOMENTUM, ..Default::default() };
        let cases = [
            difference(OptimizerKind::Adam, 0.0, |s| nn::Adam::default().build(s, 0.01).unwrap()),
            difference(OptimizerKind::Adam, 0.1, |s| {
                nn::Adam { wd: 0.1, ..Default::default() }.build(s, 0.01).unwrap()
            }),
            difference(OptimizerKind::Adamw, 0.1, |s| {
                nn::AdamW { wd: 0.1, ..Default::default() }.build(s, 0.01).unwrap()
            }),
            difference(OptimizerKind::Sgd, 0.0, move |s| sgd.build(s, 0.01).unwrap()),
            difference(OptimizerKind::Rmsprop, 0.1, |s| {
                nn::RmsProp { wd: 0.1, ..Default::default() }.build(s, 0.01).unwrap()
            }),
        ];
        assert!(cases.iter().all(|&error| error < 1e-6), "{cases:?}");
    }

    #[test]
    fn muon_steps_have_orthogonal_rows_and_leave_stack_and_biases_to_adam() {
        let shape = |name: &str, shape: &[i64], output_axis| ParameterShape {
            name: name.into(),
            shape: shape.into(),
            output_axis,
        };
        let shapes = [
            shape("encoder.0.weight", &[4, 2, 3, 3], 0),
            shape("encoder.0.bias", &[4], 0),
            shape("decoder.0.weight", &[6, 3, 2, 2], 1),
            shape("stack.0", &[5, 5], 0),
        ];
        let parameters = Parameters::zeros(&shapes, Device::Cpu);
        tch::manual_seed(2);
        let gradients: Vec<Tensor> =
            shapes.iter().map(|p| Tensor::randn(&p.shape, (Kind::Float, Device::Cpu))).collect();
        let mut optimizer = Optimizer::new(OptimizerKind::Muon, 0.0, &parameters);
        let products = parameters.leaves().iter().zip(&gradients).map(|(p, g)| (p * g).sum(Kind::Float));
        let loss = products.reduce(|a, b| a + b).unwrap();
        optimizer.minimise(&loss, &parameters, 0.5);
        for (index, axis) in [(0, 0), (2, 1)] {
            let rows = parameters.leaves()[index].detach().transpose(0, axis).flatten(1, -1) / -0.5;
            let gram = rows.mm(&rows.tr());
            let eye = Tensor::eye(gram.size()[0], (Kind::Float, Device::Cpu));
            assert!((gram - eye).abs().max().double_value(&[]) < 0.6, "singular values lie between 0.7 and 1.2");
            assert!(
                (rows * gradients[index].transpose(0, axis).flatten(1, -1)).sum(Kind::Float).double_value(&[]) > 0.0
            );
        }
        // The first step of Adam is the rate, downhill.
        for index in [1, 3] {
            let expected = gradients[index].sign() * (-0.5 * MUON_ADAM_RATE);
            assert!((&parameters.leaves()[index] - expected).abs().max().double_value(&[]) < 1e-4);
        }
    }
}
