//! How parameters start.

use tch::{Kind, Tensor, no_grad};

use crate::config::StackInit;

/// PyTorch's default for a layer: weight and bias uniform within `1 / sqrt(fan_in)` (kaiming-uniform with a = sqrt 5).
///
/// As in PyTorch, the fan-in of a transposed convolution counts its *output* channels, the second axis of its weight.
pub(crate) fn layer_(weight: &Tensor, bias: &Tensor) {
    let fan_in: i64 = weight.size()[1..].iter().product();
    let bound = 1.0 / (fan_in as f64).sqrt();
    uniform_(weight, bound);
    uniform_(bias, bound);
}

/// One matrix of the linear stack, `n x n`.
pub(crate) fn stack_(matrix: &Tensor, init: StackInit) {
    let n = matrix.size()[0];
    match init {
        StackInit::Pytorch => uniform_(matrix, 1.0 / (n as f64).sqrt()),
        StackInit::Orthogonal => no_grad(|| matrix.shallow_clone().copy_(&orthogonal(n))),
    }
}

/// A random orthogonal matrix: Q of a Gaussian matrix, with signs that make it uniform over all of them.
fn orthogonal(n: i64) -> Tensor {
    let gaussian = Tensor::randn([n, n], (Kind::Double, tch::Device::Cpu));
    let (q, r) = Tensor::linalg_qr(&gaussian, "reduced");
    q * r.diagonal(0, 0, 1).sign().unsqueeze(0)
}

fn uniform_(tensor: &Tensor, bound: f64) {
    no_grad(|| {
        let _ = tensor.shallow_clone().uniform_(-bound, bound);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_matrices_are() {
        let q = orthogonal(16);
        let error = (q.mm(&q.tr()) - Tensor::eye(16, (Kind::Double, q.device()))).abs().max();
        assert!(error.double_value(&[]) < 1e-12);
    }

    #[test]
    fn layers_start_within_one_over_the_root_of_the_fan_in() {
        let (weight, bias) = (
            Tensor::zeros([8, 4, 5, 5], (Kind::Float, tch::Device::Cpu)),
            Tensor::zeros([8], (Kind::Float, tch::Device::Cpu)),
        );
        layer_(&weight, &bias);
        let largest = weight.abs().max().double_value(&[]);
        assert!(largest <= 0.1 && largest > 0.09, "{largest}");
        assert!(bias.abs().max().double_value(&[]) <= 0.1);
    }
}
