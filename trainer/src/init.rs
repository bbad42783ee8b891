//! How parameters start. The random numbers are our own, not torch's: they repeat on every device, whatever else draws.

use rand::Rng;
use rand::distr::Uniform;
use rand_distr::StandardNormal;
use tch::{Tensor, no_grad};

use crate::config::StackInit;

/// PyTorch's default for a layer: weight and bias uniform within `1 / sqrt(fan_in)` (kaiming-uniform with a = sqrt 5).
///
/// As in PyTorch, the fan-in of a transposed convolution counts its *output* channels, the second axis of its weight.
pub(crate) fn layer_(weight: &Tensor, bias: &Tensor, random: &mut impl Rng) {
    let fan_in: i64 = weight.size()[1..].iter().product();
    let bound = 1.0 / (fan_in as f32).sqrt();
    uniform_(weight, bound, random);
    uniform_(bias, bound, random);
}

/// One matrix of the linear stack, `n x n`.
pub(crate) fn stack_(matrix: &Tensor, init: StackInit, random: &mut impl Rng) {
    let n = matrix.size()[0];
    match init {
        StackInit::Pytorch => uniform_(matrix, 1.0 / (n as f32).sqrt(), random),
        StackInit::Orthogonal => no_grad(|| matrix.shallow_clone().copy_(&orthogonal(n, random))),
    }
}

/// A random orthogonal matrix in f64: Q of a Gaussian matrix, with signs that make it uniform over all of them.
fn orthogonal(n: i64, random: &mut impl Rng) -> Tensor {
    let gaussian: Vec<f64> = random.sample_iter(StandardNormal).take((n * n) as usize).collect();
    let (q, r) = Tensor::linalg_qr(&Tensor::from_slice(&gaussian).view([n, n]), "reduced");
    q * r.diagonal(0, 0, 1).sign().unsqueeze(0)
}

fn uniform_(tensor: &Tensor, bound: f32, random: &mut impl Rng) {
    let uniform = Uniform::new_inclusive(-bound, bound).expect("a positive bound");
    let values: Vec<f32> = random.sample_iter(uniform).take(tensor.numel()).collect();
    no_grad(|| tensor.shallow_clone().copy_(&Tensor::from_slice(&values).view_as(tensor)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Kind};

    #[test]
    fn orthogonal_matrices_are() {
        let q = orthogonal(16, &mut ChaCha8Rng::seed_from_u64(1));
        let error = (q.mm(&q.tr()) - Tensor::eye(16, (Kind::Double, q.device()))).abs().max();
        assert!(error.double_value(&[]) < 1e-12);
    }

    #[test]
    fn layers_start_within_one_over_the_root_of_the_fan_in() {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        let (weight, bias) = (zeros(&[8, 4, 5, 5]), zeros(&[8]));
        layer_(&weight, &bias, &mut ChaCha8Rng::seed_from_u64(1));
        let largest = weight.abs().max().double_value(&[]);
        assert!(largest <= 0.1 && largest > 0.09, "{largest}");
        assert!(bias.abs().max().double_value(&[]) <= 0.1);
    }
}
