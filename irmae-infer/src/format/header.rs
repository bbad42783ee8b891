//! The postcard header, and where the blob's sections lie.

use super::ALIGNMENT;
use crate::layer::{Activation, Op, Shape};
use crate::sample::RawType;

/// All of a model but its layers, which follow: how many, then a [`LayerHeader`] each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
pub struct Header<'a> {
    /// Type of the raw samples.
    pub raw: RawType,
    /// Shape of a window of samples: the encoder's input, the decoder's output.
    pub frame: Shape,
    /// Bits of each coefficient, in the order of the code; see [`Tables`](crate::code::Tables), also for the next five.
    pub bits: &'a [u8],
    /// Most bytes of a payload.
    pub max_len: u8,
    /// One an operating point.
    pub deadzones: &'a [u8],
    /// A step for each coefficient of each point.
    pub steps: &'a [u8],
    /// Spreads of the coefficients, class by class.
    pub spreads: &'a [u8],
    /// What deviations count at least, in bits.
    pub blur: u8,
    /// Number type of the first layer's input.
    pub input: Element,
    /// Least and largest input of the first layer; not used by float models.
    pub input_clamp: [i32; 2],
}

/// Number type of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Element {
    /// Of `f32` and `f16` models.
    F32,
    /// Of `i8` models, zero point 0.
    U8,
    /// Of `i8` models, symmetric.
    I16,
}

impl Element {
    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::U8 => 1,
            Element::I16 => 2,
        }
    }

    /// Whether `clamp` lies within the type's range, ends in order.
    pub(crate) fn holds(self, clamp: [i32; 2]) -> bool {
        let [least, largest] = match self {
            Element::F32 => return true,
            Element::U8 => [0, 255],
            Element::I16 => [-32_768, 32_767],
        };
        least <= clamp[0] && clamp[0] <= clamp[1] && clamp[1] <= largest
    }
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
pub struct LayerHeader {
    /// The linear part.
    pub op: Op,
    /// What follows it.
    pub activation: Activation,
    /// Shape of the output.
    pub output: Shape,
    /// Number type of the output.
    pub element: Element,
    /// Least and largest output; not used by float models.
    pub clamp: [i32; 2],
    /// Left shift of the accumulator before it is requantised; not used by float models.
    pub acc_shift: u8,
}

/// Walks the blob's sections in order; each starts at a multiple of [`ALIGNMENT`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sections<'a> {
    rest: &'a [u8],
    is_whole: bool,
}

impl<'a> Sections<'a> {
    pub(crate) fn new(blob: &'a [u8]) -> Self {
        Self { rest: blob, is_whole: true }
    }

    /// The next section as `len` values of `T`; empty where fewer are left.
    pub(crate) fn take<T: bytemuck::AnyBitPattern>(&mut self, len: usize) -> &'a [T] {
        // Aligned as the file is, so this cannot fail.
        bytemuck::try_cast_slice(self.take_bytes(len.saturating_mul(size_of::<T>()))).unwrap_or_default()
    }

    fn take_bytes(&mut self, len: usize) -> &'a [u8] {
        let parts = self.rest.split_at_checked(len.checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX));
        self.is_whole &= parts.is_some();
        let (section, rest) = parts.unwrap_or_default();
        self.rest = rest;
        section.get(..len).unwrap_or_default()
    }

    /// Whether all that was taken was there.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether nothing is left over.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Appends a section to `blob`, [`Sections::take`]'s inverse.
    #[cfg(feature = "std")]
    pub(crate) fn emit<T: bytemuck::NoUninit>(blob: &mut std::vec::Vec<u8>, values: &[T]) {
        blob.extend_from_slice(bytemuck::cast_slice(values));
        blob.resize(blob.len().next_multiple_of(ALIGNMENT), 0);
    }
}
