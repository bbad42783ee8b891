//! What is asked for, before it is a [`RunConfig`]: the command line over a TOML file over a preset's defaults.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{
    DecoderKind, LIBTORCH_VERSION, OptimizerKind, RunConfig, Schedule, StackInit, TrainingConfig, TrainingError,
};
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
    /// Side length of the middle that pictures of a folder are cut to before.
    pub crop: Option<usize>,
}

impl From<DataSpec> for DataDraft {
    fn from(spec: DataSpec) -> Self {
        let DataSpec { data, test_data, holdout, limit, resize, crop } = spec;
        DataDraft { data: Some(data), test_data, holdout, limit, resize, crop }
    }
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
    pub bf16: Option<bool>,
}

/// Partial [`NetworkSpec`]. Layers, where given, take the place of the preset's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDraft {
    /// Size of the code.
    pub latent: Option<usize>,
    /// Square linear layers.
    pub linear_layers: Option<usize>,
    /// Which of a preset's decoders.
    pub decoder_kind: Option<DecoderKind>,
    /// Layers of the encoder; the last may leave out its `out`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encoder: Vec<LayerToml>,
    /// Layers of the decoder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    pub fn over(self, mut under: Draft) -> Draft {
        // A preset that is asked for takes the place of the layers below it.
        if self.preset.is_some() {
            (under.network.encoder, under.network.decoder) = (Vec::new(), Vec::new());
        }
        overlay(&under, &self)
    }

    /// Where the data is, with the preset's scaling where none is asked for.
    ///
    /// # Errors
    /// When no data is named, or the preset does not exist.
    pub fn data_spec(&self) -> Result<DataSpec, DraftError> {
        let draft = self.data.clone();
        let data = draft.data.ok_or(DraftError::Missing("no data is named; give --data SPEC"))?;
        let resize = draft.resize.or(self.preset()?.and_then(|preset| preset.resize));
        let DataDraft { test_data, holdout, limit, crop, .. } = draft;
        Ok(DataSpec { data, test_data, holdout, limit, resize, crop })
    }

    /// The run that this draft describes on `dataset`.
    ///
    /// # Errors
    /// When something is missing, or the network does not fit the data.
    pub fn resolve(&self, dataset: &Dataset) -> Result<RunConfig, DraftError> {
        let preset = self.preset()?;
        let defaults = preset.map_or(&presets::MICRO_TRAINING, |preset| &preset.training);
        let training: TrainingConfig = overlay(defaults, &self.training);
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

/// The fields of `under` with those that `over` has in their place, table by table.
fn overlay<T: DeserializeOwned>(under: &impl Serialize, over: &impl Serialize) -> T {
    fn merge(under: &mut toml::Table, over: toml::Table) {
        for (key, value) in over {
            match (under.get_mut(&key), value) {
                (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
                (_, value) => drop(under.insert(key, value)),
            }
        }
    }
    let mut merged = toml::Table::try_from(under).expect("plain data");
    merge(&mut merged, toml::Table::try_from(over).expect("plain data"));
    merged.try_into().expect("the fields of both are those of the result")
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
            let decoder = self.decoder_kind.unwrap_or(preset.decoder);
            return Ok(preset.network_with(decoder, input, latent, linear_layers)?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn draft(text: &str) -> Result<Draft, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.toml");
        std::fs::write(&path, text).unwrap();
        Draft::read(&path).map_err(|error| error.to_string().rsplit('/').next().unwrap().to_string())
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_preset() {
        let file = draft(
            "preset = 'micro-image'\n[data]\ndata = 'x'\n[training]\nepochs = 7\nseed = 5\n[network]\nlatent = 9",
        );
        let line = TrainingDraft { epochs: Some(3), ..TrainingDraft::default() };
        let line = Draft::new(None, DataDraft::default(), line, NetworkDraft::sizes(None, Some(1)));
        let config = line.over(file.unwrap()).resolve(&testing::dataset()).unwrap();
        assert_eq!((config.training.epochs, config.training.seed), (3, 5));
        assert_eq!((config.network.latent, config.network.linear_layers), (9, 1));
        assert_eq!(config.training.batch_size, presets::MICRO_TRAINING.batch_size);
    }

    #[test]
    fn a_saved_run_is_a_config_file() {
        let config = testing::config(&testing::dataset());
        let draft = draft(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(draft.clone().resolve(&testing::dataset()).unwrap(), config);
        // Its layers are explicit; a preset on the command line replaces them.
        let preset = Draft {
            preset: Some("micro-image".into()),
            network: NetworkDraft::sizes(Some(4), None),
            ..Draft::default()
        };
        assert_eq!(preset.over(draft).resolve(&testing::dataset()).unwrap().network.latent, 4);
    }

    #[test]
    fn a_stack_of_any_layers_is_built_from_a_file() {
        let text = "[data]\ndata = 'x'\n[network]\nlatent = 5\nlinear_layers = 0\n\
            [[network.encoder]]\ntype = 'conv2d'\nout = 3\nkernel = 3\nactivation = 'tanh'\n\
            [[network.encoder]]\ntype = 'dense'\n\
            [[network.decoder]]\ntype = 'dense'\nshape = [3, 7, 10]\nactivation = 'sigmoid'\n\
            [[network.decoder]]\ntype = 'conv_transpose2d'\nout = 1\nkernel = 3\n";
        let network = draft(text).unwrap().resolve(&testing::dataset()).unwrap().network;
        assert_eq!((network.latent, network.encoder.len(), network.decoder.len()), (5, 2, 2));
    }

    #[test]
    fn what_is_not_understood_is_said_in_one_line() {
        let line = draft("preset = 'micro-image'\n[training]\nlr = 3").unwrap_err();
        assert!(line.starts_with("f.toml, line 3: unknown field `lr`, expected one of `stack_init`"), "{line}");
        let error = |draft: Draft| draft.resolve(&testing::dataset()).unwrap_err().to_string();
        let unknown = error(draft("preset = 'mini'").unwrap());
        assert_eq!(
            unknown,
            "there is no preset `mini`; there are micro-image, micro-1d, radio-image, paper-shapes, paper-mnist, paper-celeba"
        );
        assert!(error(draft("[data]\ndata = 'x'").unwrap()).contains("--preset NAME"));
        let wrong = draft("[data]\ndata = 'x'\n[[network.encoder]]\ntype = 'conv2d'\nout = 3").unwrap();
        assert_eq!(error(wrong), "network.encoder.0: a convolution needs `kernel`");
        assert!(error(draft("preset = 'micro-1d'\n[data]\ndata = 'x'").unwrap()).contains("use --preset micro-image"));
        assert!(error(draft("preset = 'paper-shapes'\n[data]\ndata = 'x'").unwrap()).contains("at least 16x16"));
    }
}
