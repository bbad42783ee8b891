//! The biorthogonal wavelet 4.4 (Cohen, Daubechies and Feauveau's 9/7) by lifting (Daubechies and Sweldens, 1998), with
//! signals mirrored at their ends, so that any length has as many coefficients as samples.

use tch::Tensor;

/// Weights of the lifting steps: on odd samples, on even ones, and again.
const STEPS: [f64; 4] = [-1.586_134_342_059_924, -0.052_980_118_572_961, 0.882_911_075_530_934, 0.443_506_852_043_971];
/// Gain of the lifted low band at frequency 0; divided out, and sqrt(2) put in, basis windows have norms near 1.
const GAIN: f64 = 1.230_174_104_914_001;
/// Levels, at most.
const LEVELS_MAX: usize = 6;
/// Shortest band that is split.
const LEN_MIN: usize = 8;

/// Of row vectors: the lowest band first. Shape: `[len, len]`.
pub(super) fn analysis(len: usize) -> Tensor {
    super::matrix(len, |signal| {
        let mut low = signal.len();
        for _ in 0..LEVELS_MAX {
            if low < LEN_MIN {
                break;
            }
            split(&mut signal[..low]);
            low = low.div_ceil(2);
        }
    })
}

/// One level: the low band, then the high one.
fn split(signal: &mut [f64]) {
    for (step, weight) in STEPS.into_iter().enumerate() {
        lift(signal, 1 - step % 2, weight);
    }
    let scaled = |first: usize, scale: f64| signal.iter().skip(first).step_by(2).map(move |value| value * scale);
    let low_scale = std::f64::consts::SQRT_2 / GAIN;
    let bands: Vec<f64> = scaled(0, low_scale).chain(scaled(1, 1.0 / low_scale)).collect();
    signal.copy_from_slice(&bands);
}

/// Adds the weighted neighbours to every second sample from `first` on.
fn lift(signal: &mut [f64], first: usize, weight: f64) {
    let last = signal.len() - 1;
    for at in (first..=last).step_by(2) {
        let before = if at == 0 { 1 } else { at - 1 };
        let after = if at == last { last - 1 } else { at + 1 };
        signal[at] += weight * (signal[before] + signal[after]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(values: &[f64], expected: &[f64]) -> bool {
        values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn filters_are_those_of_bior_4_4() {
        let mut rows = vec![[0.0; 24]; 24];
        for (at, row) in rows.iter_mut().enumerate() {
            row[at] = 1.0;
            split(row);
        }
        let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<_>>();
        // Around sample 12 (the seventh of the low band) and sample 11 (the sixth of the high one).
        let low = [0.852_698_679, 0.377_402_856, -0.110_624_404, -0.023_849_465, 0.037_828_456];
        assert!(close(&column(6)[12..17], &low), "{:?}", column(6));
        let high = [0.788_485_616, -0.418_092_273, -0.040_689_418, 0.064_538_883];
        assert!(close(&column(12 + 5)[11..15], &high), "{:?}", column(17));
    }

    #[test]
    fn a_cubic_has_no_high_band_away_from_the_ends() {
        let mut signal: Vec<f64> = (0..32).map(|t| (f64::from(t) / 8.0).powi(3)).collect();
        split(&mut signal);
        assert!(signal[16 + 2..32 - 2].iter().all(|value| value.abs() < 1e-6), "{signal:?}");
    }

    #[test]
    fn short_signals_are_left_as_they_are() {
        let kept = |len: i64| (analysis(len as usize) - Tensor::eye(len, (tch::Kind::Double, tch::Device::Cpu))).abs();
        assert_eq!(kept(7).max().double_value(&[]), 0.0);
        assert!(kept(9).max().double_value(&[]) > 0.1);
    }
}
