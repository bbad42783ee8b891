//! From coefficients to bytes and back: quantiser, entropy coder, and how both keep to a budget of bytes.
//!
//! A coefficient is an integer in units of its resolution. A model has operating points, from coarse to fine, which differ in the
//! quantiser step of each coefficient ([`Quantizer`]). A payload is the cells of the coefficients at one point, in the order
//! of the code, through a range coder (`range.rs`) whose statistics are in the model file. The byte before it, the head, says
//! which point it is. A payload ends with its last coefficient; one that was cut has its length as head.
//!
//! [`Code::pack`] takes the bytes that it may use, and of the points whose payload fits the finest; where none fits, what the
//! coarsest one can tell of the first coefficients. **Every prefix of a payload decodes**: coefficients that did not come are
//! absent (0, their mean).
//!
//! Nothing here divides on the encoder's side, and nothing has real numbers.

mod error;
mod quantizer;
mod range;

pub use error::PacketError;
pub use quantizer::{Cell, KNOTS, Knots, Quantizer, STEP_MAX, STEP_MIN};
use range::{RangeDecoder, RangeEncoder, TOTAL};

use crate::format::{MAX_BITS, MAX_CODE, MIN_BITS};

/// Bytes of a packet besides its payload.
pub const OVERHEAD_LEN: usize = 1;

/// Width of the zero cell at which all cells are alike, in steps / 256: the zero cell is then one step wide.
pub const DEADZONE_NONE: u8 = 128;

/// Heads below this are lengths of payloads that were cut, at the coarsest point; those from here on are points.
const FIRST_POINT_HEAD: usize = 32;
/// Operating points, at most.
pub const MAX_POINTS: usize = 256 - FIRST_POINT_HEAD;

/// How a model's code is quantised and coded, borrowed from its file.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    bits: &'a [u8],
    max_len: u8,
    deadzones: &'a [u8],
    steps: &'a [u8],
    knots: &'a [u16],
}

impl<'a> Code<'a> {
    /// Of no coefficients.
    pub(crate) const EMPTY: Self = Self { bits: &[], max_len: 0, deadzones: &[], steps: &[], knots: &[] };

    /// A code of these tables. `bits` has one value a coefficient, `max_len` is the most bytes of a payload, `deadzones` has one value a
    /// point, half the width of the zero cell in steps / 256, `steps` a step for each coefficient of each point in eighths of an octave,
    /// and `knots` [`KNOTS`] a coefficient. `None` where they are not what `FORMAT.md` says.
    pub fn new(bits: &'a [u8], max_len: u8, deadzones: &'a [u8], steps: &'a [u8], knots: &'a [u16]) -> Option<Self> {
        let code = Self { bits, max_len, deadzones, steps, knots };
        code.is_sound().then_some(code)
    }

    fn is_sound(&self) -> bool {
        let (len, points) = (self.bits.len(), self.deadzones.len());
        let lengths = (1..=MAX_CODE).contains(&len)
            && (1..=MAX_POINTS).contains(&points)
            && self.steps.len() == len * points
            && self.knots.len() == len * KNOTS;
        lengths
            && self.bits.iter().all(|bits| (MIN_BITS..=MAX_BITS).contains(bits))
            && self.deadzones.iter().all(|&deadzone| deadzone >= DEADZONE_NONE)
            && self.steps.iter().all(|step| (STEP_MIN..=STEP_MAX).contains(step))
            && self.knots.as_chunks::<KNOTS>().0.iter().all(is_distribution)
            && (0..points).all(|point| {
                self.coefficients(point).all(|(quantizer, knots)| quantizer.top() == 0 || quantizer.is_covered(knots))
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
        // By halving: the finest point that fits lies from `fits` on, and below `above`.
        let (mut fits, mut above) = (0, self.points());
        while above - fits > 1 {
            let middle = (fits + above) / 2;
            *(if self.encode(middle, coefficients, payload).is_whole { &mut fits } else { &mut above }) = middle;
        }
        let Encoded { mut len, is_whole } = self.encode(fits, coefficients, payload);
        *head = if is_whole {
            FIRST_POINT_HEAD + fits
        } else {
            len = len.min(FIRST_POINT_HEAD - 1);
            len
        } as u8;
        Ok(OVERHEAD_LEN + len)
    }

    /// Reads the packet at the start of `bytes` into `coefficients`, and returns its length.
    ///
    /// # Errors
    /// A [`PacketError`]; `coefficients` is then unspecified.
    pub fn unpack(&self, bytes: &[u8], coefficients: &mut [i16]) -> Result<usize, PacketError> {
        let (&head, rest) = bytes.split_first().ok_or(PacketError::Truncated)?;
        let needed = self.len();
        let coefficients =
            coefficients.get_mut(..needed).ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
        let len = match usize::from(head).checked_sub(FIRST_POINT_HEAD) {
            None => {
                let payload = rest.get(..head.into()).ok_or(PacketError::Truncated)?;
                // It is the prefix of one.
                let _ = self.decode(0, payload, coefficients);
                payload.len()
            }
            Some(point) if point < self.points() => {
                let payload = &rest[..rest.len().min(self.max_len.into())];
                self.decode(point, payload, coefficients)?
            }
            Some(_) => return Err(PacketError::Head { found: head }),
        };
        Ok(OVERHEAD_LEN + len)
    }

    /// Writes coefficients at `point` while they fit `payload`.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn encode(&self, point: usize, coefficients: &[i16], payload: &mut [u8]) -> Encoded {
        let mut encoder = RangeEncoder::new(payload);
        let is_whole = self.coefficients(point).zip(coefficients).all(|((quantizer, knots), &coefficient)| {
            quantizer.top() == 0 || encoder.push(quantizer.share(knots, quantizer.edges(quantizer.level(coefficient))))
        });
        Encoded { len: encoder.finish(), is_whole }
    }

    /// Reads a payload, or a prefix of one, and returns the payload's length.
    ///
    /// # Errors
    /// [`PacketError::Truncated`] where the payload does not tell all coefficients: those that it does not tell are 0.
    /// [`PacketError::Ending`] where it tells all, but is none that [`Code::encode`] makes.
    ///
    /// # Panics
    /// Where there is no such point.
    pub fn decode(&self, point: usize, payload: &[u8], coefficients: &mut [i16]) -> Result<usize, PacketError> {
        let mut decoder = RangeDecoder::new(payload);
        coefficients.fill(0);
        for ((quantizer, knots), coefficient) in self.coefficients(point).zip(coefficients) {
            if quantizer.top() == 0 {
                continue;
            }
            let edges = quantizer.edges(quantizer.find(knots, decoder.target()));
            if !decoder.take(quantizer.share(knots, edges)) {
                return Err(PacketError::Truncated);
            }
            *coefficient = quantizer.mean(knots, edges);
        }
        decoder.len().ok_or(PacketError::Ending)
    }

    /// Quantiser and distribution of each coefficient at `point`.
    ///
    /// # Panics
    /// Where there is no such point.
    #[inline]
    pub fn coefficients(&self, point: usize) -> impl Iterator<Item = (Quantizer, &'a Knots)> {
        let (deadzone, steps) = (self.deadzones[point], &self.steps[point * self.len()..]);
        let knots = self.knots.as_chunks::<KNOTS>().0;
        let tables = self.bits.iter().zip(steps).zip(knots);
        tables.map(move |((&bits, &step), knots)| (Quantizer::new(step, deadzone, bits), knots))
    }
}

fn is_distribution(knots: &Knots) -> bool {
    knots[0] == 0 && u32::from(knots[KNOTS - 1]) == TOTAL && knots.is_sorted()
}

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// Its bytes.
    pub len: usize,
    /// Whether all coefficients are in it.
    pub is_whole: bool,
}

#[cfg(test)]
pub(crate) mod tests;
