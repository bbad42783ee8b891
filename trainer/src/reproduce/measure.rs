//! What is measured of a trained network.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::{Experiment, Extent};
use crate::batches::DeviceData;
use crate::cut;
use crate::data::{DataSpec, Dataset, Labels};
use crate::downstream::{self, Features, Point};
use crate::generate::{self, COMPONENTS, Moments};
use crate::model::Model;
use crate::network::NetworkSpec;
use crate::quality::{psnr_db, raw_mse};
use crate::spectrum;

/// One experiment with all that came of it: a line of the report's JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The method's name.
    pub method: String,
    /// What was run.
    #[serde(flatten)]
    pub experiment: Settings,
    /// Why nothing came of it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What came of it.
    #[serde(default, flatten)]
    pub outcome: Option<Outcome>,
}

/// The settings of an experiment as a report names them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Linear layers behind the encoder.
    pub linear_layers: usize,
    /// The optimiser.
    pub optimizer: String,
    /// The seed.
    pub seed: u64,
    /// Epochs of training.
    pub epochs: usize,
    /// What it ran on.
    pub device: String,
}

/// Figures of a trained network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds of training.
    pub seconds: f64,
    /// Mean loss over the last epoch; each method has a loss of its own.
    pub loss: f64,
    /// PSNR of the reconstructed test items.
    pub psnr_db: f64,
    /// Rank of the code over the training part, by every rule.
    pub ranks: cut::Measured,
    /// Distances of sets of images, where there are features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fid: Option<Distances>,
    /// Errors of classifiers on the codes, where there are labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downstream: Vec<Point>,
    /// Singular values of the code's covariance over the training part, descending.
    pub singular_values: Vec<f32>,
}

/// Distances of Fréchet from the test images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Distances {
    /// Of their reconstructions.
    pub reconstruction: f64,
    /// Of images from a Gaussian fitted to codes.
    pub mvg: f64,
    /// Of images from a mixture of Gaussians.
    pub gmm: f64,
}

/// The data, and what sets of images are compared by: the same for all experiments of a study.
pub struct Yardstick<'a> {
    /// Where the data came from.
    pub spec: &'a DataSpec,
    /// The data.
    pub dataset: &'a Dataset,
    /// Its training part on the device.
    pub train: DeviceData,
    /// Its test part on the device.
    pub test: DeviceData,
    /// Its labels, if it has any.
    pub labels: Option<Labels>,
    /// What images are compared by, if there is anything.
    pub features: Option<Features>,
    /// How thoroughly.
    pub extent: Extent,
    /// Moments of the test images' features.
    target: Option<Moments>,
}

impl<'a> Yardstick<'a> {
    /// Puts the data on `device`; `features` makes what images are compared by, of the training part and its labels.
    pub fn new<E>(
        spec: &'a DataSpec,
        dataset: &'a Dataset,
        labels: Option<Labels>,
        extent: Extent,
        device: Device,
        features: impl FnOnce(&DeviceData, Option<&Labels>) -> Result<Option<Features>, E>,
    ) -> Result<Self, E> {
        let upload = |items| DeviceData::upload(items, &dataset.normalization, device);
        let (train, test) = (upload(&dataset.train), upload(&dataset.test));
        let features = features(&train, labels.as_ref())?;
        let target = features.as_ref().map(|features| Moments::of(&features.of(&test.items(extent.samples))));
        Ok(Yardstick { spec, dataset, train, test, labels, features, extent, target })
    }

    /// Where the data is.
    pub fn device(&self) -> Device {
        self.train.device()
    }

    /// Measures `model`, which took `seconds` and ended at `loss`.
    pub fn measure(&self, model: &Model, experiment: &Experiment, loss: f64, seconds: f64) -> Outcome {
        let ranks = cut::measure(model, &self.train);
        Outcome {
            seconds,
            loss,
            psnr_db: psnr_db(raw_mse(&self.test, |x| model.forward(x)), self.dataset.peak),
            fid: self.distances(model, experiment.seed),
            downstream: self.downstream(model, experiment.seed),
            singular_values: ranks.singular_values.iter().map(|&value| value as f32).collect(),
            ranks,
        }
    }

    fn distances(&self, model: &Model, seed: u64) -> Option<Distances> {
        let (features, target) = (self.features.as_ref()?, self.target.as_ref()?);
        let distance = |codes: &Tensor| {
            let images = generate::decode(model, codes).clamp(0.0, 1.0);
            target.distance(&Moments::of(&features.of(&images)))
        };
        let [mvg, gmm] = generate::draw(model, &self.train, COMPONENTS, self.extent.samples, seed);
        let codes = spectrum::codes(model, &self.test, self.extent.samples);
        Some(Distances { reconstruction: distance(&codes), mvg: distance(&mvg), gmm: distance(&gmm) })
    }

    fn downstream(&self, model: &Model, seed: u64) -> Vec<Point> {
        let on_codes =
            |labels| downstream::on_codes(model, [&self.train, &self.test], labels, self.extent.effort, seed);
        self.labels.as_ref().map(on_codes).unwrap_or_default()
    }

    /// The supervised twin of an autoencoder with this network; nothing without labels.
    pub fn twin(&self, network: &NetworkSpec, seed: u64) -> Vec<Point> {
        let on_items =
            |labels| downstream::on_items(network, [&self.train, &self.test], labels, self.extent.effort, seed);
        self.labels.as_ref().map(on_items).unwrap_or_default()
    }
}
