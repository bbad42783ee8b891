//! The IDX format of the MNIST files: two zero bytes, element type, number of axes, their lengths as big-endian u32, values.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ndarray::{ArrayD, IxDyn};

use super::DataError;
use super::arrange::{Source, arrange};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads an IDX file, gzipped or not, of u8, i16, f32 or f64 (which becomes f32).
pub(super) fn read(path: &Path) -> Result<Source, DataError> {
    parse(open(path)?, path)
}

/// Reads an IDX file of one label a row, u8.
pub(super) fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    let (element, values) = header(open(path)?, path)?;
    if element != 0x08 || values.shape.len() != 1 {
        return Err(DataError::damaged(path, format!("its shape {:?} is not that of labels", values.shape)));
    }
    Ok(values.read(|[label]| label)?.into_raw_vec_and_offset().0)
}

fn open(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut stream = BufReader::new(file);
    let is_gzip = stream.fill_buf().map_err(DataError::io(path))?.starts_with(&GZIP_MAGIC);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(stream)) } else { Box::new(stream) })
}

/// The element type, and the values behind the header.
fn header<R: Read>(mut stream: R, path: &Path) -> Result<(u8, Values<'_, R>), DataError> {
    let damaged = |reason: io::Error| DataError::damaged(path, reason);
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).map_err(damaged)?;
    let [0, 0, element, axis_count @ 1..=8] = magic else {
        return Err(DataError::UnknownFormat { path: path.into() });
    };
    let mut shape = Vec::new();
    for _ in 0..axis_count {
        let mut axis = [0; 4];
        stream.read_exact(&mut axis).map_err(damaged)?;
        shape.push(u32::from_be_bytes(axis) as usize);
    }
    Ok((element, Values { shape, stream, path }))
}

fn parse(stream: impl Read, path: &Path) -> Result<Source, DataError> {
    let (element, values) = header(stream, path)?;
    match element {
        0x08 => arrange(values.read(|[byte]| byte)?, path),
        0x0b => arrange(values.read(i16::from_be_bytes)?, path),
        0x0d => arrange(values.read(f32::from_be_bytes)?, path),
        0x0e => arrange(values.read(|bytes| f64::from_be_bytes(bytes) as f32)?, path),
        0x09 | 0x0c => {
            let found = if element == 0x09 { "i8" } else { "i32" };
            Err(DataError::ElementType { path: path.into(), found: found.into() })
        }
        _ => Err(DataError::UnknownFormat { path: path.into() }),
    }
}

/// The values behind an IDX header.
struct Values<'a, R> {
    shape: Vec<usize>,
    stream: R,
    path: &'a Path,
}

impl<R: Read> Values<'_, R> {
    fn read<const BYTES: usize, T: Clone>(self, value: impl Fn([u8; BYTES]) -> T) -> Result<ArrayD<T>, DataError> {
        let expected = self.shape.iter().fold(BYTES as u64, |len, &axis| len.saturating_mul(axis as u64));
        let mut bytes = Vec::new();
        // One byte beyond tells a longer file; a lying header costs no memory.
        let mut stream = self.stream.take(expected.saturating_add(1));
        stream.read_to_end(&mut bytes).map_err(|reason| DataError::damaged(self.path, reason))?;
        let found = bytes.len() as u64;
        if found != expected {
            let relation = if found < expected { "fewer" } else { "more" };
            let problem = format!("{relation} values than its shape {:?} says", self.shape);
            return Err(DataError::damaged(self.path, problem));
        }
        let values = bytes.as_chunks().0.iter().map(|&chunk| value(chunk)).collect();
        Ok(ArrayD::from_shape_vec(IxDyn(&self.shape), values).expect("as many values as the shape says"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::super::raw::from_values;
    use super::*;

    /// Two images of 1x2 pixels.
    const IMAGES: [u8; 20] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40];

    fn read_bytes(bytes: &[u8]) -> Result<Source, DataError> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x-idx3-ubyte");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn reads_images_plain_and_gzipped() {
        let expected = from_values([2, 1, 1, 2], vec![10u8, 20, 30, 40]);
        for bytes in [IMAGES.to_vec(), gzip(&IMAGES)] {
            let source = read_bytes(&bytes).unwrap();
            assert_eq!((source.items, source.one_dimensional), (expected.clone(), false));
        }
    }

    #[test]
    fn reads_big_endian_samples() {
        let source = read_bytes(&[0, 0, 0x0b, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 255, 254]).unwrap();
        assert_eq!(source.items, from_values([1, 1, 1, 2], vec![256i16, -2]));
        let source = read_bytes(&[0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0]).unwrap();
        assert_eq!(source.items, from_values([1, 1, 1, 1], vec![1f32]));
        let source = read_bytes(&[0, 0, 0x0e, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(source.items, from_values([1, 1, 1, 1], vec![1f32]));
    }

    #[test]
    fn each_fault_has_its_line() {
        let compressed = gzip(&IMAGES);
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        for (bytes, part) in [
            (&IMAGES[..19], "fewer values than its shape [2, 1, 2] says"),
            (&IMAGES[..10], "x-idx3-ubyte is damaged or incomplete"),
            (&[IMAGES.as_slice(), &[1]].concat(), "more values than its shape"),
            (&compressed[..compressed.len() - 9], "is damaged or incomplete"),
            (&huge, "fewer values than its shape"),
            (&[], "is damaged or incomplete"),
            (b"GIF89a", "is in no format that can be read: give an .npy"),
            (&[0, 0, 0x0c, 1, 0, 0, 0, 0], "elements of type i32: convert"),
            (&[0, 0, 8, 1, 0, 0, 0, 1, 5], "has shape [1]: reshape"),
        ] {
            let line = read_bytes(bytes).unwrap_err().to_string();
            assert!(line.contains(part), "{line}");
        }
    }
}
