//! Classes of codes, and which of them a code belongs to.
//!
//! A mixture model of codes: class k has a mean `m[k,i]` and a deviation `2^e[k,i]` for each coefficient i. All classes are taken for equally likely, and
//! a deviation below the error that codes are sent with for that error, the blur. A code then belongs to the class for which
//!
//! ```text
//! sum over i of (c[i] - m[k,i])^2 / (2 4^e[k,i]) + e[k,i] ln 2
//! ```
//!
//! is least: that of its likelihood, and nearly that of the bytes it takes. It costs some ten instructions a coefficient and class.

use crate::format::MIN_BITS;

/// A spread is so many bits more than the deviation: it reaches to eight deviations on both sides.
pub const SPREAD_OVER_DEVIATION: u8 = 4;
/// `512 ln 2`: distances below are in 512ths.
pub const OCTAVE: u16 = 355;
/// Sixteenths of a deviation, at most: no sum overflows.
pub const FARTHEST: u16 = 1023;

/// Where coefficients lie in each class of codes.
#[derive(Debug, Clone, Copy)]
pub struct Classes<'a> {
    /// Coefficients of a code, 1 or more.
    pub len: usize,
    /// See [`Tables::spreads`](super::Tables::spreads).
    pub spreads: &'a [u8],
    /// See [`Tables::means`](super::Tables::means).
    pub means: &'a [i16],
    /// See [`Tables::blur`](super::Tables::blur).
    pub blur: u8,
}

impl<'a> Classes<'a> {
    /// Whether every spread and mean is one that a coefficient of so many bits can have.
    pub(super) fn are_within(&self, bits: &[u8]) -> bool {
        let within = |((&spread, &mean), &bits): ((&u8, &i16), &u8)| {
            let half = 1 << (bits - 1);
            (MIN_BITS..=bits).contains(&spread) && (-half..half).contains(&i32::from(mean))
        };
        self.spreads.iter().zip(self.means).zip(bits.iter().cycle()).all(within)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.spreads.len() / self.len
    }

    /// Spreads and means of the coefficients in `class`; empty where there is no such class.
    #[inline]
    pub fn rows(&self, class: usize) -> (&'a [u8], &'a [i16]) {
        let start = class * self.len;
        let row = start..start + self.len;
        (self.spreads.get(row.clone()).unwrap_or_default(), self.means.get(row).unwrap_or_default())
    }

    /// The class of a code.
    pub fn class_of(&self, coefficients: &[i16]) -> usize {
        let (mut nearest, mut least, mut class) = (0, u32::MAX, 0);
        loop {
            let (spreads, means) = self.rows(class);
            if spreads.is_empty() {
                return nearest;
            }
            let terms = coefficients.iter().zip(spreads).zip(means);
            let distance = terms.map(|((&c, &spread), &mean)| distance(c, spread, mean, self.blur)).sum();
            if distance < least {
                (nearest, least) = (class, distance);
            }
            class += 1;
        }
    }
}

/// A coefficient's part in the distance of a code from a class, in 512ths.
#[inline]
fn distance(coefficient: i16, spread: u8, mean: i16, blur: u8) -> u32 {
    let deviation = u32::from(spread.saturating_sub(SPREAD_OVER_DEVIATION).max(blur));
    let off = (i32::from(coefficient) - i32::from(mean)).unsigned_abs();
    let sixteenths = (off << 4 >> deviation).min(FARTHEST.into());
    sixteenths * sixteenths + u32::from(OCTAVE) * deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: Classes<'_> =
        Classes { len: 2, spreads: &[9, 9, 9, 9, 7, 7], means: &[0, 0, 100, 0, 0, 0], blur: 2 };

    #[test]
    fn a_code_belongs_to_the_class_that_it_is_likeliest_in() {
        assert_eq!(CLASSES.class_of(&[90, 10]), 1, "the nearest mean");
        assert_eq!(CLASSES.class_of(&[3, -2]), 2, "the narrow one, near its mean");
        assert_eq!(CLASSES.class_of(&[30, -30]), 0, "the wide one, farther away");
        let blurred = Classes { blur: 5, ..CLASSES };
        assert_eq!(blurred.class_of(&[3, -2]), 0, "the first of those that cannot be told apart");
    }

    #[test]
    fn literal_distances() {
        let (octave, farthest) = (u32::from(OCTAVE), u32::from(FARTHEST));
        // Two deviations of 2^5: 32^2 and five octaves.
        assert_eq!(distance(-60, 9, 4, 0), 32 * 32 + 5 * octave);
        assert_eq!(distance(-60, 9, 4, 6), 16 * 16 + 6 * octave);
        assert_eq!(distance(i16::MIN, 5, i16::MAX, 0), farthest * farthest + octave);
        let most = u64::from(farthest * farthest + octave * 15);
        assert!(most * (crate::format::MAX_CODE as u64) < u64::from(u32::MAX));
    }

    #[test]
    fn spreads_and_means_are_within_the_bits() {
        let are_within =
            |spread, mean| Classes { len: 1, spreads: &[spread], means: &[mean], blur: 0 }.are_within(&[8]);
        assert!(are_within(5, -128) && are_within(8, 127));
        assert!(!are_within(4, 0) && !are_within(9, 0) && !are_within(8, 128) && !are_within(8, -129));
    }
}
