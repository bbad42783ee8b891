//! The network of each contender.

use std::path::Path;
use std::time::Instant;

use tch::Device;

use super::measure::{self, Sender};
use super::{Contender, Curve, Kind, RdError, Settings};
use crate::batches::DeviceData;
use crate::config::{RunConfig, TrainingConfig};
use crate::cut::{RankChoice, collapse_run};
use crate::data::Dataset;
use crate::draft::{Draft, NetworkDraft, TrainingDraft};
use crate::files;
use crate::methods::{self, Likelihood, Method, Recipe};
use crate::packet_run;
use crate::presets;
use crate::run::Run;
use crate::tune::TuneOptions;

/// What all contenders share.
pub(super) struct Bench<'a> {
    pub(super) settings: Settings,
    pub(super) dataset: &'a Dataset,
    /// Ours, but for seed and epochs.
    pub(super) config: RunConfig,
    pub(super) train: DeviceData,
    test: DeviceData,
    pub(super) device: Device,
}

impl<'a> Bench<'a> {
    pub(super) fn new(settings: Settings, dataset: &'a Dataset, device: Device) -> Result<Self, RdError> {
        let mut network = NetworkDraft::sizes(settings.latent, None);
        network.decoder_kind = Some(settings.decoder);
        let training = TrainingDraft { epochs: Some(settings.epochs()), ..TrainingDraft::default() };
        let data = settings.data.clone().into();
        let config = Draft::new(Some(settings.preset.clone()), data, training, network).resolve(dataset)?;
        let upload = |items| DeviceData::upload(items, &dataset.normalization, device);
        Ok(Self { train: upload(&dataset.train), test: upload(&dataset.test), settings, dataset, config, device })
    }

    /// Trains and measures a contender whose files lie in `place`; `rank` is how many coefficients ours sends.
    pub(super) fn curve(
        &self,
        contender: Contender,
        seed: u64,
        rank: Option<usize>,
        place: &Path,
    ) -> Result<Curve, RdError> {
        let start = Instant::now();
        let latent = self.config.network.latent;
        let width = contender.width.or(rank).unwrap_or(latent).min(latent);
        let sender = match contender.kind {
            Kind::Ours => self.ours(seed, place)?,
            Kind::Pca => {
                let (points, rank) = measure::pca(self.dataset, &self.train, &self.test, &self.settings.bytes);
                return Ok(self.finished(contender, seed, rank, 0, start, points));
            }
            Kind::Ae => self.trained(Method::Ae, &self.preset(seed, width, 0)?, place)?,
            Kind::Vae => {
                let recipe = Recipe { likelihood: Some(Likelihood::Gaussian), ..Method::Vae.into() };
                self.trained(recipe, &self.preset(seed, latent, 0)?, place)?
            }
            Kind::Rrae => {
                let recipe = Recipe { rank: Some(width), ..Method::Rrae.into() };
                self.trained(recipe, &self.preset(seed, latent, 0)?, place)?
            }
            Kind::Nested => self.trained(Method::Nested, &self.preset(seed, latent, 0)?, place)?,
            Kind::Irmae => self.collapsed(&self.published(seed)?, RankChoice::Auto, place)?,
            Kind::IrmaePreset => {
                let config = self.preset(seed, latent, self.config.network.linear_layers)?;
                self.collapsed(&config, RankChoice::Fixed(latent), place)?
            }
        };
        let points = sender.points(&self.test, self.dataset.peak);
        Ok(self.finished(contender, seed, sender.tables.sent().len(), self.settings.epochs(), start, points))
    }

    fn finished(
        &self,
        contender: Contender,
        seed: u64,
        rank: usize,
        epochs: usize,
        start: Instant,
        points: Vec<super::Point>,
    ) -> Curve {
        let device = if self.device == Device::Cpu { "cpu" } else { "cuda" };
        let seconds = start.elapsed().as_secs_f64();
        Curve { method: contender.to_string(), seed, rank, epochs, seconds, device: device.into(), points }
    }

    /// Trained, collapsed with its whole code (tuning leaves out what is never sent), tuned.
    fn ours(&self, seed: u64, place: &Path) -> Result<Sender, RdError> {
        let config = self.settings.config(&self.config, seed);
        let options = TuneOptions {
            epochs: self.settings.tune_epochs,
            learning_rate: self.settings.tune_learning_rate,
            batch_size: config.training.batch_size,
            bytes: self.settings.bytes.clone(),
        };
        packet_run::complete(config, |_| options, self.dataset, place, self.device)?;
        let tuned = place.join(files::TUNED);
        let tables = files::read_json(&tuned.join(files::CODE))?;
        Ok(Sender { model: Run::load(&tuned, self.device)?.model, tables })
    }

    fn trained(&self, recipe: impl Into<Recipe>, config: &RunConfig, place: &Path) -> Result<Sender, RdError> {
        let recipe = recipe.into();
        let trained = methods::train(recipe, config, self.dataset, self.device, place)?;
        // The others' losses are the same for a code that is turned.
        let is_ordered = matches!(recipe.method, Method::Vae | Method::Nested);
        let fit = if is_ordered { Sender::fit_ordered } else { Sender::fit };
        Ok(fit(&trained.model, &self.train, &self.settings.bytes))
    }

    fn collapsed(&self, config: &RunConfig, choice: RankChoice, place: &Path) -> Result<Sender, RdError> {
        methods::train(Method::Irmae, config, self.dataset, self.device, place)?;
        let collapsed = collapse_run(&Run::load(place, self.device)?, self.dataset, choice)?.folder;
        Ok(Sender::fit(&Run::load(&collapsed, self.device)?.model, &self.train, &self.settings.bytes))
    }

    /// The preset's training for all the steps, with a code of `latent` values.
    fn preset(&self, seed: u64, latent: usize, linear_layers: usize) -> Result<RunConfig, RdError> {
        let (config, settings) = (&self.config, &self.settings);
        let preset = presets::find(&settings.preset)?;
        let network = preset.network_with(settings.decoder, config.network.input, latent, linear_layers)?;
        let training = TrainingConfig { epochs: settings.epochs(), seed, ..config.training.clone() };
        Ok(RunConfig { network, training, ..config.clone() })
    }

    /// The paper's training for all the steps, with batches of ours' size.
    fn published(&self, seed: u64) -> Result<RunConfig, RdError> {
        let config = self.preset(seed, self.config.network.latent, self.settings.published_linear_layers)?;
        let (epochs, batch_size) = (config.training.epochs, config.training.batch_size);
        let paper = presets::find("paper-mnist")?.training.clone();
        Ok(RunConfig { training: TrainingConfig { epochs, batch_size, seed, ..paper }, ..config })
    }
}
