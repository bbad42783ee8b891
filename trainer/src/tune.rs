//! Fine-tuning the collapsed network at its rank, if wanted with the code's quantiser in the loop.
//!
//! With packet sizes the loss sees what the decoder will see: codes that were quantised and read back, each at an operating point drawn at random,
//! so that one network serves them all. An error counts in proportion to what errors are at its point: a decibel is worth the
//! same at each. And it sees the bits that a code takes, at the price that the points themselves ask for a bit. The quantiser is fitted
//! anew every few hundred steps.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::batches::DeviceData;
use crate::code::{self, BytesError, CLASSES_MAX, CodeTables, Quantizer};
use crate::collapse::{self, Collapse};
use crate::config::{Schedule, TrainingConfig, TrainingError};
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::fit::Diverged;
use crate::interrupt::Interrupted;
use crate::model::Model;
use crate::quality;
use crate::run::{self, Run};
use crate::spectrum;
use crate::tuning::{Clock, State, Tuning};

/// Training items over which the final variances are measured.
const VARIANCE_ITEMS: usize = 10_000;

/// What to tune with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneOptions {
    /// Passes over the training set.
    pub epochs: usize,
    /// Learning rate at the start of its half cosine.
    pub learning_rate: f64,
    /// Items in a step.
    pub batch_size: usize,
    /// Sizes of bare packets, all bytes included; without any the code is not quantised.
    pub bytes: Vec<usize>,
}

/// Why tuning failed.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// A packet size that no code can have.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// A setting is out of range.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The loss is no longer a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Ctrl-C; all is saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What `tune.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneReport {
    /// Folder of the tuned network.
    pub folder: PathBuf,
    /// Coefficients of its code.
    pub rank: usize,
    /// Packet sizes that were tuned for, and what they give.
    pub packets: Vec<PacketQuality>,
    /// Passes over the training set.
    pub epochs: usize,
    /// Mean loss over the last one.
    pub loss: f64,
    /// PSNR over the test part before tuning, the code not quantised.
    pub psnr_db_before: f64,
    /// The same after tuning.
    pub psnr_db: f64,
    /// How long it took.
    pub seconds: f64,
}

/// What packets of a size give over the test part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PacketQuality {
    /// The size that they may have, all bytes included.
    pub bytes: usize,
    /// PSNR with them before tuning.
    pub psnr_db_before: f64,
    /// The same after tuning.
    pub psnr_db: f64,
}

/// Tunes `collapsed`, the network in a run's `collapsed` folder, and writes the run's `tuned` folder.
///
/// # Errors
/// When a setting is out of range, the loss is lost, or a file cannot be written; after an [interruption](crate::interrupt), [`resume`] goes on.
pub fn tune(collapsed: &Run, dataset: &Dataset, options: &TuneOptions) -> Result<TuneReport, TuneError> {
    files::remove_folder(&run_of(collapsed).join(files::TUNING))?;
    tune_from(collapsed, dataset, options, None)
}

/// Goes on with a tuning that was interrupted. On the CPU the result is that of one that was not, to the bit.
///
/// # Errors
/// As [`tune`], and when what was saved is damaged.
pub fn resume(collapsed: &Run, dataset: &Dataset) -> Result<TuneReport, TuneError> {
    let state = State::read(&run_of(collapsed))?;
    let options = state.options.clone();
    tune_from(collapsed, dataset, &options, Some(state))
}

fn tune_from(
    collapsed: &Run,
    dataset: &Dataset,
    options: &TuneOptions,
    state: Option<State>,
) -> Result<TuneReport, TuneError> {
    let clock = Clock::after(state.as_ref());
    let bytes = code::check_bytes(&options.bytes)?;
    let options = &TuneOptions { bytes: bytes.clone(), ..options.clone() };
    let training = training_of(collapsed, options)?;
    let upload = |items| DeviceData::upload(items, &collapsed.config.normalization, collapsed.model.device());
    let (data, test) = (upload(&dataset.train), upload(&dataset.test));
    let judge = Judge { test: &test, peak: dataset.peak, bytes: &bytes };
    let model = &collapsed.model;
    let quantizer = (!bytes.is_empty()).then(|| Quantizer::fit(model, &data, &bytes, CLASSES_MAX));
    let (psnr_db_before, packets_before) = judge.qualities(model, quantizer.as_ref());

    let run = run_of(collapsed);
    let tuning = Tuning { model, data: &data, training: &training, options, run, clock };
    let (quantizer, loss) = tuning.fit(state)?;
    let (tuned, quantizer) = finish(model, &data, quantizer.as_ref());
    let (psnr_db, packets) = judge.qualities(&tuned, quantizer.as_ref());
    let packets = bytes.iter().zip(packets_before.iter().zip(packets));
    let report = TuneReport {
        folder: collapsed.folder.with_file_name(files::TUNED),
        rank: tuned.spec().latent,
        packets: packets
            .map(|(&bytes, (&psnr_db_before, psnr_db))| PacketQuality { bytes, psnr_db_before, psnr_db })
            .collect(),
        epochs: options.epochs,
        loss,
        psnr_db_before,
        psnr_db,
        seconds: tuning.clock.seconds(),
    };
    save(collapsed, training, &tuned, quantizer.as_ref().map(Quantizer::tables), &report)?;
    Ok(report)
}

/// The folder of the run of which `collapsed` is the network.
fn run_of(collapsed: &Run) -> PathBuf {
    collapsed.folder.parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// The run's own settings with those of the options; its items come in orders that it has not seen yet.
fn training_of(collapsed: &Run, options: &TuneOptions) -> Result<TrainingConfig, TuneError> {
    let base = collapsed.config.training.clone();
    let training = TrainingConfig {
        epochs: options.epochs,
        learning_rate: options.learning_rate,
        batch_size: options.batch_size,
        schedule: Schedule::Cosine,
        seed: base.seed.wrapping_add(base.epochs as u64),
        ..base
    };
    training.check()?;
    Ok(training)
}

/// What networks are measured by.
struct Judge<'a> {
    test: &'a DeviceData,
    peak: f64,
    bytes: &'a [usize],
}

impl Judge<'_> {
    /// PSNR with the code as it is, and in packets of each size.
    fn qualities(&self, model: &Model, quantizer: Option<&Quantizer>) -> (f64, Vec<f64>) {
        let psnr = |through: &dyn Fn(Tensor) -> Tensor| {
            quality::psnr_db(quality::raw_mse(self.test, |x| model.decode(&through(model.encode(x)))), self.peak)
        };
        let of_packets = |quantizer: &Quantizer| -> Vec<f64> {
            let psnr_at = |&bytes: &usize| psnr(&|codes| quantizer.through_packets(&codes, bytes));
            self.bytes.iter().map(psnr_at).collect()
        };
        (psnr(&|codes| codes), quantizer.map(of_packets).unwrap_or_default())
    }
}

/// Puts the coefficients in order: those of a quantised code by what they move the output, largest first, without those that are never sent;
/// any other code is turned onto its principal axes again.
fn finish(model: &Model, data: &DeviceData, quantizer: Option<&Quantizer>) -> (Model, Option<Quantizer>) {
    let Some(quantizer) = quantizer else {
        return (Collapse::new(model, data).cut(model.spec().latent), None);
    };
    let (codes, tables) = (spectrum::codes(model, data, VARIANCE_ITEMS), quantizer.tables());
    // Units weigh alike in the output, whatever they are worth in the code.
    let in_units = codes / Tensor::from_slice(&tables.spec.resolutions);
    let variances = Vec::<f32>::try_from(in_units.var_dim(0i64, true, false)).expect("a vector of f32");
    let mut order = tables.sent();
    order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
    (collapse::select(model, &order), Some(Quantizer::new(tables.select(&order), model.device())))
}

fn save(
    collapsed: &Run,
    training: TrainingConfig,
    tuned: &Model,
    tables: Option<&CodeTables>,
    report: &TuneReport,
) -> Result<(), FileError> {
    let mut config = collapsed.config.clone();
    (config.network, config.training) = (tuned.spec().clone(), training);
    files::replace_folder(&report.folder, |folder| {
        if let Some(tables) = tables {
            files::write_json(&folder.join(files::CODE), tables)?;
        }
        files::write_json(&folder.join(files::TUNE), report)?;
        run::save_weights(tuned, folder, report.epochs)?;
        config.save(folder)
    })?;
    files::remove_folder(&run_of(collapsed).join(files::TUNING))
}

impl fmt::Display for TuneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, rank, psnr_db_before, psnr_db, seconds, .. } = self;
        write!(
            f,
            "{}: {rank} coefficients, test PSNR {psnr_db_before:.2} -> {psnr_db:.2} dB, {seconds:.0} s",
            folder.display()
        )?;
        for PacketQuality { bytes, psnr_db_before, psnr_db } in &self.packets {
            write!(f, "\n  {bytes:>3} bytes a packet: {psnr_db_before:.2} -> {psnr_db:.2} dB")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::{RankChoice, collapse_run};
    use crate::{testing, train};
    use tch::Device;

    #[test]
    fn tuning_with_the_quantiser_fills_the_packet_and_gains() {
        let dataset = testing::dataset();
        let folder = tempfile::tempdir().unwrap();
        train::train(testing::config(&dataset), &dataset, folder.path(), Device::Cpu, None).unwrap();
        let run = Run::load(folder.path(), Device::Cpu).unwrap();
        let folder = collapse_run(&run, &dataset, RankChoice::Fixed(5)).unwrap().folder;
        let options = TuneOptions { epochs: 12, learning_rate: 3e-3, batch_size: 16, bytes: vec![4, 2] };

        let report = tune(&Run::load(&folder, Device::Cpu).unwrap(), &dataset, &options).unwrap();
        assert_eq!(report.packets.iter().map(|packets| packets.bytes).collect::<Vec<_>>(), [2, 4]);
        assert!(report.packets.iter().all(|packets| packets.psnr_db > packets.psnr_db_before), "{report}");
        let tuned = Run::load(&report.folder, Device::Cpu).unwrap();
        let tables: CodeTables = files::read_json(&report.folder.join(files::CODE)).unwrap();
        assert_eq!((tables.bytes.as_slice(), tables.rank()), (&[2, 4][..], tuned.model.spec().latent));
        assert!(tables.spec.code().is_some() && tables.sent().len() == tables.rank());

        let plain = TuneOptions { bytes: Vec::new(), ..options.clone() };
        let report = tune(&Run::load(&folder, Device::Cpu).unwrap(), &dataset, &plain).unwrap();
        assert!(!report.folder.join(files::CODE).exists() && report.packets.is_empty());
        let tight = TuneOptions { bytes: vec![1], ..options };
        let error = tune(&tuned, &dataset, &tight).unwrap_err().to_string();
        assert!(error.starts_with("--bytes 1 leaves no room"), "{error}");
    }
}
