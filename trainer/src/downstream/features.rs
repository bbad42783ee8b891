//! What sets of images are compared by: the features of Inception, or of a classifier of the same data set.

use std::path::{Path, PathBuf};

use tch::{CModule, Device, Kind, Tensor};

use super::classifier::Classifier;
use super::{Effort, Task};
use crate::batches::DeviceData;
use crate::data::{Dataset, Labels};
use crate::layer::{Activation, Layer, Op, Shape, Window};
use crate::spectrum::CHUNK;

/// Side of the images that Inception takes.
const INCEPTION_SIDE: i64 = 299;
/// Values that the classifier gives of an image.
const WIDTH: usize = 64;
/// One classifier a data set, whatever the seed of what it measures.
const SEED: u64 = 0;

/// A network that gives features of images.
#[derive(Debug)]
pub struct Features {
    kind: Network,
    /// What the features are, for a report; distances by one kind say nothing beside those by another.
    pub about: String,
}

#[derive(Debug)]
enum Network {
    Inception(CModule, Device),
    Classifier(Box<Classifier>),
}

/// Why there are no features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The file is no TorchScript module.
    #[error("{path} is no TorchScript module that can be loaded ({why}); give one that takes images (N,3,299,299) from 0 to 1 and gives features (N,d)", path = path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What libtorch said.
        why: String,
    },
    /// It loads, but does not take images or does not give features.
    #[error("{path} does not work on images (N,3,299,299) from 0 to 1 or does not give features (N,d): {why}", path = path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

impl Features {
    /// Those of a TorchScript module, such as Inception, that takes images (N,3,299,299) from 0 to 1 and gives (N,d).
    ///
    /// # Errors
    /// When it cannot be loaded or does something else.
    pub fn inception(path: &Path, device: Device) -> Result<Self, FeatureError> {
        let first_line = |why: tch::TchError| why.to_string().lines().next().unwrap_or_default().to_string();
        let module = CModule::load_on_device(path, device)
            .map_err(|why| FeatureError::Load { path: path.into(), why: first_line(why) })?;
        let wrong = |why| FeatureError::Run { path: path.into(), why };
        let probe = Tensor::zeros([2, 3, INCEPTION_SIDE, INCEPTION_SIDE], (Kind::Float, device));
        let given = module.forward_ts(&[probe]).map_err(|why| wrong(first_line(why)))?;
        if given.dim() != 2 || given.size()[0] != 2 {
            return Err(wrong(format!("it gives {:?} for two images", given.size())));
        }
        let about = format!("Inception features, {} values of the module {}", given.size()[1], path.display());
        Ok(Features { kind: Network::Inception(module, device), about })
    }

    /// Those of a small classifier, trained here on the training part.
    pub fn train(dataset: &Dataset, data: &DeviceData, labels: &Labels, effort: Effort) -> Self {
        let input = Shape::new(dataset.shape.channels, dataset.shape.height, dataset.shape.width);
        let body = body(input);
        let all = data.items(usize::MAX);
        let task = Task { train: &all, test: &all, labels, input, body: &body };
        let chosen: Vec<i64> = (0..labels.train.len() as i64).collect();
        let classifier = task.fit(&chosen, effort, SEED);
        let about = format!(
            "features of a classifier of {} in {} classes, {WIDTH} values of its last hidden layer (seed {SEED})",
            dataset.name, labels.classes
        );
        Features { kind: Network::Classifier(Box::new(classifier)), about }
    }

    /// Features of images from 0 to 1 (N,C,H,W). Shape: `[N, d]`.
    pub fn of(&self, images: &Tensor) -> Tensor {
        let piece = |images: &Tensor| match &self.kind {
            Network::Classifier(classifier) => classifier.features(images),
            Network::Inception(module, device) => {
                let side = [INCEPTION_SIDE, INCEPTION_SIDE];
                let large = images.to_device(*device).upsample_bilinear2d(side, false, None, None);
                module.forward_ts(&[large.expand([-1, 3, -1, -1], false)]).expect("it took images of this size")
            }
        };
        // Inception's maps are large: a small piece at a time.
        let size = if matches!(self.kind, Network::Inception(..)) { 50 } else { CHUNK };
        tch::no_grad(|| {
            let pieces: Vec<Tensor> = images.split(size as i64, 0).iter().map(piece).collect();
            Tensor::cat(&pieces, 0)
        })
    }
}

/// Three convolutions that halve the image, and a dense layer.
fn body(input: Shape) -> Vec<Layer> {
    let halve = |out_channels| {
        let window = Window { out_channels, kernel: [3, 3], stride: [2, 2], padding: [1, 1], output_padding: [0, 0] };
        Layer { op: Op::Conv(window), activation: Activation::Relu }
    };
    let dense = Layer { op: Op::Dense(Shape::vector(WIDTH)), activation: Activation::Relu };
    let channels = if input.height >= 64 { vec![16, 32, 32, 64] } else { vec![16, 32, 64] };
    channels.into_iter().map(halve).chain([dense]).collect()
}
