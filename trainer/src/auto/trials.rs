//! Short trainings at each depth, judged by what packets give on items that were held out of them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Device;

use super::{AutoError, Plan};
use crate::batches::DeviceData;
use crate::code::{CLASSES_MAX, Quantizer};
use crate::collapse::Collapse;
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::model::Model;
use crate::packet_run::train_halving;
use crate::quality;
use crate::rank::Ranks;
use crate::run::Run;
use crate::spectrum;

/// Depths of the linear stack, and learning rates of Muon that suit them.
const DEPTHS: [(usize, f64); 3] = [(0, 0.02), (2, 0.02), (4, 0.01)];
/// One in so many training items is held out, up to so many.
const HELD_OUT: usize = 10;
const HELD_OUT_MAX: usize = 4000;
/// Items over which a spectrum is taken.
const SPECTRUM_ITEMS: usize = 2048;

/// What a depth reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Linear layers.
    pub linear_layers: usize,
    /// Rate at which the loss was not lost.
    pub learning_rate: f64,
    /// Number of singular values of the code's covariance that are above 1e-2 of the largest.
    pub rank: usize,
    /// PSNR over the items that were held out, for each packet size.
    pub psnr_db: Vec<f64>,
    /// Mean logarithm of the squared error over the packet sizes: what is compared.
    pub log_error: f64,
}

/// Tries the depths that `tried` does not have yet; what is under way lies in the `trial` folder of `run`, and what is judged in its `trials.json`.
pub(super) fn go_on(
    plan: &Plan,
    mut tried: Vec<Trial>,
    dataset: &Dataset,
    run: &Path,
    device: Device,
) -> Result<Vec<Trial>, AutoError> {
    let (items, folder) = (dataset.train.len(), run.join(files::TRIAL));
    let held_out = (items / HELD_OUT).clamp(1, HELD_OUT_MAX);
    let (train, test) = dataset.train.clone().split_at(items - held_out);
    let dataset = Dataset { train, test, ..dataset.clone() };
    for &(linear_layers, learning_rate) in &DEPTHS[tried.len()..] {
        eprintln!("trial of {linear_layers} linear layers");
        let config = plan.config(&dataset, linear_layers, learning_rate, plan.trial_epochs)?;
        let learning_rate = train_halving(config, &dataset, &folder, device)?;
        tried.push(judge(plan, &dataset, &Run::load(&folder, device)?, learning_rate)?);
        // First: the next trial would take it up.
        files::remove_folder(&folder)?;
        save(plan, &tried, run)?;
    }
    Ok(tried)
}

/// Keeps what has been tried by `plan`.
pub(super) fn save(plan: &Plan, tried: &[Trial], run: &Path) -> Result<(), FileError> {
    files::write_json(&run.join(files::TRIALS), &(plan, tried))
}

fn judge(plan: &Plan, dataset: &Dataset, run: &Run, learning_rate: f64) -> Result<Trial, AutoError> {
    let upload = |items| DeviceData::upload(items, &dataset.normalization, run.model.device());
    let (train, held_out) = (upload(&dataset.train), upload(&dataset.test));
    let model = Collapse::new(&run.model, &train).cut(plan.latent);
    let quantizer = Quantizer::fit(&model, &train, &plan.bytes, CLASSES_MAX);
    let errors: Vec<f64> = plan.bytes.iter().map(|&bytes| raw_mse(&model, &held_out, &quantizer, bytes)).collect();
    let ranks = Ranks::of(&spectrum::principal_axes(&spectrum::codes(&model, &train, SPECTRUM_ITEMS)).variances);
    Ok(Trial {
        linear_layers: run.config.network.linear_layers,
        learning_rate,
        rank: ranks.numerical_1e2,
        psnr_db: errors.iter().map(|&error| quality::psnr_db(error, dataset.peak)).collect(),
        log_error: errors.iter().map(|error| error.max(f64::MIN_POSITIVE).ln()).sum::<f64>() / errors.len() as f64,
    })
}

fn raw_mse(model: &Model, data: &DeviceData, quantizer: &Quantizer, bytes: usize) -> f64 {
    quality::raw_mse(data, |x| model.decode(&quantizer.through_packets(&model.encode(x), bytes)))
}
