//! NumPy files: `.npy`, and `.npz` with one array or a training and a test array.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use ndarray_npy::npy::header::{Header, ReadHeaderError};
use ndarray_npy::{ReadDataError, ReadableElement};
use zip::ZipArchive;
use zip::result::ZipError;

use super::DataError;
use super::arrange::{Source, arrange};

/// Reads a `.npy` file of u8, i16, u16, f32 or f64 (which becomes f32), in C or Fortran order.
pub(super) fn read_npy(path: &Path) -> Result<Source, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let byte_len = file.metadata().map_err(DataError::io(path))?.len();
    Npy::new(BufReader::new(file), byte_len, path)?.source()
}

/// Reads a `.npz` file: its single array, or `train` and `test`, or `x_train` and `x_test`.
pub(super) fn read_npz(path: &Path) -> Result<Source, DataError> {
    let mut npz = Npz::open(path)?;
    let keys = npz.keys();
    for [train, test] in [["train", "test"], ["x_train", "x_test"]] {
        if [train, test].iter().all(|wanted| keys.iter().any(|key| key == wanted)) {
            let test = npz.npy(test)?.source()?;
            return Ok(Source { test: Some(test.items), ..npz.npy(train)?.source()? });
        }
    }
    match &keys[..] {
        [single] => npz.npy(single)?.source(),
        _ => Err(DataError::NpzKeys { path: path.into(), keys }),
    }
}

/// An `.npz` file: a zip archive of `.npy` members.
pub(super) struct Npz {
    archive: ZipArchive<BufReader<File>>,
    path: PathBuf,
}

impl Npz {
    pub(super) fn open(path: &Path) -> Result<Npz, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| DataError::damaged(path, e))?;
        Ok(Npz { archive, path: path.into() })
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.archive.file_names().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        keys.sort();
        keys
    }

    fn npy(&mut self, key: &str) -> Result<Npy<'_, impl Read>, DataError> {
        let member = self.archive.by_name(&format!("{key}.npy")).map_err(|error| match error {
            ZipError::FileNotFound => DataError::damaged(&self.path, format!("array `{key}` is missing")),
            other => DataError::damaged(&self.path, other),
        })?;
        let byte_len = member.size();
        Npy::new(member, byte_len, &self.path)
    }

    /// The array `key`, which must have the element type `T`.
    pub(super) fn array<T: ReadableElement>(&mut self, key: &str) -> Result<ArrayD<T>, DataError> {
        self.npy(key)?.array()
    }
}

/// One `.npy` stream behind its parsed header.
struct Npy<'a, R> {
    header: Header,
    data: R,
    byte_len: u64,
    path: &'a Path,
}

impl<'a, R: Read> Npy<'a, R> {
    fn new(mut stream: R, byte_len: u64, path: &'a Path) -> Result<Self, DataError> {
        let header = Header::from_reader(&mut stream).map_err(|error| match error {
            ReadHeaderError::Io(reason) => DataError::damaged(path, reason),
            ReadHeaderError::Parse(problem) => DataError::damaged(path, problem),
        })?;
        Ok(Npy { header, data: stream, byte_len, path })
    }

    fn source(self) -> Result<Source, DataError> {
        let path = self.path;
        let descriptor = self.header.type_descriptor.to_string();
        match descriptor.trim_matches(['\'', '<', '>', '|', '=']) {
            "u1" => arrange(self.array::<u8>()?, path),
            "i2" => arrange(self.array::<i16>()?, path),
            "u2" => arrange(self.array::<u16>()?, path),
            "f4" => arrange(self.array::<f32>()?, path),
            "f8" => arrange(self.array::<f64>()?.mapv(|value| value as f32), path),
            _ => Err(DataError::ElementType { path: path.into(), found: descriptor }),
        }
    }

    fn array<T: ReadableElement>(self) -> Result<ArrayD<T>, DataError> {
        let len = self.len_that_fits(size_of::<T>())?;
        let values = T::read_to_end_exact_vec(self.data, &self.header.type_descriptor, len);
        let values = values.map_err(|error| match error {
            ReadDataError::WrongDescriptor(found) => {
                DataError::ElementType { path: self.path.into(), found: found.to_string() }
            }
            other => DataError::damaged(self.path, other),
        })?;
        let shape = IxDyn(&self.header.shape).set_f(self.header.layout.is_fortran());
        Ok(ArrayD::from_shape_vec(shape, values).expect("as many values as the shape says"))
    }

    /// Number of elements, refused before any memory is taken for what cannot be in the file.
    fn len_that_fits(&self, element_bytes: usize) -> Result<usize, DataError> {
        let shape = &self.header.shape;
        let len = shape.iter().try_fold(1usize, |len, &axis| len.checked_mul(axis));
        let bytes = len.and_then(|len| len.checked_mul(element_bytes));
        match (len, bytes) {
            (Some(len), Some(bytes)) if bytes as u64 <= self.byte_len => Ok(len),
            _ => {
                let problem = format!("its {} bytes cannot hold shape {shape:?}", self.byte_len);
                Err(DataError::damaged(self.path, problem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use ndarray::{Array2, Array3, ShapeBuilder, array};
    use ndarray_npy::{NpzWriter, WritableElement, write_npy};
    use tempfile::TempDir;

    use super::super::raw::from_values;
    use super::*;

    fn round_trip<T: WritableElement + Clone>(array: &Array2<T>) -> Result<Source, DataError> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, array).unwrap();
        read_npy(&path)
    }

    fn npz(arrays: &[(&str, Array2<f32>)]) -> Result<Source, DataError> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npz");
        let mut writer = NpzWriter::new(File::create(&path).unwrap());
        for (key, array) in arrays {
            writer.add_array(*key, array).unwrap();
        }
        writer.finish().unwrap();
        read_npz(&path)
    }

    #[test]
    fn every_type_keeps_its_values() {
        let items = |source: Result<Source, DataError>| source.unwrap().items;
        assert_eq!(items(round_trip(&array![[1u8], [255]])), from_values([2, 1, 1, 1], vec![1u8, 255]));
        assert_eq!(items(round_trip(&array![[1i16], [-2]])), from_values([2, 1, 1, 1], vec![1i16, -2]));
        assert_eq!(items(round_trip(&array![[1u16], [65535]])), from_values([2, 1, 1, 1], vec![1u16, 65535]));
        assert_eq!(items(round_trip(&array![[0.5f32], [-2.0]])), from_values([2, 1, 1, 1], vec![0.5f32, -2.0]));
        assert_eq!(items(round_trip(&array![[0.5f64], [-2.0]])), from_values([2, 1, 1, 1], vec![0.5f32, -2.0]));
    }

    #[test]
    fn literal_bytes_of_a_big_endian_file() {
        let mut bytes = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
        bytes.extend(b"{'descr': '>i2', 'fortran_order': False, 'shape': (1, 2), }          \n");
        bytes.extend([1, 0, 255, 254]);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read_npy(&path).unwrap().items, from_values([1, 1, 1, 2], vec![256i16, -2]));
    }

    #[test]
    fn fortran_order_reads_the_same() {
        let mut columns = Array3::<u8>::zeros((2, 2, 2).f());
        columns.iter_mut().zip(0..).for_each(|(value, index)| *value = index);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, &columns).unwrap();
        assert!(std::fs::read(&path).unwrap().windows(23).any(|w| w == b"'fortran_order': True, "));
        assert_eq!(read_npy(&path).unwrap().items, from_values([2, 1, 2, 2], (0..8u8).collect()));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        for (error, found) in [
            (round_trip(&array![[1i8]]).unwrap_err(), "'|i1'"),
            (round_trip(&array![[1i32]]).unwrap_err(), "'<i4'"),
            (round_trip(&array![[true]]).unwrap_err(), "'|b1'"),
        ] {
            let line = error.to_string();
            assert!(line.contains(&format!("elements of type {found}: convert it to u8, i16")), "{line}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, &array![[1.0f32, 2.0], [3.0, 4.0]]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let line_for = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_npy(&path).unwrap_err().to_string()
        };
        assert!(line_for(&whole[..whole.len() - 1]).contains("x.npy is damaged or incomplete (reached EOF"));
        assert!(line_for(&whole[..40]).contains("is damaged or incomplete"));
        assert!(line_for(b"").contains("make or fetch it again"));
        assert!(line_for(&[&whole[..], &[0]].concat()).contains("extra bytes"));
        let huge = String::from_utf8_lossy(&whole[10..128]).replace("(2, 2)", "(9999999999, 9999999)");
        let mut bytes = whole[..10].to_vec();
        bytes.extend(huge.as_bytes());
        bytes[8..10].copy_from_slice(&(huge.len() as u16).to_le_bytes());
        assert!(line_for(&bytes).contains("bytes cannot hold shape [9999999999, 9999999]"));
    }

    #[test]
    fn npz_takes_one_array_or_a_training_and_a_test_array() {
        let (one, two) = (array![[1f32], [2.0]], array![[3f32]]);
        assert_eq!(npz(&[("any", one.clone())]).unwrap().test, None);
        for [train, test] in [["train", "test"], ["x_train", "x_test"]] {
            let source = npz(&[(train, one.clone()), ("y", two.clone()), (test, two.clone())]).unwrap();
            assert_eq!(source.items, from_values([2, 1, 1, 1], vec![1f32, 2.0]));
            assert_eq!(source.test, Some(from_values([1, 1, 1, 1], vec![3f32])));
        }
    }

    #[test]
    fn npz_with_other_keys_lists_them() {
        let line = npz(&[("b", array![[1f32]]), ("a", array![[1f32]])]).unwrap_err().to_string();
        assert!(line.contains("x.npz holds the arrays [a, b]: keep a single one"), "{line}");
    }

    #[test]
    fn npz_may_be_compressed_and_is_checked() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npz");
        let mut npy = Vec::new();
        ndarray_npy::WriteNpyExt::write_npy(&Array2::<u8>::from_elem((50, 50), 7), &mut npy).unwrap();
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        let deflated = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file("x.npy", deflated).unwrap();
        zip.write_all(&npy).unwrap();
        zip.finish().unwrap();
        assert_eq!(read_npz(&path).unwrap().items.len(), 50);

        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(60);
        std::fs::write(&path, bytes).unwrap();
        assert!(read_npz(&path).unwrap_err().to_string().contains("is damaged or incomplete"));
    }
}
