//! One coefficient: how fine its integers are, how they are distributed, and what each quantiser step costs.

use irmae_infer::code::{BITS, Cell, KNOTS, Knots, Quantizer, STEP_MAX, STEP_MIN};
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

/// A coefficient over the training set.
#[derive(Debug, Clone)]
pub(super) struct Coefficient {
    /// What one unit is worth.
    pub(super) resolution: f32,
    /// It has values of so many bits.
    pub(super) bits: u8,
    /// Cumulative distribution.
    pub(super) knots: Knots,
    /// Its values in units.
    values: Vec<i16>,
    /// What the square of one unit costs in the decoder's output.
    weight: f64,
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

impl Coefficient {
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
        Self { resolution, bits, knots: distribution(&values, bits), values, weight }
    }

    /// Every step worth trying, from the finest to the one that sends nothing.
    pub(super) fn choices(&self, deadzone: u8) -> Vec<Choice> {
        let finest = (STEP_MIN + 8 * (BITS - self.bits)).max(STEP_FINEST);
        let steps = (finest..STEP_MAX).step_by(STRIDE).map(|step| (step, Quantizer::new(step, deadzone, self.bits)));
        let mut choices: Vec<Choice> = steps
            .take_while(|(_, quantizer)| quantizer.top() > 0)
            .map(|(step, quantizer)| self.choice(step, &quantizer))
            .collect();
        let square = |&value: &i16| f64::from(value).powi(2);
        let error = self.weight * self.values.iter().map(square).sum::<f64>() / self.values.len() as f64;
        choices.push(Choice { step: STEP_MAX, bits: 0.0, error });
        choices
    }

    fn choice(&self, step: u8, quantizer: &Quantizer) -> Choice {
        let top = quantizer.top();
        let cells: Vec<Cell> = (-top..=top).map(|level| quantizer.cell(&self.knots, level)).collect();
        let bits: Vec<f64> = cells.iter().map(|cell| bits_of(cell.share)).collect();
        let (mut sum_bits, mut sum_squares) = (0.0, 0.0);
        for &value in &self.values {
            let index = (quantizer.level(value) + top) as usize;
            sum_bits += bits[index];
            sum_squares += f64::from(i32::from(value) - i32::from(cells[index].value)).powi(2);
        }
        let count = self.values.len() as f64;
        Choice { step, bits: sum_bits / count, error: self.weight * sum_squares / count }
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

/// The cumulative distribution of `values`, rising by at least [`RISE_MIN`] everywhere.
fn distribution(values: &[i16], bits: u8) -> Knots {
    let mut counts = [PRIOR; BINS];
    let shift = u32::from(bits) - BINS.ilog2();
    values.iter().for_each(|&value| counts[((i32::from(value) + half(bits)) >> shift) as usize] += 1.0);
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
        let fine = Coefficient::fit(&[-4.0, 1.0, 2.0], 1.0, 4.0 / 1000.0);
        assert_eq!((fine.bits, fine.values[0]), (11, -1000));
        let weaker = Coefficient::fit(&[-4.0, 1.0, 2.0], 1.0 / 16.0, 4.0 / 1000.0);
        assert_eq!((weaker.bits, weaker.values[0]), (9, -250));
        assert_eq!(Coefficient::fit(&[0.0; 3], 1.0, 1.0).bits, MIN_BITS);
    }

    #[test]
    fn half_the_step_costs_a_bit_and_quarters_the_error() {
        let coefficient = Coefficient::fit(&gaussian(1.0), 1.0, 1e-3);
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
        let knots = Coefficient::fit(&gaussian(1.0), 1.0, 1e-3).knots;
        assert_eq!((knots[0], knots[KNOTS - 1]), (0, 32_768));
        assert!((16_300..16_500).contains(&knots[KNOTS / 2]), "{knots:?}");
        assert!(knots.windows(2).all(|pair| pair[1] - pair[0] >= 16));
    }
}
