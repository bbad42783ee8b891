//! How fast a network trains here.

use std::time::Instant;

use tch::Reduction;

use crate::batches::{DeviceData, epoch_order};
use crate::config::RunConfig;
use crate::model::Model;
use crate::optim::Optimizer;

/// Steps before the measurement, and in it.
const STEPS: [usize; 2] = [3, 12];

/// Mean seconds of a step of the training that `config` says, as a plain autoencoder, where `data` is.
pub(crate) fn seconds_a_step(config: &RunConfig, data: &DeviceData) -> f64 {
    let training = &config.training;
    let model = Model::initialise(&config.network, training.stack_init, training.seed, data.device());
    let mut optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let order = epoch_order(training.seed, 0, data.len(), data.device());
    let x = data.batch(&order.narrow(0, 0, training.batch_size.min(data.len()) as i64));
    let mut seconds = |steps: usize| {
        let start = Instant::now();
        for _ in 0..steps {
            let loss = model.forward(&x).mse_loss(&x, Reduction::Mean);
            optimizer.minimise(&loss, model.parameters(), training.learning_rate);
        }
        // Waits for the device.
        let _ = model.parameters().flat().get(0).double_value(&[]);
        start.elapsed().as_secs_f64() / steps as f64
    };
    seconds(STEPS[0]);
    seconds(STEPS[1])
}
