//! Recorded series, cut into windows. Series are parted by time or by subject, never by shuffled windows.
//!
//! Training windows overlap, so that the network sees each wave at several positions; test windows do not.

use std::path::Path;

use ndarray::{ArrayD, ArrayView2, Axis, Ix1, Ix2, s};

use super::DataError;
use super::arrange::Source;
use super::npy::Npz;
use super::raw::{Element, RawItems, from_values};

const TRAIN_STRIDE: usize = 16;
const ECG_WINDOW: usize = 256;
const IMU_WINDOW: usize = 128;
const IMU_AXES: usize = 6;
const IMU_TEST_SUBJECTS: [i64; 2] = [9, 10];

/// MIT-BIH record 208, one lead, 360 Hz, u16; mV = (x - 1024) / 200. The last fifth of the time is the test part.
pub(super) fn read_ecg(path: &Path) -> Result<Source, DataError> {
    let samples = with_axes::<u16, Ix1>(Npz::open(path)?.array("ecg")?, path)?;
    let series = samples.view().insert_axis(Axis(1));
    let (train, test) = series.split_at(Axis(0), series.nrows() / 5 * 4);
    Ok(Source {
        items: windows(&[train], ECG_WINDOW, TRAIN_STRIDE, 1),
        test: Some(windows(&[test], ECG_WINDOW, ECG_WINDOW, 1)),
        one_dimensional: true,
    })
}

/// A smartwatch's acceleration and angular rate at 50 Hz, f32 as shipped; subjects 9 and 10 (of 10) are the test part.
///
/// Arrays: `X` (all series one after another, 6 axes), `lengths` and `subject` (one entry a series).
pub(super) fn read_imu(path: &Path) -> Result<Source, DataError> {
    let mut npz = Npz::open(path)?;
    let samples = with_axes::<f32, Ix2>(npz.array("X")?, path)?;
    let lengths = with_axes::<i64, Ix1>(npz.array("lengths")?, path)?;
    let subjects = with_axes::<i64, Ix1>(npz.array("subject")?, path)?;
    let complete = lengths.iter().all(|&length| length >= 0)
        && lengths.sum() == samples.nrows() as i64
        && lengths.len() == subjects.len()
        && samples.ncols() == IMU_AXES;
    if !complete {
        return Err(DataError::damaged(path, "its arrays `X`, `lengths` and `subject` contradict each other"));
    }
    let (mut train, mut test, mut start) = (Vec::new(), Vec::new(), 0);
    for (&length, subject) in lengths.iter().zip(&subjects) {
        let part = if IMU_TEST_SUBJECTS.contains(subject) { &mut test } else { &mut train };
        part.push(samples.slice(s![start..start + length as usize, ..]));
        start += length as usize;
    }
    Ok(Source {
        items: windows(&train, IMU_WINDOW, TRAIN_STRIDE, IMU_AXES),
        test: Some(windows(&test, IMU_WINDOW, IMU_WINDOW, IMU_AXES)),
        one_dimensional: true,
    })
}

/// All windows of `len` samples every `stride` samples, none across two series. Each series is (samples, channels).
fn windows<T: Element>(series: &[ArrayView2<T>], len: usize, stride: usize, channels: usize) -> RawItems {
    let mut values: Vec<T> = Vec::new();
    for one in series {
        for window in one.axis_windows(Axis(0), len).into_iter().step_by(stride) {
            values.extend(window.t().iter());
        }
    }
    from_values([values.len() / (channels * len), channels, 1, len], values)
}

fn with_axes<T, D: ndarray::Dimension>(array: ArrayD<T>, path: &Path) -> Result<ndarray::Array<T, D>, DataError> {
    let shape = array.shape().to_vec();
    array.into_dimensionality().map_err(|_| DataError::damaged(path, format!("unexpected shape {shape:?}")))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use ndarray::{Array1, Array2};
    use ndarray_npy::NpzWriter;
    use tempfile::TempDir;

    use super::super::raw::RawItem;
    use super::*;

    #[test]
    fn windows_are_channels_first_and_stay_inside_a_series() {
        let counting = Array2::from_shape_fn((5, 2), |(t, c)| (10 * t + c) as u16);
        let items = windows(&[counting.view(), counting.slice(s![..1, ..])], 2, 2, 2);
        assert_eq!(items, from_values([2, 2, 1, 2], vec![0u16, 10, 1, 11, 20, 30, 21, 31]));
    }

    #[test]
    fn an_ecg_is_parted_by_time() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ecg.dat");
        let mut npz = NpzWriter::new(File::create(&path).unwrap());
        npz.add_array("ecg", &Array1::from_iter(0..2000u16)).unwrap();
        npz.finish().unwrap();
        let source = read_ecg(&path).unwrap();
        let test = source.test.unwrap();
        // 1600 training samples: (1600 - 256) / 16 + 1 windows; 400 test samples: one.
        assert_eq!((source.items.axes(), test.axes()), ([85, 1, 1, 256], [1, 1, 1, 256]));
        let RawItem::U16(first) = test.item(0) else { panic!("ECG samples are u16") };
        assert_eq!((first[0], first[255]), (1600, 1855));
    }

    fn watch_file(folder: &TempDir, lengths: &[i64]) -> PathBuf {
        let path = folder.path().join("watch.npz");
        let mut npz = NpzWriter::new(File::create(&path).unwrap());
        npz.add_array("X", &Array2::from_shape_fn((600, 6), |(t, c)| (10 * t + c) as f32)).unwrap();
        npz.add_array("lengths", &Array1::from(lengths.to_vec())).unwrap();
        npz.add_array("subject", &Array1::from(vec![1i64, 9, 2])).unwrap();
        npz.finish().unwrap();
        path
    }

    #[test]
    fn a_watch_is_parted_by_subject() {
        let folder = TempDir::new().unwrap();
        let source = read_imu(&watch_file(&folder, &[200, 300, 100])).unwrap();
        let test = source.test.unwrap();
        // Subject 1: windows at 0, 16, ..., 64; subject 9: at 0 and 128 of its own; subject 2 is too short.
        assert_eq!((source.items.axes(), test.axes()), ([5, 6, 1, 128], [2, 6, 1, 128]));
        let RawItem::F32(second) = test.item(1) else { panic!("IMU samples are f32") };
        assert_eq!((second[0], second[128], second[127]), (3280.0, 3281.0, 4550.0));
    }

    #[test]
    fn contradicting_arrays_are_refused() {
        let folder = TempDir::new().unwrap();
        for lengths in [&[200i64, 300, 99][..], &[600], &[700, -200, 100]] {
            let line = read_imu(&watch_file(&folder, lengths)).unwrap_err().to_string();
            assert!(line.contains("watch.npz is damaged or incomplete (its arrays `X`"), "{line}");
        }
    }
}
