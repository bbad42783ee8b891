//! Ways to train an autoencoder, in one harness: the same encoder and decoder, the same optimiser, the same steps.
//!
//! | method | what it adds to a plain autoencoder |
//! |---|---|
//! | `ae` | nothing |
//! | `ae_l1`, `ae_l2` | a penalty on the mean magnitude, or square, of the code |
//! | `vae` | a Gaussian for each code, from a second head for its log-variance, and its divergence from N(0, 1) (Kingma and Welling, 2014) |
//! | `irmae` | L linear layers behind the encoder (Jing, Zbontar and LeCun, 2020) |
//! | `irmae_fixed`, `irmae_shared`, `irmae_relu` | its ablations: layers that are not trained, one layer used L times, ReLU between layers |
//! | `rrae` | the codes of a batch are cut to their r strongest directions (Mounayer et al., 2024) |
//! | `nested` | the decoder sees the first k coefficients alone, k drawn at random (Rippel, Gelbart and Adams, 2014) |
//!
//! Whatever the method, a plain [`Model`] comes of it, which collapses, exports and evaluates like any other.
//! `objective` has what is minimised, `plain` makes the model, `subspace` cuts codes for `rrae`, `under_way` keeps what is interrupted.

mod objective;
mod plain;
mod subspace;
mod under_way;

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::batches::DeviceData;
use crate::config::{RunConfig, TrainingError};
use crate::data::{Dataset, RawItems};
use crate::device;
use crate::files::FileError;
use crate::fit::{Diverged, Fit};
use crate::interrupt::{self, Interrupted};
use crate::model::Model;
use crate::optim::Optimizer;
use crate::progress::Progress;
use crate::run::{self, Run, RunError};
use crate::train;

use objective::Objective;
use under_way::{Finished, UnderWay};

/// A way to train an autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Method {
    /// A plain autoencoder.
    Ae,
    /// With a penalty on the code's mean magnitude.
    AeL1,
    /// With a penalty on the code's mean square.
    AeL2,
    /// A variational autoencoder.
    Vae,
    /// L linear layers between encoder and decoder.
    Irmae,
    /// The linear layers keep the values that they start with.
    IrmaeFixed,
    /// All linear layers are one.
    IrmaeShared,
    /// ReLU between the linear layers.
    IrmaeRelu,
    /// A rank reduction autoencoder.
    Rrae,
    /// Nested dropout over the code.
    Nested,
}

/// What a code's distance from its item is, in a variational autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Binary cross-entropy of pixels from 0 to 1, behind a sigmoid.
    Bernoulli,
    /// Squared error.
    Gaussian,
}

/// A method with its constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The method.
    pub method: Method,
    /// Weight of the penalty of `ae_l1` and `ae_l2`.
    pub penalty: f64,
    /// Weight of the divergence in `vae`, beside the distance summed over an item's values.
    pub beta: f64,
    /// The distance in `vae`; without one it is [`Likelihood::Bernoulli`] for pixels, [`Likelihood::Gaussian`] for all else.
    pub likelihood: Option<Likelihood>,
    /// Directions that `rrae` keeps; without a number, a quarter of the code's.
    pub rank: Option<usize>,
}

/// Why a method gave no network.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// The loss is no longer a number.
    #[error("{method}: {cause}", method = method.name())]
    Diverged {
        /// Which method.
        method: Method,
        /// Where.
        cause: Diverged,
    },
    /// A setting is out of range.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// `rrae` cannot keep so many directions.
    #[error("rrae is to keep {rank} directions of a code of {latent} values; give a rank of 1 to {latent}")]
    Rank {
        /// What was asked for.
        rank: usize,
        /// Size of the code.
        latent: usize,
    },
    /// Ctrl-C; all is saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was trained before cannot be loaded.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What comes of a training.
#[derive(Debug)]
pub struct Trained {
    /// A plain network: with a linear stack or without, like that of any run.
    pub model: Model,
    /// How it came about; `network` is that of `model`.
    pub config: RunConfig,
    /// Mean loss of each epoch; each method has a loss of its own.
    pub losses: Vec<f64>,
    /// How long it took.
    pub seconds: f64,
    /// Where.
    pub device: String,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Ae,
        Self::AeL1,
        Self::AeL2,
        Self::Vae,
        Self::Irmae,
        Self::IrmaeFixed,
        Self::IrmaeShared,
        Self::IrmaeRelu,
        Self::Rrae,
        Self::Nested,
    ];

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ae => "ae",
            Self::AeL1 => "ae_l1",
            Self::AeL2 => "ae_l2",
            Self::Vae => "vae",
            Self::Irmae => "irmae",
            Self::IrmaeFixed => "irmae_fixed",
            Self::IrmaeShared => "irmae_shared",
            Self::IrmaeRelu => "irmae_relu",
            Self::Rrae => "rrae",
            Self::Nested => "nested",
        }
    }

    /// Whether it has linear layers between encoder and decoder.
    pub fn has_stack(self) -> bool {
        matches!(self, Self::Irmae | Self::IrmaeFixed | Self::IrmaeShared | Self::IrmaeRelu)
    }
}

/// The constants that are used unless others are given: `beta` is the paper's; it has none for the penalties.
impl From<Method> for Recipe {
    fn from(method: Method) -> Self {
        Recipe { method, penalty: 1e-3, beta: 0.1, likelihood: None, rank: None }
    }
}

impl Recipe {
    fn likelihood(&self, dataset: &Dataset) -> Likelihood {
        let of_data =
            if matches!(dataset.train, RawItems::U8(_)) { Likelihood::Bernoulli } else { Likelihood::Gaussian };
        self.likelihood.unwrap_or(of_data)
    }

    fn rank(&self, latent: usize) -> Result<usize, MethodError> {
        let rank = self.rank.unwrap_or(latent.div_ceil(4));
        if (1..=latent).contains(&rank) { Ok(rank) } else { Err(MethodError::Rank { rank, latent }) }
    }
}

/// Trains the network of `config` by `recipe`, a [`Method`] or one with other constants, and leaves it in `folder` as a run that collapses,
/// exports and evaluates. Of `config.network`, methods without a linear stack take encoder and decoder alone. Encoders and decoders start
/// alike whatever the method, but for `vae`'s.
///
/// What was interrupted goes on when the same is asked for again, and on the CPU it ends the same to the bit; what is finished is read.
///
/// # Errors
/// When a setting is out of range, the loss is lost or a file cannot be read or written; after an [interruption](crate::interrupt) all is kept.
pub fn train(
    recipe: impl Into<Recipe>,
    config: &RunConfig,
    dataset: &Dataset,
    device: Device,
    folder: &Path,
) -> Result<Trained, MethodError> {
    let (recipe, mut config) = (recipe.into(), config.clone());
    config.training.check()?;
    recipe.rank(config.network.latent)?;
    train::use_threads(&mut config);
    if let Some(Finished { losses, seconds, device: trained_on, .. }) = Finished::find(folder, &recipe, &config)? {
        let Run { model, config, .. } = Run::load(folder, device)?;
        return Ok(Trained { model, config, losses, seconds, device: trained_on });
    }
    let data = DeviceData::upload(&dataset.train, &config.normalization, device);
    let objective = Objective::new(recipe, recipe.likelihood(dataset), &config, device);
    let (model, under_way) = fit(&objective, &config, &data, folder)?;
    let model = plain::model(&objective, &config.network, model, &data);
    let (losses, seconds) = under_way.into_history();
    let trained = RunConfig { network: model.spec().clone(), ..config.clone() };
    run::save_weights(&model, folder, losses.len())?;
    trained.save(folder)?;
    let device = device::name(device);
    Finished { recipe, config, losses: losses.clone(), seconds, device: device.clone() }.save(folder)?;
    Ok(Trained { model, config: trained, losses, seconds, device })
}

/// The network as it is trained, and what is behind it.
fn fit(
    objective: &Objective,
    config: &RunConfig,
    data: &DeviceData,
    folder: &Path,
) -> Result<(Model, UnderWay), MethodError> {
    let (training, method) = (&config.training, objective.method());
    let spec = plain::trained_spec(objective, &config.network);
    let model = Model::initialise(&spec, training.stack_init, training.seed, data.device());
    let mut optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let (mut under_way, mut place) = UnderWay::take_up(folder, &model, &mut optimizer, objective)?;
    let mut fit = Fit { model: &model, data, training, optimizer, progress: Progress::hidden() };
    let steps = fit.steps_an_epoch();
    fit.progress = Progress::new(method.name(), training.epochs, steps, place.steps(steps));
    while place.epoch < training.epochs {
        let epoch = place.epoch;
        let loss = fit.advance(&mut place, |model, x| objective.loss(model, x), interrupt::requested);
        if let Some(loss) = loss.map_err(|cause| MethodError::Diverged { method, cause })? {
            fit.progress.epoch(epoch, loss, method.name());
            under_way.push(loss);
            under_way.save(&fit, &place, objective)?;
        } else {
            under_way.save(&fit, &place, objective)?;
            return Err(fit.interrupted(&place, None).into());
        }
    }
    fit.progress.finish();
    drop(fit);
    Ok((model, under_way))
}

#[cfg(test)]
mod tests;
