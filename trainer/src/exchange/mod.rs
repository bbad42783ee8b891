//! Networks to and from other frameworks: state dicts of PyTorch in safetensors files, and graphs in ONNX files.
//!
//! `names` has the names that the paper's code gives to tensors, `import` takes its networks, `onnx` draws graphs (the
//! messages of their files are in `proto`). What is exported is the collapsed network, or the tuned one where there is one.

mod import;
mod names;
mod onnx;
mod proto;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tch::Device;

use crate::data::{DataShape, Normalization};
use crate::export::{REPORT, SubjectError, network_folder};
use crate::files::{self, FileError};
use crate::run::Run;
use crate::tensors;

pub use import::{ImportError, ImportReport, import};
pub use onnx::{decoder, encoder};

/// Files that other frameworks read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file of tensors, under the names of the paper's code.
    Safetensors,
    /// Two graphs, of the encoder and of the decoder.
    Onnx,
}

/// What `model.json` holds beside such files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExchangeReport {
    /// Folder of the files.
    pub folder: PathBuf,
    /// The files.
    pub files: Vec<PathBuf>,
    /// The folder that the network was taken from.
    pub network: PathBuf,
    /// Values in the code.
    pub rank: usize,
    /// Shape of one item.
    pub shape: DataShape,
    /// What the network sees is (raw - offset) / scale, channel by channel.
    pub normalization: Normalization,
}

/// Writes the network of a run into `folder`: the tuned one, else the collapsed one; a run that has neither is collapsed now.
///
/// # Errors
/// When the run cannot be loaded or collapsed, or a file cannot be written.
pub fn write(run: &Path, format: Format, folder: &Path) -> Result<ExchangeReport, SubjectError> {
    // Nothing is computed that a faster device would shorten.
    let network = network_folder(run, Device::Cpu)?;
    let Run { model, config, .. } = Run::load(&network, Device::Cpu)?;
    let contents = match format {
        Format::Safetensors => {
            let names = names::names(model.spec());
            let tensors = names.iter().map(String::as_str).zip(model.parameters().leaves());
            vec![(folder.join("model.safetensors"), tensors::to_bytes(tensors, HashMap::new()))]
        }
        Format::Onnx => {
            let graphs = [("encoder.onnx", onnx::encoder(&model)), ("decoder.onnx", onnx::decoder(&model))];
            graphs.map(|(name, bytes)| (folder.join(name), bytes)).into()
        }
    };
    let report = ExchangeReport {
        folder: folder.to_path_buf(),
        files: contents.iter().map(|(path, _)| path.clone()).collect(),
        network,
        rank: config.network.latent,
        shape: config.network.input,
        normalization: config.normalization,
    };
    save(&report, &contents)?;
    Ok(report)
}

fn save(report: &ExchangeReport, contents: &[(PathBuf, Vec<u8>)]) -> Result<(), FileError> {
    let json = serde_json::to_vec_pretty(report).expect("plain data");
    let path = report.folder.join(REPORT);
    let mut files: Vec<(&Path, &[u8])> = contents.iter().map(|(path, bytes)| (path.as_path(), &bytes[..])).collect();
    files.push((&path, &json));
    files::write_together(&files)
}

impl fmt::Display for ExchangeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, network, rank, .. } = self;
        let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
        write!(f, "{}: {rank} coefficients, from {}", names.join(", "), network.display())?;
        write!(f, "\n  inputs and outputs are (raw - offset) / scale, as {REPORT} has them")
    }
}
