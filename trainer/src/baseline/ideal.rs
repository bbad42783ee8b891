//! What PCA could reach with an ideal coder: one quantiser step for all coefficients, values in the middle of their cells (the zero
//! cell is two steps wide), and each coefficient's own frequencies over the test windows as its code, which nobody has to send.

use serde::Serialize;
use tch::Tensor;

use super::Basis;

/// PCA with ideal entropy coding.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ideal {
    /// Entropy of a window's coefficients, in bytes.
    pub bytes: f64,
    /// The quantiser's step, in normalised units.
    pub step: f64,
}

impl Ideal {
    /// The step at which `coefficients` (N,k) have an entropy of `bytes`.
    fn at(coefficients: &[Vec<f64>], bytes: f64) -> Self {
        let spread = coefficients.iter().flatten().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let (mut fine, mut coarse) = (1e-5 * spread, 4.0 * spread);
        for _ in 0..30 {
            let step = (fine * coarse).sqrt();
            *(if entropy_bytes(coefficients, step) > bytes { &mut fine } else { &mut coarse }) = step;
        }
        Self { bytes: entropy_bytes(coefficients, coarse), step: coarse }
    }

    /// What PCA's `basis` makes of `windows` (N,n) at `bytes` a window.
    pub fn restore(basis: &Basis, windows: &Tensor, bytes: f64) -> (Self, Tensor) {
        let coefficients = basis.forward(windows);
        let columns = Vec::<Vec<f64>>::try_from(coefficients.tr().contiguous()).expect("a matrix of f64");
        let ideal = Self::at(&columns, bytes);
        let cells = (coefficients / ideal.step).trunc();
        (ideal, basis.inverse(&((&cells + cells.sign() * 0.5) * ideal.step)))
    }
}

fn entropy_bytes(columns: &[Vec<f64>], step: f64) -> f64 {
    columns.iter().map(|values| entropy_bits(values.iter().map(|value| (value / step) as i64))).sum::<f64>() / 8.0
}

/// Entropy of a value, given all of them.
fn entropy_bits(values: impl ExactSizeIterator<Item = i64>) -> f64 {
    let total = values.len() as f64;
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    let shares = values.chunk_by(|a, b| a == b).map(|alike| alike.len() as f64 / total);
    shares.map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SHAPE, waves};
    use super::super::{Coded, Method};
    use super::*;
    use tch::Kind;

    #[test]
    fn entropy_of_literal_values() {
        assert_eq!(entropy_bits([1, 1, 2, 2].into_iter()), 1.0);
        assert_eq!(entropy_bits([3, 0, 1, 2].into_iter()), 2.0);
        assert_eq!(entropy_bits([5; 9].into_iter()), 0.0);
        assert_eq!(entropy_bytes(&[vec![-0.9, 0.9, 1.1, 1.9], vec![0.1; 4]], 1.0), 0.125);
    }

    #[test]
    fn it_spends_the_bytes_and_is_ahead_of_packets() {
        let windows = waves(300);
        let basis = Basis::new(Method::Pca, &windows, SHAPE);
        let error = |restored: &Tensor| (restored - &windows).square().mean(Kind::Double).double_value(&[]);
        let (packets, bytes) = Coded::fit(&basis, &windows, &[8]).through_packets(&windows, 8);
        let (ideal, restored) = Ideal::restore(&basis, &windows, bytes);
        assert!((ideal.bytes - bytes).abs() < 0.1, "{ideal:?} {bytes}");
        assert!(error(&restored) < error(&packets));
    }
}
