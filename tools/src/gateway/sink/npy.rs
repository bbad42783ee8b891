//! Arrays that grow, and are whole whenever they are looked at.
//!
//! Windows are written behind those that are there, and then the count in the header. So the file is sound after every flush, and
//! after the program was killed: bytes behind the last counted window mean nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use irmae_infer::{RawType, Shape};

use super::{Record, Sink, in_file_order, with_values};
use crate::gateway::intake::Receipt;
use crate::npy::{Samples, item_axes};

/// Bytes before the first window, enough for any shape.
const HEADER_LEN: usize = 128;

/// Windows to one array, or to an array for each node and model.
pub(crate) enum Npy {
    /// All windows, of one model.
    File(PathBuf, Option<Array>),
    /// `NODE.npy`, or `NODE-MODEL.npy` where there are several models.
    Folder { path: PathBuf, has_models: bool, arrays: BTreeMap<(String, u64), Array> },
}

impl Npy {
    /// An output at `path`. Arrays that are there are not overwritten.
    ///
    /// # Errors
    /// Where a folder cannot be made.
    pub(crate) fn create(path: &Path, models: usize) -> Result<Self> {
        if is_array(path) {
            return Ok(Self::File(path.into(), None));
        }
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self::Folder { path: path.into(), has_models: models > 1, arrays: BTreeMap::new() })
    }

    fn array(&mut self, record: &Record<'_>) -> Result<&mut Array> {
        match self {
            Self::File(path, array) => {
                if array.is_none() {
                    *array = Some(Array::create(path.clone(), record)?);
                }
                array.as_mut().context("an array that has just been made")
            }
            Self::Folder { path, has_models, arrays } => {
                use std::collections::btree_map::Entry;
                match arrays.entry((record.node.into(), record.model_id)) {
                    Entry::Occupied(array) => Ok(array.into_mut()),
                    Entry::Vacant(place) => {
                        let node = file_name(record.node);
                        let name = match has_models {
                            true => format!("{node}-{:016x}.npy", record.model_id),
                            false => format!("{node}.npy"),
                        };
                        Ok(place.insert(Array::create(path.join(name), record)?))
                    }
                }
            }
        }
    }
}

/// Whether a path is one array's, and not a folder's.
pub(crate) fn is_array(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

impl Sink for Npy {
    fn put(&mut self, record: &Record<'_>, _receipt: Option<&Receipt>) -> Result<()> {
        self.array(record)?.put(record.samples);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::File(_, array) => array.iter_mut().try_for_each(Array::flush),
            Self::Folder { arrays, .. } => arrays.values_mut().try_for_each(Array::flush),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

/// A node's name with what could mean something to a file system written as `%` and two digits.
fn file_name(node: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    let word = |(at, byte): (usize, u8)| match plain(byte) && !(at == 0 && byte == b'.') {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    node.bytes().enumerate().map(word).collect()
}

/// One file. It is open only while it is written, so that any number of nodes have theirs.
pub(crate) struct Array {
    path: PathBuf,
    raw: RawType,
    frame: Shape,
    windows: u64,
    /// Windows not written yet.
    waiting: Vec<u8>,
}

impl Array {
    fn create(path: PathBuf, record: &Record<'_>) -> Result<Self> {
        let raw = match record.samples {
            Samples::U8(_) => RawType::U8,
            Samples::I16(_) => RawType::I16,
            Samples::U16(_) => RawType::U16,
            Samples::F32(_) => RawType::F32,
        };
        let array = Self { path, raw, frame: record.frame, windows: 0, waiting: Vec::new() };
        let create = || File::create_new(&array.path)?.write_all(&array.header());
        create().with_context(|| format!("cannot make {}", array.path.display()))?;
        Ok(array)
    }

    fn put(&mut self, samples: &Samples) {
        with_values!(samples, |values| {
            self.waiting.extend(in_file_order(values, self.frame).flat_map(|value| value.to_le_bytes()));
        });
    }

    fn window_len(&self) -> u64 {
        let sample = match self.raw {
            RawType::U8 => 1,
            RawType::I16 | RawType::U16 => 2,
            RawType::F32 => 4,
        };
        self.frame.len() as u64 * sample
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let end = HEADER_LEN as u64 + self.windows * self.window_len();
        self.windows += self.waiting.len() as u64 / self.window_len();
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(&self.waiting)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&self.header())
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))?;
        self.waiting.clear();
        Ok(())
    }

    /// Version 1.0 of the format: magic, length, a dictionary padded with blanks.
    fn header(&self) -> Vec<u8> {
        let element = match self.raw {
            RawType::U8 => "|u1",
            RawType::I16 => "<i2",
            RawType::U16 => "<u2",
            RawType::F32 => "<f4",
        };
        let axes: Vec<String> = item_axes(self.frame).iter().map(usize::to_string).collect();
        let dictionary = format!(
            "{{'descr': '{element}', 'fortran_order': False, 'shape': ({}, {}), }}",
            self.windows,
            axes.join(", ")
        );
        let start = b"\x93NUMPY\x01\x00";
        let len = HEADER_LEN - start.len() - 2;
        let mut header = [&start[..], &(len as u16).to_le_bytes()].concat();
        header.extend(format!("{dictionary:<width$}\n", width = len - 1).bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use irmae_infer::packet::Arrival;
    use ndarray::Array3;

    use super::*;

    fn record<'a>(node: &'a str, samples: &'a Samples) -> Record<'a> {
        let frame = Shape::new(3, 1, 2);
        Record { time_s: 0.0, node, model_id: 7, sequence: None, arrival: Arrival::InOrder, bytes: 1, frame, samples }
    }

    #[test]
    fn a_file_is_whole_after_every_flush() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = Npy::create(folder.path(), 1).unwrap();
        let samples = Samples::I16(vec![1, -10, 2, 20, 3, 30]);
        for count in 1..4 {
            sink.put(&record("a/b", &samples), None).unwrap();
            sink.flush().unwrap();
            let array: Array3<i16> = ndarray_npy::read_npy(folder.path().join("a%2fb.npy")).unwrap();
            assert_eq!(array.shape(), [count, 2, 3]);
            assert!(array.iter().copied().eq([1_i16, 2, 3, -10, 20, 30].repeat(count)));
        }
    }

    #[test]
    fn what_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, "old").unwrap();
        let samples = Samples::I16(vec![0; 6]);
        let mut sink = Npy::create(folder.path(), 1).unwrap();
        let error = sink.put(&record("x", &samples), None).unwrap_err();
        assert!(format!("{error:#}").contains("x.npy: File exists"), "{error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
}
