//! The rank of a code as a number, by several rules on the eigenvalues of its covariance.
//!
//! Eigenvalues are variances, largest first: `s_1 >= s_2 >= ... >= s_n >= 0`.

use serde::{Deserialize, Serialize};

/// Share of the variance that the energy rule keeps unless told otherwise.
pub const DEFAULT_ENERGY: f64 = 0.999;

/// A direction with less than this share of the largest variance cannot be the last one before the gap: ratios between
/// values in the noise say nothing.
const GAP_FLOOR: f64 = 1e-4;

/// Variances below this share of the largest are 0 but for rounding.
const ROUNDING: f64 = 1e-15;

/// A gap of at least this factor is no accident of an evenly falling spectrum.
pub const CLEAR_GAP: f64 = 10.0;

/// What the rank at a clear gap may cost in reconstruction error, as a factor: what the rule of distortion allows.
const GAP_COST: f64 = 1.01;

/// The ranks that the rules find.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranks {
    /// Where the largest ratio `s_k / s_(k+1)` is, among directions that carry something.
    pub gap: usize,
    /// That ratio.
    pub gap_ratio: f64,
    /// Fewest directions that hold 99.9 % of the variance.
    pub energy: usize,
    /// `exp` of the entropy of the shares of variance.
    pub effective: f64,
    /// Total variance over the largest.
    pub stable: f64,
    /// Directions with at least 1 % of the largest variance.
    pub numerical_1e2: usize,
    /// Directions with at least 0.1 % of the largest variance.
    pub numerical_1e3: usize,
}

impl Ranks {
    /// Ranks by every rule; all zero for a code that never changes.
    pub fn of(variances: &[f64]) -> Ranks {
        let (gap, gap_ratio) = gap(variances);
        Ranks {
            gap,
            gap_ratio,
            energy: energy(variances, DEFAULT_ENERGY),
            effective: effective(variances),
            stable: stable(variances),
            numerical_1e2: numerical(variances, 1e-2),
            numerical_1e3: numerical(variances, 1e-3),
        }
    }
}

/// A rank and why it is that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Directions to keep.
    pub rank: usize,
    /// Why, in words.
    pub reason: String,
}

impl Decision {
    /// From all rules: the first clear gap at which the decoder lets the code be cut, else the least that reconstructs well.
    ///
    /// The first and not the largest: directions between two gaps are a residue that training has not driven out yet.
    ///
    /// `within` directions are the fewest that reconstruct within 1 % of all of them, and `error_ratio` is what a rank costs: its mean
    /// squared error over that of all directions.
    pub fn of(variances: &[f64], within: usize, error_ratio: impl Fn(usize) -> f64) -> Decision {
        let fewest = format!("{within} coefficients are the fewest that reconstruct within 1 % of the whole code");
        let Ranks { gap, gap_ratio, energy, .. } = Ranks::of(variances);
        let clear = gaps(variances).filter(|&(_, ratio)| ratio >= CLEAR_GAP);
        let mut costs = clear.map(|(rank, factor)| (rank, factor, error_ratio(rank)));
        if let Some((rank, factor, ratio)) = costs.find(|&(.., ratio)| ratio <= GAP_COST) {
            let held = if energy <= rank { "holds" } else { "holds less than" };
            let cost = 100.0 * (ratio - 1.0);
            let reason = format!(
                "a clear gap, a factor of {factor:.0} after coefficient {rank}, which costs {cost:+.1} % of error and {held} 99.9 % of the variance"
            );
            return Decision { rank, reason };
        }
        let largest = format!("a factor of {gap_ratio:.1} after coefficient {gap}");
        let reason = if gap == 0 || gap_ratio < CLEAR_GAP {
            format!("no gap is clear (the largest is {largest}); {fewest}")
        } else {
            let cost = 100.0 * (error_ratio(gap) - 1.0);
            format!("a cut at the gap ({largest}) would cost {cost:.1} % of error; {fewest}")
        };
        Decision { rank: within, reason }
    }
}

/// Fewest directions that hold `share` of the total variance.
pub fn energy(variances: &[f64], share: f64) -> usize {
    let total: f64 = variances.iter().sum();
    let mut held = 0.0;
    variances
        .iter()
        .take_while(|&&variance| {
            let more = held < share * total;
            held += variance;
            more
        })
        .count()
}

/// Directions whose variance is at least `threshold` of the largest.
pub fn numerical(variances: &[f64], threshold: f64) -> usize {
    let largest = largest(variances);
    variances.iter().filter(|&&variance| variance > 0.0 && variance >= threshold * largest).count()
}

/// Position and size of the ratios of neighbours, among directions that carry something.
fn gaps(variances: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    let (floor, noise) = (GAP_FLOOR * largest(variances), ROUNDING * largest(variances));
    let ratio = move |(k, pair): (usize, &[f64])| (k + 1, pair[0] / pair[1].max(noise));
    let carrying = move |&(_, pair): &(usize, &[f64])| pair[0] > 0.0 && pair[0] >= floor;
    variances.windows(2).enumerate().filter(carrying).map(ratio)
}

/// The largest of them.
fn gap(variances: &[f64]) -> (usize, f64) {
    // A code of one direction has no neighbours to compare.
    let none = (numerical(variances, GAP_FLOOR).min(1), 1.0);
    gaps(variances).fold(none, |best, next| if next.1 > best.1 { next } else { best })
}

fn effective(variances: &[f64]) -> f64 {
    let total: f64 = variances.iter().sum();
    let shares = variances.iter().map(|variance| variance / total).filter(|&share| share > 0.0);
    if total > 0.0 { (-shares.map(|share| share * share.ln()).sum::<f64>()).exp() } else { 0.0 }
}

fn stable(variances: &[f64]) -> f64 {
    let largest = largest(variances);
    if largest > 0.0 { variances.iter().sum::<f64>() / largest } else { 0.0 }
}

fn largest(variances: &[f64]) -> f64 {
    variances.first().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_gap_is_found_and_the_noise_behind_it_is_not() {
        let ranks = Ranks::of(&[4.0, 3.0, 2.0, 1e-3, 9e-4, 1e-9, 1e-16]);
        assert_eq!((ranks.gap, ranks.energy), (5, 3));
        let ranks = Ranks::of(&[4.0, 3.0, 2.0, 1e-5, 9e-6, 1e-12, 1e-20]);
        assert_eq!((ranks.gap, ranks.numerical_1e2, ranks.numerical_1e3), (3, 3, 3));
        assert!((ranks.gap_ratio - 2e5).abs() < 1.0);
    }

    #[test]
    fn equal_directions_count_one_each() {
        let ranks = Ranks::of(&[2.0; 5]);
        assert!((ranks.effective - 5.0).abs() < 1e-12 && (ranks.stable - 5.0).abs() < 1e-12);
        assert_eq!(energy(&[2.0; 5], 0.6), 3);
    }

    #[test]
    fn a_clear_gap_decides_unless_the_decoder_needs_what_is_behind_it() {
        let clear = [4.0, 3.0, 2.0, 1e-3, 9e-4];
        let decide = |variances: &[f64], ratio| Decision::of(variances, 4, move |_| ratio);
        assert_eq!(decide(&clear, 1.002).rank, 3);
        assert!(
            decide(&clear, 1.002)
                .reason
                .starts_with("a clear gap, a factor of 2000 after coefficient 3, which costs +0.2 %")
        );
        let needed = decide(&clear, 1.5);
        assert_eq!(needed.rank, 4);
        assert!(needed.reason.contains("would cost 50.0 %"), "{}", needed.reason);
        let even = decide(&[4.0, 3.0, 2.0, 1.5, 1.0], 1.0);
        assert_eq!(even.rank, 4);
        assert!(even.reason.starts_with("no gap is clear (the largest is a factor of 1.5"), "{}", even.reason);
        assert_eq!(Decision::of(&[0.0, 0.0], 1, |_| f64::NAN).rank, 1);
    }

    #[test]
    fn of_several_clear_gaps_the_first_that_costs_little_decides() {
        // Of shapes of 7 dimensions: a residue of two directions before the largest gap.
        let variances = [11.0, 10.0, 9.1, 3.7, 2.6, 0.21, 0.18, 1e-2, 4e-3, 1e-6];
        let cost = |rank: usize| if rank < 7 { 1.6 } else { 1.001 };
        let decision = Decision::of(&variances, 7, cost);
        assert_eq!((decision.rank, Ranks::of(&variances).gap), (7, 9));
        assert!(decision.reason.starts_with("a clear gap, a factor of 18 after coefficient 7"), "{}", decision.reason);
    }

    #[test]
    fn degenerate_codes_do_not_panic() {
        let ranks = Ranks::of(&[0.0, 0.0]);
        assert_eq!((ranks.gap, ranks.energy, ranks.effective, ranks.numerical_1e2), (0, 0, 0.0, 0));
        assert_eq!(Ranks::of(&[3.0]).gap, 1);
    }
}
