//! How many bits each coefficient of the code gets, and the steps of their quantisers.
//!
//! A coefficient `c` with `b` bits becomes the number `q = floor(c / step)`, held to `-2^(b-1) ..= 2^(b-1) - 1`, and is
//! read back as `(q + 1/2) step`. With 0 bits it is not sent and read back as 0. Steps minimise the squared error of each
//! coefficient over the training set; bits minimise the sum of these errors, each weighted by what it does to the
//! decoder's output, under a budget.

use serde::{Deserialize, Serialize};

/// Most bits that a coefficient gets.
pub const MAX_BITS: u8 = 8;

/// Bits and steps of a code's quantiser, one each a coefficient: what `code.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeBits {
    /// Bits of each coefficient; 0 leaves it out.
    pub bits: Vec<u8>,
    /// Step of each coefficient; 1 where there are no bits.
    pub steps: Vec<f32>,
}

/// What each number of bits makes of one coefficient.
#[derive(Clone, Debug)]
pub struct WidthChoices {
    /// Best step for 0..=[`MAX_BITS`] bits.
    steps: [f32; MAX_BITS as usize + 1],
    /// Mean squared error with it.
    errors: [f64; MAX_BITS as usize + 1],
}

impl WidthChoices {
    /// Finds the best step of every width for the coefficient that takes `values` over the training set.
    pub fn of(values: &[f32]) -> Self {
        let mean_square = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        let mut choices =
            WidthChoices { steps: [1.0; MAX_BITS as usize + 1], errors: [mean_square; MAX_BITS as usize + 1] };
        if mean_square > 0.0 {
            for bits in 1..=MAX_BITS {
                let (step, error) = best_step(values, mean_square.sqrt(), bits);
                (choices.steps[usize::from(bits)], choices.errors[usize::from(bits)]) = (step, error);
            }
        }
        choices
    }
}

/// Value that a coefficient is read back as.
fn read_back(value: f32, step: f32, bits: u8) -> f32 {
    let half = (1i32 << (bits - 1)) as f32;
    ((value / step).floor().clamp(-half, half - 1.0) + 0.5) * step
}

fn mean_squared_error(values: &[f32], step: f32, bits: u8) -> f64 {
    let square = |&value: &f32| f64::from(read_back(value, step, bits) - value).powi(2);
    values.iter().map(square).sum::<f64>() / values.len() as f64
}

/// Candidate ranges of a quantiser, in deviations: from one that cuts half of a Gaussian's values to one that keeps all.
const RANGES: std::ops::Range<f64> = 0.6..7.0;
const COARSE_RANGES: usize = 12;
const REFINEMENTS: usize = 3;

/// The step with the least error: a coarse search over the range that the levels span, then finer ones around the best.
fn best_step(values: &[f32], deviation: f64, bits: u8) -> (f32, f64) {
    let half_levels = f64::from(1u32 << (bits - 1));
    let try_range = |range: f64| {
        let step = (range * deviation / half_levels) as f32;
        (range, step, mean_squared_error(values, step, bits))
    };
    let ratio = (RANGES.end / RANGES.start).powf(1.0 / (COARSE_RANGES - 1) as f64);
    let coarse = (0..COARSE_RANGES).map(|i| try_range(RANGES.start * ratio.powi(i as i32)));
    let least = |a: (f64, f32, f64), b: (f64, f32, f64)| if b.2 < a.2 { b } else { a };
    let mut best = coarse.reduce(least).expect("at least one range");
    let mut spread = ratio.sqrt();
    for _ in 0..REFINEMENTS {
        best = least(least(best, try_range(best.0 * spread)), try_range(best.0 / spread));
        spread = spread.sqrt();
    }
    (best.1, best.2)
}

/// Shares out `budget` bits so that the sum of `weights[i] * error of coefficient i` is least; exact, by dynamic
/// programming over the coefficients. Fewer bits win a tie, so useless ones are not spent.
pub fn allocate(choices: &[WidthChoices], weights: &[f64], budget: usize) -> Vec<u8> {
    // least[used]: least error so far with at most `used` bits; taken[i][used]: bits of coefficient i on the way there.
    let mut least = vec![0.0f64; budget + 1];
    let mut taken = Vec::with_capacity(choices.len());
    for (choice, weight) in choices.iter().zip(weights) {
        let options = |used: usize| {
            let fitting = 0..=usize::from(MAX_BITS).min(used);
            fitting
                .map(|bits| (least[used - bits] + weight * choice.errors[bits], bits as u8))
                .reduce(|a, b| if b.0 < a.0 { b } else { a })
        };
        let (next, bits): (Vec<f64>, Vec<u8>) = (0..=budget).filter_map(options).unzip();
        least = next;
        taken.push(bits);
    }
    let (mut bits, mut left) = (vec![0; choices.len()], budget);
    for (bits, row) in bits.iter_mut().zip(&taken).rev() {
        *bits = row[left];
        left -= usize::from(*bits);
    }
    bits
}

impl CodeBits {
    /// The quantiser with these bits, and for each coefficient the best step for them.
    pub fn new(bits: Vec<u8>, choices: &[WidthChoices]) -> Self {
        let steps = choices.iter().zip(&bits).map(|(choice, &bits)| choice.steps[usize::from(bits)]).collect();
        CodeBits { bits, steps }
    }

    /// Bits of a whole code.
    pub fn total_bits(&self) -> usize {
        self.bits.iter().map(|&bits| usize::from(bits)).sum()
    }

    /// The quantiser of the coefficients at `order`, in that order.
    pub fn select(&self, order: &[usize]) -> Self {
        CodeBits {
            bits: order.iter().map(|&i| self.bits[i]).collect(),
            steps: order.iter().map(|&i| self.steps[i]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gaussian's quantiles: as good as any sample of it, and the same every time.
    fn gaussian(deviation: f32) -> Vec<f32> {
        let normal = |i: i32| {
            let u = (f64::from(i) + 0.5) / 4000.0;
            // Logistic quantile scaled to the Gaussian's: within 2 % in the bulk.
            ((u / (1.0 - u)).ln() / 1.702) as f32 * deviation
        };
        (0..4000).map(normal).collect()
    }

    #[test]
    fn one_bit_is_the_sign_times_the_mean_magnitude() {
        let values = [-3.0f32, -1.0, 1.0, 3.0];
        let choices = WidthChoices::of(&values);
        // Levels are +-step/2: best at the mean magnitude 2.
        assert!((choices.steps[1] - 4.0).abs() < 0.1, "{}", choices.steps[1]);
        assert!((choices.errors[1] - 1.0).abs() < 0.01 && choices.errors[0] == 5.0);
        assert_eq!((read_back(0.1, 4.0, 1), read_back(-9.0, 4.0, 1)), (2.0, -2.0));
        assert_eq!((read_back(9.0, 1.0, 3), read_back(-0.2, 1.0, 3)), (3.5, -0.5));
    }

    #[test]
    fn every_bit_more_lowers_the_error_by_four_to_six_decibels() {
        let choices = WidthChoices::of(&gaussian(1.5));
        for bits in 2..=usize::from(MAX_BITS) {
            let ratio = choices.errors[bits - 1] / choices.errors[bits];
            assert!((2.0..4.5).contains(&ratio), "{bits} bits: {ratio}");
        }
    }

    #[test]
    fn bits_go_where_they_help_most_and_none_are_wasted() {
        let choices = [WidthChoices::of(&gaussian(8.0)), WidthChoices::of(&gaussian(1.0)), WidthChoices::of(&[0.0; 9])];
        let bits = allocate(&choices, &[1.0, 1.0, 1.0], 7);
        assert!(bits[0] >= bits[1] + 2 && bits[0] + bits[1] == 7 && bits[2] == 0, "{bits:?}");
        let heavier = allocate(&choices, &[1.0, 1000.0, 1.0], 7);
        assert!(heavier[1] > heavier[0], "{heavier:?}");
        assert_eq!(allocate(&choices, &[1.0; 3], 100), [MAX_BITS, MAX_BITS, 0]);
        assert_eq!(allocate(&choices, &[1.0; 3], 0), [0, 0, 0]);
    }

    #[test]
    fn a_quantiser_is_read_in_another_order() {
        let code = CodeBits { bits: vec![3, 0, 5], steps: vec![0.5, 1.0, 2.0] };
        assert_eq!(code.total_bits(), 8);
        assert_eq!(code.select(&[2, 0]), CodeBits { bits: vec![5, 3], steps: vec![2.0, 0.5] });
    }
}
