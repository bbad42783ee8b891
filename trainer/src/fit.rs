//! The inner loop that training and tuning share: one epoch of steps, without waiting for the device in any of them.

use tch::Tensor;

use crate::batches::{DeviceData, epoch_order};
use crate::config::TrainingConfig;
use crate::model::Model;
use crate::optim::{self, Optimizer};
use crate::progress::Progress;

/// The loss is read from the device once in so many steps.
const STEPS_BETWEEN_READS: usize = 50;

/// A network being fitted to data.
pub struct Fit<'a> {
    /// The network.
    pub model: &'a Model,
    /// What it is fitted to.
    pub data: &'a DeviceData,
    /// How.
    pub training: &'a TrainingConfig,
    /// The optimiser and its state.
    pub optimizer: Optimizer,
    /// Where progress is shown.
    pub progress: Progress,
}

/// The loss is no longer a number.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the loss became {loss} in epoch {epoch} at step {step} of it; lower --lr (it is {learning_rate:e} there) or train \
     with fewer --linear-layers (the checkpoint of the last whole epoch is kept)"
)]
pub struct Diverged {
    /// NaN or infinity.
    pub loss: f64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step, from 1.
    pub step: usize,
    /// Learning rate at that step.
    pub learning_rate: f64,
}

impl Fit<'_> {
    /// Steps that make one epoch; the last may be smaller than a batch.
    pub fn steps_an_epoch(&self) -> usize {
        self.data.len().div_ceil(self.training.batch_size)
    }

    /// Learning rate of a step of an epoch (both from 0).
    pub fn learning_rate(&self, epoch: usize, step: usize) -> f64 {
        let (an_epoch, training) = (self.steps_an_epoch(), self.training);
        training.schedule.learning_rate(training.learning_rate, epoch * an_epoch + step, training.epochs * an_epoch)
    }

    /// Runs epoch `epoch` (from 0) with `loss` of a normalised batch; gives the mean loss.
    ///
    /// # Errors
    /// When the loss is no longer finite.
    pub fn epoch(&mut self, epoch: usize, loss: impl Fn(&Model, &Tensor) -> Tensor) -> Result<f64, Diverged> {
        let (count, batch_size) = (self.data.len(), self.training.batch_size);
        let order = epoch_order(self.training.seed, epoch, count, self.model.device());
        let mut total = optim::zero_like(self.model.parameters());
        for (step, start) in (0..count).step_by(batch_size).enumerate() {
            let size = batch_size.min(count - start);
            let x = self.data.batch(&order.narrow(0, start as i64, size as i64));
            let loss = loss(self.model, &x);
            let learning_rate = self.learning_rate(epoch, step);
            self.optimizer.minimise(&loss, self.model.parameters(), learning_rate);
            total += loss.detach() * size as f64;
            self.progress.step();
            if (step + 1) % STEPS_BETWEEN_READS == 0 {
                self.read(&total, start + size, epoch, step)?;
            }
        }
        self.read(&total, count, epoch, self.steps_an_epoch() - 1)
    }

    /// The mean loss over the `items` so far.
    fn read(&self, total: &Tensor, items: usize, epoch: usize, step: usize) -> Result<f64, Diverged> {
        let loss = total.double_value(&[]) / items as f64;
        if !loss.is_finite() {
            let learning_rate = self.learning_rate(epoch, step);
            return Err(Diverged { loss, epoch: epoch + 1, step: step + 1, learning_rate });
        }
        self.progress.loss(epoch, loss);
        Ok(loss)
    }
}
