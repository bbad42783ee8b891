//! What is reproduced on which data: network, sizes, depths and how long.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::config::{OptimizerKind, RunConfig, Schedule, StackInit};
use crate::data::{DataSpec, Dataset};
use crate::downstream::Effort;
use crate::draft::{DataDraft, Draft, DraftError, NetworkDraft, TrainingDraft};
use crate::layer::{Layer, Op};

/// The paper's data sets, and Fashion-MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Study {
    /// The synthetic shapes, whose true dimension is known.
    Shapes,
    /// Handwritten digits.
    Mnist,
    /// Faces, from a folder of the user's.
    Celeba,
    /// Clothes.
    FashionMnist,
}

/// How thoroughly a study is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// Epochs of training.
    pub epochs: usize,
    /// Training items.
    pub items: Option<usize>,
    /// What the channels of all hidden layers are divided by.
    pub narrowed: usize,
    /// Values in the code.
    pub latent: usize,
    /// Depths of the linear stack; the first is that of the ablations.
    pub depths: [usize; 2],
    /// How the linear layers start.
    pub stack_init: StackInit,
    /// The optimiser of all but the ablations of it.
    pub optimizer: OptimizerKind,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Adam's learning rate.
    pub adam_rate: f64,
    /// Items in a step.
    pub batch_size: usize,
    /// How the rate changes.
    pub schedule: Schedule,
    /// Images drawn for a distance between sets of images, and test images taken for it.
    pub samples: usize,
    /// How long classifiers are trained.
    pub effort: Effort,
}

impl Study {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Study::Shapes => "shapes",
            Study::Mnist => "mnist",
            Study::Celeba => "celeba",
            Study::FashionMnist => "fashion-mnist",
        }
    }

    /// The dimension of the data, where it is known.
    pub fn dimension(self) -> Option<usize> {
        (self == Study::Shapes).then_some(7)
    }

    /// The paper's network for such data.
    fn preset(self) -> &'static str {
        match self {
            Study::Shapes => "paper-shapes",
            Study::Mnist | Study::FashionMnist => "paper-mnist",
            Study::Celeba => "paper-celeba",
        }
    }

    /// The data; faces come from the folder `images`, cut and scaled as in the paper's code.
    pub fn data(self, images: Option<&str>, limit: Option<usize>) -> DataSpec {
        let spec = DataSpec { limit, ..DataSpec::new(images.unwrap_or(self.name())) };
        match self {
            Study::Shapes => spec,
            Study::Mnist | Study::FashionMnist => DataSpec { resize: Some(32), ..spec },
            Study::Celeba => DataSpec { crop: Some(148), resize: Some(64), ..spec },
        }
    }

    /// The paper's extent, but for the epochs: its 100 would take two cores a day. Shapes are asked for a rank: of what was tried for a few epochs,
    /// Muon and a rate that falls drive it down furthest, though IRMAE then restores shapes in grey. With `quick`, an extent that two cores finish in minutes.
    pub fn extent(self, quick: bool) -> Extent {
        let paper = Extent {
            epochs: 20,
            items: None,
            narrowed: 1,
            latent: if self == Study::Shapes { 32 } else { 128 },
            depths: if self == Study::Celeba { [4, 2] } else { [4, 8] },
            stack_init: StackInit::Pytorch,
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-4,
            adam_rate: 1e-4,
            batch_size: 32,
            schedule: Schedule::Constant,
            samples: 10_000,
            effort: Effort { epochs: 500, steps: 5_000 },
        };
        let short = Extent {
            epochs: 4,
            depths: [5, 2],
            optimizer: OptimizerKind::Muon,
            learning_rate: 2e-2,
            adam_rate: 2e-3,
            batch_size: 64,
            schedule: Schedule::Cosine,
            ..paper
        };
        match (self, quick) {
            // The wider the network, the more layers it takes: 5 leave it with 10 directions or 11, 8 with 6.
            (Study::Shapes, false) => Extent { depths: [6, 2], ..short },
            (_, false) => paper,
            (_, true) => Extent {
                items: Some(20_000),
                narrowed: if self == Study::Celeba { 8 } else { 2 },
                latent: if self == Study::Shapes { 20 } else { 32 },
                samples: 2_000,
                effort: Effort { epochs: 100, steps: 400 },
                ..short
            },
        }
    }
}

impl Extent {
    /// The run of one experiment.
    ///
    /// # Errors
    /// When the data does not fit the network.
    pub fn config(
        &self,
        study: Study,
        data: &DataSpec,
        dataset: &Dataset,
        experiment: &Experiment,
    ) -> Result<RunConfig, DraftError> {
        let optimizer = experiment.optimizer.unwrap_or(self.optimizer);
        let training = TrainingDraft {
            stack_init: Some(self.stack_init),
            optimizer: Some(optimizer),
            learning_rate: Some(self.rate(optimizer)),
            schedule: Some(self.schedule),
            epochs: Some(self.epochs),
            batch_size: Some(self.batch_size),
            seed: Some(experiment.seed),
            ..TrainingDraft::default()
        };
        let named = DataDraft { data: Some(data.data.clone()), ..DataDraft::default() };
        let network = NetworkDraft::sizes(Some(self.latent), Some(experiment.linear_layers));
        let mut config = Draft::new(Some(study.preset().into()), named, training, network).resolve(dataset)?;
        config.data = data.clone();
        if self.narrowed > 1 {
            let (encoder, decoder) = (&mut config.network.encoder, &mut config.network.decoder);
            let hidden = |layers: &mut [Layer]| layers.iter_mut().for_each(|layer| narrow(layer, self.narrowed));
            // The last layers give the code and the item.
            let (last_of_encoder, last_of_decoder) = (encoder.len() - 1, decoder.len() - 1);
            hidden(&mut encoder[..last_of_encoder]);
            hidden(&mut decoder[..last_of_decoder]);
            config.network.check()?;
        }
        Ok(config)
    }

    /// The learning rate of an optimiser: RMSprop has Adam's. The gradient of an error that is a mean over all values of an item is small, and SGD, unlike the
    /// others, does not make up for that.
    pub fn rate(&self, optimizer: OptimizerKind) -> f64 {
        match optimizer {
            OptimizerKind::Sgd => 1e3 * self.adam_rate,
            _ if optimizer == self.optimizer => self.learning_rate,
            _ => self.adam_rate,
        }
    }
}

fn narrow(layer: &mut Layer, by: usize) {
    let channels = match &mut layer.op {
        Op::Conv(window) | Op::ConvTranspose(window) => &mut window.out_channels,
        Op::Dense(shape) => &mut shape.channels,
    };
    *channels = channels.div_ceil(by);
}
