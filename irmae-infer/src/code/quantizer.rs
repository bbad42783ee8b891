//! The quantiser of one coefficient, and how likely its cells are.
//!
//! Within a class, a coefficient `c` of mean `m` and spread `b` is quantised as `x = (c - m) 2^(15-b)`, of which little lies outside
//! `-2^14 .. 2^14`. A quantiser has a step `D` and a zero cell of its own width (a deadzone quantiser: Sullivan, "Efficient scalar
//! quantization of exponential and Laplacian random variables", 1996):
//!
//! ```text
//! cell 0:   -z <= x < z,                     z = D deadzone / 256
//! cell q:   z + (q-1) D <= x < z + q D,      1 <= q <= top
//! cell -q:  its mirror image
//! ```
//!
//! Where less than half a step would be left to the end, the last cell goes on to it. Where that leaves the zero cell alone, the
//! coefficient is not sent.
//!
//! How likely a cell is, is the difference of the coefficient's cumulative distribution at its edges: a line between [`KNOTS`] points
//! spread evenly over `-2^14 ..= 2^14`. It serves every step.

use super::range::Share;

/// Points of a cumulative distribution.
pub const KNOTS: usize = 33;
/// Log2 of the distance between them.
const BIN_BITS: u32 = 10;
/// The largest step, `2^(127/8)`: more than any coefficient.
pub const STEP_MAX: u8 = 8 * 16 - 1;
/// The smallest step, 4.
pub const STEP_MIN: u8 = 8 * 2;
/// Bits of `x`.
pub const BITS: u8 = 15;
/// How far they reach from 0.
const HALF: i32 = 1 << (BITS - 1);
/// Where the outermost cells end: the distribution's last piece then needs no knot behind it.
const END: i32 = HALF - 1;

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

/// The quantiser of a coefficient at a point, in a class.
#[derive(Debug, Clone, Copy)]
pub struct Quantizer {
    /// `m`.
    mean: i32,
    /// `15 - b`.
    scale: u32,
    /// `D`, with 8 fraction bits.
    size: i32,
    /// `z`.
    zero: i32,
    /// `(x * reciprocal) >> shift` is `x / D`.
    reciprocal: i32,
    shift: u32,
    /// The last cell holds this: half a step before the end.
    limit: i32,
}

/// The step, in eighths of an octave, that is `step` to a coefficient of `bits`, where it has this `spread`.
#[inline]
pub fn step_in_class(step: u8, bits: u8, spread: u8) -> u8 {
    step.saturating_add((bits - spread) << 3).min(STEP_MAX)
}

/// A cell of a coefficient's quantiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
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
    /// A quantiser whose step is `2^(step / 8)` in a class where the coefficient has this `spread` (5 to 15) and `mean`; see
    /// [`Tables`](super::Tables) for what the others may be, and [`step_in_class`] for the step.
    #[inline]
    pub fn new(step: u8, deadzone: u8, spread: u8, mean: i16) -> Self {
        let (octave, mantissa) = (u32::from(step >> 3 & 15), MANTISSAS[usize::from(step & 7)]);
        let size = (mantissa & 0xffff) << octave;
        Self {
            mean: i32::from(mean),
            scale: u32::from(BITS - spread),
            size: size as i32,
            zero: ((size * u32::from(deadzone)) >> 16) as i32,
            reciprocal: (mantissa >> 16) as i32,
            shift: 15 + octave,
            limit: END - 1 - (size >> 9) as i32,
        }
    }

    /// Whether the coefficient is sent.
    #[inline]
    pub fn is_sent(&self) -> bool {
        self.zero <= self.limit
    }

    /// The largest number of a cell; 0 where the coefficient is not sent.
    pub fn top(&self) -> i32 {
        // Cells q with z + floor((q-1) D / 256) <= limit.
        if self.is_sent() { (((self.limit - self.zero + 1) << 8) - 1) / self.size + 1 } else { 0 }
    }

    /// The step `D`, in 256ths of what `x` is in.
    pub fn step_256ths(&self) -> i32 {
        self.size
    }

    /// Half the width `z` of the zero cell.
    pub fn zero(&self) -> i32 {
        self.zero
    }

    /// How far a coefficient lies from the class's mean.
    #[inline]
    fn residual(&self, coefficient: i16) -> i32 {
        i32::from(coefficient) - self.mean
    }

    /// How far `x` lies from 0. -1 mirrors 0: cells hold their lower edge.
    #[inline]
    fn magnitude(&self, residual: i32) -> i32 {
        (residual ^ (residual >> 31)) << self.scale
    }

    /// The square of what is lost of a coefficient, in its units, cells standing for their middles.
    #[inline]
    pub(super) fn square_lost(&self, coefficient: i16, is_sent: bool) -> u64 {
        let magnitude = self.magnitude(self.residual(coefficient));
        let steps = if is_sent { self.steps_to(magnitude) } else { None };
        let middle = steps.map_or(0, |steps| self.zero + (((2 * steps + 1) * self.size) >> 9));
        let off = (magnitude - middle) >> self.scale;
        u64::from((off * off) as u32)
    }

    /// The number of the cell that holds `magnitude`, if that is not the zero cell; less 1.
    #[inline]
    fn steps_to(&self, magnitude: i32) -> Option<i32> {
        let beyond = magnitude.min(self.limit) - self.zero;
        (beyond >= 0).then(|| (beyond * self.reciprocal) >> self.shift)
    }

    /// The number of a coefficient's cell.
    pub fn level(&self, coefficient: i16) -> i32 {
        let residual = self.residual(coefficient);
        let number = self.steps_to(self.magnitude(residual)).map_or(0, |steps| steps + 1);
        if residual < 0 { -number } else { number }
    }

    /// The cell of that number.
    pub fn cell(&self, knots: &Knots, level: i32) -> Cell {
        let edges = self.edges(level);
        let share = edges.share(knots);
        Cell { value: self.mean(knots, edges), share: (share.high - share.low) as u16 }
    }

    /// The cell of a coefficient.
    #[inline]
    pub(super) fn edges_of(&self, coefficient: i16) -> Edges {
        let residual = self.residual(coefficient);
        let edges = self.edges_around(self.magnitude(residual));
        if residual < 0 { edges.mirrored() } else { edges }
    }

    /// The cell of a magnitude.
    #[inline]
    fn edges_around(&self, magnitude: i32) -> Edges {
        self.steps_to(magnitude).map_or(self.zero_edges(), |steps| self.edges_after(steps))
    }

    pub(super) fn edges(&self, level: i32) -> Edges {
        match level {
            0 => self.zero_edges(),
            1.. => self.edges_after(level - 1),
            _ => self.edges_after(-level - 1).mirrored(),
        }
    }

    #[inline]
    fn zero_edges(&self) -> Edges {
        Edges { low: -self.zero, high: self.zero }
    }

    /// The cell after so many.
    #[inline]
    fn edges_after(&self, steps: i32) -> Edges {
        let low = steps * self.size;
        let high = self.zero + ((low + self.size) >> 8);
        Edges { low: self.zero + (low >> 8), high: if high > self.limit { END } else { high } }
    }

    /// The cell whose share holds `target`.
    pub(super) fn find(&self, knots: &Knots, target: u32) -> i32 {
        // The last cell whose lower edge is not above the target.
        let (mut level, mut above) = (-self.top(), self.top() + 1);
        while above - level > 1 {
            let middle = (level + above) >> 1;
            *(if cumulative(knots, self.edges(middle).low) <= target { &mut level } else { &mut above }) = middle;
        }
        level
    }

    /// What a cell stands for: the mean of the distribution within it.
    pub(super) fn mean(&self, knots: &Knots, edges: Edges) -> i16 {
        // By parts: the integral of x dF is [x F] less the integral of F. All are below 2^31, with x counted from the first knot.
        let [low, high] = [edges.low, edges.high].map(|edge| (edge + HALF) as u32);
        let Share { low: f_low, high: f_high } = edges.share(knots);
        let (mut twice_area, mut at, mut f_at) = (0_u32, low, f_low);
        while at < high {
            let next = (((at >> BIN_BITS) + 1) << BIN_BITS).min(high);
            let f_next = cumulative(knots, next as i32 - HALF);
            twice_area += (f_at + f_next) * (next - at);
            (at, f_at) = (next, f_next);
        }
        let moment = high * f_high - low * f_low - twice_area / 2;
        let mass = f_high - f_low;
        let mean = ((moment + mass / 2) / mass) as i32 - HALF;
        // A coefficient c has all from c to c + 1.
        ((mean >> self.scale) + self.mean) as i16
    }

    /// Whether no cell has an empty share where the distribution rises by at least `rise` from knot to knot: each cell is at least half a step
    /// wide, and half a step then has a share of at least 1 everywhere.
    pub(super) fn is_covered(&self, rise: u32) -> bool {
        // rise * D / 2^10 >= 2
        u64::from(rise) * self.size as u64 >= 2 << (8 + BIN_BITS)
    }
}

impl Edges {
    #[inline]
    pub(super) fn mirrored(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }

    #[inline]
    pub(super) fn share(self, knots: &Knots) -> Share {
        Share { low: cumulative(knots, self.low), high: cumulative(knots, self.high) }
    }
}

/// How much of the distribution lies below `edge`.
#[inline]
fn cumulative(knots: &Knots, edge: i32) -> u32 {
    let at = (edge + HALF) as u32;
    let index = (at >> BIN_BITS) as usize & (KNOTS - 2);
    let (left, right) = (u32::from(knots[index]), u32::from(knots[index + 1]));
    left + (((right - left) * (at % (1 << BIN_BITS))) >> BIN_BITS)
}

#[cfg(test)]
mod tests {
    use super::super::least_rise;
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
    fn cells_follow_one_another_and_hold_their_coefficients() {
        for bits in [6, 9, 12, 15] {
            for code in STEP_MIN..=STEP_MAX {
                for deadzone in [128, 170, 255] {
                    let step = Quantizer::new(code, deadzone, bits, 0);
                    if !step.is_sent() {
                        assert_eq!(step.top(), 0);
                        continue;
                    }
                    let (top, half) = (step.top(), 1 << (bits - 1));
                    assert_eq!((step.edges(-top).low, step.edges(top).high), (-END, END));
                    for level in -top..top {
                        let Edges { low, high } = step.edges(level);
                        assert_eq!(high, step.edges(level + 1).low, "{code} {level}");
                        assert!(512 * (high - low + 1) > step.size, "{code} {level}: less than half a step");
                    }
                    let stride = 1 + half as usize / 500;
                    for coefficient in (-half..half).step_by(stride) {
                        let edges = step.edges_of(coefficient as i16);
                        assert_eq!(edges, step.edges(step.level(coefficient as i16)));
                        // Rounding of the reciprocal may move an edge by a little.
                        let Edges { low, high } = edges;
                        let x = (coefficient << step.scale).clamp(-step.limit - 1, step.limit);
                        let slack = 2 << step.scale;
                        assert!(low - slack <= x && x < high + slack, "{code}: {x} in {low}..{high}");
                    }
                }
            }
        }
    }

    #[test]
    fn shares_are_not_empty_and_found_again() {
        for knots in [even(), peaked()] {
            for code in STEP_MIN..=STEP_MAX {
                let step = Quantizer::new(code, 160, 11, 0);
                if !step.is_covered(least_rise(&knots)) || !step.is_sent() {
                    continue;
                }
                let (top, mut next) = (step.top(), cumulative(&knots, -END));
                for level in -top..=top {
                    let share = step.edges(level).share(&knots);
                    assert!(share.low == next && share.high > next, "{code} {level}");
                    assert_eq!([share.low, share.high - 1].map(|target| step.find(&knots, target)), [level; 2]);
                    next = share.high;
                }
                assert_eq!(next, cumulative(&knots, END));
                assert_eq!([0, 1 << 17].map(|target| step.find(&knots, target)), [-top, top], "beyond all shares");
            }
        }
    }

    #[test]
    fn the_mean_of_a_cell_is_the_mean() {
        // Units of 16.
        let step = Quantizer::new(8 * 11, 128, 11, 0);
        for level in 1..4 {
            let edges = step.edges(level);
            let middle = (edges.low + edges.high) / 32;
            assert!((i32::from(step.mean(&even(), edges)) - middle).abs() <= 1);
        }
        assert!(step.mean(&even(), step.edges(0)).abs() <= 1);
        // From 49 to 148, most of it up to 64.
        let step = Quantizer::new(53 + 8 * 4, 128, 11, 0);
        assert!((59..70).contains(&step.mean(&peaked(), step.edges(1))));
    }

    #[test]
    fn literal_cells() {
        // A step of 64 units with a zero cell of 2 x 40.
        let step = Quantizer::new(8 * 12, 160, 9, 0);
        assert_eq!((step.step_256ths(), step.zero(), step.top()), (64 << 14, 40 << 6, 3));
        assert_eq!(
            [-256, -105, -104, -41, -40, 0, 39, 40, 103, 104, 255].map(|c| step.level(c)),
            [-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3]
        );
        assert_eq!(step.edges(3), Edges { low: 168 * 64, high: END });
        assert_eq!(step.edges(-1), Edges { low: -104 * 64, high: -40 * 64 });
        // A step that leaves no cell but the zero cell.
        assert!(!Quantizer::new(8 * 15, 128, 8, 0).is_sent());
    }

    #[test]
    fn cells_lie_around_the_mean_of_the_class() {
        let [at_zero, moved] = [0, -50].map(|mean| Quantizer::new(8 * 12, 160, 9, mean));
        for c in -200..=200_i16 {
            assert_eq!(moved.level(c - 50), at_zero.level(c));
            assert_eq!(moved.square_lost(c - 50, true), at_zero.square_lost(c, true));
        }
        for level in -3..=3 {
            let [there, here] = [moved, at_zero].map(|step| step.cell(&even(), level));
            assert_eq!((there.value, there.share), (here.value - 50, here.share));
        }
        // As far away as 15 bits allow.
        let far = Quantizer::new(STEP_MAX, 128, 15, -(1 << 14));
        assert_eq!(far.square_lost((1 << 14) - 1, false), ((1_u64 << 15) - 1).pow(2));
    }

    #[test]
    fn what_is_lost_is_the_way_to_the_middle() {
        let step = Quantizer::new(8 * 12, 160, 9, 0);
        assert_eq!([0, 30, 40, 72, 104].map(|c| step.square_lost(c, true)), [0, 900, 32 * 32, 0, 32 * 32]);
        assert_eq!([30, -3].map(|c| step.square_lost(c, false)), [900, 4], "not sent; -1 mirrors 0");
    }
}
