//! From coefficients to bytes and back: quantiser, entropy coder, and how both keep to a budget of bytes.
//!
//! A coefficient is an integer in units of its resolution. A model has operating points, from coarse to fine, which differ in the
//! quantiser step of each coefficient ([`Quantizer`]). A payload is the cells of the coefficients at one point, in the order
//! of the code, through a range coder (`range.rs`) whose statistics are in the model file. The byte before it, the head, is
//! the number of the point. How long a packet is, is for the link to say.
//!
//! [`Code::pack`] takes the bytes that it may use, and looks for the point that keeps most of the code in them, cut after the last
//! coefficient that fits: from the finest whose whole payload fits it goes on to finer ones while less
//! is lost. **Every prefix of a payload decodes**: coefficients that did not come are absent (0, their mean).
//!
//! Nothing here divides on the encoder's side, and nothing has real numbers.

mod error;
mod quantizer;
mod range;
mod trials;

pub use error::PacketError;
pub use quantizer::{BITS, Cell, KNOTS, Knots, Quantizer, STEP_MAX, STEP_MIN};
use range::{RangeDecoder, RangeEncoder, TOTAL};
use trials::Trials;

use crate::format::{MAX_BITS, MAX_CODE, MIN_BITS};

/// Bytes of a packet besides its payload.
pub const OVERHEAD_LEN: usize = 1;

/// Width of the zero cell at which all cells are alike, in steps / 256: the zero cell is then one step wide.
pub const DEADZONE_NONE: u8 = 128;

/// Bytes of a payload, at most: in any profile a packet then has no more than 255.
pub const MAX_PAYLOAD_LEN: usize = 249;
/// Operating points, at most.
pub const MAX_POINTS: usize = 256;

/// How a model's code is quantised and coded, borrowed from its file.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    bits: &'a [u8],
    max_len: u8,
    deadzones: &'a [u8],
    steps: &'a [u8],
    knots: &'a [Knots],
}

impl<'a> Code<'a> {
    /// Of no coefficients.
    pub(crate) const EMPTY: Self = Self { bits: &[], max_len: 0, deadzones: &[], steps: &[], knots: &[] };

    /// A code of these tables. `bits` has one value a coefficient, `max_len` is the most bytes of a payload, `deadzones` has one value a
    /// point, half the width of the zero cell in steps / 256, `steps` a step for each coefficient of each point in eighths of an octave,
    /// and `knots` [`KNOTS`] a coefficient. `None` where they are not what `FORMAT.md` says.
    pub fn new(bits: &'a [u8], max_len: u8, deadzones: &'a [u8], steps: &'a [u8], knots: &'a [u16]) -> Option<Self> {
        let (knots, odd) = knots.as_chunks();
        let code = Self { bits, max_len, deadzones, steps, knots };
        (odd.is_empty() && code.is_sound()).then_some(code)
    }

    fn is_sound(&self) -> bool {
        let (len, points) = (self.bits.len(), self.deadzones.len());
        let lengths = (1..=MAX_CODE).contains(&len)
            && (1..=MAX_POINTS).contains(&points)
            && usize::from(self.max_len) <= MAX_PAYLOAD_LEN
            && self.steps.len() == len * points
            && self.knots.len() == len;
        lengths
            && self.bits.iter().all(|bits| (MIN_BITS..=MAX_BITS).contains(bits))
            && self.deadzones.iter().all(|&deadzone| deadzone >= DEADZONE_NONE)
            && self.steps.iter().all(|step| (STEP_MIN..=STEP_MAX).contains(step))
            && self.knots.iter().all(is_distribution)
            && (0..len).all(|index| self.is_covered(index))
    }

    /// Whether a coefficient has no cell with an empty share.
    fn is_covered(&self, index: usize) -> bool {
        let (bits, rise) = (self.bits[index], least_rise(&self.knots[index]));
        let steps = self.steps[index..].iter().step_by(self.len());
        steps.zip(self.deadzones).all(|(&step, &deadzone)| {
            let quantizer = Quantizer::new(step, deadzone, bits);
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
        *head = best.point;
        Ok(OVERHEAD_LEN + usize::from(best.len))
    }

    /// Reads a packet into `coefficients`.
    ///
    /// # Errors
    /// A [`PacketError`]; `coefficients` is then unspecified.
    pub fn unpack(&self, packet: &[u8], coefficients: &mut [i16]) -> Result<(), PacketError> {
        let (&head, payload) = packet.split_first().ok_or(PacketError::Truncated)?;
        let (point, needed) = (usize::from(head), self.len());
        let coefficients =
            coefficients.get_mut(..needed).ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
        if point >= self.points() {
            return Err(PacketError::Head { found: head });
        }
        if payload.len() > usize::from(self.max_len) {
            return Err(PacketError::TooLong);
        }
        self.decode(point, payload, coefficients);
        Ok(())
    }

    /// Writes coefficients at `point` while they fit `payload`.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn encode(&self, point: usize, coefficients: &[i16], payload: &mut [u8]) -> Encoded {
        let mut encoder = RangeEncoder::new(payload);
        let mut count = 0;
        for ((quantizer, knots), &coefficient) in self.coefficients(point).zip(coefficients) {
            if quantizer.is_sent() && !encoder.push(quantizer.edges_of(coefficient).share(knots)) {
                break;
            }
            count += 1;
        }
        Encoded { point: point as u8, len: encoder.finish() as u8, count }
    }

    /// Reads a payload, or a prefix of one, and returns how many coefficients it tells; the others are 0.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn decode(&self, point: usize, payload: &[u8], coefficients: &mut [i16]) -> usize {
        let mut decoder = RangeDecoder::new(payload);
        coefficients.fill(0);
        let mut count = 0;
        for ((quantizer, knots), coefficient) in self.coefficients(point).zip(coefficients) {
            if quantizer.is_sent() {
                let edges = quantizer.edges(quantizer.find(knots, decoder.target()));
                if !decoder.take(edges.share(knots)) {
                    break;
                }
                *coefficient = quantizer.mean(knots, edges);
            }
            count += 1;
        }
        count
    }

    /// Quantiser and distribution of each coefficient at `point`.
    ///
    /// # Panics
    /// Where there is no such point.
    #[inline]
    pub fn coefficients(&self, point: usize) -> impl Iterator<Item = (Quantizer, &'a Knots)> {
        let (deadzone, steps) = self.point(point);
        let tables = self.bits.iter().zip(steps).zip(self.knots);
        tables.map(move |((&bits, &step), knots)| (Quantizer::new(step, deadzone, bits), knots))
    }

    /// Once in the program, for its size.
    #[inline(never)]
    fn point(&self, point: usize) -> (u8, &'a [u8]) {
        (self.deadzones[point], &self.steps[point * self.len()..][..self.len()])
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
    /// The operating point.
    pub point: u8,
    /// Its bytes.
    pub len: u8,
    /// How many coefficients it tells.
    pub count: u16,
}

#[cfg(test)]
pub(crate) mod tests;
