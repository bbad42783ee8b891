//! One coefficient: how fine its integers are, how they are distributed, and what each quantiser step costs.

use std::collections::BTreeMap;

use irmae_infer::code::{BITS, Cell, KNOTS, Knots, Quantizer, STEP_MAX, STEP_MIN, step_in_class};
use irmae_infer::format::MIN_BITS;

/// Sum of all shares.
const TOTAL: u32 = 1 << 15;
const BINS: usize = KNOTS - 1;
/// Steps that are tried are that many eighths of an octave apart.
const STRIDE: usize = 2;
/// The finest step that is tried is this part of a bin of the distribution, or four units.
const FINEST: u32 = 8;
const STEP_FINEST: u8 = 8 * (BITS - (BINS.ilog2() + FINEST.ilog2()) as u8);
/// Least rise from knot to knot: no cell of the finest step, however unlikely, then has an empty share.
const RISE_MIN: u32 = 2 * FINEST;
/// Pseudo-counts of a bin: the training set has not seen everything.
const PRIOR: f64 = 0.5;

/// A coefficient over the training set, as integers.
#[derive(Debug, Clone)]
pub(super) struct Units {
    /// What one unit is worth.
    pub(super) resolution: f32,
    /// It has values of so many bits.
    pub(super) bits: u8,
    /// Its values in units.
    pub(super) values: Vec<i16>,
    /// What the square of one unit costs in the decoder's output.
    weight: f64,
}

/// A coefficient with its distribution around the means of classes.
#[derive(Debug, Clone)]
pub(super) struct Coefficient {
    bits: u8,
    weight: f64,
    /// Cumulative distribution, in units of the spread.
    pub(super) knots: Knots,
    /// How far its values lie from their means, in units, by spread.
    residuals: BTreeMap<u8, Vec<i16>>,
}

/// What a step makes of a coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    /// The step, in eighths of an octave.
    pub(super) step: u8,
    /// Bits a value, on average.
    pub(super) bits: f64,
    /// Error in the decoder's output.
    pub(super) error: f64,
}

impl Units {
    /// A coefficient that takes `values`. `sensitivity` is the squared change of the decoder's output for a change of 1; `finest` is
    /// the change of the output that one unit makes: it is the same for all coefficients, so that an encoder can compare them.
    pub(super) fn fit(values: &[f32], sensitivity: f64, finest: f64) -> Self {
        let largest = values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let units = f64::from(largest) * sensitivity.sqrt() / finest;
        let bits = (MIN_BITS..=super::fit::BITS_MAX).find(|&bits| f64::from(half(bits)) >= units);
        let bits = bits.unwrap_or(super::fit::BITS_MAX);
        // What moves the output by less than a unit is worth one at most.
        let resolution = ((finest / sensitivity.sqrt()) as f32).min(largest);
        let values: Vec<i16> = values.iter().map(|&value| to_units(value, resolution, bits)).collect();
        let weight = sensitivity * f64::from(resolution).powi(2);
        Self { resolution, bits, values, weight }
    }
}

impl Coefficient {
    /// A coefficient whose values have these spreads and means, each that of its class.
    pub(super) fn fit(units: &Units, classes: impl Iterator<Item = (u8, i16)>) -> Self {
        let mut residuals: BTreeMap<u8, Vec<i16>> = BTreeMap::new();
        for (value, (spread, mean)) in units.values.iter().zip(classes) {
            residuals.entry(spread).or_default().push(value - mean);
        }
        Self { bits: units.bits, weight: units.weight, knots: distribution(&residuals), residuals }
    }

    /// Every step worth trying, from the finest to the one that sends nothing.
    pub(super) fn choices(&self, deadzone: u8) -> Vec<Choice> {
        let finest = (STEP_MIN + 8 * (BITS - self.bits)).max(STEP_FINEST);
        let is_sent = |&step: &u8| Quantizer::new(step, deadzone, self.bits, 0).is_sent();
        let steps = (finest..STEP_MAX).step_by(STRIDE).take_while(is_sent);
        let mut choices: Vec<Choice> = steps.map(|step| self.choice(step, deadzone)).collect();
        choices.push(self.choice(STEP_MAX, deadzone));
        choices
    }

    fn choice(&self, step: u8, deadzone: u8) -> Choice {
        let (mut sum_bits, mut sum_squares, mut count) = (0.0, 0.0, 0);
        for (&spread, residuals) in &self.residuals {
            let quantizer = Quantizer::new(step_in_class(step, self.bits, spread), deadzone, spread, 0);
            let top = quantizer.top();
            let cell = |level: i32| match top {
                // What is not sent stands for its mean.
                0 => (0.0, 0),
                _ => {
                    let Cell { value, share } = quantizer.cell(&self.knots, level);
                    (bits_of(share), i32::from(value))
                }
            };
            let cells: Vec<(f64, i32)> = (-top..=top).map(cell).collect();
            for &residual in residuals {
                let level = if top == 0 { 0 } else { quantizer.level(residual) };
                let (bits, value) = cells[(level + top) as usize];
                sum_bits += bits;
                sum_squares += f64::from(i32::from(residual) - value).powi(2);
            }
            count += residuals.len();
        }
        Choice { step, bits: sum_bits / count as f64, error: self.weight * sum_squares / count as f64 }
    }
}

/// Ideal length of what has that share.
pub(super) fn bits_of(share: u16) -> f64 {
    f64::from(TOTAL.ilog2()) - f64::from(share).log2()
}

/// Values of so many bits lie from `-half` on, and below it.
fn half(bits: u8) -> i32 {
    1 << (bits - 1)
}

/// The nearest integer, as an encoder of real numbers rounds.
pub(super) fn to_units(value: f32, resolution: f32, bits: u8) -> i16 {
    irmae_infer::quant::round_f32(value / resolution).clamp(-half(bits), half(bits) - 1) as i16
}

/// The cumulative distribution of residuals in their spreads, rising by at least [`RISE_MIN`] everywhere.
fn distribution(residuals: &BTreeMap<u8, Vec<i16>>) -> Knots {
    let mut counts = [PRIOR; BINS];
    for (&spread, residuals) in residuals {
        let shift = u32::from(spread) - BINS.ilog2();
        let bin = |residual: i16| (i32::from(residual) + half(spread)) >> shift;
        residuals.iter().for_each(|&residual| counts[bin(residual).clamp(0, BINS as i32 - 1) as usize] += 1.0);
    }
    let sum: f64 = counts.iter().sum();
    let free = f64::from(TOTAL - RISE_MIN * BINS as u32);
    let mut knots = [0; KNOTS];
    let mut below = 0.0;
    for (index, count) in counts.iter().enumerate() {
        below += count;
        knots[index + 1] = ((free * below / sum).round() as u32 + RISE_MIN * (index as u32 + 1)) as u16;
    }
    knots
}

#[cfg(test)]
pub(super) mod tests {
    use irmae_infer::code::SPREAD_OVER_DEVIATION;

    use super::*;

    /// A Gaussian's quantiles: as good as any sample of it, and the same every time.
    pub(crate) fn gaussian(deviation: f32) -> Vec<f32> {
        let normal = |i: i32| {
            let u = (f64::from(i) + 0.5) / 4000.0;
            // Logistic quantile scaled to the Gaussian's: within 2 % in the bulk.
            ((u / (1.0 - u)).ln() / 1.702) as f32 * deviation
        };
        (0..4000).map(normal).collect()
    }

    #[test]
    fn integers_are_as_fine_as_the_output_needs() {
        let fine = Units::fit(&[-4.0, 1.0, 2.0], 1.0, 4.0 / 1000.0);
        assert_eq!((fine.bits, fine.values[0]), (11, -1000));
        let weaker = Units::fit(&[-4.0, 1.0, 2.0], 1.0 / 16.0, 4.0 / 1000.0);
        assert_eq!((weaker.bits, weaker.values[0]), (9, -250));
        assert_eq!(Units::fit(&[0.0; 3], 1.0, 1.0).bits, MIN_BITS);
    }

    fn in_one_class(values: &[f32]) -> Coefficient {
        let units = Units::fit(values, 1.0, 1e-3);
        Coefficient::fit(&units, std::iter::repeat((units.bits, 0)))
    }

    #[test]
    fn classes_that_know_more_take_fewer_bits() {
        let values: Vec<f32> = gaussian(1.0).iter().enumerate().map(|(i, v)| v + 8.0 * (i % 2) as f32 - 4.0).collect();
        let units = Units::fit(&values, 1.0, 1e-2);
        let deviation_bits = 7;
        let means = [-400, 400].map(|mean| (deviation_bits + SPREAD_OVER_DEVIATION, mean)).into_iter().cycle();
        let [one, two] =
            [Coefficient::fit(&units, std::iter::repeat((units.bits, 0))), Coefficient::fit(&units, means)];
        let at = |coefficient: &Coefficient| coefficient.choice(8 * 10, 128);
        assert!((0.8..1.1).contains(&(at(&one).bits - at(&two).bits)), "{:?} {:?}", at(&one), at(&two));
        let unsent = two.choice(STEP_MAX, 128);
        assert!(unsent.bits == 0.0 && unsent.error < 0.1 * one.choice(STEP_MAX, 128).error);
    }

    #[test]
    fn half_the_step_costs_a_bit_and_quarters_the_error() {
        let coefficient = in_one_class(&gaussian(1.0));
        let choices = coefficient.choices(128);
        for (fine, coarse) in choices.iter().zip(&choices[8 / STRIDE..]).take(16) {
            assert!((0.9..1.1).contains(&(fine.bits - coarse.bits)), "{fine:?} {coarse:?}");
            assert!((3.4..4.3).contains(&(coarse.error / fine.error)), "{fine:?} {coarse:?}");
        }
        let last = choices.last().unwrap();
        assert!(last.step == STEP_MAX && last.bits == 0.0 && (0.8..1.2).contains(&last.error), "{last:?}");
    }

    #[test]
    fn the_distribution_is_that_of_the_values() {
        let knots = in_one_class(&gaussian(1.0)).knots;
        assert_eq!((knots[0], knots[KNOTS - 1]), (0, 32_768));
        assert!((16_300..16_500).contains(&knots[KNOTS / 2]), "{knots:?}");
        assert!(knots.windows(2).all(|pair| pair[1] - pair[0] >= 16));
    }
}
