use std::ops::Range;

use ndarray::{Array4, Axis, s};

use super::DataShape;

/// Items of one part of a data set in the sensor's own type.
///
/// Axes N, C, H, W in memory order (standard layout); one-dimensional data has H = 1.
#[derive(Debug, Clone, PartialEq)]
pub enum RawItems {
    /// Pixels.
    U8(Array4<u8>),
    /// Signed samples.
    I16(Array4<i16>),
    /// Unsigned samples.
    U16(Array4<u16>),
    /// Samples in any unit.
    F32(Array4<f32>),
}

/// One item, C*H*W values in the order C, H, W.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawItem<'a> {
    /// Pixels.
    U8(&'a [u8]),
    /// Signed samples.
    I16(&'a [i16]),
    /// Unsigned samples.
    U16(&'a [u16]),
    /// Samples in any unit.
    F32(&'a [f32]),
}

/// An element type that items are kept in.
pub(super) trait Element: Copy + PartialOrd + Into<f32> + Into<f64> {
    /// Images rather than sensor windows: decides what three axes mean.
    const IS_PIXEL: bool = false;

    fn wrap(items: Array4<Self>) -> RawItems;
}

impl Element for u8 {
    const IS_PIXEL: bool = true;

    fn wrap(items: Array4<u8>) -> RawItems {
        RawItems::U8(items)
    }
}

impl Element for i16 {
    fn wrap(items: Array4<i16>) -> RawItems {
        RawItems::I16(items)
    }
}

impl Element for u16 {
    fn wrap(items: Array4<u16>) -> RawItems {
        RawItems::U16(items)
    }
}

impl Element for f32 {
    fn wrap(items: Array4<f32>) -> RawItems {
        RawItems::F32(items)
    }
}

/// Evaluates one expression for whichever element type `$items` has.
macro_rules! for_each_type {
    ($items:expr, $array:ident => $body:expr) => {
        match $items {
            $crate::data::RawItems::U8($array) => $body,
            $crate::data::RawItems::I16($array) => $body,
            $crate::data::RawItems::U16($array) => $body,
            $crate::data::RawItems::F32($array) => $body,
        }
    };
}
pub(super) use for_each_type;

impl RawItems {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.axes()[0]
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lengths of the axes N, C, H, W.
    pub fn axes(&self) -> [usize; 4] {
        let (n, c, h, w) = for_each_type!(self, items => items.dim());
        [n, c, h, w]
    }

    /// Name of the element type: `u8`, `i16`, `u16` or `f32`.
    pub fn dtype(&self) -> &'static str {
        match self {
            RawItems::U8(_) => "u8",
            RawItems::I16(_) => "i16",
            RawItems::U16(_) => "u16",
            RawItems::F32(_) => "f32",
        }
    }

    /// One item as a contiguous slice.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn item(&self, index: usize) -> RawItem<'_> {
        match self {
            RawItems::U8(items) => RawItem::U8(item_slice(items, index)),
            RawItems::I16(items) => RawItem::I16(item_slice(items, index)),
            RawItems::U16(items) => RawItem::U16(item_slice(items, index)),
            RawItems::F32(items) => RawItem::F32(item_slice(items, index)),
        }
    }

    /// All items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RawItem<'_>> {
        (0..self.len()).map(|index| self.item(index))
    }

    /// The items of `range` as f32, in raw units.
    ///
    /// # Panics
    /// If `range` reaches beyond [`len`](Self::len).
    pub fn to_f32(&self, range: Range<usize>) -> Array4<f32> {
        for_each_type!(self, items => items.slice(s![range, .., .., ..]).mapv(f32::from))
    }

    /// The first `count` items and the others, without copying the first.
    pub(crate) fn split_at(self, count: usize) -> (RawItems, RawItems) {
        fn split<T: Element>(items: Array4<T>, count: usize) -> (RawItems, RawItems) {
            let (n, c, h, w) = items.dim();
            let mut first = items.into_raw_vec_and_offset().0;
            let rest = first.split_off(count * c * h * w);
            (from_values([count, c, h, w], first), from_values([n - count, c, h, w], rest))
        }
        for_each_type!(self, items => split(items, count))
    }

    /// Index of the first item with a NaN or an infinity.
    pub(super) fn first_not_finite(&self) -> Option<usize> {
        let RawItems::F32(items) = self else {
            return None;
        };
        items.axis_iter(Axis(0)).position(|item| !item.iter().all(|value| value.is_finite()))
    }

    /// Element type and item shape, for messages.
    pub(super) fn describe(&self) -> String {
        let [_, c, h, w] = self.axes();
        format!("{} {c}x{h}x{w}", self.dtype())
    }

    pub(super) fn data_shape(&self, one_dimensional: bool) -> DataShape {
        let [_, channels, height, width] = self.axes();
        DataShape { channels, height, width, one_dimensional }
    }
}

/// Items from values in the order N, C, H, W.
///
/// # Panics
/// If the values are not as many as the axes say: readers check that first.
pub(super) fn from_values<T: Element>(axes: [usize; 4], values: Vec<T>) -> RawItems {
    T::wrap(Array4::from_shape_vec(axes, values).expect("as many values as the axes say"))
}

fn item_slice<T>(items: &Array4<T>, index: usize) -> &[T] {
    let (_, c, h, w) = items.dim();
    &items.as_slice().expect("items lie in memory order")[index * c * h * w..][..c * h * w]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_items() -> RawItems {
        from_values([3, 1, 1, 2], vec![1i16, 2, 3, 4, 5, 6])
    }

    #[test]
    fn items_are_contiguous_slices() {
        let items = three_items();
        assert_eq!((items.len(), items.dtype(), items.axes()), (3, "i16", [3, 1, 1, 2]));
        assert_eq!(items.item(1), RawItem::I16(&[3, 4]));
        assert_eq!(items.iter().last(), Some(RawItem::I16(&[5, 6])));
    }

    #[test]
    fn a_range_becomes_f32() {
        let floats = three_items().to_f32(1..3);
        assert_eq!(floats.as_slice(), Some(&[3.0, 4.0, 5.0, 6.0][..]));
    }

    #[test]
    fn split_keeps_order() {
        let (first, rest) = three_items().split_at(1);
        assert_eq!(first, from_values([1, 1, 1, 2], vec![1i16, 2]));
        assert_eq!(rest, from_values([2, 1, 1, 2], vec![3i16, 4, 5, 6]));
    }

    #[test]
    fn finds_the_first_item_that_is_not_finite() {
        let items = from_values([3, 1, 1, 1], vec![0.0f32, f32::INFINITY, f32::NAN]);
        assert_eq!(items.first_not_finite(), Some(1));
        assert_eq!(three_items().first_not_finite(), None);
    }
}
