//! What is asked for, before it is a [`RunConfig`]: the command line over a TOML file over a preset's defaults.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{LIBTORCH_VERSION, OptimizerKind, RunConfig, Schedule, StackInit, TrainingConfig, TrainingError};
use crate::data::{DataShape, DataSpec, Dataset, Normalization};
use crate::files::{self, FileError};
use crate::layer::Layer;
use crate::layer_toml::LayerToml;
use crate::network::{NetworkError, NetworkSpec};
use crate::presets::{self, Preset, PresetError};

/// A partial configuration. A `config.toml` of a run is a complete one, so it can be given as `--config`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Name of a preset.
    pub preset: Option<String>,
    /// `[data]`.
    #[serde(default)]
    pub data: DataDraft,
    /// `[training]`.
    #[serde(default)]
    pub training: TrainingDraft,
    /// `[network]`.
    #[serde(default)]
    pub network: NetworkDraft,
    // Written into every run's config.toml; found anew from the data and the program.
    trainer_version: Option<String>,
    libtorch_version: Option<String>,
    normalization: Option<Normalization>,
}

/// Partial [`DataSpec`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDraft {
    /// Name or path of the data.
    pub data: Option<String>,
    /// Name or path of the test part.
    pub test_data: Option<String>,
    /// Share of the data that is held out, from its end.
    pub holdout: Option<f64>,
    /// Most items to take.
    pub limit: Option<usize>,
    /// Side length that images are scaled to.
    pub resize: Option<usize>,
}

/// Partial [`TrainingConfig`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "field by field those of TrainingConfig")]
pub struct TrainingDraft {
    pub stack_init: Option<StackInit>,
    pub optimizer: Option<OptimizerKind>,
    pub learning_rate: Option<f64>,
    pub weight_decay: Option<f64>,
    pub schedule: Option<Schedule>,
    pub epochs: Option<usize>,
    pub batch_size: Option<usize>,
    pub seed: Option<u64>,
    pub threads: Option<usize>,
}

/// Partial [`NetworkSpec`]. Layers, where given, take the place of the preset's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDraft {
    /// Size of the code.
    pub latent: Option<usize>,
    /// Square linear layers.
    pub linear_layers: Option<usize>,
    /// Layers of the encoder; the last may leave out its `out`.
    #[serde(default)]
    pub encoder: Vec<LayerToml>,
    /// Layers of the decoder.
    #[serde(default)]
    pub decoder: Vec<LayerToml>,
    // The shape of the items is always the data's.
    input: Option<DataShape>,
}

/// Why a draft does not make a run.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The TOML file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The TOML file says something that is not understood.
    #[error("{path}, line {line}: {why}")]
    Toml {
        /// The file.
        path: String,
        /// Where.
        line: usize,
        /// What.
        why: String,
    },
    /// Something is missing.
    #[error("{0}")]
    Missing(&'static str),
    /// A layer's table is wrong.
    #[error("network.{part}.{index}: {why}")]
    Layer {
        /// `encoder` or `decoder`.
        part: &'static str,
        /// Which.
        index: usize,
        /// What is wrong.
        why: String,
    },
    /// The preset cannot be had.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The network does not fit.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A training setting is out of range.
    #[error(transparent)]
    Training(#[from] TrainingError),
}

impl Draft {
    /// A draft with these parts.
    pub fn new(preset: Option<String>, data: DataDraft, training: TrainingDraft, network: NetworkDraft) -> Self {
        Draft { preset, data, training, network, ..Draft::default() }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// One line that names the place and, for an unknown key, the keys there are.
    pub fn read(path: &Path) -> Result<Self, DraftError> {
        let text = files::read_text(path)?;
        toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text[..start].matches('\n').count();
            DraftError::Toml { path: path.display().to_string(), line, why: error.message().replace('\n', " ") }
        })
    }

    /// This draft, with `under` where it says nothing.
    pub fn over(self, under: Draft) -> Draft {
        let layers = |mine: Vec<LayerToml>, theirs| if mine.is_empty() { theirs } else { mine };
        let (data, training, network) = (self.data, self.training, self.network);
        Draft {
            // A preset asked for on the command line replaces the file's layers, not the other way round.
            network: NetworkDraft {
                latent: network.latent.or(under.network.latent),
                linear_layers: network.linear_layers.or(under.network.linear_layers),
                encoder: if self.preset.is_some() {
                    network.encoder
                } else {
                    layers(network.encoder, under.network.encoder)
                },
                decoder: if self.preset.is_some() {
                    network.decoder
                } else {
                    layers(network.decoder, under.network.decoder)
                },
                input: None,
            },
            preset: self.preset.or(under.preset),
            data: DataDraft {
                data: data.data.or(under.data.data),
                test_data: data.test_data.or(under.data.test_data),
                holdout: data.holdout.or(under.data.holdout),
                limit: data.limit.or(under.data.limit),
                resize: data.resize.or(under.data.resize),
            },
            training: training.over(under.training),
            ..Draft::default()
        }
    }

    /// Where the data is, with the preset's scaling where none is asked for.
    ///
    /// # Errors
    /// When no data is named, or the preset does not exist.
    pub fn data_spec(&self) -> Result<DataSpec, DraftError> {
        let draft = self.data.clone();
        let data = draft.data.ok_or(DraftError::Missing("no data is named; give --data SPEC"))?;
        let resize = draft.resize.or(self.preset()?.and_then(|preset| preset.resize));
        Ok(DataSpec { data, test_data: draft.test_data, holdout: draft.holdout, limit: draft.limit, resize })
    }

    /// The run that this draft describes on `dataset`.
    ///
    /// # Errors
    /// When something is missing, or the network does not fit the data.
    pub fn resolve(&self, dataset: &Dataset) -> Result<RunConfig, DraftError> {
        let preset = self.preset()?;
        let training = self.training.clone().resolve(preset.map(|preset| &preset.training));
        training.check()?;
        Ok(RunConfig {
            trainer_version: env!("CARGO_PKG_VERSION").into(),
            libtorch_version: LIBTORCH_VERSION.into(),
            preset: self.preset.clone(),
            data: self.data_spec()?,
            normalization: dataset.normalization.clone(),
            training,
            network: self.network.resolve(preset, dataset.shape)?,
        })
    }

    fn preset(&self) -> Result<Option<&'static Preset>, PresetError> {
        self.preset.as_deref().map(presets::find).transpose()
    }
}

impl TrainingDraft {
    fn over(self, under: TrainingDraft) -> TrainingDraft {
        TrainingDraft {
            stack_init: self.stack_init.or(under.stack_init),
            optimizer: self.optimizer.or(under.optimizer),
            learning_rate: self.learning_rate.or(under.learning_rate),
            weight_decay: self.weight_decay.or(under.weight_decay),
            schedule: self.schedule.or(under.schedule),
            epochs: self.epochs.or(under.epochs),
            batch_size: self.batch_size.or(under.batch_size),
            seed: self.seed.or(under.seed),
            threads: self.threads.or(under.threads),
        }
    }

    fn resolve(self, preset: Option<&TrainingConfig>) -> TrainingConfig {
        let base = preset.unwrap_or(&presets::MICRO_TRAINING);
        TrainingConfig {
            stack_init: self.stack_init.unwrap_or(base.stack_init),
            optimizer: self.optimizer.unwrap_or(base.optimizer),
            learning_rate: self.learning_rate.unwrap_or(base.learning_rate),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            schedule: self.schedule.unwrap_or(base.schedule),
            epochs: self.epochs.unwrap_or(base.epochs),
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            seed: self.seed.unwrap_or(base.seed),
            threads: self.threads.unwrap_or(base.threads),
        }
    }
}

impl NetworkDraft {
    /// A preset's layers with these sizes, where given.
    pub fn sizes(latent: Option<usize>, linear_layers: Option<usize>) -> Self {
        NetworkDraft { latent, linear_layers, ..NetworkDraft::default() }
    }

    fn resolve(&self, preset: Option<&Preset>, input: DataShape) -> Result<NetworkSpec, DraftError> {
        let linear_layers = self.linear_layers.or(preset.map(|preset| preset.linear_layers)).unwrap_or(4);
        let latent = self.latent.or(preset.map(|preset| preset.latent)).unwrap_or(32);
        if self.encoder.is_empty() && self.decoder.is_empty() {
            let preset = preset.ok_or(DraftError::Missing(
                "no network is named; give --preset NAME (`trainer train --help` lists them) or --config F.toml with layers",
            ))?;
            return Ok(preset.network(input, latent, linear_layers)?);
        }
        let encoder = layers("encoder", &self.encoder, latent)?;
        let decoder = layers("decoder", &self.decoder, 0)?;
        let spec = NetworkSpec { input, latent, linear_layers, encoder, decoder };
        spec.check()?;
        Ok(spec)
    }
}

/// The layers of one part; `last_out` fills in the outputs of the last layer where they are left out.
fn layers(part: &'static str, tables: &[LayerToml], last_out: usize) -> Result<Vec<Layer>, DraftError> {
    let last = tables.len().wrapping_sub(1);
    let layer = |(index, table): (usize, &LayerToml)| {
        let table =
            if index == last && last_out > 0 { table.clone().with_default_out(last_out) } else { table.clone() };
        Layer::try_from(table).map_err(|why| DraftError::Layer { part, index, why })
    };
    tables.iter().enumerate().map(layer).collect()
}
