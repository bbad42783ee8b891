//! The strongest directions of codes.
//!
//! The truncated singular value decomposition of a batch Z (N,n) is `Z V V^T`, V being the first r right singular vectors. V moves
//! little from step to step, so a few rounds of subspace iteration (Golub and Van Loan, section 8.2.4) from the last one find it, without waiting for
//! the device as a decomposition would.

use tch::{Device, Kind, Tensor};

/// Rounds a batch.
const ROUNDS: usize = 3;

/// An orthonormal basis that follows the strongest directions.
#[derive(Debug)]
pub(super) struct Subspace {
    /// Shape: `[n, r]`.
    basis: Tensor,
}

impl Subspace {
    pub(super) fn new(n: usize, rank: usize, device: Device) -> Self {
        // Any start will do that is not orthogonal to what is sought.
        let start = Tensor::ones([n as i64, rank as i64], (Kind::Float, device)).tril(0);
        Subspace { basis: orthonormal(&start) }
    }

    /// Shape: `[n, r]`.
    pub(super) fn basis(&self) -> &Tensor {
        &self.basis
    }

    /// Number of directions.
    pub(super) fn rank(&self) -> usize {
        self.basis.size()[1] as usize
    }

    /// `codes` (N,n) along their strongest directions. These are constants to the gradient.
    pub(super) fn project(&mut self, codes: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let gram = codes.tr().mm(codes);
            for _ in 0..ROUNDS {
                self.basis = orthonormal(&gram.mm(&self.basis));
            }
        });
        codes.mm(&self.basis).mm(&self.basis.tr())
    }
}

/// From a basis that was saved.
impl From<&Tensor> for Subspace {
    fn from(basis: &Tensor) -> Self {
        Subspace { basis: basis.shallow_clone() }
    }
}

fn orthonormal(columns: &Tensor) -> Tensor {
    // Rows together, as it will be when it has been saved and read: products in another order are rounded otherwise.
    Tensor::linalg_qr(columns, "reduced").0.contiguous()
}

/// The projection onto the `rank` strongest directions of `codes` (M,n), exactly. Shape: `[n, n]`, f32, on the CPU.
pub(super) fn projection(codes: &Tensor, rank: usize) -> Tensor {
    let codes = codes.to_kind(Kind::Double);
    // Eigenvalues come in ascending order.
    let (_, vectors) = codes.tr().mm(&codes).linalg_eigh("L");
    let basis = vectors.narrow(1, vectors.size()[1] - rank as i64, rank as i64);
    basis.mm(&basis.tr()).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_batches_find_the_truncated_decomposition() {
        tch::manual_seed(3);
        let mut subspace = Subspace::new(12, 4, Device::Cpu);
        let deviations = Tensor::from_slice(&[0.1f32, 9.0, 0.2, 8.0, 7.0, 0.1, 0.3, 6.0, 0.2, 0.1, 0.1, 0.2]);
        let (mixing, _) = Tensor::linalg_qr(&Tensor::randn([12, 12], (Kind::Float, Device::Cpu)), "reduced");
        let batch = || (Tensor::randn([64, 12], (Kind::Float, Device::Cpu)) * &deviations).mm(&mixing);
        for _ in 0..3 {
            let _ = subspace.project(&batch());
        }
        let codes = batch();
        let projected = subspace.project(&codes);
        let (u, s, v) = codes.svd(true, true);
        let truncated = (u * s).narrow(1, 0, 4).mm(&v.narrow(1, 0, 4).tr());
        let error = (&projected - &truncated).norm() / truncated.norm();
        assert!(error.double_value(&[]) < 1e-3, "{error:?}");
        let exact = codes.mm(&projection(&codes, 4));
        assert!(((exact - &truncated).norm() / truncated.norm()).double_value(&[]) < 1e-5);
    }
}
