//! The rank of a code as a number, by several rules on the eigenvalues of its covariance.
//!
//! Eigenvalues are variances, largest first: `s_1 >= s_2 >= ... >= s_n >= 0`.

use serde::{Deserialize, Serialize};

/// Share of the variance that the energy rule keeps unless told otherwise.
pub const DEFAULT_ENERGY: f64 = 0.999;

/// A direction with less than this share of the largest variance cannot be the last one before the gap: ratios between
/// values in the noise say nothing.
const GAP_FLOOR: f64 = 1e-4;

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

/// Position and size of the largest ratio of neighbours.
fn gap(variances: &[f64]) -> (usize, f64) {
    let floor = GAP_FLOOR * largest(variances);
    let ratio = |(k, pair): (usize, &[f64])| (k + 1, pair[0] / pair[1].max(f64::MIN_POSITIVE));
    let carrying = |&(_, pair): &(usize, &[f64])| pair[0] > 0.0 && pair[0] >= floor;
    let ratios = variances.windows(2).enumerate().filter(carrying).map(ratio);
    // A code of one direction has no neighbours to compare.
    ratios.fold((numerical(variances, GAP_FLOOR).min(1), 1.0), |best, next| if next.1 > best.1 { next } else { best })
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
    fn degenerate_codes_do_not_panic() {
        let ranks = Ranks::of(&[0.0, 0.0]);
        assert_eq!((ranks.gap, ranks.energy, ranks.effective, ranks.numerical_1e2), (0, 0, 0.0, 0));
        assert_eq!(Ranks::of(&[3.0]).gap, 1);
    }
}
