//! Input rows between zeros, and output rows, as kernels see them.

use bytemuck::Pod;

use crate::layer::{Shape, Window};
use crate::reach::Margins;

/// Shapes and window of a convolution or a transposed one.
#[derive(Debug, Clone, Copy)]
pub struct ConvGeometry {
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Kernel, stride, padding.
    pub window: Window,
}

/// Consecutive input rows of a layer, and zeros around them: above, below, and beside each row as many as any output
/// [reads](crate::Op::margins).
#[derive(Debug, Clone, Copy)]
pub struct Rows<V> {
    /// All values, and behind the last row [`ROWS_SLACK`](crate::ROWS_SLACK) more of any value.
    pub values: V,
    /// Which row of the input lies first; a negative one is of zeros.
    pub first: isize,
    /// Values from one row to the next.
    pub row_step: usize,
    /// Zeros before the values of a row.
    pub before: usize,
    /// Values in a row.
    pub row_len: usize,
    /// Rows of the whole input.
    pub height: usize,
}

impl<V> Rows<V> {
    /// All rows of an input.
    pub fn whole(values: V, margins: &Margins, input: Shape) -> Self {
        let Margins { above, before, row_step, .. } = *margins;
        let (first, height) = (-(above as isize), input.height.into());
        Self { values, first, row_step, before, row_len: input.row_len(), height }
    }

    /// With other values.
    pub(super) fn with<W>(&self, values: W) -> Rows<W> {
        let Self { first, row_step, before, row_len, height, .. } = *self;
        Rows { values, first, row_step, before, row_len, height }
    }

    /// Where column `column` of row `row` lies, for pixels of `channels` values; both may lie beside the input.
    pub(super) fn place(&self, row: isize, column: isize, channels: usize) -> usize {
        let row = row.wrapping_sub(self.first) as usize * self.row_step + self.before;
        row.wrapping_add_signed(column * channels as isize)
    }
}

impl<'a, X> Rows<&'a [X]> {
    /// Row `row` of the input, `None` where it is padding.
    pub fn row(&self, row: isize) -> Option<&'a [X]> {
        let is_inside = usize::try_from(row).is_ok_and(|row| row < self.height);
        let start = self.place(row, 0, 1);
        if is_inside { self.values.get(start..start + self.row_len) } else { None }
    }
}

/// Values of an integer activation.
#[derive(Debug, Clone, Copy)]
pub enum Ints<'a> {
    /// From a layer that ends in ReLU, or raw pixels.
    U8(&'a [u8]),
    /// All others.
    I16(&'a [i16]),
}

impl<'a> Ints<'a> {
    /// The first `len` of them.
    pub fn up_to(self, len: usize) -> Ints<'a> {
        match self {
            Ints::U8(values) => Ints::U8(&values[..len]),
            Ints::I16(values) => Ints::I16(&values[..len]),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Ints::U8(values) => values.len(),
            Ints::I16(values) => values.len(),
        }
    }

    /// Memory as values of the same type.
    pub(super) fn like<'b>(&self, words: &'b [u32]) -> Ints<'b> {
        match self {
            Ints::U8(_) => Ints::U8(bytemuck::cast_slice(words)),
            Ints::I16(_) => Ints::I16(bytemuck::cast_slice(words)),
        }
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self {
            Ints::U8(values) => values,
            Ints::I16(values) => bytemuck::cast_slice(values),
        }
    }

    /// Bytes of one.
    pub(super) fn element_size(&self) -> usize {
        match self {
            Ints::U8(_) => 1,
            Ints::I16(_) => 2,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Values of an integer activation, to be written.
#[derive(Debug)]
pub enum IntsMut<'a> {
    /// See [`Ints::U8`].
    U8(&'a mut [u8]),
    /// See [`Ints::I16`].
    I16(&'a mut [i16]),
}

impl IntsMut<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            IntsMut::U8(values) => values.len(),
            IntsMut::I16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a value that is within the type's range, unless place `at` is beside the values.
    #[inline]
    pub fn set(&mut self, at: usize, value: i32) {
        match self {
            IntsMut::U8(values) => values.get_mut(at).into_iter().for_each(|to| *to = value as u8),
            IntsMut::I16(values) => values.get_mut(at).into_iter().for_each(|to| *to = value as i16),
        }
    }
}

/// Output rows, each `row_step` values behind the last.
#[derive(Debug)]
pub struct IntOutput<'a> {
    /// From the first value of the first row on.
    pub values: IntsMut<'a>,
    /// Values from one row to the next.
    pub row_step: usize,
}

impl IntOutput<'_> {
    /// Row `n` and what follows it, `len` values at most.
    pub(super) fn row(&mut self, n: usize, len: usize) -> IntsMut<'_> {
        let start = n * self.row_step;
        match &mut self.values {
            IntsMut::U8(y) => IntsMut::U8(from(y, start, len)),
            IntsMut::I16(y) => IntsMut::I16(from(y, start, len)),
        }
    }
}

/// `len` values from `start` on, or as many as there are.
fn from<Y>(y: &mut [Y], start: usize, len: usize) -> &mut [Y] {
    let y = y.get_mut(start..).unwrap_or_default();
    let len = len.min(y.len());
    &mut y[..len]
}

/// An integer activation: `u8` or `i16`.
pub trait Integer: Pod + Into<i16> {
    /// Widens.
    fn to_i32(self) -> i32;
    /// Narrows a value that is already within the type's range.
    fn from_clamped(value: i32) -> Self;
    /// Values whose type is told apart at run time.
    fn ints(values: &[Self]) -> Ints<'_>;
    /// The same, to be written.
    fn ints_mut(values: &mut [Self]) -> IntsMut<'_>;
}

impl Integer for u8 {
    #[inline]
    fn to_i32(self) -> i32 {
        i32::from(self)
    }
    #[inline]
    fn from_clamped(value: i32) -> Self {
        value as u8
    }
    fn ints(values: &[Self]) -> Ints<'_> {
        Ints::U8(values)
    }
    fn ints_mut(values: &mut [Self]) -> IntsMut<'_> {
        IntsMut::U8(values)
    }
}

impl Integer for i16 {
    #[inline]
    fn to_i32(self) -> i32 {
        i32::from(self)
    }
    #[inline]
    fn from_clamped(value: i32) -> Self {
        value as i16
    }
    fn ints(values: &[Self]) -> Ints<'_> {
        Ints::I16(values)
    }
    fn ints_mut(values: &mut [Self]) -> IntsMut<'_> {
        IntsMut::I16(values)
    }
}
