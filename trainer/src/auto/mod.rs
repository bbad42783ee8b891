//! From data to a compressor without a hyper-parameter: `trainer train --auto`.
//!
//! 1. [`Plan`] takes what follows from the data's shape and size and from the packets: preset, size of the code, batches, epochs.
//! 2. `trials` trains for a few hundred steps at each depth of the linear stack, orthogonal at the start, with a learning rate that falls
//!    with the depth (Sun et al., 2021), and sends items that it did not see through packets. Depth 0 is a plain autoencoder, so that no depth
//!    is taken that does worse than one. Which spectrum a depth leaves does not count in itself: a code of low rank is taken where it
//!    is also the better one in few bytes.
//! 3. The best is trained on all training items, collapsed with its whole code and tuned for the packets.
//!
//! A loss that is lost is tried again at half the rate.

mod plan;
mod trials;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tch::Device;

use crate::code::BytesError;
use crate::config::{DecoderKind, RunConfig};
use crate::cut::{CollapseError, RankChoice, collapse_run};
use crate::data::Dataset;
use crate::draft::DraftError;
use crate::files::{self, FileError};
use crate::fit::Diverged;
use crate::run::{Run, RunError};
use crate::train::{self, TrainError};
use crate::tune::{TuneError, TuneOptions, TuneReport, tune};

pub use plan::{Plan, Steps};
pub use trials::Trial;

/// A learning rate is halved so often before a training is given up.
const HALVINGS: u32 = 4;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoOptions {
    /// Sizes of packets, all their bytes included; empty for those that suit images or windows.
    pub bytes: Vec<usize>,
    /// How large the decoder may be.
    pub decoder: DecoderKind,
    /// Seed of weights and orders.
    pub seed: u64,
    /// How long to train.
    pub steps: Steps,
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is what it wraps")]
pub enum AutoError {
    #[error(transparent)]
    Bytes(#[from] BytesError),
    #[error(transparent)]
    Draft(#[from] DraftError),
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
    /// Ctrl-C before the run itself was begun.
    #[error("interrupted in the trials, of which nothing is kept; start again")]
    Interrupted,
    /// Too little to hold some out.
    #[error(
        "--auto needs {needed} training items or more to try settings on, and there are {found}; give more data, or a --preset"
    )]
    TooFewItems {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
}

/// What was tried, and what came of the best.
#[derive(Clone, Debug, Serialize)]
pub struct AutoReport {
    /// Folder of the run.
    pub run: PathBuf,
    /// What follows from data and packets.
    pub plan: Plan,
    /// By depth.
    pub trials: Vec<Trial>,
    /// Linear layers of the best.
    pub linear_layers: usize,
    /// Learning rate at which it was trained.
    pub learning_rate: f64,
    /// The tuned network.
    pub tuned: TuneReport,
}

/// Trains, collapses and tunes a run by `plan` in `folder`, which must be [prepared](files::prepare_output).
///
/// # Errors
/// When the data does not fit the preset, a loss is lost at every rate, or a file cannot be written; after an [interruption](crate::interrupt) of
/// the training or the tuning, `trainer resume` goes on with that.
pub fn train_auto(plan: Plan, dataset: &Dataset, folder: &Path, device: Device) -> Result<AutoReport, AutoError> {
    let trials = trials::run(&plan, dataset, &folder.join("trials"), device)?;
    let best = trials.iter().min_by(|a, b| a.log_error.total_cmp(&b.log_error)).expect("a depth at least").clone();

    let config = plan.config(dataset, best.linear_layers, best.learning_rate, plan.train_epochs)?;
    let learning_rate = train_halving(config, dataset, folder, device)?;
    let whole = RankChoice::Fixed(plan.latent);
    let collapsed = collapse_run(&Run::load(folder, device)?, dataset, whole)?.folder;
    let tuning = TuneOptions {
        epochs: plan.tune_epochs,
        // The rate of training would undo what was learned.
        learning_rate: learning_rate / 2.0,
        batch_size: plan.batch_size,
        bytes: plan.bytes.clone(),
    };
    let tuned = tune(&Run::load(&collapsed, device)?, dataset, &tuning)?;
    let linear_layers = best.linear_layers;
    let report = AutoReport { run: folder.into(), plan, trials, linear_layers, learning_rate, tuned };
    files::write_json(&folder.join(files::AUTO), &report)?;
    Ok(report)
}

/// Trains a run in `folder`, at half the rate as long as the loss is lost. Returns the rate.
fn train_halving(mut config: RunConfig, dataset: &Dataset, folder: &Path, device: Device) -> Result<f64, AutoError> {
    for halvings in 0.. {
        files::prepare_output(folder, true)?;
        match train::train(config.clone(), dataset, folder, device, None) {
            Ok(_) => break,
            Err(TrainError::Diverged(Diverged { .. })) if halvings < HALVINGS => config.training.learning_rate /= 2.0,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(config.training.learning_rate)
}

impl fmt::Display for AutoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, trials, linear_layers, learning_rate, tuned, .. } = self;
        let Plan { preset, decoder, latent, batch_size, train_epochs, tune_epochs, .. } = plan;
        writeln!(f, "{preset}, {decoder} decoder, a code of {latent}, batches of {batch_size}")?;
        for Trial { linear_layers, learning_rate, psnr_db, rank, .. } in trials {
            let decibels: Vec<String> = psnr_db.iter().map(|psnr_db| format!("{psnr_db:.2}")).collect();
            writeln!(
                f,
                "  tried {linear_layers} linear layers at {learning_rate}: {} dB, rank {rank}",
                decibels.join(" / ")
            )?;
        }
        writeln!(
            f,
            "trained with {linear_layers} linear layers at {learning_rate} for {train_epochs} epochs, tuned for {tune_epochs}"
        )?;
        write!(f, "{tuned}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSpec;
    use crate::testing;

    fn options(bytes: &[usize]) -> AutoOptions {
        let steps = Steps { trial: 30, train: 60, tune: 60 };
        AutoOptions { bytes: bytes.into(), decoder: DecoderKind::Mirror, seed: 0, steps }
    }

    #[test]
    fn one_call_leads_from_data_to_a_tuned_run() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        files::prepare_output(&run, false).unwrap();
        let plan = Plan::new(DataSpec::new("rectangles"), &dataset, &options(&[3, 6])).unwrap();
        let report = train_auto(plan, &dataset, &run, Device::Cpu).unwrap();
        let depths: Vec<usize> = report.trials.iter().map(|trial| trial.linear_layers).collect();
        assert_eq!(depths[0], 0, "a plain autoencoder is among them");
        assert!(depths.contains(&report.linear_layers));
        let error = |depth| report.trials.iter().find(|trial| trial.linear_layers == depth).unwrap().log_error;
        assert!(depths.iter().all(|&depth| error(report.linear_layers) <= error(depth)));
        assert_eq!(report.tuned.packets.iter().map(|packets| packets.bytes).collect::<Vec<_>>(), [3, 6]);
        assert!(run.join(files::TUNED).join(files::CODE).exists() && run.join(files::AUTO).exists());
        assert!(!run.join("trials").exists(), "only the run is left");
    }

    #[test]
    fn a_lost_loss_is_tried_again_at_half_the_rate() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        let mut config = testing::config(&dataset);
        config.training.learning_rate = 1e30;
        let error = train_halving(config.clone(), &dataset, folder.path(), Device::Cpu).unwrap_err();
        assert!(matches!(error, AutoError::Train(TrainError::Diverged(_))), "1e30 is lost however often it is halved");
        config.training.learning_rate = 3e-3;
        assert_eq!(train_halving(config, &dataset, folder.path(), Device::Cpu).unwrap(), 3e-3);
    }
}
