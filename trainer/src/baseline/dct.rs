//! The orthonormal DCT-II: `c[k] = s[k] sum_t x[t] cos(pi (t + 1/2) k / n)`, `s[0] = sqrt(1/n)`, else `sqrt(2/n)`.

use std::f64::consts::PI;

use tch::Tensor;

/// Of row vectors. Shape: `[len, len]`.
pub(super) fn analysis(len: usize) -> Tensor {
    let n = len as f64;
    let value = |t: usize, k: usize| {
        let scale = if k == 0 { 1.0 } else { 2.0 } / n;
        scale.sqrt() * (PI * (t as f64 + 0.5) * k as f64 / n).cos()
    };
    let values: Vec<f64> = (0..len * len).map(|at| value(at / len, at % len)).collect();
    Tensor::from_slice(&values).view([len as i64, len as i64])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_has_these_coefficients() {
        let ramp = Tensor::from_slice2(&[[1.0, 2.0, 3.0, 4.0]]);
        let coefficients = Vec::<f64>::try_from(ramp.mm(&analysis(4)).flatten(0, 1)).unwrap();
        let expected = [5.0, -2.230_442, 0.0, -0.158_513];
        assert!(coefficients.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{coefficients:?}");
    }
}
