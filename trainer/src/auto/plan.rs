//! What follows from the data and the packets alone.

use serde::{Deserialize, Serialize};

use super::{AutoError, AutoOptions};
use crate::code;
use crate::config::{DecoderKind, RunConfig, StackInit};
use crate::data::{DataSpec, Dataset};
use crate::draft::{Draft, NetworkDraft, TrainingDraft};

/// Training items that there must be: with fewer, those held out for trials say nothing.
const ITEMS_MIN: usize = 50;
/// Coefficients for each byte of the largest packet: with fewer, fine packets have nothing left to tell.
const COEFFICIENTS_A_BYTE: usize = 3;
/// Sizes of codes.
const LATENT: std::ops::RangeInclusive<usize> = 8..=192;
/// Sizes of batches, and how many items there must be for an item in a batch.
const BATCH: std::ops::RangeInclusive<usize> = 16..=256;
const ITEMS_A_BATCH_ITEM: usize = 64;
/// Packets for images, and for windows.
const IMAGE_BYTES: [usize; 4] = [4, 8, 16, 32];
const WINDOW_BYTES: [usize; 3] = [8, 16, 32];

/// Steps, at least: epochs are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Of each trial.
    pub trial: usize,
    /// Of training.
    pub train: usize,
    /// Of tuning.
    pub tune: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { trial: 300, train: 1400, tune: 4000 }
    }
}

/// How a data set is going to be trained on, but for depth and learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The data.
    pub data: DataSpec,
    /// The network.
    pub preset: String,
    /// Its decoder.
    pub decoder: DecoderKind,
    /// Size of its code, before those coefficients are left out that are never sent.
    pub latent: usize,
    /// Sizes of packets, ascending.
    pub bytes: Vec<usize>,
    /// Items in a step.
    pub batch_size: usize,
    /// Epochs of a trial.
    pub trial_epochs: usize,
    /// Epochs of training.
    pub train_epochs: usize,
    /// Epochs of tuning.
    pub tune_epochs: usize,
    /// Seed of weights and orders.
    pub seed: u64,
}

impl Plan {
    /// The plan for `dataset`, which `data` names.
    ///
    /// # Errors
    /// When there are too few items, or packets cannot have these sizes.
    pub fn new(data: DataSpec, dataset: &Dataset, options: &AutoOptions) -> Result<Self, AutoError> {
        let (items, shape) = (dataset.train.len(), dataset.shape);
        if items < ITEMS_MIN {
            return Err(AutoError::TooFewItems { found: items, needed: ITEMS_MIN });
        }
        let (preset, default_bytes): (_, &[usize]) =
            if shape.one_dimensional { ("micro-1d", &WINDOW_BYTES) } else { ("radio-image", &IMAGE_BYTES) };
        let bytes = code::check_bytes(if options.bytes.is_empty() { default_bytes } else { &options.bytes })?;
        let values = shape.channels * shape.height * shape.width;
        let most = bytes[bytes.len() - 1];
        let latent = (COEFFICIENTS_A_BYTE * most).clamp(*LATENT.start(), *LATENT.end()).min(values);
        let batch_size = (items / ITEMS_A_BATCH_ITEM).clamp(*BATCH.start(), *BATCH.end());
        let epochs = |steps: usize| steps.div_ceil(items.div_ceil(batch_size)).max(1);
        Ok(Self {
            data,
            preset: preset.into(),
            decoder: options.decoder,
            latent,
            bytes,
            batch_size,
            trial_epochs: epochs(options.steps.trial),
            train_epochs: epochs(options.steps.train),
            tune_epochs: epochs(options.steps.tune),
            seed: options.seed,
        })
    }

    /// A run at this depth and rate.
    ///
    /// # Errors
    /// When the preset cannot take the data's shape.
    pub fn config(
        &self,
        dataset: &Dataset,
        linear_layers: usize,
        learning_rate: f64,
        epochs: usize,
    ) -> Result<RunConfig, AutoError> {
        let training = TrainingDraft {
            stack_init: Some(StackInit::Orthogonal),
            learning_rate: Some(learning_rate),
            epochs: Some(epochs),
            batch_size: Some(self.batch_size),
            seed: Some(self.seed),
            ..TrainingDraft::default()
        };
        let mut network = NetworkDraft::sizes(Some(self.latent), Some(linear_layers));
        network.decoder_kind = Some(self.decoder);
        Ok(Draft::new(Some(self.preset.clone()), self.data.clone().into(), training, network).resolve(dataset)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataShape, Normalization, RawItems};
    use ndarray::Array4;

    fn plan(count: usize, [channels, height, width]: [usize; 3], bytes: &[usize]) -> Result<Plan, String> {
        let one_dimensional = height == 1;
        let dataset = Dataset {
            name: "x".into(),
            shape: DataShape { channels, height, width, one_dimensional },
            train: RawItems::U8(Array4::zeros([count, channels, height, width])),
            test: RawItems::U8(Array4::zeros([1, channels, height, width])),
            normalization: Normalization { offset: vec![0.0; channels], scale: vec![255.0; channels] },
            peak: 255.0,
        };
        let options =
            AutoOptions { bytes: bytes.into(), decoder: DecoderKind::Gateway, seed: 0, steps: Steps::default() };
        let plan = Plan::new(DataSpec::new("x"), &dataset, &options).map_err(|error| error.to_string())?;
        // Every plan has a network.
        plan.config(&dataset, 2, 0.01, 1).map_err(|error| error.to_string())?;
        Ok(plan)
    }

    #[test]
    fn shapes_from_windows_of_64_to_colour_images_have_plans() {
        let small = plan(400, [1, 1, 64], &[8]).unwrap();
        assert_eq!((small.preset.as_str(), small.latent, small.batch_size), ("micro-1d", 24, 16));
        assert_eq!((small.train_epochs, small.tune_epochs), (56, 160), "25 steps an epoch");
        let large = plan(20_000, [3, 64, 64], &[]).unwrap();
        assert_eq!((large.preset.as_str(), large.latent, large.batch_size), ("radio-image", 96, 256));
        assert_eq!(large.train_epochs, 18);
        assert_eq!(plan(60, [1, 1, 16], &[250]).unwrap().latent, 16, "no more than an item has values");
    }

    #[test]
    fn what_cannot_be_planned_is_said_in_a_line() {
        let line = plan(49, [1, 1, 64], &[8]).unwrap_err();
        assert!(line.starts_with("--auto needs 50 training items or more"), "{line}");
        assert!(plan(400, [1, 1, 64], &[1]).unwrap_err().starts_with("--bytes 1 leaves no room"));
    }
}
