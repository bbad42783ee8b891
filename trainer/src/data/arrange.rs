//! The one rule by which the axes of a stored array become N, C, H, W.

use std::path::Path;

use ndarray::ArrayD;

use super::DataError;
use super::raw::{Element, RawItems};

/// What a reader finds in one SPEC.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    /// All items, or the training items where `test` is given.
    pub(super) items: RawItems,
    /// The test part that the SPEC itself brings.
    pub(super) test: Option<RawItems>,
    pub(super) one_dimensional: bool,
}

/// (N,L) is windows of one channel, (N,C,H,W) images; (N,A,B) is one-channel images if u8, else N,C,L.
pub(super) fn arrange<T: Element>(array: ArrayD<T>, path: &Path) -> Result<Source, DataError> {
    let shape = array.shape().to_vec();
    let (axes, one_dimensional) = match shape[..] {
        [n, l] => ([n, 1, 1, l], true),
        [n, h, w] if T::IS_PIXEL => ([n, 1, h, w], false),
        [n, c, l] => ([n, c, 1, l], true),
        [n, c, h, w] => ([n, c, h, w], false),
        _ => {
            return Err(DataError::Axes { path: path.into(), shape });
        }
    };
    if shape.contains(&0) {
        return Err(DataError::Empty { path: path.into(), shape });
    }
    let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
    let items = array.into_shape_with_order(axes).expect("the same number of values in memory order");
    Ok(Source { items: T::wrap(items), test: None, one_dimensional })
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn, ShapeBuilder};

    use super::super::raw::from_values;
    use super::*;

    fn axes<T: Element + Default>(shape: &[usize]) -> ([usize; 4], bool) {
        let array = ArrayD::from_elem(IxDyn(shape), T::default());
        let source = arrange(array, Path::new("x")).unwrap();
        (source.items.axes(), source.one_dimensional)
    }

    #[test]
    fn axes_follow_the_rule() {
        assert_eq!(axes::<u16>(&[5, 8]), ([5, 1, 1, 8], true));
        assert_eq!(axes::<u8>(&[5, 8]), ([5, 1, 1, 8], true));
        assert_eq!(axes::<u8>(&[5, 4, 3]), ([5, 1, 4, 3], false));
        assert_eq!(axes::<i16>(&[5, 4, 3]), ([5, 4, 1, 3], true));
        assert_eq!(axes::<f32>(&[5, 3, 4, 6]), ([5, 3, 4, 6], false));
    }

    #[test]
    fn fortran_order_is_put_in_memory_order() {
        let columns = ArrayD::from_shape_vec(IxDyn(&[2, 2]).f(), vec![1i16, 3, 2, 4]).unwrap();
        let source = arrange(columns, Path::new("x")).unwrap();
        assert_eq!(source.items, from_values([2, 1, 1, 2], vec![1i16, 2, 3, 4]));
    }

    #[test]
    fn other_shapes_are_refused() {
        let line = |shape: &[usize]| {
            arrange(ArrayD::from_elem(IxDyn(shape), 0f32), Path::new("x.npy")).unwrap_err().to_string()
        };
        assert!(line(&[9]).starts_with("x.npy has shape [9]: reshape it to (N,L)"));
        assert!(line(&[1; 5]).starts_with("x.npy has shape [1, 1, 1, 1, 1]: reshape"));
        assert!(line(&[4, 0]).starts_with("x.npy has shape [4, 0], so there is nothing in it"));
    }
}
