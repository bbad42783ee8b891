//! What tuning for packets minimises: errors and bits at each operating point, at prices that come of the points themselves.

use std::cell::RefCell;

use tch::{Kind, Tensor};

use crate::batches::DeviceData;
use crate::code::{self, CodeTables, Quantizer};
use crate::model::Model;
use crate::quality;
use crate::spectrum;

/// Training items over which the error of each operating point is measured.
const ERROR_ITEMS: usize = 256;
/// How often packets of the smallest, of the largest and of any other size are drawn: those between gain from what both of their neighbours
/// learn. On Fashion-MNIST in 4 to 32 bytes, a model tuned for 32 alone is 0.58 dB better at 32 than one at 6:1:1:4, and 0.29 dB better than one
/// at 6:1:1:12, which is 0.27 dB worse at 4.
const SMALLEST: f64 = 6.0;
const LARGEST: f64 = 12.0;
const BETWEEN: f64 = 1.0;
/// Every point is drawn at least so often, as a part of drawing all evenly.
const LEAST_DRAWN: f64 = 0.1;
/// Share of the newest bits in the recent ones, where each point has its part of a batch.
const BITS_MEMORY: f64 = 0.04;
/// How strongly the price of a bit follows the logarithm of the length over its goal: at once, and with every step.
const CONTROL_PROPORTIONAL: f64 = 3.0;
const CONTROL_INTEGRAL: f64 = 0.002;
/// What the slope between two points can be: noise gives others.
const BIT_PRICES: std::ops::Range<f64> = 0.001..0.1;

/// What errors and bits cost at each point, so that the points' own trade-off between them is where the loss is least.
pub(crate) struct Prices {
    /// How often each point is drawn. Shape: `[points]`.
    drawn: Tensor,
    /// The inverse of the mean error. Shape: `[points]`.
    of_error: Tensor,
    /// By how much the logarithm of the error falls with a bit. Shape: `[points]`.
    of_bit: Tensor,
    /// Bits of a code when the prices were made. Shape: `[points]`.
    goal: Tensor,
    control: RefCell<Control>,
}

/// Keeps codes at the length for which steps were made: a straight-through gradient does not feel that finer codes cost bits, so
/// their scale would grow. All are tensors on the device, which is never waited for.
struct Control {
    /// Recent bits of a code. Shape: `[points]`.
    bits: Tensor,
    /// Logarithm of what the price of a bit is multiplied with, apart from what follows at once from the length.
    base: Tensor,
}

impl Control {
    /// The factor of the price of a bit, after codes of `bits` at `points` (N).
    fn factor(&mut self, goal: &Tensor, bits: &Tensor, points: &Tensor) -> Tensor {
        let count = goal.size()[0];
        let counted = Tensor::zeros_like(goal).index_add(0, points, &bits.ones_like());
        let sum = Tensor::zeros_like(goal).index_add(0, points, bits);
        let weight = (&counted * (count as f64 * BITS_MEMORY / bits.size()[0] as f64)).clamp_max(1.0);
        self.bits = &self.bits + weight * (sum / counted.clamp_min(1.0) - &self.bits);
        let excess = (&self.bits / goal).log().mean(Kind::Float).clamp(-0.4, 0.4);
        self.base = &self.base + &excess * CONTROL_INTEGRAL;
        (&self.base + excess * CONTROL_PROPORTIONAL).exp()
    }
}

impl Prices {
    /// The prices of now; `base` is where the control of earlier ones has come to.
    pub(crate) fn of(model: &Model, data: &DeviceData, quantizer: &Quantizer, base: Option<Tensor>) -> Self {
        let codes = spectrum::codes(model, data, ERROR_ITEMS);
        let drawn = drawn(quantizer.tables(), &Vec::<f32>::try_from(codes.flatten(0, -1)).expect("f32"));
        let codes = codes.to_device(model.device());
        let measure = |point: i64| {
            let points = |x: &Tensor| Tensor::full([x.size()[0]], point, (Kind::Int64, x.device()));
            let heads = |codes: &Tensor| quantizer.heads(codes, &points(codes));
            let read_back = |codes: Tensor| quantizer.read_back(&codes, &heads(&codes));
            let error = quality::mse(data, ERROR_ITEMS, |x| model.decode(&read_back(model.encode(x))));
            let bits = tch::no_grad(|| quantizer.bits(&codes, &heads(&codes)).mean(Kind::Double).double_value(&[]));
            (error.max(f64::MIN_POSITIVE), bits)
        };
        let measured: Vec<(f64, f64)> = (0..quantizer.points()).map(measure).collect();
        let last = measured.len() - 1;
        let slope = |at: usize| {
            let [(coarse, fewer), (fine, more)] = [measured[at.saturating_sub(1)], measured[(at + 1).min(last)]];
            ((coarse / fine).ln() / (more - fewer).max(1.0)).clamp(BIT_PRICES.start, BIT_PRICES.end)
        };
        let tensor = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::from_slice(&values).to_device(model.device())
        };
        let goal = tensor(measured.iter().map(|(_, bits)| bits.max(1.0)).collect());
        Self {
            drawn: tensor(drawn),
            of_error: tensor(measured.iter().map(|(error, _)| 1.0 / error).collect()),
            of_bit: tensor((0..=last).map(slope).collect()),
            control: RefCell::new(Control {
                bits: goal.copy(),
                base: base.unwrap_or_else(|| goal.mean(Kind::Float).zeros_like()),
            }),
            goal,
        }
    }

    /// All of it by name, to be taken up again later.
    pub(crate) fn tensors(&self) -> [(&'static str, Tensor); 6] {
        let control = self.control.borrow();
        [
            ("drawn", self.drawn.shallow_clone()),
            ("of_error", self.of_error.shallow_clone()),
            ("of_bit", self.of_bit.shallow_clone()),
            ("goal", self.goal.shallow_clone()),
            ("control_bits", control.bits.shallow_clone()),
            ("control_base", control.base.shallow_clone()),
        ]
    }

    /// The prices that [`tensors`](Self::tensors) gave, if all of them are there.
    pub(crate) fn from_tensors(tensor: impl Fn(&str) -> Option<Tensor>) -> Option<Self> {
        Some(Self {
            drawn: tensor("drawn")?,
            of_error: tensor("of_error")?,
            of_bit: tensor("of_bit")?,
            goal: tensor("goal")?,
            control: RefCell::new(Control { bits: tensor("control_bits")?, base: tensor("control_base")? }),
        })
    }

    /// Where the control of the price of a bit has come to.
    pub(crate) fn base(&self) -> Tensor {
        self.control.borrow().base.shallow_clone()
    }

    /// The mean cost of the items `x`, each sent at a point drawn at random, about as often as packets use it: 1 for the error of its point, and more for its bits.
    pub(crate) fn loss(&self, model: &Model, x: &Tensor, quantizer: &Quantizer) -> Tensor {
        let points = self.drawn.multinomial(x.size()[0], true);
        let codes = model.encode(x);
        let heads = quantizer.heads(&codes, &points);
        let restored = model.decode(&quantizer.straight_through(&codes, &heads));
        let errors = (restored - x).square().flatten(1, -1).mean_dim(1i64, false, Kind::Float);
        let bits = quantizer.bits(&codes, &heads);
        let factor = tch::no_grad(|| self.control.borrow_mut().factor(&self.goal, &bits, &points));
        let cost =
            errors * self.of_error.index_select(0, &points) + bits * self.of_bit.index_select(0, &points) * factor;
        cost.mean(Kind::Float)
    }
}

/// How often each point is drawn so that the network sees what its packets will be.
fn drawn(tables: &CodeTables, codes: &[f32]) -> Vec<f64> {
    let last = tables.bytes.len() - 1;
    let weight = |at: usize| match at {
        _ if at == last => LARGEST,
        0 => SMALLEST,
        _ => BETWEEN,
    };
    let total: f64 = (0..=last).map(weight).sum();
    let points = tables.spec.deadzones.len();
    let mut drawn = vec![LEAST_DRAWN / points as f64; points];
    for (at, &bytes) in tables.bytes.iter().enumerate() {
        let shares = code::use_of_points(tables, codes, bytes);
        drawn
            .iter_mut()
            .zip(shares)
            .for_each(|(drawn, share)| *drawn += (1.0 - LEAST_DRAWN) * share * weight(at) / total);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_drawn_as_packets_use_them() {
        let column = |seed: u32| -> Vec<f32> {
            (0..2000_u32).map(|i| (i.wrapping_mul(seed) % 2003) as f32 / 300.0 - 3.3).collect()
        };
        let columns: Vec<Vec<f32>> = [1009, 761, 311, 97].map(column).into();
        let tables = code::fit(&columns, &[1.0; 4], &[2, 8], code::CLASSES_MAX);
        let codes: Vec<f32> = (0..500).flat_map(|i| columns.iter().map(move |values| values[i])).collect();
        let drawn = drawn(&tables, &codes);
        assert!((drawn.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{drawn:?}");
        let coarse: f64 = drawn[..drawn.len() / 2].iter().sum();
        assert!(drawn.iter().all(|&share| share > 0.0) && coarse > 0.25 && coarse < 0.6, "{drawn:?}");
    }
}
