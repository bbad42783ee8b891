//! How long a study will take, before it starts.

use std::time::Duration;

use indicatif::HumanDuration;
use tch::Device;

use super::Experiment;
use crate::batches::DeviceData;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device;
use crate::pace::seconds_a_step;

/// Says how long it will take, from a few steps of the plain autoencoder.
pub(super) fn announce(missing: &[&Experiment], planned: usize, config: &RunConfig, dataset: &Dataset, device: Device) {
    if missing.is_empty() {
        return eprintln!("all {planned} experiments are there; writing the report");
    }
    let data = DeviceData::upload(&dataset.train, &config.normalization, device);
    let seconds = seconds_a_step(config, &data);
    let training = &config.training;
    let steps = training.epochs * dataset.train.len().div_ceil(training.batch_size);
    let each = Duration::from_secs_f64(seconds * steps as f64);
    let (count, epochs) = (missing.len(), training.epochs);
    eprintln!(
        "{count} of {planned} experiments to run, {epochs} epochs of {} items each, {:.1} ms a step on {}: about {} each, {} in all, and \
         about a fifth more to measure them. Ctrl-C when you like: the same command goes on from there.",
        dataset.train.len(),
        1e3 * seconds,
        device::name(device),
        HumanDuration(each),
        HumanDuration(each * count as u32)
    );
}
