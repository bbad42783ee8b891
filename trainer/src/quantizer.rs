//! The code's quantiser in torch, for training with it in the loop.

use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::code_bits::{self, CodeBits, WidthChoices};
use crate::model::Model;
use crate::spectrum;

/// Training items that steps are fitted to.
const FIT_ITEMS: usize = 10_000;
/// Training items over which the decoder's sensitivity is measured.
const SENSITIVITY_ITEMS: usize = 512;
/// Size of the perturbation, in deviations of the coefficient: about the error of a 3-bit quantiser.
const PERTURBATION: f64 = 0.2;

/// A [`CodeBits`] as tensors. Each has shape `[r]`.
#[derive(Debug)]
pub struct Quantizer {
    code: CodeBits,
    step: Tensor,
    /// Smallest and largest number.
    low: Tensor,
    high: Tensor,
    /// 0 where a coefficient is left out, else 1.
    sent: Tensor,
}

impl Quantizer {
    /// The quantiser `code` on `device`.
    pub fn new(code: CodeBits, device: Device) -> Self {
        let tensor = |value: &dyn Fn(u8) -> f32| {
            let values: Vec<f32> = code.bits.iter().map(|&bits| value(bits)).collect();
            Tensor::from_slice(&values).to_device(device)
        };
        let half = |bits: u8| 2f32.powi(i32::from(bits) - 1);
        Quantizer {
            step: Tensor::from_slice(&code.steps).to_device(device),
            low: tensor(&|bits| -half(bits)),
            high: tensor(&|bits| half(bits) - 1.0),
            sent: tensor(&|bits| if bits > 0 { 1.0 } else { 0.0 }),
            code,
        }
    }

    /// Fits a quantiser of `budget_bits` to the codes that `model` gives now; with `keep`, those bits stay and only the
    /// steps are fitted.
    pub fn fit(model: &Model, data: &DeviceData, budget_bits: usize, keep: Option<&[u8]>) -> Self {
        let codes = spectrum::codes(model, data, FIT_ITEMS);
        let columns = Vec::<Vec<f32>>::try_from(codes.tr().contiguous()).expect("a matrix of f32");
        let choices: Vec<WidthChoices> = columns.iter().map(|values| WidthChoices::of(values)).collect();
        let bits = match keep {
            Some(bits) => bits.to_vec(),
            None => code_bits::allocate(&choices, &sensitivity(model, &codes), budget_bits),
        };
        Quantizer::new(CodeBits::new(bits, &choices), model.device())
    }

    /// Bits and steps.
    pub fn code(&self) -> &CodeBits {
        &self.code
    }

    /// What a decoder reads back of `codes` (N,r).
    pub fn read_back(&self, codes: &Tensor) -> Tensor {
        let number = (codes / &self.step).floor().clamp_tensor(Some(&self.low), Some(&self.high));
        (number + 0.5) * (&self.step * &self.sent)
    }

    /// As [`read_back`](Self::read_back), with a gradient: 1 within the range of the levels, 0 beyond it.
    ///
    /// With 1 everywhere, codes run away beyond the range, where the loss no longer feels them, and training diverges.
    pub fn straight_through(&self, codes: &Tensor) -> Tensor {
        let (least, most) = (&self.low * &self.step, (&self.high + 1.0) * &self.step);
        let held = codes.clamp_tensor(Some(&least), Some(&most));
        &held + (self.read_back(codes) - &held).detach()
    }
}

/// Mean squared change of the normalised output for a unit change of each coefficient.
fn sensitivity(model: &Model, codes: &Tensor) -> Vec<f64> {
    tch::no_grad(|| {
        let every = (codes.size()[0] / SENSITIVITY_ITEMS as i64).max(1);
        let codes = codes.slice(0, 0, i64::MAX, every).to_device(model.device());
        let deviations =
            Vec::<f64>::try_from(codes.std_dim(0i64, true, false).to_kind(Kind::Double)).expect("a vector");
        let change = |(i, deviation): (usize, f64)| {
            let delta = (PERTURBATION * deviation).max(1e-6);
            let shift = Tensor::zeros_like(&codes.narrow(0, 0, 1));
            let _ = shift.narrow(1, i as i64, 1).fill_(delta);
            let change = model.decode(&(&codes + &shift)) - model.decode(&(&codes - &shift));
            change.square().mean(Kind::Double).double_value(&[]) / (4.0 * delta * delta)
        };
        deviations.into_iter().enumerate().map(change).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_gradients_and_coefficients_that_are_left_out() {
        let quantizer = Quantizer::new(CodeBits { bits: vec![2, 0], steps: vec![0.5, 1.0] }, Device::Cpu);
        let codes = Tensor::from_slice2(&[[0.3f32, 9.0], [-7.0, 0.2], [0.6, -1.0]]).set_requires_grad(true);
        let read_back = quantizer.straight_through(&codes);
        assert_eq!(Vec::<f32>::try_from(read_back.flatten(0, -1)).unwrap(), [0.25, 0.0, -0.75, 0.0, 0.75, 0.0]);
        read_back.sum(Kind::Float).backward();
        let gradient = Vec::<f32>::try_from(codes.grad().tr().flatten(0, -1)).unwrap();
        assert_eq!(gradient[..3], [1.0, 0.0, 1.0], "none beyond the range");
    }
}
