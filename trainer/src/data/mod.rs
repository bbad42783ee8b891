//! From a SPEC (a data set's name or a path) to a [`Dataset`]: training and test items in the sensor's own type.
//!
//! ```no_run
//! use trainer::data::{DataSpec, load};
//!
//! let data = load(&DataSpec::new("fashion-mnist"))?;
//! assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
//! # Ok::<(), trainer::data::DataError>(())
//! ```
//!
//! | SPEC | items | test part |
//! |---|---|---|
//! | `fashion-mnist`, `mnist` | 60000 x 28x28 u8 | 10000 of their own |
//! | `shapes` | 50000 x 3x32x32 u8, generated: the IRMAE paper's set with colours in steps of 1/255 | 10000 of its own |
//! | `ecg-mitbih208` | windows of 256 u16 samples, one every 64 | the last fifth of the time, one every 256 |
//! | `imu-watch` | windows of 128 samples x 6 axes f32, one every 64 | subjects 9 and 10, one every 128 |
//! | `.npy`, IDX, IDX`.gz` | u8, i16, u16, f32; f64 becomes f32 (IDX has no u16) | held out |
//! | `.npz` | as `.npy`: the single array, or `train` / `x_train` | `test` / `x_test`, else held out |
//! | `.csv` | a window of one channel a row, f32; a first row without numbers is a header | held out |
//! | folder of PNG/JPEG | sorted by name; gray has 1 channel, colour 3; u8 | held out |
//!
//! Axes of arrays: (N,L) are windows of one channel and (N,C,H,W) images. Three axes are images (N,H,W) if the
//! elements are u8, and windows (N,C,L) in every other type.
//!
//! Held out is the last tenth, in order and never shuffled, or what [`DataSpec::holdout`] says.

mod arrange;
mod csv;
mod error;
mod idx;
mod images;
mod named;
mod normalization;
mod npy;
mod raw;
mod sensors;
mod shapes;
mod spec;
mod split;

use std::path::Path;

use serde::{Deserialize, Serialize};

use named::Named;

pub use error::DataError;
pub use named::cache;
pub use normalization::{Normalization, measure};
pub use raw::{RawItem, RawItems};
pub use spec::DataSpec;

/// Shape of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataShape {
    /// Channels (axes of a sensor, colours of an image).
    pub channels: usize,
    /// Rows; 1 for windows.
    pub height: usize,
    /// Columns, or samples of a window.
    pub width: usize,
    /// Sensor windows rather than images.
    pub one_dimensional: bool,
}

/// A loaded data set, checked: no NaN, no infinity, not constant, both parts alike.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The data set's name, or the file's or folder's.
    pub name: String,
    /// Shape of every item.
    pub shape: DataShape,
    /// Items to learn from, at least two.
    pub train: RawItems,
    /// Items to measure on, at least one.
    pub test: RawItems,
    /// Of the training part.
    pub normalization: Normalization,
    /// What PSNR is measured against, in raw units: 255 for u8, else the training part's maximum minus its minimum.
    pub peak: f64,
}

/// Classes of the items of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// How many classes there are.
    pub classes: usize,
    /// Class of each training item.
    pub train: Vec<u8>,
    /// Class of each test item.
    pub test: Vec<u8>,
}

/// The labels of what `spec` names, if it has any. Those of `shapes` are its parameters in coarse steps.
///
/// # Errors
/// When their files are missing or damaged.
pub fn labels(spec: &DataSpec) -> Result<Option<Labels>, DataError> {
    let Some(mut labels) = Named::parse(&spec.data).map(Named::read_labels).transpose()?.flatten() else {
        return Ok(None);
    };
    labels.train.truncate(spec.limit.unwrap_or(usize::MAX));
    Ok(Some(labels))
}

/// Reads, parts and checks the data that `spec` names.
///
/// # Errors
/// One line that says what to do, for everything that can be wrong with a SPEC or its files.
pub fn load(spec: &DataSpec) -> Result<Dataset, DataError> {
    let name = Path::new(&spec.data).file_name().map_or(spec.data.clone(), |name| name.to_string_lossy().into());
    let source = spec::read_source(&spec.data, spec.crop, spec.resize)?;
    let one_dimensional = source.one_dimensional;
    let (train, test) = split::split(source, spec, &name)?;
    let (normalization, peak) = normalization::measure(&train, &name)?;
    let shape = train.data_shape(one_dimensional);
    Ok(Dataset { name, shape, train, test, normalization, peak })
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn an_npy_of_windows_becomes_a_data_set() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("windows.npy");
        let windows = Array3::from_shape_fn((10, 2, 4), |(n, c, l)| (n * 100 + c * 10 + l) as i16);
        ndarray_npy::write_npy(&path, &windows).unwrap();

        let data = load(&DataSpec::new(path.to_str().unwrap())).unwrap();
        let shape = DataShape { channels: 2, height: 1, width: 4, one_dimensional: true };
        assert_eq!((data.name.as_str(), data.shape), ("windows.npy", shape));
        assert_eq!((data.train.len(), data.test.len(), data.peak), (9, 1, 813.0));
        assert_eq!(data.test.item(0), RawItem::I16(&[900, 901, 902, 903, 910, 911, 912, 913]));
        assert_eq!(data.normalization.offset, [401.5, 411.5]);
    }

    #[test]
    fn a_number_beyond_f32_is_named() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        ndarray_npy::write_npy(&path, &ndarray::array![[1f64], [2.0], [1e300], [3.0]]).unwrap();
        let line = load(&DataSpec::new(path.to_str().unwrap())).unwrap_err().to_string();
        assert!(line.starts_with("item 2 (from 0) of the training part of `x.npy`"), "{line}");
    }

    #[test]
    fn only_named_sets_have_labels_and_as_many_as_items() {
        let spec = DataSpec { limit: Some(9), ..DataSpec::new("shapes") };
        let labels = labels(&spec).unwrap().unwrap();
        assert_eq!((labels.classes, labels.train.len(), labels.test.len()), (24, 9, 10_000));
        assert_eq!(super::labels(&DataSpec::new("./shapes")).unwrap(), None);
    }

    #[test]
    fn the_paper_set_is_complete() {
        let data = load(&DataSpec { limit: Some(100), ..DataSpec::new("shapes") }).unwrap();
        let shape = DataShape { channels: 3, height: 32, width: 32, one_dimensional: false };
        assert_eq!((data.name.as_str(), data.shape), ("shapes", shape));
        assert_eq!((data.train.len(), data.test.len(), data.peak), (100, 10_000, 255.0));
    }
}
