//! Recorded windows for a board, and what the host makes of them.

use bytemuck::Pod;
use irmae_infer::format::AlignedBytes;
use irmae_infer::framing::{encode_frame, frame_len_max};
use irmae_infer::kernels::Portable;
use irmae_infer::packet::{MAX_PACKET_LEN, Profile, encode_packet};
use irmae_infer::{Encoder, Model, RawType, Sample, Shape};
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{ReadNpyError, ReadableElement};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use super::FirmwareError;

/// Evaluates an expression with the type of a model's samples.
macro_rules! with_samples {
    ($raw:expr, $sample:ident => $body:expr) => {
        match $raw {
            RawType::U8 => {
                type $sample = u8;
                $body
            }
            RawType::I16 => {
                type $sample = i16;
                $body
            }
            RawType::U16 => {
                type $sample = u16;
                $body
            }
            RawType::F32 => {
                type $sample = f32;
                $body
            }
        }
    };
}

/// A model file.
pub(super) struct ModelFile {
    path: PathBuf,
    /// Its bytes.
    pub(super) bytes: AlignedBytes,
}

impl ModelFile {
    fn read(path: &Path) -> Result<ModelFile, FirmwareError> {
        let bytes = fs::read(path).map_err(FirmwareError::io(path))?;
        Ok(ModelFile { path: path.to_path_buf(), bytes: AlignedBytes::new(&bytes) })
    }

    fn load(&self) -> Result<Model<'_>, FirmwareError> {
        Model::load(self.bytes.as_slice()).map_err(self.refused())
    }

    /// For `map_err`: why it does not run.
    fn refused<E: fmt::Display>(&self) -> impl Fn(E) -> FirmwareError {
        |why| FirmwareError::Recording { path: self.path.clone(), why: why.to_string() }
    }
}

/// Windows for a model, as a board takes them.
pub(crate) struct Recording {
    /// The encoder.
    pub(super) model: ModelFile,
    /// All samples of all windows: little-endian, rows in order of time, channels last.
    pub(crate) samples: Vec<u8>,
    /// Shape of a window.
    pub(super) frame: Shape,
    /// Bytes of a row.
    pub(super) row_len: usize,
}

impl Recording {
    /// Reads an encoder, and the windows of an array file of the type that it takes: (N, channels, samples), or for images (N, channels,
    /// height, width).
    pub(crate) fn read(model: &Path, windows: &Path) -> Result<Recording, FirmwareError> {
        Recording::new(
            ModelFile::read(model)?,
            |model| with_samples!(model.raw_type(), S => device_order::<S>(windows, model)),
        )
    }

    /// The encoder and the input of a golden case.
    pub(super) fn golden(case: &Path) -> Result<Recording, FirmwareError> {
        let input = case.join("input.bin");
        Recording::new(ModelFile::read(&case.join("encoder.irmae"))?, |_| {
            fs::read(&input).map_err(FirmwareError::io(&input))
        })
    }

    fn new(
        file: ModelFile,
        samples: impl FnOnce(&Model<'_>) -> Result<Vec<u8>, FirmwareError>,
    ) -> Result<Recording, FirmwareError> {
        let model = file.load()?;
        let (frame, samples) = (model.frame(), samples(&model)?);
        let row_len = frame.row_len() * with_samples!(model.raw_type(), S => size_of::<S>());
        drop(model);
        Ok(Recording { model: file, samples, frame, row_len })
    }

    /// Flips a bit in the middle of the model.
    pub(super) fn damage_model(&mut self) {
        let bytes = self.model.bytes.as_mut_slice();
        bytes[bytes.len() / 2] ^= 1;
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.samples.len() / self.row_len
    }

    /// Number of windows.
    pub(crate) fn windows(&self) -> usize {
        self.rows() / usize::from(self.frame.height)
    }

    /// The frames that the host makes of the windows, each encoded as a whole, by kernels that compute the same everywhere.
    pub(super) fn host_frames(&self, max_packet_len: usize) -> Result<Vec<u8>, FirmwareError> {
        let model = self.model.load()?;
        with_samples!(model.raw_type(), S => self.frames_of::<S>(&model, max_packet_len))
    }

    fn frames_of<S: Sample + Pod>(&self, model: &Model<'_>, max_packet_len: usize) -> Result<Vec<u8>, FirmwareError> {
        let samples: Vec<S> = bytemuck::pod_collect_to_vec(&self.samples);
        let mut buffer = AlignedBytes::zeroed(model.buffer_len());
        let mut encoder =
            Encoder::<Portable>::with_kernels(model, buffer.as_mut_slice()).map_err(self.model.refused())?;
        let mut levels = vec![0; model.code_len()];
        let (mut packet, mut frame) = ([0; MAX_PACKET_LEN], [0; frame_len_max(MAX_PACKET_LEN)]);
        let mut frames = Vec::new();
        for (sequence, window) in samples.chunks_exact(model.frame().len()).enumerate() {
            encoder.encode(window, &mut levels).map_err(self.model.refused())?;
            let len = encode_packet(model, &levels, Profile::Full, sequence as u8, max_packet_len, &mut packet)
                .map_err(self.model.refused())?;
            let len = encode_frame(&packet[..len], &mut frame).map_err(self.model.refused())?;
            frames.extend_from_slice(&frame[..len]);
        }
        Ok(frames)
    }
}

/// The windows of an array file in the order of the device.
fn device_order<S: Sample + Pod + ReadableElement>(path: &Path, model: &Model<'_>) -> Result<Vec<u8>, FirmwareError> {
    let refuse = |why| FirmwareError::Recording { path: path.to_path_buf(), why };
    let array: ArrayD<S> = ndarray_npy::read_npy(path).map_err(|why| match why {
        ReadNpyError::WrongDescriptor(found) => {
            refuse(format!("it is an array of {found}, the model takes one of {:?}", model.raw_type()))
        }
        other => refuse(other.to_string()),
    })?;
    let [h, w, c] = [model.frame().height, model.frame().width, model.frame().channels].map(usize::from);
    let wanted: &[usize] = if w == 1 { &[c, h] } else { &[c, h, w] };
    if array.ndim() == 0 || array.shape()[1..] != *wanted {
        return Err(refuse(format!("it has shape {:?}, the model takes windows of {wanted:?}", array.shape())));
    }
    let windows = array.shape()[0];
    // What is left is in this order in memory, or is made so.
    let array = array.as_standard_layout().into_owned().into_shape_with_order(IxDyn(&[windows, c, h, w]));
    let array = array.map_err(|why| refuse(why.to_string()))?.permuted_axes(IxDyn(&[0, 2, 3, 1]));
    Ok(array.iter().flat_map(|sample| bytemuck::bytes_of(sample).to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;

    #[test]
    fn an_array_is_turned_into_rows_and_another_one_refused_by_name() {
        let case = Env::detect().unwrap().root.join("tests/golden/signal-i8");
        let golden = Recording::golden(&case).unwrap();
        assert_eq!((golden.row_len, golden.rows()), (6, 4 * 32));
        let samples: Vec<i16> = bytemuck::pod_collect_to_vec(&golden.samples);
        let rows = ndarray::Array3::from_shape_vec((4, 32, 3), samples).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.npy");
        ndarray_npy::write_npy(&path, &rows.clone().permuted_axes([0, 2, 1]).as_standard_layout()).unwrap();
        let model = case.join("encoder.irmae");
        assert_eq!(Recording::read(&model, &path).unwrap().samples, golden.samples);
        ndarray_npy::write_npy(&path, &rows).unwrap();
        let line = Recording::read(&model, &path).err().unwrap().to_string();
        assert!(line.ends_with("it has shape [4, 32, 3], the model takes windows of [3, 32]"), "{line}");
        ndarray_npy::write_npy(&path, &rows.mapv(f64::from)).unwrap();
        assert!(Recording::read(&model, &path).err().unwrap().to_string().contains("the model takes one of I16"));
    }
}
