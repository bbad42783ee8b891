//! From settings to a run that sends packets: trained, collapsed with its whole code, tuned. What an interruption left is taken up where it was.
//!
//! The code is not cut before it is tuned: tuning finds which coefficients are worth their bits, and leaves the others out.

use std::path::Path;

use tch::Device;

use crate::config::RunConfig;
use crate::cut::{CollapseError, RankChoice, collapse_run};
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::interrupt::Interrupted;
use crate::run::{Run, RunError};
use crate::train::{self, TrainError};
use crate::tune::{self, TuneError, TuneOptions, TuneReport};

/// A learning rate is halved so often before a training is given up.
const HALVINGS: i32 = 4;

/// Why it failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is what it wraps")]
pub enum PacketRunError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Collapse(#[from] CollapseError),
    #[error(transparent)]
    Tune(#[from] TuneError),
}

impl PacketRunError {
    /// Where it was interrupted, if that is what ended it: says that `run` is to be resumed.
    pub fn of_run(mut self, run: Option<&Path>) -> Self {
        if let Self::Train(TrainError::Interrupted(Interrupted { run: resumed, .. }))
        | Self::Tune(TuneError::Interrupted(Interrupted { run: resumed, .. })) = &mut self
        {
            *resumed = run.map(Path::to_path_buf);
        }
        self
    }
}

/// Leaves a tuned run of `config` in `folder`; `tuning` is for the learning rate at which it was trained, which is returned. What is there
/// already is not done again.
///
/// # Errors
/// When a loss is lost, a setting is out of range, or a file cannot be written; after an [interruption](crate::interrupt) the same call goes on.
pub fn complete(
    config: RunConfig,
    tuning: impl FnOnce(f64) -> TuneOptions,
    dataset: &Dataset,
    folder: &Path,
    device: Device,
) -> Result<(f64, TuneReport), PacketRunError> {
    let learning_rate = train_halving(config, dataset, folder, device)?;
    let [collapsed, tuned, under_way] = [files::COLLAPSED, files::TUNED, files::TUNING].map(|name| folder.join(name));
    if !collapsed.exists() {
        let run = Run::load(folder, device)?;
        collapse_run(&run, dataset, RankChoice::Fixed(run.config.network.latent))?;
    }
    let collapsed = Run::load(&collapsed, device)?;
    let report = if under_way.exists() {
        tune::resume(&collapsed, dataset)?
    } else if tuned.exists() {
        files::read_json(&tuned.join(files::TUNE))?
    } else {
        tune::tune(&collapsed, dataset, &tuning(learning_rate))?
    };
    Ok((learning_rate, report))
}

/// Trains a run in `folder`, at half the rate as long as the loss is lost. Returns the rate.
///
/// # Errors
/// As [`complete`].
pub fn train_halving(
    config: RunConfig,
    dataset: &Dataset,
    folder: &Path,
    device: Device,
) -> Result<f64, PacketRunError> {
    let least = config.training.learning_rate * 0.5_f64.powi(HALVINGS);
    let is_under_way = || folder.join(files::OPTIMIZER).exists();
    let mut config = if is_under_way() { RunConfig::load(folder)? } else { config };
    loop {
        let trained = if is_under_way() {
            train::resume(folder, dataset, device, None)
        } else {
            train::train(config.clone(), dataset, folder, device, None)
        };
        let learning_rate = &mut config.training.learning_rate;
        match trained {
            Ok(_) | Err(TrainError::Finished { .. }) => return Ok(*learning_rate),
            Err(TrainError::Diverged(_)) if *learning_rate > least => {
                files::remove_training(folder)?;
                *learning_rate /= 2.0;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_lost_loss_is_tried_again_at_half_the_rate() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let mut config = testing::config(&dataset);
        config.training.learning_rate = 1e30;
        let error = train_halving(config.clone(), &dataset, folder.path(), Device::Cpu).unwrap_err();
        let PacketRunError::Train(TrainError::Diverged(diverged)) = error else { panic!("{error}") };
        // Within its first epoch of three a half cosine loses no quarter.
        let rate = diverged.learning_rate;
        assert!((0.75 * 1e30 / 16.0..=1e30 / 16.0).contains(&rate), "halved four times: {diverged}");
        config.training.learning_rate = 3e-3;
        assert_eq!(train_halving(config, &dataset, folder.path(), Device::Cpu).unwrap(), 3e-3);
    }

    #[test]
    fn each_stage_is_done_once() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let tuning = |_| TuneOptions { epochs: 2, learning_rate: 1e-3, batch_size: 16, bytes: vec![4] };
        let run = || complete(testing::config(&dataset), tuning, &dataset, folder.path(), Device::Cpu).unwrap();
        let first = run();
        let written = |name: &str| std::fs::metadata(folder.path().join(name).join(files::MODEL)).unwrap().modified();
        let before = ["", files::COLLAPSED, files::TUNED].map(|name| written(name).unwrap());
        assert_eq!(run(), first);
        assert_eq!(["", files::COLLAPSED, files::TUNED].map(|name| written(name).unwrap()), before);

        files::remove_folder(&folder.path().join(files::TUNED)).unwrap();
        assert_eq!(run().1.rank, first.1.rank);
        let after = ["", files::COLLAPSED, files::TUNED].map(|name| written(name).unwrap());
        assert!(after[..2] == before[..2] && after[2] > before[2], "tuning alone is done again");
    }
}
