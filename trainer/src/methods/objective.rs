//! What each method minimises.

use std::cell::RefCell;

use tch::{Device, Kind, Reduction, Tensor};

use super::subspace::Subspace;
use super::{Likelihood, Method, Recipe};
use crate::config::RunConfig;
use crate::model::Model;

/// Log-variances lie within this of 0: what is beyond cannot be told from a variance of 0, or would overflow.
const LOG_VARIANCE_MAX: f64 = 15.0;

/// A method at work on one network.
#[derive(Debug)]
pub(super) struct Objective {
    recipe: Recipe,
    pub(super) likelihood: Likelihood,
    /// Linear layers that the network is to have.
    linear_layers: usize,
    /// Those of `irmae_fixed`. Shape: `[n, n]` each.
    pub(super) fixed: Vec<Tensor>,
    /// Where `rrae` has found the codes so far.
    subspace: RefCell<Subspace>,
}

impl Objective {
    pub(super) fn new(recipe: Recipe, likelihood: Likelihood, config: &RunConfig, device: Device) -> Self {
        let (network, training) = (&config.network, &config.training);
        let fixed = match recipe.method {
            Method::IrmaeFixed => {
                let model = Model::initialise(network, training.stack_init, training.seed, device);
                model.stack().iter().map(Tensor::detach).collect()
            }
            _ => Vec::new(),
        };
        let rank = recipe.rank(network.latent).expect("a checked rank");
        let subspace = RefCell::new(Subspace::new(network.latent, rank, device));
        Objective { recipe, likelihood, linear_layers: network.linear_layers, fixed, subspace }
    }

    pub(super) fn method(&self) -> Method {
        self.recipe.method
    }

    /// Directions that `rrae` keeps.
    pub(super) fn rank(&self) -> usize {
        self.subspace.borrow().rank()
    }

    /// Where `rrae` has found the codes so far; nothing for all else.
    pub(super) fn basis(&self) -> Option<Tensor> {
        (self.recipe.method == Method::Rrae).then(|| self.subspace.borrow().basis().shallow_clone())
    }

    /// Makes that the place from which `rrae` goes on.
    pub(super) fn follow(&self, basis: &Tensor) {
        self.subspace.replace(Subspace::from(basis));
    }

    /// Codes of normalised items. Shape: `[N, n]`.
    pub(super) fn code(&self, model: &Model, x: &Tensor) -> Tensor {
        let z = model.encode_before_stack(x);
        let through = |z: Tensor, matrix: &Tensor| z.linear(matrix, None::<&Tensor>);
        match self.recipe.method {
            Method::Irmae => model.stack().iter().fold(z, through),
            Method::IrmaeFixed => self.fixed.iter().fold(z, through),
            Method::IrmaeShared => (0..self.linear_layers).fold(z, |z, _| through(z, &model.stack()[0])),
            Method::IrmaeRelu => {
                let Some((last, others)) = model.stack().split_last() else { return z };
                through(others.iter().fold(z, |z, matrix| through(z, matrix).relu_()), last)
            }
            Method::Vae => moments(&z).0,
            Method::Ae | Method::AeL1 | Method::AeL2 | Method::Rrae | Method::Nested => z,
        }
    }

    /// The loss of normalised items `x`, per value of an item.
    pub(super) fn loss(&self, model: &Model, x: &Tensor) -> Tensor {
        let method = self.recipe.method;
        if method == Method::Vae {
            return self.variational(model, x);
        }
        let code = self.code(model, x);
        let seen = match method {
            Method::Rrae => self.subspace.borrow_mut().project(&code),
            Method::Nested => prefixes(&code),
            _ => code.shallow_clone(),
        };
        let error = model.decode(&seen).mse_loss(x, Reduction::Mean);
        match method {
            Method::AeL1 => error + code.abs().mean(Kind::Float) * self.recipe.penalty,
            Method::AeL2 => error + code.square().mean(Kind::Float) * self.recipe.penalty,
            _ => error,
        }
    }

    /// The negative evidence lower bound of `x`, with beta before the divergence. Dividing both sums by the number of values
    /// leaves the minimum where it is, and gives every optimiser the rates that it has for the other methods.
    fn variational(&self, model: &Model, x: &Tensor) -> Tensor {
        let (mean, log_variance) = moments(&model.encode_before_stack(x));
        let drawn = &mean + (&log_variance * 0.5).exp() * mean.randn_like();
        let restored = model.decode(&drawn);
        let distance = match self.likelihood {
            Likelihood::Bernoulli => restored.binary_cross_entropy(x, None::<&Tensor>, Reduction::Sum),
            Likelihood::Gaussian => restored.mse_loss(x, Reduction::Sum),
        };
        let divergence = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(Kind::Float) * 0.5;
        (distance + divergence * self.recipe.beta) / x.numel() as f64
    }
}

/// Mean and log-variance: the halves of what an encoder with two heads gives. Shape: `[N, n]` each.
fn moments(heads: &Tensor) -> (Tensor, Tensor) {
    let n = heads.size()[1] / 2;
    (heads.narrow(1, 0, n), heads.narrow(1, n, n).clamp(-LOG_VARIANCE_MAX, LOG_VARIANCE_MAX))
}

/// The first k coefficients of each code (N,n), zeros behind. Every octave of k is drawn as often as any other: most of the decoder's work is in
/// short prefixes, and with k drawn evenly they would hardly be seen.
fn prefixes(code: &Tensor) -> Tensor {
    let (count, n) = code.size2().expect("codes are a matrix");
    let options = (Kind::Float, code.device());
    let kept = (Tensor::rand([count, 1], options) * ((n + 1) as f64).ln()).exp().floor();
    code * Tensor::arange(n, options).lt_tensor(&kept).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_of_every_length_and_short_ones_are_frequent() {
        tch::manual_seed(1);
        let kept = prefixes(&Tensor::ones([4000, 8], (Kind::Float, Device::Cpu)));
        let steps = kept.narrow(1, 1, 7) - kept.narrow(1, 0, 7);
        assert_eq!(steps.max().double_value(&[]), 0.0, "ones, then zeros");
        let lengths = Vec::<f32>::try_from(kept.sum_dim_intlist(1i64, false, Kind::Float)).unwrap();
        let share = |k: usize| lengths.iter().filter(|&&length| length as usize == k).count() as f64 / 4000.0;
        // P(k) = log_9((k + 1) / k).
        for k in 1..=8 {
            let expected = ((k + 1) as f64 / k as f64).ln() / 9_f64.ln();
            assert!((share(k) - expected).abs() < 0.03, "{k}: {} of {expected}", share(k));
        }
    }

    #[test]
    fn a_head_is_split_in_mean_and_log_variance() {
        let (mean, log_variance) = moments(&Tensor::from_slice2(&[[1.0, 2.0, -3.0, 99.0]]));
        assert_eq!(mean, Tensor::from_slice2(&[[1.0, 2.0]]));
        assert_eq!(log_variance, Tensor::from_slice2(&[[-3.0, LOG_VARIANCE_MAX]]));
    }
}
