//! The quantiser of one coefficient, and how likely its cells are.
//!
//! A coefficient `c` of `b` bits lies in `-H .. H`, `H = 2^(b-1)`, in units of its resolution. A quantiser has a step `D` and a zero
//! cell of its own width (a deadzone quantiser: Sullivan, "Efficient scalar quantization of exponential and Laplacian random
//! variables", 1996):
//!
//! ```text
//! cell 0:   -z <= c < z,                     z = D deadzone / 256
//! cell q:   z + (q-1) D <= c < z + q D,      1 <= q <= top;    cell top ends at H
//! cell -q:  its mirror image
//! ```
//!
//! `top` is as many whole steps as there are between `z` and `H`. Where that is none, the coefficient is not sent.
//!
//! How likely a cell is, is the difference of the coefficient's cumulative distribution at its edges: a line between [`KNOTS`] points
//! spread evenly over `-H ..= H`. It serves every step.

use super::range::{Share, TOTAL};

/// Points of a cumulative distribution.
pub const KNOTS: usize = 33;
const BINS_BITS: u32 = 5;
/// The largest step, `2^(127/8)`: more than any coefficient.
pub const STEP_MAX: u8 = 8 * 16 - 1;
/// The smallest step, 4.
pub const STEP_MIN: u8 = 8 * 2;

/// `2^(i/8)` with 8 fraction bits in the lower half, in the upper its reciprocal with 15, rounded down: one load for both.
static MANTISSAS: [u32; 8] = {
    let (mut mantissas, mut i) = ([256, 279, 304, 332, 362, 395, 431, 470], 0);
    while i < mantissas.len() {
        mantissas[i] |= ((1 << 23) / mantissas[i]) << 16;
        i += 1;
    }
    mantissas
};

/// A cumulative distribution, in shares of `2^15`.
pub type Knots = [u16; KNOTS];

/// The quantiser of a coefficient at a point.
#[derive(Debug, Clone, Copy)]
pub struct Quantizer {
    /// `D`, with 8 fraction bits.
    size: u32,
    /// `z`.
    zero: u32,
    /// `(c * reciprocal) >> shift` is `c / D`.
    reciprocal: u32,
    shift: u32,
    /// `H`.
    half: u32,
    pub(super) top: u32,
}

/// A cell of a coefficient's quantiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The cell holds coefficients from this one on.
    pub low: i32,
    /// The first coefficient that lies above the cell.
    pub high: i32,
    /// What it stands for.
    pub value: i16,
    /// How likely it is, in shares of `2^15`.
    pub share: u16,
}

/// Edges of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edges {
    pub(super) low: i32,
    pub(super) high: i32,
}

impl Quantizer {
    /// A quantiser whose step is `2^(step / 8)`, for a coefficient of `bits`; see [`Code::new`](super::Code::new) for what they may be.
    #[inline]
    pub fn new(step: u8, deadzone: u8, bits: u8) -> Self {
        let (octave, mantissa) = (u32::from(step >> 3 & 15), MANTISSAS[usize::from(step & 7)]);
        let size = (mantissa & 0xffff) << octave;
        let zero = (size * u32::from(deadzone)) >> 16;
        let half = 1 << (bits - 1);
        let mut quantizer = Self { size, zero, reciprocal: mantissa >> 16, shift: 15 + octave, half, top: 0 };
        quantizer.top = quantizer.steps_to(half);
        quantizer
    }

    /// Whole steps between the zero cell and `magnitude`.
    #[inline]
    fn steps_to(&self, magnitude: u32) -> u32 {
        (magnitude.saturating_sub(self.zero) * self.reciprocal) >> self.shift
    }

    /// The largest number of a cell; 0 where the coefficient is not sent.
    pub fn top(&self) -> i32 {
        self.top as i32
    }

    /// The step `D`, in units / 256.
    pub fn step_256ths(&self) -> u32 {
        self.size
    }

    /// The number of a coefficient's cell.
    #[inline]
    pub fn level(&self, coefficient: i16) -> i32 {
        // -1 mirrors 0: cells hold their lower edge.
        let sign = i32::from(coefficient >> 15);
        let magnitude = (i32::from(coefficient) ^ sign) as u32;
        if magnitude < self.zero {
            return 0;
        }
        let level = (self.steps_to(magnitude) + 1).min(self.top) as i32;
        (level ^ sign) - sign
    }

    /// The cell of that number.
    pub fn cell(&self, knots: &Knots, level: i32) -> Cell {
        let edges = self.edges(level);
        let share = self.share(knots, edges);
        let share = (share.high - share.low) as u16;
        Cell { low: edges.low, high: edges.high, value: self.mean(knots, edges), share }
    }

    #[inline]
    pub(super) fn edges(&self, level: i32) -> Edges {
        let magnitude = level.unsigned_abs();
        let high = if magnitude == self.top { self.half } else { self.zero + ((magnitude * self.size) >> 8) } as i32;
        match level {
            0 => Edges { low: -high, high },
            _ => {
                let low = (self.zero + (((magnitude - 1) * self.size) >> 8)) as i32;
                if level > 0 { Edges { low, high } } else { Edges { low: -high, high: -low } }
            }
        }
    }

    #[inline]
    pub(super) fn share(&self, knots: &Knots, edges: Edges) -> Share {
        let high = if edges.high == self.half as i32 { TOTAL } else { self.cumulative(knots, edges.high) };
        Share { low: self.cumulative(knots, edges.low), high }
    }

    /// How much of the distribution lies below `edge`, which is less than `H`.
    #[inline]
    fn cumulative(&self, knots: &Knots, edge: i32) -> u32 {
        let at = (edge + self.half as i32) as u32;
        let shift = self.bin_shift();
        let [left, right] = bin(knots, at >> shift);
        left + (((right - left) * (at & ((1 << shift) - 1))) >> shift)
    }

    /// Log2 of a bin's width. At least 5 bits have bins of 1 and more.
    #[inline]
    fn bin_shift(&self) -> u32 {
        self.half.trailing_zeros() + 1 - BINS_BITS
    }

    /// The cell whose share holds `target`.
    pub(super) fn find(&self, knots: &Knots, target: u32) -> i32 {
        // The last cell whose lower edge is not above the target.
        let (mut level, mut above) = (-(self.top as i32), self.top as i32 + 1);
        while above - level > 1 {
            let middle = (level + above) >> 1;
            *(if self.cumulative(knots, self.edges(middle).low) <= target { &mut level } else { &mut above }) = middle;
        }
        level
    }

    /// What a cell stands for: the mean of the distribution within it.
    pub(super) fn mean(&self, knots: &Knots, edges: Edges) -> i16 {
        // By parts: the integral of x dF is [x F] less the integral of F. All are below 2^31, with x counted from -H.
        let half = self.half as i32;
        let [low, high] = [edges.low, edges.high].map(|edge| (edge + half) as u32);
        let Share { low: f_low, high: f_high } = self.share(knots, edges);
        let shift = self.bin_shift();
        let (mut twice_area, mut at, mut f_at) = (0_u32, low, f_low);
        while at < high {
            let next = (((at >> shift) + 1) << shift).min(high);
            let f_next = if next == high { f_high } else { self.cumulative(knots, next as i32 - half) };
            twice_area += (f_at + f_next) * (next - at);
            (at, f_at) = (next, f_next);
        }
        let moment = high * f_high - low * f_low - twice_area / 2;
        let mass = f_high - f_low;
        let mean = (moment + mass / 2) / mass;
        (mean as i32 - half).clamp(edges.low, edges.high - 1) as i16
    }

    /// Whether no cell of a coefficient with this distribution can have an empty share: each is at least half a step wide, and half a step has
    /// a share of at least 1 everywhere.
    pub(super) fn is_covered(&self, knots: &Knots) -> bool {
        let least = knots.windows(2).map(|pair| u32::from(pair[1]) - u32::from(pair[0])).min().unwrap_or(0);
        // least * D / 2^shift >= 2
        u64::from(least) * u64::from(self.size) >= 2 << (8 + self.bin_shift())
    }
}

#[inline]
fn bin(knots: &Knots, index: u32) -> [u32; 2] {
    let index = index as usize & (KNOTS - 2);
    [u32::from(knots[index]), u32::from(knots[index + 1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rises evenly.
    fn even() -> Knots {
        core::array::from_fn(|i| 1024 * i as u16)
    }

    /// Two thirds within the middle two bins.
    fn peaked() -> Knots {
        core::array::from_fn(|i| match i {
            0..16 => 342 * i as u16,
            16 => 16_384,
            _ => 32_768 - 342 * (32 - i as u16),
        })
    }

    #[test]
    fn cells_follow_one_another_and_hold_their_numbers() {
        for bits in [6, 9, 12, 15] {
            for code in STEP_MIN..=STEP_MAX {
                for deadzone in [128, 170, 255] {
                    let step = Quantizer::new(code, deadzone, bits);
                    let half = 1 << (bits - 1);
                    let top = step.top as i32;
                    assert_eq!((step.edges(-top).low, step.edges(top).high), (-half, half));
                    for level in -top..top {
                        assert_eq!(step.edges(level).high, step.edges(level + 1).low, "{code} {level}");
                    }
                    let stride = 1 + half as usize / 500;
                    for coefficient in (-half..half).step_by(stride) {
                        let Edges { low, high } = step.edges(step.level(coefficient as i16));
                        // Rounding of the reciprocal may move an edge by a little.
                        let slack = 2;
                        assert!(
                            low - slack <= coefficient && coefficient < high + slack,
                            "{code}: {coefficient} in {low}..{high}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn shares_are_whole_and_found_again() {
        for knots in [even(), peaked()] {
            for code in STEP_MIN..=STEP_MAX {
                let step = Quantizer::new(code, 160, 11);
                if !step.is_covered(&knots) {
                    continue;
                }
                let (top, mut next) = (step.top as i32, 0);
                for level in -top..=top {
                    let share = step.share(&knots, step.edges(level));
                    assert!(share.low == next && share.high > next, "{code} {level}");
                    assert_eq!([share.low, share.high - 1].map(|target| step.find(&knots, target)), [level; 2]);
                    next = share.high;
                }
                assert_eq!(next, TOTAL);
            }
        }
    }

    #[test]
    fn the_mean_of_a_cell_is_the_mean() {
        let step = Quantizer::new(8 * 7, 128, 11);
        for level in 1..4 {
            let edges = step.edges(level);
            let middle = (edges.low + edges.high) / 2;
            assert!((i32::from(step.mean(&even(), edges)) - middle).abs() <= 1);
        }
        assert!(step.mean(&even(), step.edges(0)).abs() <= 1);
        // From 49 to 148, most of it up to 64.
        let step = Quantizer::new(53, 128, 11);
        assert!((60..70).contains(&step.mean(&peaked(), step.edges(1))));
    }

    #[test]
    fn literal_cells() {
        // A step of 64 with a zero cell of 2 x 40.
        let step = Quantizer::new(8 * 6, 160, 9);
        assert_eq!(step.top, 3);
        assert_eq!(
            [-256, -105, -104, -41, -40, 0, 39, 40, 103, 104, 255].map(|c| step.level(c)),
            [-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3]
        );
        assert_eq!(step.edges(3), Edges { low: 168, high: 256 });
        assert_eq!(step.edges(-1), Edges { low: -104, high: -40 });
        // A step that leaves no cell but the zero cell.
        assert_eq!(Quantizer::new(8 * 8, 128, 8).top, 0);
    }
}
