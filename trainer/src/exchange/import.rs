//! A network that PyTorch trained becomes a run.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tch::Device;

use super::names::names;
use crate::config::RunConfig;
use crate::files::{self, FileError};
use crate::fit::Place;
use crate::model::Model;
use crate::optim::Optimizer;
use crate::run;
use crate::tensors::{self, TensorFile};

/// Why a state dict is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tensor is not there.
    #[error(
        "{path} has no tensor {name}, which --preset, --latent and --linear-layers ask for; it has {has}",
        path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Those that the network does not have, or all.
        has: String,
    },
    /// A tensor has another shape.
    #[error(
        "{path}: tensor {name} is {got:?}, but --preset, --latent and the data make it {want:?}",
        path = path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        got: Vec<i64>,
        /// The one it should have.
        want: Vec<i64>,
    },
    /// Tensors are left over.
    #[error(
        "{path} has tensors that the network does not have: {names}; choose another --preset or --linear-layers",
        path = path.display()
    )]
    LeftOver {
        /// The file.
        path: PathBuf,
        /// Their names.
        names: String,
    },
}

/// What an import says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportReport {
    /// The run's folder.
    pub run: PathBuf,
    /// Tensors that were taken.
    pub tensors: usize,
    /// Numbers in them.
    pub parameters: usize,
}

/// The network in a state dict that the paper's code names, as [`RunConfig::network`] describes it.
///
/// # Errors
/// Names the first tensor that is missing or has another shape, or those that are left over.
fn read(path: &Path, config: &RunConfig) -> Result<Model, ImportError> {
    let TensorFile { tensors, .. } = tensors::load(path)?;
    let model = Model::zeros(&config.network, Device::Cpu);
    let names = names(&config.network);
    let list = |names: Vec<&String>| -> String { names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ") };
    let unknown: Vec<&String> = tensors.keys().filter(|name| !names.contains(name)).collect();
    for (name, parameter) in names.iter().zip(model.parameters().leaves()) {
        let Some(tensor) = tensors.get(name) else {
            let has = if unknown.is_empty() { list(tensors.keys().collect()) } else { list(unknown) };
            return Err(ImportError::Missing { path: path.into(), name: name.clone(), has });
        };
        if tensor.size() != parameter.size() {
            let (got, want) = (tensor.size(), parameter.size());
            return Err(ImportError::Shape { path: path.into(), name: name.clone(), got, want });
        }
        tch::no_grad(|| parameter.shallow_clone().copy_(tensor));
    }
    if !unknown.is_empty() {
        return Err(ImportError::LeftOver { path: path.into(), names: list(unknown) });
    }
    Ok(model)
}

/// Makes a run in `folder` of the state dict at `path`. `prepare` readies the folder, once the state dict is known to fit.
///
/// The run has no epoch behind it: `trainer resume` trains it on with a fresh optimiser.
///
/// # Errors
/// As `read` and `prepare`, and when a file cannot be written.
pub fn import(
    path: &Path,
    config: &RunConfig,
    folder: &Path,
    prepare: impl FnOnce(&Path) -> Result<(), FileError>,
) -> Result<ImportReport, ImportError> {
    let model = read(path, config)?;
    prepare(folder)?;
    config.save(folder)?;
    files::write_atomically(&folder.join(files::HISTORY), b"")?;
    let training = &config.training;
    let optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    run::save_checkpoint(&model, &optimizer, folder, &Place::start_after(0, Device::Cpu))?;
    Ok(ImportReport {
        run: folder.to_path_buf(),
        tensors: model.parameters().leaves().len(),
        parameters: model.parameters().flat().numel(),
    })
}
