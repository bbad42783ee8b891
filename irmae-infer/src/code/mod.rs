//! From coefficients to bytes and back: quantiser, entropy coder, and how both keep to a budget of bytes.
//!
//! A coefficient is an integer in units of its resolution. A model has operating points, from coarse to fine, which differ in the
//! quantiser step of each coefficient ([`Quantizer`]), and classes of codes, in each of which a coefficient has a mean and a spread of its own.
//! A payload is the cells of the coefficients in one class at one point, in the order of the code, through a range coder (`range.rs`) whose
//! statistics are in the model file. The byte before it, the head, is the point and the class. How long a packet is, is for the link to say.
//!
//! [`Code::pack`] takes the bytes that it may use and the likeliest class, and looks for the point that keeps most of the code in them, cut after the last
//! coefficient that fits: from the finest whose whole payload fits it goes on to finer ones while less
//! is lost. **Every prefix of a payload decodes**: coefficients that did not come are their means in the class.
//!
//! Nothing here divides on the encoder's side, and nothing has real numbers.

mod class;
mod error;
mod quantizer;
mod range;
mod trials;

pub use class::{Classes, FARTHEST, OCTAVE, SPREAD_OVER_DEVIATION};
pub use error::PacketError;
pub use quantizer::{BITS, Cell, KNOTS, Knots, Quantizer, STEP_MAX, STEP_MIN, step_in_class};
use range::{RangeDecoder, RangeEncoder, TOTAL};
use trials::Trials;

use crate::format::{MAX_BITS, MAX_CODE, MIN_BITS};

/// Bytes of a packet besides its payload.
pub const OVERHEAD_LEN: usize = 1;

/// Width of the zero cell at which all cells are alike, in steps / 256: the zero cell is then one step wide.
pub const DEADZONE_NONE: u8 = 128;

/// Bytes of a payload, at most: in any profile a packet then has no more than 255.
pub const MAX_PAYLOAD_LEN: usize = 249;
/// Operating points times classes, at most: a head is a byte.
pub const MAX_HEADS: usize = 256;

/// How a model's code is quantised and coded, borrowed from its file. `FORMAT.md` says what the values may be.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// Bits of each coefficient, which lies within `-2^(bits-1) .. 2^(bits-1)`.
    pub bits: &'a [u8],
    /// Most bytes of a payload.
    pub max_len: u8,
    /// One a point: half the width of the zero cell in steps / 256.
    pub deadzones: &'a [u8],
    /// A step for each coefficient of each point, in eighths of an octave, where `2^(15-bits)` is one unit.
    pub steps: &'a [u8],
    /// Bits of each coefficient's distance from its mean, class by class.
    pub spreads: &'a [u8],
    /// Means of each coefficient, class by class.
    pub means: &'a [i16],
    /// Distances from the mean below `2^blur` are alike to whoever looks for the class of a code.
    pub blur: u8,
    /// [`KNOTS`] a coefficient.
    pub knots: &'a [u16],
}

/// Sound [`Tables`].
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    bits: &'a [u8],
    max_len: u8,
    deadzones: &'a [u8],
    steps: &'a [u8],
    classes: Classes<'a>,
    /// Log2 of the number of classes.
    class_bits: u32,
    knots: &'a [Knots],
}

impl<'a> Code<'a> {
    /// Of no coefficients.
    pub(crate) const EMPTY: Self = Self {
        bits: &[],
        max_len: 0,
        deadzones: &[],
        steps: &[],
        classes: Classes { len: 1, spreads: &[], means: &[], blur: 0 },
        class_bits: 0,
        knots: &[],
    };

    /// The code of these tables; `None` where they are not what `FORMAT.md` says.
    pub fn new(tables: Tables<'a>) -> Option<Self> {
        let Tables { bits, max_len, deadzones, steps, spreads, means, blur, knots } = tables;
        let (knots, odd) = knots.as_chunks();
        let classes = Classes { len: bits.len().max(1), spreads, means, blur };
        // As many as there are rows of spreads; `is_sound` compares.
        let class_bits = (0..8).find(|class_bits| bits.len() << class_bits >= spreads.len())?;
        let code = Self { bits, max_len, deadzones, steps, classes, class_bits, knots };
        (odd.is_empty() && code.is_sound()).then_some(code)
    }

    fn is_sound(&self) -> bool {
        let (len, points) = (self.bits.len(), self.deadzones.len());
        let lengths = (1..=MAX_CODE).contains(&len)
            && (1..=MAX_HEADS >> self.class_bits).contains(&points)
            && usize::from(self.max_len) <= MAX_PAYLOAD_LEN
            && self.steps.len() == len * points
            && self.classes.spreads.len() == len << self.class_bits
            && self.classes.means.len() == len << self.class_bits
            && self.knots.len() == len;
        lengths
            && self.bits.iter().all(|bits| (MIN_BITS..=MAX_BITS).contains(bits))
            && self.classes.blur < MAX_BITS
            && self.classes.are_within(self.bits)
            && self.deadzones.iter().all(|&deadzone| deadzone >= DEADZONE_NONE)
            && self.steps.iter().all(|step| (STEP_MIN..=STEP_MAX).contains(step))
            && self.knots.iter().all(is_distribution)
            && (0..len).all(|index| self.is_covered(index))
    }

    /// Whether a coefficient has no cell with an empty share, where it spreads most: steps are smallest there.
    fn is_covered(&self, index: usize) -> bool {
        let (bits, rise) = (self.bits[index], least_rise(&self.knots[index]));
        let steps = self.steps[index..].iter().step_by(self.len());
        steps.zip(self.deadzones).all(|(&step, &deadzone)| {
            let quantizer = Quantizer::new(step, deadzone, bits, 0);
            !quantizer.is_sent() || quantizer.is_covered(rise)
        })
    }

    /// Number of coefficients.
    pub fn len(&self) -> usize {
        self.bits.len()
    }

    /// Whether there are none; a loaded model has some.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Bits of each coefficient, which lies within `-2^(bits-1) .. 2^(bits-1)`.
    pub fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// Number of operating points, from coarse to fine.
    pub fn points(&self) -> usize {
        self.deadzones.len()
    }

    /// The classes of codes.
    pub fn classes(&self) -> Classes<'a> {
        self.classes
    }

    /// The head of `point` in `class`.
    pub fn head(&self, point: usize, class: usize) -> u8 {
        (point << self.class_bits | class) as u8
    }

    /// All heads.
    pub fn heads(&self) -> impl Iterator<Item = u8> + use<> {
        (0..self.points() << self.class_bits).map(|head| head as u8)
    }

    /// The operating point of `head`; the rest of it is the class.
    pub fn point_of(&self, head: u8) -> usize {
        usize::from(head) >> self.class_bits
    }

    /// Bytes of a (bare) packet, at most.
    pub fn packet_len_max(&self) -> usize {
        OVERHEAD_LEN + usize::from(self.max_len)
    }

    /// Writes coefficients as a (bare) packet of at most `max_bytes`, and returns its length. The head always goes out.
    ///
    /// # Errors
    /// [`PacketError::BufferTooSmall`] where `packet` is smaller than the packet might become.
    pub fn pack(&self, coefficients: &[i16], max_bytes: usize, packet: &mut [u8]) -> Result<usize, PacketError> {
        let needed = max_bytes.clamp(OVERHEAD_LEN, self.packet_len_max());
        let (head, payload) = packet
            .get_mut(..needed)
            .and_then(<[u8]>::split_first_mut)
            .ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
        let best = Trials::new(self, coefficients, payload).best();
        *head = best.head;
        Ok(OVERHEAD_LEN + usize::from(best.len))
    }

    /// Reads a packet into `coefficients`.
    ///
    /// # Errors
    /// A [`PacketError`]; `coefficients` is then unspecified.
    pub fn unpack(&self, packet: &[u8], coefficients: &mut [i16]) -> Result<(), PacketError> {
        let (&head, payload) = packet.split_first().ok_or(PacketError::Truncated)?;
        let needed = self.len();
        let coefficients =
            coefficients.get_mut(..needed).ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
        if self.point_of(head) >= self.points() {
            return Err(PacketError::Head { found: head });
        }
        if payload.len() > usize::from(self.max_len) {
            return Err(PacketError::TooLong);
        }
        self.decode(head, payload, coefficients);
        Ok(())
    }

    /// Writes coefficients in `head`'s class at its point while they fit `payload`.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn encode(&self, head: u8, coefficients: &[i16], payload: &mut [u8]) -> Encoded {
        let mut encoder = RangeEncoder::new(payload);
        let mut count = 0;
        for ((quantizer, knots), &coefficient) in self.coefficients(head).zip(coefficients) {
            if quantizer.is_sent() && !encoder.push(quantizer.edges_of(coefficient).share(knots)) {
                break;
            }
            count += 1;
        }
        Encoded { head, len: encoder.finish() as u8, count }
    }

    /// Reads a payload, or a prefix of one, and returns how many coefficients it tells; the others are their means.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn decode(&self, head: u8, payload: &[u8], coefficients: &mut [i16]) -> usize {
        let mut decoder = RangeDecoder::new(payload);
        let (_, _, _, means) = self.rows(head);
        coefficients.iter_mut().zip(means).for_each(|(coefficient, &mean)| *coefficient = mean);
        let mut count = 0;
        for (((quantizer, knots), coefficient), &bits) in self.coefficients(head).zip(coefficients).zip(self.bits) {
            if quantizer.is_sent() {
                let edges = quantizer.edges(quantizer.find(knots, decoder.target()));
                if !decoder.take(edges.share(knots)) {
                    break;
                }
                let half = 1 << (bits - 1);
                *coefficient = quantizer.mean(knots, edges).clamp(-half, half - 1);
            }
            count += 1;
        }
        count
    }

    /// Quantiser and distribution of each coefficient in `head`'s class at its point.
    ///
    /// # Panics
    /// Where there is no such point.
    #[inline]
    pub fn coefficients(&self, head: u8) -> impl Iterator<Item = (Quantizer, &'a Knots)> {
        let (deadzone, steps, spreads, means) = self.rows(head);
        let class = spreads.iter().zip(means);
        let tables = self.bits.iter().zip(steps).zip(class).zip(self.knots);
        tables.map(move |(((&bits, &step), (&spread, &mean)), knots)| {
            (Quantizer::new(step_in_class(step, bits, spread), deadzone, spread, mean), knots)
        })
    }

    /// What belongs to a point (deadzone, steps) and to a class (spreads, means). Once in the program, for its size.
    #[inline(never)]
    fn rows(&self, head: u8) -> (u8, &'a [u8], &'a [u8], &'a [i16]) {
        let (len, point) = (self.len(), self.point_of(head));
        let class = usize::from(head) & ((1 << self.class_bits) - 1);
        let (spreads, means) = self.classes.rows(class);
        let steps = self.steps.get(point * len..(point + 1) * len).unwrap_or_default();
        (self.deadzones[point], steps, spreads, means)
    }
}

fn is_distribution(knots: &Knots) -> bool {
    knots[0] == 0 && u32::from(knots[KNOTS - 1]) == TOTAL && knots.is_sorted()
}

/// By how much a distribution rises from knot to knot, at least.
fn least_rise(knots: &Knots) -> u32 {
    knots.windows(2).map(|pair| u32::from(pair[1]) - u32::from(pair[0])).min().unwrap_or(0)
}

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// Operating point and class.
    pub head: u8,
    /// Its bytes.
    pub len: u8,
    /// How many coefficients it tells.
    pub count: u16,
}

#[cfg(test)]
pub(crate) mod tests;
