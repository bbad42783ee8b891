//! From data to a compressor without a hyper-parameter: `trainer train --auto`.
//!
//! 1. [`Plan`] takes what follows from the data's shape and size and from the packets: preset, size of the code, batches, epochs.
//! 2. `trials` trains for a few hundred steps at each depth of the linear stack, orthogonal at the start, with a learning rate that falls
//!    with the depth (Sun et al., 2021), and sends items that it did not see through packets. Depth 0 is a plain autoencoder, so that no depth
//!    is taken that does worse than one. Which spectrum a depth leaves does not count in itself: a code of low rank is taken where it
//!    is also the better one in few bytes.
//! 3. The best is trained on all training items, collapsed with its whole code and tuned for the packets.
//!
//! A loss that is lost is tried again at half the rate. What is interrupted goes on from where it was ([`resume`]).

mod plan;
mod trials;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tch::Device;

use crate::code::BytesError;
use crate::config::DecoderKind;
use crate::data::{DataSpec, Dataset};
use crate::draft::DraftError;
use crate::files::{self, FileError};
use crate::packet_run::{self, PacketRunError};
use crate::run::RunError;
use crate::tune::{TuneOptions, TuneReport};

pub use plan::{Plan, Steps};
pub use trials::Trial;

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
    Run(#[from] RunError),
    #[error(transparent)]
    PacketRun(#[from] PacketRunError),
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
/// When the data does not fit the preset, a loss is lost at every rate, or a file cannot be written; after an
/// [interruption](crate::interrupt) [`resume`] goes on.
pub fn train_auto(plan: Plan, dataset: &Dataset, folder: &Path, device: Device) -> Result<AutoReport, AutoError> {
    trials::save(&plan, &[], folder)?;
    go_on(plan, Vec::new(), dataset, folder, device)
}

/// Whether an automatic run lies in `folder` that is not finished.
pub fn is_under_way(folder: &Path) -> bool {
    folder.join(files::TRIALS).exists() && !folder.join(files::AUTO).exists()
}

/// The data of the automatic run in `folder`.
///
/// # Errors
/// When its record is damaged.
pub fn data_of(folder: &Path) -> Result<DataSpec, AutoError> {
    Ok(record(folder)?.0.data)
}

/// Goes on with the automatic run in `folder`.
///
/// # Errors
/// As [`train_auto`], and when its record is damaged.
pub fn resume(dataset: &Dataset, folder: &Path, device: Device) -> Result<AutoReport, AutoError> {
    let (plan, tried) = record(folder)?;
    go_on(plan, tried, dataset, folder, device)
}

fn record(folder: &Path) -> Result<(Plan, Vec<Trial>), FileError> {
    files::read_json(&folder.join(files::TRIALS))
}

fn go_on(
    plan: Plan,
    tried: Vec<Trial>,
    dataset: &Dataset,
    folder: &Path,
    device: Device,
) -> Result<AutoReport, AutoError> {
    let trials = trials::go_on(&plan, tried, dataset, folder, device).map_err(|error| error.of_run(folder))?;
    let best = trials.iter().min_by(|a, b| a.log_error.total_cmp(&b.log_error)).expect("a depth at least").clone();
    let config = plan.config(dataset, best.linear_layers, best.learning_rate, plan.train_epochs)?;
    let tuning = |learning_rate| TuneOptions {
        epochs: plan.tune_epochs,
        // The rate of training would undo what was learned.
        learning_rate: learning_rate / 2.0,
        batch_size: plan.batch_size,
        bytes: plan.bytes.clone(),
    };
    let (learning_rate, tuned) = packet_run::complete(config, tuning, dataset, folder, device)?;
    let linear_layers = best.linear_layers;
    let report = AutoReport { run: folder.into(), plan, trials, linear_layers, learning_rate, tuned };
    files::write_json(&folder.join(files::AUTO), &report)?;
    Ok(report)
}

impl AutoError {
    /// What was interrupted in a trial goes on with the whole run.
    fn of_run(self, run: &Path) -> Self {
        match self {
            Self::PacketRun(error) => Self::PacketRun(error.of_run(Some(run))),
            error => error,
        }
    }
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
        assert!(!run.join(files::TRIAL).exists() && !is_under_way(&run), "only the run is left");
    }

    #[test]
    fn what_is_taken_up_after_a_trial_or_in_training_ends_the_same() {
        let dataset = testing::dataset();
        let root = tempfile::tempdir().unwrap();
        let [whole, resumed] = ["whole", "resumed"].map(|name| root.path().join(name));
        let plan = || Plan::new(DataSpec::new("rectangles"), &dataset, &options(&[3])).unwrap();
        let expected = train_auto(plan(), &dataset, &whole, Device::Cpu).unwrap();
        assert!(!is_under_way(&whole) && data_of(&whole).unwrap() == DataSpec::new("rectangles"));

        trials::save(&plan(), &expected.trials[..1], &resumed).unwrap();
        assert!(is_under_way(&resumed));
        let report = resume(&dataset, &resumed, Device::Cpu).unwrap();
        // What tuning draws at random it shares with other tests.
        let outcome = |report: &AutoReport| (report.trials.clone(), report.learning_rate, report.tuned.psnr_db_before);
        assert_eq!(outcome(&report), outcome(&expected));
        let weights = |run: &Path| files::read(&run.join(files::MODEL)).unwrap();
        assert!(weights(&resumed) == weights(&whole), "the same weights before tuning");

        // As if it had been interrupted in the tuning, of which nothing was saved.
        files::remove_folder(&resumed.join(files::TUNED)).unwrap();
        std::fs::remove_file(resumed.join(files::AUTO)).unwrap();
        let report = resume(&dataset, &resumed, Device::Cpu).unwrap();
        assert_eq!(outcome(&report), outcome(&expected));
    }
}
