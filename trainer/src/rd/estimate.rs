//! How long a comparison will take, before it starts.

use super::bench::Bench;
use super::{Contender, Kind};
use crate::pace::seconds_a_step;

/// Steps of tuning take so much longer: codes are quantised, and quantisers fitted.
const TUNING: f64 = 1.5;
/// Seconds to fit tables and to send the test part, on a processor of today.
const MEASURING_SECONDS: f64 = 8.0;

/// Says on stderr what `contenders` are left to do and about how long they take.
pub(super) fn tell(bench: &Bench<'_>, contenders: &[Contender]) {
    if contenders.is_empty() {
        return;
    }
    let settings = &bench.settings;
    let steps = |epochs: usize| (epochs * bench.dataset.train.len().div_ceil(bench.config.training.batch_size)) as f64;
    let seconds_a_step = seconds_a_step(&bench.config, &bench.train);
    let seconds = |contender: &Contender| match contender.kind {
        Kind::Pca => MEASURING_SECONDS,
        Kind::Ours => (steps(settings.train_epochs) + TUNING * steps(settings.tune_epochs)) * seconds_a_step,
        _ => steps(settings.epochs()) * seconds_a_step + 2.0 * MEASURING_SECONDS,
    };
    let total: f64 = contenders.iter().map(seconds).sum();
    eprintln!(
        "{} trainings and measurements, {:.0} steps each, {:.1} ms a step here: about {:.0} minutes",
        contenders.len(),
        steps(settings.epochs()),
        1e3 * seconds_a_step,
        (total / 60.0).ceil()
    );
}
