//! The test images as arrays, and the PSNR between two of them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use ndarray::Array3;

/// Why images cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// A file cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A file does not hold images.
    #[error("{} does not hold images: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: ndarray_npy::WriteNpyError,
    },
}

/// Images of a gzipped IDX file. Shape: `[N, H, W]`.
pub(super) fn read_idx(path: &Path) -> Result<Array3<u8>, ImageError> {
    let read_error = |why| ImageError::Read { path: path.to_path_buf(), why };
    let mut bytes = Vec::new();
    GzDecoder::new(BufReader::new(File::open(path).map_err(read_error)?))
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    parse_idx(&bytes).ok_or_else(|| ImageError::Format {
        path: path.to_path_buf(),
        why: "it is no IDX file of three axes of bytes".into(),
    })
}

/// Magic number 00 00 08 03 (bytes, three axes), three big-endian lengths, then the pixels.
fn parse_idx(bytes: &[u8]) -> Option<Array3<u8>> {
    let (header, pixels) = bytes.split_at_checked(16)?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?) as usize);
    let axes = (number(4)?, number(8)?, number(12)?);
    if number(0)? == 0x0803 { Array3::from_shape_vec(axes, pixels.to_vec()).ok() } else { None }
}

/// Writes images as `.npy`.
pub(super) fn write_npy(path: &Path, images: &Array3<u8>) -> Result<(), ImageError> {
    ndarray_npy::write_npy(path, images).map_err(|why| ImageError::Write { path: path.to_path_buf(), why })
}

/// Reads images from `.npy`.
pub(super) fn read_npy(path: &Path) -> Result<Array3<u8>, ImageError> {
    ndarray_npy::read_npy(path).map_err(|why| ImageError::Format { path: path.to_path_buf(), why: why.to_string() })
}

/// Peak signal-to-noise ratio over all pixels of all images, in dB.
pub(super) fn psnr_db(originals: &Array3<u8>, restored: &Array3<u8>) -> f64 {
    let difference = |(&a, &b): (&u8, &u8)| (f64::from(a) - f64::from(b)).powi(2);
    let mse = originals.iter().zip(restored).map(difference).sum::<f64>() / originals.len() as f64;
    10.0 * (255.0 * 255.0 / mse).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idx_is_read_and_a_short_one_refused() {
        let bytes = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9];
        assert_eq!(parse_idx(&bytes), Some(ndarray::array![[[7, 9]]]));
        assert_eq!(parse_idx(&bytes[..17]), None);
        assert_eq!(parse_idx(&[]), None);
    }

    #[test]
    fn an_error_of_one_grey_level_is_48_db() {
        let images = Array3::from_elem((2, 3, 3), 10);
        assert!((psnr_db(&images, &images.mapv(|v| v + 1)) - 48.1308).abs() < 1e-4);
    }
}
