//! The distance of Fréchet between two sets of features, both taken for Gaussians: FID, whatever the features are.
//!
//! ```text
//! d^2 = |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1^(1/2) S_2 S_1^(1/2))^(1/2))
//! ```

use tch::{Kind, Tensor};

/// Mean and covariance of features.
#[derive(Debug)]
pub struct Moments {
    /// Shape: `[d]`, f64, on the CPU.
    mean: Tensor,
    /// Shape: `[d, d]`.
    covariance: Tensor,
}

impl Moments {
    /// Of `features` (N,d).
    pub fn of(features: &Tensor) -> Self {
        let features = features.to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let mean = features.mean_dim(0i64, false, Kind::Double);
        let centred = &features - &mean;
        let covariance = centred.tr().mm(&centred) / (features.size()[0] - 1).max(1) as f64;
        Moments { mean, covariance }
    }

    /// The squared distance to `other`.
    pub fn distance(&self, other: &Moments) -> f64 {
        let root = root(&self.covariance);
        let product = root.mm(&other.covariance).mm(&root);
        let cross = product.linalg_eigvalsh("L").clamp_min(0.0).sqrt().sum(Kind::Double);
        let trace = self.covariance.trace() + other.covariance.trace() - cross * 2.0;
        let apart = (&self.mean - &other.mean).square().sum(Kind::Double);
        (apart + trace).double_value(&[]).max(0.0)
    }
}

/// The symmetric root of a covariance; eigenvalues below 0 are rounding.
fn root(covariance: &Tensor) -> Tensor {
    let (values, vectors) = covariance.linalg_eigh("L");
    (&vectors * values.clamp_min(0.0).sqrt()).mm(&vectors.tr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_gaussians() {
        let diagonal = |mean: [f64; 2], variances: [f64; 2]| Moments {
            mean: Tensor::from_slice(&mean),
            covariance: Tensor::from_slice(&variances).diag(0),
        };
        let (a, b) = (diagonal([0.0, 0.0], [1.0, 4.0]), diagonal([3.0, 4.0], [9.0, 4.0]));
        // 25 between the means, (1 - 3)^2 between the deviations of the first axis.
        assert!((a.distance(&b) - 29.0).abs() < 1e-9 && (b.distance(&a) - 29.0).abs() < 1e-9);
        assert!(a.distance(&a) < 1e-9);
    }

    #[test]
    fn covariances_that_do_not_commute() {
        let of = |rows: [[f64; 2]; 2]| Moments {
            mean: Tensor::from_slice(&[0.0, 0.0]),
            covariance: Tensor::from_slice2(&rows),
        };
        let (a, b) = (of([[2.0, 1.0], [1.0, 2.0]]), of([[1.0, 0.0], [0.0, 3.0]]));
        // The eigenvalues of S_1 S_2 are 4 +- sqrt 7; their roots add up to sqrt(8 + 2 * 3).
        assert!((a.distance(&b) - (8.0 - 2.0 * 14f64.sqrt())).abs() < 1e-9, "{}", a.distance(&b));
    }
}
