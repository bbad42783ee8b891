//! Fine-tuning the collapsed network at its rank, if wanted with the code's quantiser in the loop.
//!
//! With a budget of bytes the loss sees what the decoder will see: codes that were quantised and read back. Bits are
//! shared out anew before each epoch of the first half, steps are fitted anew before each epoch.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Reduction, Tensor};

use crate::batches::DeviceData;
use crate::code_bits::CodeBits;
use crate::collapse::{self, Collapse};
use crate::config::{Schedule, TrainingConfig, TrainingError};
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::fit::{Diverged, Fit};
use crate::model::Model;
use crate::optim::Optimizer;
use crate::progress::Progress;
use crate::quality;
use crate::quantizer::Quantizer;
use crate::run::{self, Run};
use crate::spectrum;

/// Bytes of a packet that hold no code: its length.
const PACKET_OVERHEAD_BYTES: usize = 1;

/// Training items over which the final variances are measured.
const VARIANCE_ITEMS: usize = 10_000;

/// What to tune with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneOptions {
    /// Passes over the training set.
    pub epochs: usize,
    /// Learning rate at the start of its half cosine.
    pub learning_rate: f64,
    /// Items in a step.
    pub batch_size: usize,
    /// Size of a packet, its length byte included; without it the code is not quantised.
    pub bytes: Option<usize>,
}

/// Why tuning failed.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// A packet with no room for a code.
    #[error("--bytes {0} leaves no room for the code; give 2 or more (one byte is the packet's length)")]
    NoRoom(usize),
    /// A setting is out of range.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The loss is no longer a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What `tune.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneReport {
    /// Folder of the tuned network.
    pub folder: PathBuf,
    /// Coefficients of its code.
    pub rank: usize,
    /// Size of a packet that was tuned for, its length byte included.
    pub bytes: Option<usize>,
    /// Bits and steps of the code, if it is quantised.
    pub code: Option<CodeBits>,
    /// Passes over the training set.
    pub epochs: usize,
    /// Mean loss over the last one.
    pub loss: f64,
    /// PSNR over the test part before tuning, with the code quantised if it is.
    pub psnr_db_before: f64,
    /// The same after tuning.
    pub psnr_db: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Tunes `collapsed`, the network in a run's `collapsed` folder, and writes the run's `tuned` folder.
///
/// # Errors
/// When a setting is out of range, the loss is lost, or a file cannot be written.
pub fn tune(collapsed: &Run, dataset: &Dataset, options: TuneOptions) -> Result<TuneReport, TuneError> {
    let start = Instant::now();
    let training = training_of(collapsed, options)?;
    let upload = |items| DeviceData::upload(items, &collapsed.config.normalization, collapsed.model.device());
    let (data, test) = (upload(&dataset.train), upload(&dataset.test));
    let psnr = |model: &Model, quantizer: Option<&Quantizer>| {
        let mse = quality::raw_mse(&test, |x| model.decode(&read_back(quantizer, model.encode(x))));
        quality::psnr_db(mse, dataset.peak)
    };
    let budget_bits = options.bytes.map(|bytes| 8 * (bytes - PACKET_OVERHEAD_BYTES));
    let model = &collapsed.model;
    let before = budget_bits.map(|budget| Quantizer::fit(model, &data, budget, None));
    let psnr_db_before = psnr(model, before.as_ref());

    let (quantizer, loss) = fit(model, &data, &training, before, budget_bits)?;
    let psnr_db = psnr(model, quantizer.as_ref());
    let (tuned, code) = finish(model, &data, quantizer.as_ref());
    let report = TuneReport {
        folder: collapsed.folder.with_file_name(files::TUNED),
        rank: tuned.spec().latent,
        bytes: options.bytes,
        code,
        epochs: options.epochs,
        loss,
        psnr_db_before,
        psnr_db,
        seconds: start.elapsed().as_secs_f64(),
    };
    save(collapsed, training, &tuned, &report)?;
    Ok(report)
}

/// The run's own settings with those of the options; its items come in orders that it has not seen yet.
fn training_of(collapsed: &Run, options: TuneOptions) -> Result<TrainingConfig, TuneError> {
    if options.bytes.is_some_and(|bytes| bytes <= PACKET_OVERHEAD_BYTES) {
        return Err(TuneError::NoRoom(options.bytes.unwrap_or_default()));
    }
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

/// Trains `model` in place; gives the quantiser of the last epoch and its loss.
fn fit(
    model: &Model,
    data: &DeviceData,
    training: &TrainingConfig,
    mut quantizer: Option<Quantizer>,
    budget_bits: Option<usize>,
) -> Result<(Option<Quantizer>, f64), TuneError> {
    tch::set_num_threads(training.threads as i32);
    let optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let mut fit = Fit { model, data, training, optimizer, progress: Progress::hidden() };
    fit.progress = Progress::new("tune", training.epochs, fit.steps_an_epoch(), 0);
    let mut loss = f64::NAN;
    for epoch in 0..training.epochs {
        if let (Some(budget), Some(last)) = (budget_bits, &quantizer) {
            let keep = (epoch >= training.epochs / 2).then_some(last.code().bits.as_slice());
            quantizer = Some(Quantizer::fit(model, data, budget, keep));
        }
        loss = fit.epoch(epoch, |model, x| {
            let codes = model.encode(x);
            let codes = quantizer.as_ref().map_or_else(|| codes.shallow_clone(), |q| q.straight_through(&codes));
            model.decode(&codes).mse_loss(x, Reduction::Mean)
        })?;
        let about = quantizer.as_ref().map_or_else(String::new, |q| format!("{} bits a code", q.code().total_bits()));
        fit.progress.epoch(epoch, loss, &about);
    }
    fit.progress.finish();
    Ok((quantizer, loss))
}

fn read_back(quantizer: Option<&Quantizer>, codes: Tensor) -> Tensor {
    quantizer.map_or_else(|| codes.shallow_clone(), |quantizer| quantizer.read_back(&codes))
}

/// Orders the coefficients by variance: a quantised code by sorting, without those of no bits; any other by turning it
/// onto its principal axes again.
fn finish(model: &Model, data: &DeviceData, quantizer: Option<&Quantizer>) -> (Model, Option<CodeBits>) {
    let Some(quantizer) = quantizer else {
        return (Collapse::new(model, data).cut(model.spec().latent), None);
    };
    let codes = spectrum::codes(model, data, VARIANCE_ITEMS);
    let variances = Vec::<f32>::try_from(codes.var_dim(0i64, true, false)).expect("a vector of f32");
    let code = quantizer.code();
    let mut order: Vec<usize> = (0..variances.len()).filter(|&i| code.bits[i] > 0).collect();
    order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
    (collapse::select(model, &order), Some(code.select(&order)))
}

fn save(collapsed: &Run, training: TrainingConfig, tuned: &Model, report: &TuneReport) -> Result<(), FileError> {
    let mut config = collapsed.config.clone();
    (config.network, config.training) = (tuned.spec().clone(), training);
    files::replace_folder(&report.folder, |folder| {
        if let Some(code) = &report.code {
            files::write_json(&folder.join(files::CODE), code)?;
        }
        files::write_json(&folder.join(files::TUNE), report)?;
        run::save_weights(tuned, folder, report.epochs)?;
        config.save(folder)
    })
}

impl fmt::Display for TuneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, rank, psnr_db_before, psnr_db, seconds, .. } = self;
        write!(
            f,
            "{}: {rank} coefficients, test PSNR {psnr_db_before:.2} -> {psnr_db:.2} dB, {seconds:.0} s",
            folder.display()
        )?;
        if let (Some(code), Some(bytes)) = (&self.code, self.bytes) {
            write!(f, "\n{bytes} bytes a packet, {} bits of code: {:?}", code.total_bits(), code.bits)?;
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
        let options = TuneOptions { epochs: 12, learning_rate: 3e-3, batch_size: 16, bytes: Some(3) };

        let report = tune(&Run::load(&folder, Device::Cpu).unwrap(), &dataset, options).unwrap();
        assert!(report.psnr_db > report.psnr_db_before, "{report}");
        let tuned = Run::load(&report.folder, Device::Cpu).unwrap();
        let code: CodeBits = files::read_json(&report.folder.join(files::CODE)).unwrap();
        assert_eq!((code.total_bits(), code.bits.len()), (16, tuned.model.spec().latent));
        assert!(code.bits.iter().all(|&bits| bits > 0));

        let plain = TuneOptions { bytes: None, ..options };
        let report = tune(&Run::load(&folder, Device::Cpu).unwrap(), &dataset, plain).unwrap();
        assert!(!report.folder.join(files::CODE).exists() && report.code.is_none());
        let tight = TuneOptions { bytes: Some(1), ..options };
        let error = tune(&tuned, &dataset, tight).unwrap_err().to_string();
        assert!(error.starts_with("--bytes 1 leaves no room"), "{error}");
    }
}
