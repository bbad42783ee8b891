//! How long a comparison will take, before it starts.

use std::time::Instant;

use tch::{Kind, Reduction, Tensor};

use super::bench::Bench;
use super::{Contender, Kind as ContenderKind};
use crate::model::Model;
use crate::optim::Optimizer;

/// Steps before and in the measurement.
const STEPS: [usize; 2] = [3, 8];
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
    let seconds_a_step = seconds_a_step(bench);
    let seconds = |contender: &Contender| match contender.kind {
        ContenderKind::Pca => MEASURING_SECONDS,
        ContenderKind::Ours => (steps(settings.train_epochs) + TUNING * steps(settings.tune_epochs)) * seconds_a_step,
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

/// Of a plain autoencoder.
fn seconds_a_step(bench: &Bench<'_>) -> f64 {
    let training = &bench.config.training;
    let model = Model::initialise(&bench.config.network, training.stack_init, 0, bench.device);
    let mut optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let size = training.batch_size.min(bench.train.len()) as i64;
    let x = bench.train.batch(&Tensor::arange(size, (Kind::Int64, bench.device)));
    let mut take = |steps: usize| {
        let start = Instant::now();
        for _ in 0..steps {
            optimizer.minimise(&model.forward(&x).mse_loss(&x, Reduction::Mean), model.parameters(), 1e-3);
        }
        // Waits for the device.
        let _ = model.parameters().flat().get(0).double_value(&[]);
        start.elapsed().as_secs_f64() / steps as f64
    };
    take(STEPS[0]);
    take(STEPS[1])
}
