//! From real weights to the device's integers. Every rounding that the device repeats is [`irmae_infer::quant`]'s.
//!
//! A number on the device is `q = units * x`. A layer accumulates in units of `x_units / s_w` per output channel, `s_w` being
//! the size of one step of its weights, and its outputs have the units of a [`Target`].

use irmae_infer::format::{Element, LayerHeader, LayerSpec, WeightsSpec};
use irmae_infer::{Activation, quant};

use super::layers::DeviceLayer;

/// Where a layer's outputs go: `q = units * y + offset`, per output channel.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Number type.
    pub(super) element: Element,
    /// Units for 1.
    pub(super) units: Vec<f64>,
    /// Value for 0, in units.
    pub(super) offset: Vec<f64>,
    /// Least and largest value.
    pub(super) clamp: [i32; 2],
}

/// Why a layer has no integer form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unquantizable {
    /// An accumulator is too coarse for the output.
    TooFine,
    /// ReLU on an output whose zero is not the raw zero.
    ReluOnOffset,
}

/// Largest activation of 16 bits that leaves room for the sum of `fan_in` products, and as much again for the bias.
pub(super) fn i16_limit(fan_in: usize) -> i32 {
    const HALF_OF_I32: usize = 1 << 30;
    (HALF_OF_I32 / (128 * fan_in.max(1))).clamp(1, 32_767) as i32
}

/// The layer in integers, for inputs that have `x_units` for 1.
pub(super) fn quantize(layer: &DeviceLayer, x_units: f64, target: &Target) -> Result<LayerSpec, Unquantizable> {
    let channels = usize::from(layer.output.channels);
    let mut clamp = target.clamp;
    if layer.activation == Activation::Relu {
        if target.offset.iter().any(|&offset| offset.round() != 0.0) {
            return Err(Unquantizable::ReluOnOffset);
        }
        clamp[0] = clamp[0].max(0);
    }
    let curved = layer.activation.is_curved();
    // What the accumulator is brought to: the outputs, or the curve's argument.
    let units = if curved { vec![f64::from(1 << quant::CURVE_IN_BITS); channels] } else { target.units.clone() };
    let shifts: Vec<f64> =
        if curved { vec![0.0; channels] } else { target.offset.iter().zip(&units).map(|(o, u)| o / u).collect() };
    let acc_units: Vec<f64> = (0..channels).map(|c| acc_units(layer, c, x_units, units[c], shifts[c])).collect();

    let scales: Vec<f64> = units.iter().zip(&acc_units).map(|(units, acc)| units / acc).collect();
    let acc_shift = acc_shift(&scales)?;
    let multiplier = scales
        .iter()
        .map(|scale| quant::multiplier(scale / f64::from(1_u32 << acc_shift)))
        .collect::<Option<Vec<_>>>()
        .ok_or(Unquantizable::TooFine)?;
    let post = if curved { post(target)? } else { [Vec::new(), Vec::new()] };

    let fan_in = layer.weights.len() / layer.bias.len();
    let weights = layer.weights.chunks(fan_in).enumerate().flat_map(|(o, weights)| {
        let step = acc_units[o % channels] / x_units;
        weights.iter().map(move |&w| (f64::from(w) * step).round() as i8)
    });
    let bias = layer.bias.iter().enumerate().map(|(o, &b)| {
        let c = o % channels;
        ((f64::from(b) + shifts[c]) * acc_units[c]).round() as i32
    });
    Ok(LayerSpec {
        header: LayerHeader {
            op: layer.op,
            activation: layer.activation,
            output: layer.output,
            element: target.element,
            clamp,
            acc_shift,
        },
        weights: WeightsSpec::I8 { weights: weights.collect(), bias: bias.collect(), multiplier, post },
    })
}

/// Accumulator units for 1 in output channel `channel`: the weights use all of +-127, unless they are so small that the
/// bias would not fit or the multiplier would lose its digits.
fn acc_units(layer: &DeviceLayer, channel: usize, x_units: f64, units: f64, shift: f64) -> f64 {
    const BIAS_MAX: f64 = (1 << 28) as f64;
    const SCALE_MIN: f64 = 1.0 / (1 << 18) as f64;
    let channels = usize::from(layer.output.channels);
    let fan_in = layer.weights.len() / layer.bias.len();
    let outputs = (channel..layer.bias.len()).step_by(channels);
    let weight_max = outputs
        .clone()
        .flat_map(|o| &layer.weights[o * fan_in..][..fan_in])
        .fold(0.0_f64, |m, w| m.max(w.abs().into()));
    let bias_max = outputs.fold(0.0_f64, |m, o| m.max((f64::from(layer.bias[o]) + shift).abs()));
    let finest = f64::from(quant::WEIGHT_MAX) * x_units / weight_max;
    finest.min(BIAS_MAX / bias_max).min(units / SCALE_MIN)
}

/// The least left shift that makes every accumulator more than twice as fine as its output.
fn acc_shift(scales: &[f64]) -> Result<u8, Unquantizable> {
    let largest = scales.iter().copied().fold(0.0, f64::max);
    (0..16).find(|&shift| largest / f64::from(1_u32 << shift) < 0.5).ok_or(Unquantizable::TooFine)
}

fn post(target: &Target) -> Result<[Vec<i32>; 2], Unquantizable> {
    let multiplier = target.units.iter().map(|&units| quant::post_multiplier(units)).collect::<Option<Vec<_>>>();
    let offset = target.offset.iter().map(|offset| offset.round() as i32).collect();
    Ok([multiplier.ok_or(Unquantizable::TooFine)?, offset])
}

#[cfg(test)]
mod tests {
    use irmae_infer::{Op, Shape};

    use super::*;

    fn dense(weights: &[f32], bias: &[f32], activation: Activation) -> DeviceLayer {
        DeviceLayer {
            op: Op::Dense,
            activation,
            input: Shape::flat((weights.len() / bias.len()) as u16),
            output: Shape::flat(bias.len() as u16),
            weights: weights.to_vec(),
            bias: bias.to_vec(),
        }
    }

    fn pixels(channels: usize) -> Target {
        Target { element: Element::U8, units: vec![255.0; channels], offset: vec![0.0; channels], clamp: [0, 255] }
    }

    fn parts(spec: LayerSpec) -> (Vec<i8>, Vec<i32>, Vec<i32>) {
        let WeightsSpec::I8 { weights, bias, multiplier, .. } = spec.weights else { panic!("integers") };
        (weights, bias, multiplier)
    }

    #[test]
    fn weights_use_the_whole_range_of_their_channel() {
        let layer = dense(&[0.5, -1.0, 0.25, 0.125], &[0.1, 0.0], Activation::Relu);
        let (weights, bias, multiplier) = parts(quantize(&layer, 255.0, &pixels(2)).unwrap());
        assert_eq!(weights, [64, -127, 127, 64]);
        assert_eq!(bias, [(0.1_f64 * 127.0 * 255.0).round() as i32, 0]);
        // 255 units of output for 127 * 255 of the accumulator: 2^32 / 127, and a fourth of it for the second channel.
        assert_eq!(multiplier, [33_818_640, 8_454_660]);
    }

    #[test]
    fn a_channel_of_zeros_keeps_its_bias() {
        let (weights, bias, multiplier) =
            parts(quantize(&dense(&[0.0, 0.0], &[0.5], Activation::None), 255.0, &pixels(1)).unwrap());
        assert_eq!(weights, [0, 0]);
        assert_eq!(quant::requantize(bias[0], multiplier[0]), 128);
    }

    #[test]
    fn an_output_finer_than_the_accumulator_shifts_it() {
        let fine = Target { units: vec![100_000.0], clamp: [-32_768, 32_767], element: Element::I16, ..pixels(1) };
        let spec = quantize(&dense(&[1.0], &[0.0], Activation::None), 255.0, &fine).unwrap();
        assert_eq!(spec.header.acc_shift, 3);
        let finer = Target { units: vec![1e12], ..fine };
        assert_eq!(quantize(&dense(&[1.0], &[0.0], Activation::None), 1.0, &finer).err(), Some(Unquantizable::TooFine));
    }

    #[test]
    fn relu_needs_its_zero() {
        let shifted = Target { offset: vec![3.0], ..pixels(1) };
        let error = quantize(&dense(&[1.0], &[0.0], Activation::Relu), 255.0, &shifted).err();
        assert_eq!(error, Some(Unquantizable::ReluOnOffset));
    }
}
