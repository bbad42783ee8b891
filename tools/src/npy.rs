//! Arrays in and out. Files have their channels first, the device has them last.

use std::path::Path;

use anyhow::{Context, Result, bail};
use irmae_infer::{RawType, Shape};
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{ReadNpyError, WritableElement, WriteNpyExt, read_npy};

use crate::files;

/// Windows or images in the order of the device, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Samples {
    /// Pixels.
    U8(Vec<u8>),
    /// Signed samples.
    I16(Vec<i16>),
    /// Unsigned samples.
    U16(Vec<u16>),
    /// Real samples.
    F32(Vec<f32>),
}

impl Samples {
    /// Number of samples.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// No samples of this type.
    pub(crate) fn empty(raw: RawType) -> Self {
        Self::zeroed(raw, 0)
    }

    /// Zeros of this type.
    pub(crate) fn zeroed(raw: RawType, len: usize) -> Self {
        match raw {
            RawType::U8 => Self::U8(vec![0; len]),
            RawType::I16 => Self::I16(vec![0; len]),
            RawType::U16 => Self::U16(vec![0; len]),
            RawType::F32 => Self::F32(vec![0.0; len]),
        }
    }
}

/// Reads the windows of an array file for a model that takes `frame`.
pub(crate) fn read(path: &Path, frame: Shape) -> Result<Samples> {
    // The type is known only by trying; the data is read once, by the one that fits.
    if let Some(array) = read_as::<u8>(path)? {
        return Ok(Samples::U8(to_device(path, array, frame)?));
    }
    if let Some(array) = read_as::<i16>(path)? {
        return Ok(Samples::I16(to_device(path, array, frame)?));
    }
    if let Some(array) = read_as::<u16>(path)? {
        return Ok(Samples::U16(to_device(path, array, frame)?));
    }
    if let Some(array) = read_as::<f32>(path)? {
        return Ok(Samples::F32(to_device(path, array, frame)?));
    }
    if let Some(array) = read_as::<f64>(path)? {
        return Ok(Samples::F32(to_device(path, array.mapv(|v| v as f32), frame)?));
    }
    bail!(
        "{} has elements of another type than u8, i16, u16, f32 and f64: convert it, e.g. by numpy's astype",
        path.display()
    )
}

fn read_as<T: ndarray_npy::ReadableElement>(path: &Path) -> Result<Option<ArrayD<T>>> {
    match read_npy(path) {
        Ok(array) => Ok(Some(array)),
        Err(ReadNpyError::WrongDescriptor(_)) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {} as .npy", path.display())),
    }
}

/// Axes of an array file for windows of shape `frame`, without the first, in the order of `axes`: the channels first.
fn file_axes(frame: Shape) -> Vec<Vec<usize>> {
    let [h, w, c] = [frame.height, frame.width, frame.channels].map(usize::from);
    let mut shapes = vec![vec![c, h, w]];
    if w == 1 {
        // Windows of a signal: the device has a sample in a row.
        shapes.extend([vec![c, 1, h], vec![c, h]]);
        if c == 1 {
            shapes.push(vec![h]);
        }
    } else if c == 1 {
        shapes.push(vec![h, w]);
    }
    shapes
}

fn to_device<T: Clone>(path: &Path, array: ArrayD<T>, frame: Shape) -> Result<Vec<T>> {
    let known = file_axes(frame);
    if array.ndim() == 0 || !known.iter().any(|shape| shape == &array.shape()[1..]) {
        let [h, w, c] = [frame.height, frame.width, frame.channels];
        let wanted = if w == 1 { format!("(N, {c}, {h})") } else { format!("(N, {c}, {h}, {w})") };
        bail!("{} has shape {:?}, the model takes {wanted}", path.display(), array.shape());
    }
    let items = array.shape()[0];
    let channels_first =
        IxDyn(&[items, usize::from(frame.channels), usize::from(frame.height), usize::from(frame.width)]);
    let array = array.as_standard_layout().into_owned().into_shape_with_order(channels_first)?;
    Ok(array.permuted_axes(IxDyn(&[0, 2, 3, 1])).iter().cloned().collect())
}

/// Writes windows of shape `frame`: (N, C, L) for signals, (N, H, W) for gray images, else (N, C, H, W).
pub(crate) fn write(path: &Path, samples: Samples, frame: Shape) -> Result<()> {
    match samples {
        Samples::U8(values) => write_as(path, values, frame),
        Samples::I16(values) => write_as(path, values, frame),
        Samples::U16(values) => write_as(path, values, frame),
        Samples::F32(values) => write_as(path, values, frame),
    }
}

/// Axes of a window in a file: (C, L) for signals, (H, W) for gray images, else (C, H, W).
pub(crate) fn item_axes(frame: Shape) -> Vec<usize> {
    let [h, w, c] = [frame.height, frame.width, frame.channels].map(usize::from);
    match (w, c) {
        (1, _) => vec![c, h],
        (_, 1) => vec![h, w],
        _ => vec![c, h, w],
    }
}

fn write_as<T: Clone + WritableElement>(path: &Path, values: Vec<T>, frame: Shape) -> Result<()> {
    let [h, w, c] = [frame.height, frame.width, frame.channels].map(usize::from);
    let items = values.len() / frame.len();
    let array = ArrayD::from_shape_vec(IxDyn(&[items, h, w, c]), values)?;
    let array = array.permuted_axes(IxDyn(&[0, 3, 1, 2])).as_standard_layout().into_owned();
    let array = array.into_shape_with_order(IxDyn(&[&[items][..], &item_axes(frame)].concat()))?;
    files::write_atomically(path, |file| Ok(array.write_npy(file)?))
}

#[cfg(test)]
mod tests {
    use ndarray::Array;

    use super::*;

    #[test]
    fn channels_are_turned_and_turned_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let frame = Shape::new(3, 1, 2);
        let signal = Array::from_shape_vec((1, 2, 3), vec![1_i16, 2, 3, 10, 20, 30]).unwrap();
        ndarray_npy::write_npy(&path, &signal).unwrap();
        let samples = read(&path, frame).unwrap();
        assert_eq!(samples, Samples::I16(vec![1, 10, 2, 20, 3, 30]));
        write(&path, samples, frame).unwrap();
        assert_eq!(ndarray_npy::read_npy::<_, ndarray::Array3<i16>>(&path).unwrap(), signal);
    }

    #[test]
    fn a_fortran_array_is_read_in_its_own_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let images = Array::from_shape_vec((1, 2, 3), vec![1_u8, 2, 3, 4, 5, 6]).unwrap();
        ndarray_npy::write_npy(&path, &images.t().as_standard_layout().t()).unwrap();
        assert_eq!(read(&path, Shape::new(2, 3, 1)).unwrap(), Samples::U8(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn another_shape_or_type_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        ndarray_npy::write_npy(&path, &Array::<f64, _>::zeros((2, 4, 5))).unwrap();
        let line = read(&path, Shape::new(4, 4, 1)).unwrap_err().to_string();
        assert!(line.ends_with("has shape [2, 4, 5], the model takes (N, 1, 4, 4)"), "{line}");
        ndarray_npy::write_npy(&path, &Array::<i32, _>::zeros((2, 4, 4))).unwrap();
        assert!(read(&path, Shape::new(4, 4, 1)).unwrap_err().to_string().contains("astype"));
    }
}
