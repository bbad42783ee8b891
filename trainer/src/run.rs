//! A run folder: the configuration and the weights of a network, with the state of its training.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tch::Device;

use crate::config::RunConfig;
use crate::files::{self, FileError};
use crate::fit::Place;
use crate::model::Model;
use crate::network::NetworkError;
use crate::optim::Optimizer;
use crate::tensors;

/// A network as it lies in a folder: a run, or its `collapsed` or `tuned` form.
#[derive(Debug)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// How it came about.
    pub config: RunConfig,
    /// The network with its weights.
    pub model: Model,
}

/// Why a run cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file is missing or damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration describes no network.
    #[error("{path}: {problem}", path = path.display())]
    Network {
        /// The configuration.
        path: PathBuf,
        /// What is wrong.
        problem: Box<NetworkError>,
    },
}

impl Run {
    /// Loads the network in `folder`.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the weights are not those of the configuration.
    pub fn load(folder: &Path, device: Device) -> Result<Self, RunError> {
        let config = RunConfig::load(folder)?;
        let network_error =
            |problem| RunError::Network { path: folder.join(files::CONFIG), problem: Box::new(problem) };
        config.network.check().map_err(network_error)?;
        let model = Model::zeros(&config.network, device);
        load_weights(&model, &folder.join(files::MODEL))?;
        Ok(Run { folder: folder.to_path_buf(), config, model })
    }
}

/// Writes the weights of `model` into `folder`, with the number of epochs behind them.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn save_weights(model: &Model, folder: &Path, epoch: usize) -> Result<(), FileError> {
    // One entry only: a map of more would be written in any order, and equal runs would differ in their files.
    let metadata = HashMap::from([("epoch".into(), epoch.to_string())]);
    tensors::save(&folder.join(files::MODEL), model.parameters().named(), metadata)
}

fn load_weights(model: &Model, path: &Path) -> Result<(), FileError> {
    let file = tensors::load(path)?;
    let damaged = |why| FileError::Damaged { path: path.to_path_buf(), why };
    for (name, parameter) in model.parameters().named() {
        let saved = file.tensors.get(name).ok_or_else(|| damaged(format!("it has no tensor {name}")))?;
        if saved.size() != parameter.size() {
            let why = format!("tensor {name} is {:?}, the configuration says {:?}", saved.size(), parameter.size());
            return Err(damaged(why));
        }
        tch::no_grad(|| parameter.shallow_clone().copy_(saved));
    }
    Ok(())
}

/// Writes a checkpoint of a training at `place`: all that a resumed run needs in one file, then the weights for everyone else.
///
/// # Errors
/// When the disk is full or the folder cannot be written; the previous checkpoint then still stands.
pub fn save_checkpoint(model: &Model, optimizer: &Optimizer, folder: &Path, place: &Place) -> Result<(), FileError> {
    let [first, second] = optimizer.moments();
    let tensors = [
        ("parameters", model.parameters().flat()),
        ("first_moment", first),
        ("second_moment", second),
        ("epoch_loss", &place.total),
    ];
    let numbers = [("epoch", place.epoch), ("epoch_step", place.step), ("step", optimizer.step_count() as usize)];
    let metadata = numbers.map(|(name, number)| (name.to_string(), number.to_string()));
    tensors::save(&folder.join(files::OPTIMIZER), tensors, metadata.into())?;
    save_weights(model, folder, place.epoch)
}

/// Whole epochs behind the checkpoint in `folder`, if there is one.
pub fn epochs_done(folder: &Path) -> Option<usize> {
    tensors::load(&folder.join(files::OPTIMIZER)).ok()?.metadata.get("epoch")?.parse().ok()
}

/// Takes up the checkpoint in `folder`; gives its place.
///
/// # Errors
/// When it is missing, damaged, or of another network.
pub fn load_checkpoint(model: &Model, optimizer: &mut Optimizer, folder: &Path) -> Result<Place, FileError> {
    let path = folder.join(files::OPTIMIZER);
    let file = tensors::load(&path)?;
    let damaged = |why: String| FileError::Damaged { path: path.clone(), why };
    let tensor = |name: &str| file.tensors.get(name).ok_or_else(|| damaged(format!("it has no tensor {name}")));
    let number = |name: &str| {
        let text = file.metadata.get(name).ok_or_else(|| damaged(format!("it does not say its {name}")))?;
        text.parse::<u64>().map_err(|error| damaged(format!("{name}: {error}")))
    };
    let parameters = tensor("parameters")?;
    if parameters.size() != model.parameters().flat().size() {
        return Err(damaged("it belongs to another network".into()));
    }
    model.parameters().flat().shallow_clone().copy_(parameters);
    let moments = [tensor("first_moment")?, tensor("second_moment")?];
    optimizer.restore(number("step")?, moments).map_err(damaged)?;
    let total = tensor("epoch_loss")?.to_device(model.device());
    Ok(Place { epoch: number("epoch")? as usize, step: number("epoch_step")? as usize, total })
}
