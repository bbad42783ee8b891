//! Everything that describes a run, as it is saved in `RUN/config.toml`.
//!
//! [`Draft`](crate::draft::Draft) gathers what the command line, a TOML file and a preset say; this is what comes of it.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tch::Kind;

use crate::data::{DataSpec, Normalization};
use crate::files::{self, FileError};
use crate::network::NetworkSpec;

/// Version of libtorch that this trainer is built for.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// A run, fully resolved: with the same data it can be repeated from this alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Version of the trainer that wrote the file.
    pub trainer_version: String,
    /// Version of libtorch that it was built for.
    pub libtorch_version: String,
    /// The preset that the network came from, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Where the data came from.
    pub data: DataSpec,
    /// How raw values become the network's inputs.
    pub normalization: Normalization,
    /// How it is trained.
    pub training: TrainingConfig,
    /// What is trained.
    pub network: NetworkSpec,
}

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// How the linear stack starts.
    pub stack_init: StackInit,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Weight decay: L2 in the gradient, decoupled for AdamW.
    pub weight_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Passes over the training set.
    pub epochs: usize,
    /// Items in a step.
    pub batch_size: usize,
    /// Seed of the weights and of the order of the items.
    pub seed: u64,
    /// CPU threads; 0 takes what libtorch takes (one per core).
    pub threads: usize,
    /// Layers compute in bf16. Weights, the linear stack and the loss stay in f32.
    #[serde(default)]
    pub bf16: bool,
}

/// How the L square matrices of the linear stack start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum StackInit {
    /// Random orthogonal matrices: every direction passes at its full size, whatever L.
    Orthogonal,
    /// PyTorch's default for linear layers, as in the paper's code.
    Pytorch,
}

/// The optimisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam, betas 0.9 and 0.999, eps 1e-8.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
    /// Gradient descent with momentum 0.9.
    Sgd,
    /// RMSprop: the gradient over the root of its mean square, which forgets by 0.99 a step; eps 1e-8.
    Rmsprop,
    /// Muon for the weights of layers, Adam at a tenth of the rate for biases and the linear stack.
    Muon,
}

/// How large a preset's decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DecoderKind {
    /// As the encoder, the other way about: for devices that also decode.
    Mirror,
    /// Twice as wide, for images with more layers too: for a decoder that runs on a gateway. The encoder is the same.
    Gateway,
}

impl fmt::Display for DecoderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecoderKind::Mirror => "mirror",
            DecoderKind::Gateway => "gateway",
        })
    }
}

/// How the learning rate changes over the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// Half a cosine from the learning rate down to (almost) 0 at the last step.
    Cosine,
}

impl fmt::Display for OptimizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OptimizerKind::Adam => "adam",
            OptimizerKind::Adamw => "adamw",
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::Rmsprop => "rmsprop",
            OptimizerKind::Muon => "muon",
        })
    }
}

impl Schedule {
    /// Learning rate of step `step` out of `steps`.
    pub fn learning_rate(self, start: f64, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant => start,
            Schedule::Cosine => {
                let progress = step as f64 / steps.max(1) as f64;
                start * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }
}

/// A training setting that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}; give {want}")]
pub struct TrainingError {
    name: &'static str,
    value: f64,
    want: &'static str,
}

impl TrainingConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub fn check(&self) -> Result<(), TrainingError> {
        let refuse = |name, value, want| Err(TrainingError { name, value, want });
        if self.epochs == 0 {
            return refuse("the number of epochs", 0.0, "1 or more");
        }
        if self.batch_size == 0 {
            return refuse("the batch size", 0.0, "1 or more");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("the learning rate", self.learning_rate, "a number above 0, such as 0.001");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return refuse("the weight decay", self.weight_decay, "0 or a number above");
        }
        Ok(())
    }

    /// What layers compute in.
    pub fn kind(&self) -> Kind {
        if self.bf16 { Kind::BFloat16 } else { Kind::Float }
    }
}

impl RunConfig {
    /// Reads `config.toml` of the run folder `folder`.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(files::CONFIG);
        let text = files::read_text(&path)?;
        toml::from_str(&text).map_err(|error| FileError::Damaged { path, why: error.message().to_string() })
    }

    /// Writes `config.toml` into `folder`.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), FileError> {
        let text = toml::to_string(self).expect("a configuration is plain data");
        files::write_atomically(&folder.join(files::CONFIG), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_goes_from_the_full_rate_towards_zero() {
        let rate = |step| Schedule::Cosine.learning_rate(2.0, step, 10);
        assert_eq!((rate(0), rate(5)), (2.0, 1.0));
        assert!(rate(9) > 0.0 && rate(9) < 0.06);
        assert_eq!(Schedule::Constant.learning_rate(2.0, 9, 10), 2.0);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let good = crate::presets::find("micro-image").unwrap().training.clone();
        assert_eq!(good.check(), Ok(()));
        let bad = TrainingConfig { learning_rate: f64::NAN, ..good };
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "the learning rate is NaN; give a number above 0, such as 0.001"
        );
    }
}
