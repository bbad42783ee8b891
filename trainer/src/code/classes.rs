//! Classes of codes: a mixture of Gaussians with diagonal covariances, fitted to the codes of the training set.
//!
//! Codes come in kinds, as what they were made of does, and within a kind they lie closer together: a packet that says which kind it is
//! needs fewer bits for the rest. There are as many classes as fit the head of a packet beside the operating point, so saying so costs nothing.

use irmae_infer::code::{Classes, SPREAD_OVER_DEVIATION};
use irmae_infer::format::{MAX_BITS, MIN_BITS};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Classes, at most: more than 16 gave Fashion-MNIST another 0.03 dB, and each takes three bytes a coefficient.
pub const CLASSES_MAX: usize = 16;
/// Codes that a class takes to be fitted, on average.
const ITEMS_A_CLASS: usize = 150;
/// Codes that the mixture is fitted to.
const ITEMS: usize = 5000;
/// Rounds in which distances alone count, and in which deviations do.
const ROUNDS: [usize; 2] = [10, 12];
/// Codes with the deviations of the whole set that each class has beside its own: small classes have not seen everything.
const PRIOR: f32 = 2.0;

/// Where coefficients lie in each class, in units, class by class.
#[derive(Debug, Clone, Default)]
pub(super) struct Mixture {
    pub(super) spreads: Vec<u8>,
    pub(super) means: Vec<i16>,
    pub(super) blur: u8,
}

impl Mixture {
    /// At most so many classes for codes whose coefficients take the values of `columns`, of so many `bits` each; of a payload's bits,
    /// `payload_bits` is the middle of what is asked for.
    pub(super) fn fit(columns: &[&[i16]], bits: &[u8], classes_max: usize, payload_bits: f64) -> Self {
        let items = columns[0].len();
        let classes = 1 << classes_max.min(items / ITEMS_A_CLASS).max(1).ilog2();
        if classes == 1 {
            return Self { spreads: bits.to_vec(), means: vec![0; bits.len()], blur: 0 };
        }
        let every = items.div_ceil(ITEMS);
        let rows: Vec<f32> =
            (0..items).step_by(every).flat_map(|i| columns.iter().map(move |c| f32::from(c[i]))).collect();
        let mut em = Em::new(rows, columns.len());
        let error = water_level(&em.variances, payload_bits);
        em.run(classes, error);
        em.mixture(bits, error.log2().round().clamp(0.0, f32::from(MAX_BITS - 1)) as u8)
    }

    /// The class of each code whose coefficients take the values of `columns`.
    pub(super) fn classes_of(&self, columns: &[&[i16]]) -> Vec<usize> {
        let classes = Classes { len: columns.len(), spreads: &self.spreads, means: &self.means, blur: self.blur };
        let mut row = vec![0; columns.len()];
        let class_of = |item: usize| {
            row.iter_mut().zip(columns).for_each(|(value, column)| *value = column[item]);
            classes.class_of(&row)
        };
        (0..columns[0].len()).map(class_of).collect()
    }
}

/// The deviation of the error with which Gaussians of these `variances` are told in so many bits: reverse water-filling.
fn water_level(variances: &[f32], bits: f64) -> f32 {
    let bits_at = |level: f64| -> f64 {
        variances.iter().map(|&variance| (0.5 * (f64::from(variance) / (level * level)).log2()).max(0.0)).sum()
    };
    let (mut low, mut high) = (0.5, f64::from(1 << MAX_BITS));
    for _ in 0..40 {
        let middle = (low * high).sqrt();
        *(if bits_at(middle) > bits { &mut low } else { &mut high }) = middle;
    }
    high as f32
}

/// Hard expectation maximisation.
struct Em {
    /// Codes, one behind the other, and coefficients of each.
    rows: Vec<f32>,
    len: usize,
    /// Of all codes.
    variances: Vec<f32>,
    classes: Vec<Gaussian>,
}

/// A class.
struct Gaussian {
    means: Vec<f32>,
    variances: Vec<f32>,
}

impl Em {
    fn new(rows: Vec<f32>, len: usize) -> Self {
        let all = Gaussian::of(rows.chunks_exact(len), &vec![0.0; len]);
        Self { rows, len, variances: all.variances, classes: Vec::new() }
    }

    fn items(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.chunks_exact(self.len)
    }

    /// Fits so many classes to codes that are sent with errors of that deviation.
    fn run(&mut self, classes: usize, error: f32) {
        self.start(classes);
        let even = vec![error * error; self.len];
        for round in 0..ROUNDS[0] + ROUNDS[1] {
            let by_distance = round < ROUNDS[0];
            let scorers: Vec<Scorer> = self
                .classes
                .iter()
                .map(|class| Scorer::new(&class.means, if by_distance { &even } else { &class.variances }, error))
                .collect();
            let mut members = vec![Vec::new(); classes];
            for item in self.items() {
                let scores = scorers.iter().map(|scorer| scorer.score(item));
                let best = scores.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).expect("classes").0;
                members[best].push(item);
            }
            let fitted = members.iter().zip(&self.classes).map(|(members, class)| match members.len() {
                0 => Gaussian { means: class.means.clone(), variances: class.variances.clone() },
                _ => Gaussian::of(members.iter().copied(), &self.variances),
            });
            self.classes = fitted.collect();
        }
    }

    /// Classes around codes that lie far from one another (k-means++: Arthur and Vassilvitskii, 2007).
    fn start(&mut self, classes: usize) {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut distances = vec![f32::INFINITY; self.rows.len() / self.len];
        let mut next = 0;
        for _ in 0..classes {
            let means = self.rows[next * self.len..][..self.len].to_vec();
            for (distance, item) in distances.iter_mut().zip(self.rows.chunks_exact(self.len)) {
                *distance = distance.min(item.iter().zip(&means).map(|(a, b)| (a - b).powi(2)).sum());
            }
            self.classes.push(Gaussian { means, variances: self.variances.clone() });
            let mut left = random.random::<f32>() * distances.iter().sum::<f32>();
            let found = distances.iter().position(|distance| {
                left -= distance;
                left < 0.0
            });
            next = found.unwrap_or(distances.len() - 1);
        }
    }

    /// The classes in units.
    fn mixture(&self, bits: &[u8], blur: u8) -> Mixture {
        let spread = |(variance, &bits): (&f32, &u8)| {
            let deviation_bits = variance.sqrt().log2().round().max(0.0) as u8;
            (deviation_bits + SPREAD_OVER_DEVIATION).clamp(MIN_BITS, bits)
        };
        let mean = |(mean, &bits): (&f32, &u8)| {
            let half = f32::from(1_i16 << (bits - 1));
            mean.round().clamp(-half, half - 1.0) as i16
        };
        Mixture {
            spreads: self.classes.iter().flat_map(|class| class.variances.iter().zip(bits).map(spread)).collect(),
            means: self.classes.iter().flat_map(|class| class.means.iter().zip(bits).map(mean)).collect(),
            blur,
        }
    }
}

impl Gaussian {
    /// That of `items`, and of [`PRIOR`] more with the variances `prior`.
    fn of<'r>(items: impl Iterator<Item = &'r [f32]>, prior: &[f32]) -> Self {
        let (mut count, mut sums, mut squares) = (0.0, vec![0.0; prior.len()], vec![0.0; prior.len()]);
        for item in items {
            count += 1.0;
            for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(item) {
                *sum += value;
                *square += value * value;
            }
        }
        let means: Vec<f32> = sums.iter().map(|sum| sum / count).collect();
        let own = |((square, mean), prior): ((&f32, &f32), &f32)| {
            (square - count * mean * mean + PRIOR * prior).max(0.0) / (count + PRIOR)
        };
        let variances = squares.iter().zip(&means).zip(prior).map(own).collect();
        Self { means, variances }
    }
}

/// The negative logarithm of a class's likelihood.
struct Scorer<'c> {
    means: &'c [f32],
    weights: Vec<f32>,
    offset: f32,
}

impl<'c> Scorer<'c> {
    fn new(means: &'c [f32], variances: &[f32], error: f32) -> Self {
        let blurred = variances.iter().map(|variance| variance + error * error);
        let offset = blurred.clone().map(|variance| 0.5 * variance.ln()).sum();
        Self { means, weights: blurred.map(|variance| 0.5 / variance).collect(), offset }
    }

    fn score(&self, item: &[f32]) -> f32 {
        let terms = item.iter().zip(self.means).zip(&self.weights);
        self.offset + terms.map(|((value, mean), weight)| (value - mean) * (value - mean) * weight).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::coefficient::tests::gaussian;
    use super::*;

    /// Codes of two coefficients around (+-100, 0), the second six times as wide on one side.
    fn two_kinds() -> [Vec<i16>; 2] {
        let values = gaussian(1.0);
        let kind = |i: usize| if i.is_multiple_of(2) { (100.0, 30.0) } else { (-100.0, 5.0) };
        let first = |(i, value): (usize, &f32)| (kind(i).0 + 20.0 * value) as i16;
        let second = |i: usize| (kind(i).1 * values[i * 1009 % values.len()]) as i16;
        [values.iter().enumerate().map(first).collect(), (0..values.len()).map(second).collect()]
    }

    #[test]
    fn kinds_have_classes_of_their_own() {
        let columns = two_kinds();
        let columns = [&columns[0][..], &columns[1]];
        let mixture = Mixture::fit(&columns, &[13, 13], 2, 6.0);
        let classes = mixture.classes_of(&columns);
        // The values in the middle are typical; a few at the ends are nearer to the other kind.
        let (wide, narrow) = (classes[2000], classes[2001]);
        let is_of_its_kind = |(i, &class): (usize, &usize)| class == [wide, narrow][i % 2];
        assert!(wide != narrow && classes.iter().enumerate().filter(|&item| is_of_its_kind(item)).count() > 3960);
        assert!((mixture.means[2 * wide] - 100).abs() < 5 && (mixture.means[2 * narrow] + 100).abs() < 5);
        // Deviations of about 2^4 in both, and of 2^5 and 2^2.
        assert_eq!([wide, narrow].map(|class| mixture.spreads[2 * class]), [8, 8]);
        assert_eq!([wide, narrow].map(|class| mixture.spreads[2 * class + 1]), [9, 6]);
    }

    #[test]
    fn there_are_as_many_classes_as_are_asked_for_and_items_allow() {
        let columns = two_kinds();
        let classes = |most: usize, items: usize| {
            let columns = [&columns[0][..items], &columns[1][..items]];
            Mixture::fit(&columns, &[10, 10], most, 6.0).spreads.len() / 2
        };
        assert_eq!([classes(16, 4000), classes(6, 4000), classes(16, 1000), classes(16, 200)], [16, 4, 4, 1]);
        let one = Mixture::fit(&[&columns[0], &columns[1]], &[10, 9], 1, 6.0);
        assert_eq!((one.spreads, one.means), (vec![10, 9], vec![0, 0]));
    }

    #[test]
    fn the_water_level_is_the_error_at_so_many_bits() {
        // 4 and 16 units: 1 and 3 bits at an error of 2.
        assert!((water_level(&[16.0, 256.0], 4.0) - 2.0).abs() < 1e-3);
        assert!((water_level(&[16.0, 256.0], 1.0) - 8.0).abs() < 1e-3);
    }
}
