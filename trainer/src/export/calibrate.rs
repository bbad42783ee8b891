//! How large activations get: the ranges that integers are given, found on training data.

use tch::{Kind, Tensor};

use crate::model::TorchLayer;

/// Shares of the largest activation that are tried as the end of the range.
const CLIPS: [f64; 8] = [1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4];

/// For each layer the end of the range of its outputs, with `levels` steps between 0 and that end: what makes the mean
/// squared error of rounding and clipping least.
pub(super) fn output_ranges(layers: &[TorchLayer], input: &Tensor, levels: i32) -> Vec<f64> {
    let mut x = input.shallow_clone();
    layers
        .iter()
        .map(|layer| {
            x = layer.forward(&x);
            best_range(&x, levels)
        })
        .collect()
}

/// The largest magnitude in `x`; 1 where there is none.
pub(super) fn largest(x: &Tensor) -> f64 {
    let largest = x.abs().max().double_value(&[]);
    if largest > 0.0 { largest } else { 1.0 }
}

fn best_range(x: &Tensor, levels: i32) -> f64 {
    let largest = largest(x);
    let error = |clip: f64| {
        let units = f64::from(levels) / (clip * largest);
        let restored = (x * units).round().clamp(-f64::from(levels), f64::from(levels)) / units;
        (restored - x).square().mean(Kind::Double).double_value(&[])
    };
    let best = CLIPS.into_iter().map(|clip| (error(clip), clip)).min_by(|a, b| a.0.total_cmp(&b.0));
    largest * best.map_or(1.0, |(_, clip)| clip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_outlier_is_clipped_and_an_even_spread_is_not() {
        let even = Tensor::linspace(0.0, 1.0, 1000, (Kind::Float, tch::Device::Cpu));
        assert_eq!(best_range(&even, 255), 1.0);
        let outlier = Tensor::cat(&[even.repeat([1000]), Tensor::from_slice(&[2.0_f32])], 0);
        assert!(best_range(&outlier, 15) < 1.5);
        assert_eq!(best_range(&even.zeros_like(), 255), 1.0);
    }
}
