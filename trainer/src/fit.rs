//! The inner loop that training and tuning share: one epoch of steps, without waiting for the device in any of them.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::batches::{DeviceData, epoch_order};
use crate::config::TrainingConfig;
use crate::interrupt::Interrupted;
use crate::model::Model;
use crate::optim::Optimizer;
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

/// How far a training has come.
#[derive(Debug)]
pub struct Place {
    /// Whole epochs behind it.
    pub epoch: usize,
    /// Steps of the next one behind it.
    pub step: usize,
    /// Sum of the losses of their items. A scalar on the device.
    pub total: Tensor,
}

impl Place {
    /// The start of the epoch after `epoch` whole ones.
    pub fn start_after(epoch: usize, device: Device) -> Self {
        Place { epoch, step: 0, total: Tensor::zeros([0i64; 0], (Kind::Float, device)) }
    }

    /// All steps behind it, `an_epoch` of which are an epoch.
    pub fn steps(&self, an_epoch: usize) -> usize {
        self.epoch * an_epoch + self.step
    }
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
        let mut place = Place::start_after(epoch, self.model.device());
        let mean = self.advance(&mut place, loss, || false)?;
        Ok(mean.expect("nothing stops it"))
    }

    /// Runs the rest of the epoch at `place` and gives its mean loss, or nothing where `stop` ended it before its last step;
    /// `place` is then that of the next step.
    ///
    /// Random numbers depend on the seed and the step alone: what goes on later draws what it would have drawn.
    ///
    /// # Errors
    /// When the loss is no longer finite.
    pub fn advance(
        &mut self,
        place: &mut Place,
        loss: impl Fn(&Model, &Tensor) -> Tensor,
        stop: impl Fn() -> bool,
    ) -> Result<Option<f64>, Diverged> {
        let (count, batch_size) = (self.data.len(), self.training.batch_size);
        let (epoch, steps) = (place.epoch, self.steps_an_epoch());
        let order = epoch_order(self.training.seed, epoch, count, self.model.device());
        while place.step < steps {
            if stop() {
                return Ok(None);
            }
            let start = place.step * batch_size;
            let size = batch_size.min(count - start);
            let x = self.data.batch(&order.narrow(0, start as i64, size as i64));
            self.seed_random_numbers(place);
            let loss = loss(self.model, &x);
            let learning_rate = self.learning_rate(epoch, place.step);
            self.optimizer.minimise(&loss, self.model.parameters(), learning_rate);
            place.total += loss.detach() * size as f64;
            place.step += 1;
            self.progress.step();
            if place.step.is_multiple_of(STEPS_BETWEEN_READS) {
                self.read(place, start + size)?;
            }
        }
        let mean = self.read(place, count)?;
        *place = Place::start_after(epoch + 1, self.model.device());
        Ok(Some(mean))
    }

    /// What to say of an interruption at `place`; `run` is what to resume, if it is a run.
    pub fn interrupted(&self, place: &Place, run: Option<&Path>) -> Interrupted {
        Interrupted {
            run: run.map(Path::to_path_buf),
            epoch: place.epoch + 1,
            step: place.step,
            steps: self.steps_an_epoch(),
        }
    }

    /// Makes torch's random numbers those of the step at `place`.
    pub fn seed_random_numbers(&self, place: &Place) {
        // Seeds of neighbouring runs must not meet in neighbouring steps.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let step = place.steps(self.steps_an_epoch()) as u64;
        tch::manual_seed(self.training.seed.wrapping_mul(SPREAD).wrapping_add(step) as i64);
    }

    /// The mean loss over the `items` so far.
    fn read(&self, place: &Place, items: usize) -> Result<f64, Diverged> {
        let (epoch, step) = (place.epoch, place.step);
        let loss = place.total.double_value(&[]) / items as f64;
        if !loss.is_finite() {
            return Err(Diverged { loss, epoch: epoch + 1, step, learning_rate: self.learning_rate(epoch, step - 1) });
        }
        self.progress.loss(epoch, loss);
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::batches::DeviceData;
    use crate::config::OptimizerKind;
    use crate::{run, testing};

    /// The parameters after three epochs, saved and taken up again after so many steps, if any.
    fn parameters(optimizer: OptimizerKind, pause: Option<usize>) -> Tensor {
        let (dataset, folder) = (testing::dataset(), tempfile::tempdir().unwrap());
        let mut config = testing::config(&dataset);
        (config.training.optimizer, config.training.seed) = (optimizer, 3);
        let training = &config.training;
        let data = DeviceData::upload(&dataset.train, &dataset.normalization, Device::Cpu);
        let mut model = Model::initialise(&config.network, training.stack_init, training.seed, Device::Cpu);
        let mut place = Place::start_after(0, Device::Cpu);
        let mut moments = Optimizer::new(optimizer, 0.0, model.parameters());
        for limit in pause.into_iter().chain([usize::MAX]) {
            let mut fit =
                Fit { model: &model, data: &data, training, optimizer: moments, progress: Progress::hidden() };
            let taken = Cell::new(0);
            let stop = || taken.replace(taken.get() + 1) == limit;
            let loss = |model: &Model, x: &Tensor| (model.forward(x) - x).square().mean(Kind::Float);
            while place.epoch < 3 && fit.advance(&mut place, loss, stop).unwrap().is_some() {}
            run::save_checkpoint(&model, &fit.optimizer, folder.path(), &place).unwrap();
            drop(fit);
            model = Model::zeros(&config.network, Device::Cpu);
            moments = Optimizer::new(optimizer, 0.0, model.parameters());
            place = run::load_checkpoint(&model, &mut moments, folder.path()).unwrap();
        }
        assert_eq!((place.epoch, place.step), (3, 0));
        model.parameters().flat().copy()
    }

    #[test]
    fn what_is_taken_up_in_the_middle_of_an_epoch_ends_the_same_to_the_bit() {
        for optimizer in [OptimizerKind::Adam, OptimizerKind::Sgd, OptimizerKind::Rmsprop, OptimizerKind::Muon] {
            let whole = parameters(optimizer, None);
            // 70 items in batches of 16 are five steps an epoch.
            for steps in [0, 3, 5, 14] {
                assert_eq!(parameters(optimizer, Some(steps)), whole, "{optimizer} after {steps} steps");
            }
        }
    }
}
