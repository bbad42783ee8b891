//! Tensors to and from safetensors files, whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

use crate::files::{self, FileError};

/// What a safetensors file holds.
#[derive(Debug)]
pub struct TensorFile {
    /// Tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// The file's metadata.
    pub metadata: HashMap<String, String>,
}

/// Writes f32 tensors with their names and some metadata.
///
/// # Errors
/// When the disk is full or the folder cannot be written; a previous file then still stands.
pub fn save<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), FileError> {
    files::write_atomically(path, &to_bytes(tensors, metadata))
}

/// The bytes of a file of f32 tensors with their names and some metadata.
pub(crate) fn to_bytes<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Vec<u8> {
    let shape = |tensor: &Tensor| tensor.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
    let data: Vec<_> = tensors.into_iter().map(|(name, tensor)| (name, shape(tensor), bytes(tensor))).collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape says"))
    });
    safetensors::serialize(views, Some(metadata)).expect("plain f32 tensors")
}

/// The values of `tensor` as f32, little-endian in memory order.
pub(crate) fn bytes(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut bytes = vec![0u8; tensor.numel() * 4];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

/// Reads a file of real tensors, of whatever precision, as f32.
///
/// # Errors
/// When it is missing, cut short, or holds a type that is not real.
pub fn load(path: &Path) -> Result<TensorFile, FileError> {
    let bytes = files::read(path)?;
    let damaged = |why: String| FileError::Damaged { path: path.to_path_buf(), why };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let tensor = |(name, view): (String, TensorView<'_>)| {
        let kind = match view.dtype() {
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            other => return Err(damaged(format!("tensor {name} is {other:?}, not a real number"))),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        Ok((name, Tensor::from_data_size(view.data(), &shape, kind).to_kind(Kind::Float)))
    };
    Ok(TensorFile {
        tensors: file.tensors().into_iter().map(tensor).collect::<Result<_, _>>()?,
        metadata: header.metadata().clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_metadata_survive_and_a_cut_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let (a, b) = (Tensor::from_slice(&[1.5f32, -2.0]).view([2, 1]), Tensor::from_slice(&[3.0f32]));
        save(&path, [("a", &a), ("b.c", &b)], HashMap::from([("epoch".into(), "7".into())])).unwrap();
        let file = load(&path).unwrap();
        assert_eq!((&file.tensors["a"], &file.tensors["b.c"]), (&a, &b));
        assert_eq!(file.metadata["epoch"], "7");

        let bytes = files::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("damaged or cut short"), "{error}");
    }
}
