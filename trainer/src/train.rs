//! Training from the first step or from a checkpoint, with a checkpoint, a spectrum and a line of history each epoch.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor};

use crate::batches::DeviceData;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::fit::{Diverged, Fit, Place};
use crate::interrupt::{self, Interrupted};
use crate::model::Model;
use crate::optim::Optimizer;
use crate::progress::Progress;
use crate::rank::Ranks;
use crate::run::{self, RunError};
use crate::spectrum;

/// Items that the spectrum of each epoch is taken over; the final one (`trainer spectrum`) is over all.
const SPECTRUM_ITEMS: usize = 2048;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The run cannot be loaded.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The loss is no longer a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// Ctrl-C; all is saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Nothing is left to do.
    #[error("{path} has all its {epochs} epochs; give --epochs with a larger number", path = path.display())]
    Finished {
        /// The run.
        path: PathBuf,
        /// How many it has.
        epochs: usize,
    },
    /// The data has changed under a run.
    #[error("the data is {got} now, but the run was trained on {want}; give back the data that config.toml names")]
    OtherData {
        /// Shape of an item now.
        got: String,
        /// Shape of an item then.
        want: String,
    },
}

/// A line of `history.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean loss over the epoch.
    pub loss: f64,
    /// Learning rate at its first step.
    pub learning_rate: f64,
    /// How long it took.
    pub seconds: f64,
    /// Rank of the code by each rule, over a part of the training set.
    pub ranks: Ranks,
    /// Singular values of the code's covariance over that part, descending.
    pub singular_values: Vec<f64>,
}

/// What a finished training says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Epochs behind it.
    pub epochs: usize,
    /// Mean loss over the last one.
    pub loss: f64,
    /// Seconds that the epochs took that were run now.
    pub seconds: f64,
    /// Rank of the code after the last one.
    pub ranks: Ranks,
}

/// A run in training.
struct Session<'a> {
    folder: &'a Path,
    fit: Fit<'a>,
    place: Place,
    history: Vec<EpochRecord>,
}

/// Trains a new run in `folder`, which must be [prepared](files::prepare_output), for its epochs or for `stop_after`
/// of them.
///
/// # Errors
/// When the loss is lost or a file cannot be written; the last whole epoch is kept. Without one, nothing is. An
/// [interruption](interrupt) keeps every step.
pub fn train(
    mut config: RunConfig,
    dataset: &Dataset,
    folder: &Path,
    device: Device,
    stop_after: Option<usize>,
) -> Result<TrainSummary, TrainError> {
    use_threads(&mut config);
    config.save(folder)?;
    let training = &config.training;
    let model = Model::initialise(&config.network, training.stack_init, training.seed, device);
    let optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let data = DeviceData::upload(&dataset.train, &config.normalization, device);
    let fit = Fit { model: &model, data: &data, training, optimizer, progress: Progress::hidden() };
    let session = Session { folder, fit, place: Place::start_after(0, device), history: Vec::new() };
    session.run(stop_after.unwrap_or(training.epochs)).inspect_err(|_| files::discard_unstarted(folder))
}

/// Continues the run in `folder` from its last checkpoint, be it in the middle of an epoch, up to `epochs` in all if given.
///
/// On the CPU the result is that of a run that was never interrupted, to the bit. What was collapsed and tuned from
/// the earlier weights is removed.
///
/// # Errors
/// As [`train`], and when the run is damaged or finished.
pub fn resume(
    folder: &Path,
    dataset: &Dataset,
    device: Device,
    epochs: Option<usize>,
) -> Result<TrainSummary, TrainError> {
    let mut config = RunConfig::load(folder)?;
    config.training.epochs = epochs.unwrap_or(config.training.epochs);
    check_shape(&config, dataset)?;
    use_threads(&mut config);
    let training = &config.training;
    let model = Model::zeros(&config.network, device);
    let mut optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let place = run::load_checkpoint(&model, &mut optimizer, folder)?;
    if place.epoch >= training.epochs {
        return Err(TrainError::Finished { path: folder.to_path_buf(), epochs: place.epoch });
    }
    config.save(folder)?;
    // Made from weights that are about to change.
    [files::COLLAPSED, files::TUNED, files::TUNING]
        .iter()
        .try_for_each(|name| files::remove_folder(&folder.join(name)))?;
    let history = read_history(folder)?.into_iter().filter(|record| record.epoch <= place.epoch).collect();
    let data = DeviceData::upload(&dataset.train, &config.normalization, device);
    let fit = Fit { model: &model, data: &data, training, optimizer, progress: Progress::hidden() };
    Session { folder, fit, place, history }.run(training.epochs)
}

/// The lines of `history.jsonl` in `folder`.
///
/// # Errors
/// When it is missing or damaged.
pub fn read_history(folder: &Path) -> Result<Vec<EpochRecord>, FileError> {
    let path = folder.join(files::HISTORY);
    let text = files::read_text(&path)?;
    let record = |line| serde_json::from_str(line);
    text.lines()
        .map(record)
        .collect::<Result<_, _>>()
        .map_err(|error| FileError::Damaged { path, why: error.to_string() })
}

impl Session<'_> {
    fn run(mut self, epochs: usize) -> Result<TrainSummary, TrainError> {
        let start = Instant::now();
        let steps = self.fit.steps_an_epoch();
        self.fit.progress = Progress::new("train", self.fit.training.epochs, steps, self.place.steps(steps));
        while self.place.epoch < epochs {
            let record = self.epoch()?;
            let about = format!("rank {} of {}", record.ranks.numerical_1e2, record.singular_values.len());
            self.fit.progress.epoch(record.epoch - 1, record.loss, &about);
            self.history.push(record);
            self.save()?;
        }
        self.fit.progress.finish();
        let last = self.history.last().expect("at least one epoch");
        Ok(TrainSummary {
            run: self.folder.to_path_buf(),
            epochs: last.epoch,
            loss: last.loss,
            seconds: start.elapsed().as_secs_f64(),
            ranks: last.ranks,
        })
    }

    fn epoch(&mut self) -> Result<EpochRecord, TrainError> {
        let (start, epoch, kind) = (Instant::now(), self.place.epoch, self.fit.training.kind());
        let loss = |model: &Model, x: &Tensor| reconstruction_loss(model, x, kind);
        let Some(loss) = self.fit.advance(&mut self.place, loss, interrupt::requested)? else {
            self.save()?;
            return Err(self.fit.interrupted(&self.place, Some(self.folder)).into());
        };
        let codes = spectrum::codes(self.fit.model, self.fit.data, SPECTRUM_ITEMS);
        let singular_values = spectrum::principal_axes(&codes).variances;
        Ok(EpochRecord {
            epoch: epoch + 1,
            loss,
            learning_rate: self.fit.learning_rate(epoch, 0),
            seconds: start.elapsed().as_secs_f64(),
            ranks: Ranks::of(&singular_values),
            singular_values,
        })
    }

    /// History first: a resumed run drops lines that are ahead of its checkpoint.
    fn save(&self) -> Result<(), FileError> {
        let line = |record| serde_json::to_string(record).expect("plain data") + "\n";
        let text: String = self.history.iter().map(line).collect();
        files::write_atomically(&self.folder.join(files::HISTORY), text.as_bytes())?;
        run::save_checkpoint(self.fit.model, &self.fit.optimizer, self.folder, &self.place)
    }
}

/// Mean squared error of the reconstruction, in normalised units, by layers that compute in `kind`.
pub(crate) fn reconstruction_loss(model: &Model, x: &Tensor, kind: Kind) -> Tensor {
    model.forward_in(x, kind).mse_loss(x, Reduction::Mean)
}

/// Sets the number of CPU threads, or records the one that libtorch chose: results repeat only with the same number.
pub(crate) fn use_threads(config: &mut RunConfig) {
    match config.training.threads {
        0 => config.training.threads = tch::get_num_threads() as usize,
        threads => tch::set_num_threads(threads as i32),
    }
}

/// Refuses data whose items no longer have the shape that the run was trained on.
///
/// # Errors
/// Names both shapes.
pub fn check_shape(config: &RunConfig, dataset: &Dataset) -> Result<(), TrainError> {
    let (want, got) = (config.network.input, dataset.shape);
    let text = |shape: crate::data::DataShape| format!("{}x{}x{}", shape.channels, shape.height, shape.width);
    if want == got { Ok(()) } else { Err(TrainError::OtherData { got: text(got), want: text(want) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::testing;

    /// The weights after `epochs` of them, from a run that is stopped after `stop` and resumed, if `stop` is given.
    fn weights(schedule: Schedule, first: usize, stop: Option<usize>, resume_to: Option<usize>) -> Vec<u8> {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let mut config = testing::config(&dataset);
        (config.training.epochs, config.training.schedule) = (first, schedule);
        train(config, &dataset, folder.path(), Device::Cpu, stop).unwrap();
        if let Some(epochs) = resume_to {
            resume(folder.path(), &dataset, Device::Cpu, Some(epochs)).unwrap();
        }
        let epochs: Vec<usize> = read_history(folder.path()).unwrap().iter().map(|record| record.epoch).collect();
        assert_eq!(epochs, [1, 2, 3, 4]);
        std::fs::read(folder.path().join(files::MODEL)).unwrap()
    }

    #[test]
    fn two_epochs_and_two_resumed_are_four_to_the_bit() {
        assert_eq!(weights(Schedule::Constant, 4, None, None), weights(Schedule::Constant, 2, None, Some(4)));
        assert_eq!(weights(Schedule::Cosine, 4, None, None), weights(Schedule::Cosine, 4, Some(2), Some(4)));
    }

    #[test]
    fn a_lost_loss_keeps_the_last_checkpoint_and_says_what_to_change() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let mut config = testing::config(&dataset);
        config.training.epochs = 1;
        train(config, &dataset, folder.path(), Device::Cpu, None).unwrap();
        let before = std::fs::read(folder.path().join(files::OPTIMIZER)).unwrap();

        let mut config = RunConfig::load(folder.path()).unwrap();
        config.training.learning_rate = 1e30;
        config.save(folder.path()).unwrap();
        let error = resume(folder.path(), &dataset, Device::Cpu, Some(9)).unwrap_err().to_string();
        assert!(error.contains("lower --lr") && !error.contains('\n'), "{error}");
        assert_eq!(std::fs::read(folder.path().join(files::OPTIMIZER)).unwrap(), before);
    }

    #[test]
    fn a_run_that_fails_in_its_first_epoch_leaves_nothing() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let mut config = testing::config(&dataset);
        config.training.learning_rate = 1e30;
        let out = folder.path().join("run");
        files::prepare_output(&out, false).unwrap();
        assert!(train(config, &dataset, &out, Device::Cpu, None).is_err());
        assert!(!out.exists());
    }

    #[test]
    fn a_finished_and_a_damaged_run_are_refused() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        train(testing::config(&dataset), &dataset, folder.path(), Device::Cpu, None).unwrap();
        let again = || resume(folder.path(), &dataset, Device::Cpu, None).unwrap_err().to_string();
        assert!(again().contains("--epochs"), "{}", again());
        std::fs::write(folder.path().join(files::OPTIMIZER), b"half").unwrap();
        assert!(again().contains("damaged"), "{}", again());
        std::fs::remove_file(folder.path().join(files::OPTIMIZER)).unwrap();
        assert!(again().contains("is missing"), "{}", again());
    }
}
