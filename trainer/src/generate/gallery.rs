//! What a code makes, as rows of pictures.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::{Gaussian, Mixture, decode, interpolate, walk};
use crate::batches::DeviceData;
use crate::data::Dataset;
use crate::model::Model;
use crate::sheet::{self, Row};
use crate::spectrum;

/// Codes that distributions are fitted to, spread over the training part.
const FITTED_CODES: usize = 10_000;

/// Gaussians of a mixture unless told otherwise, as in the paper's code.
pub const COMPONENTS: usize = 4;

/// The data is none that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pictures need images of 1 or 3 channels; {0} are none")]
pub struct NoImages(String);

/// A network with the data that it was trained on.
#[derive(Debug)]
pub struct Gallery<'a> {
    /// The network.
    pub model: &'a Model,
    /// Training part.
    pub train: &'a DeviceData,
    /// Test part.
    pub test: &'a DeviceData,
}

impl<'a> Gallery<'a> {
    /// Pictures of what `model` makes of images.
    ///
    /// # Errors
    /// When `dataset` has none.
    pub fn new(
        dataset: &Dataset,
        model: &'a Model,
        [train, test]: [&'a DeviceData; 2],
    ) -> Result<Gallery<'a>, NoImages> {
        let shape = dataset.shape;
        let is_shown = !shape.one_dimensional && matches!(shape.channels, 1 | 3);
        let items = || format!("items of {} ({}x{}x{})", dataset.name, shape.channels, shape.height, shape.width);
        if is_shown { Ok(Gallery { model, train, test }) } else { Err(NoImages(items())) }
    }

    /// The first `count` test images as they are.
    pub fn originals(&self, count: usize) -> Row {
        self.row("test images", &self.items(count))
    }

    /// What the network makes of the first `count` test images.
    pub fn reconstructions(&self, name: &str, count: usize) -> Row {
        self.row(name, &tch::no_grad(|| self.model.forward(&self.items(count))))
    }

    /// Images on the line between the codes of two test images, 2 `pair` and the next.
    pub fn line(&self, name: &str, pair: usize, steps: usize) -> Row {
        let count = self.test.len() as i64;
        let ends = [2 * pair as i64, 2 * pair as i64 + 1].map(|index| index % count);
        let indices = Tensor::from_slice(&ends).to_device(self.test.device());
        let codes = tch::no_grad(|| self.model.encode(&self.test.batch(&indices)));
        let line = interpolate(&codes.narrow(0, 0, 1), &codes.narrow(0, 1, 1), steps);
        self.row(name, &decode(self.model, &line))
    }

    /// Images along each of the first `components` principal axes of the training codes, up to `reach` deviations to either side.
    pub fn walks(&self, components: usize, reach: f64, steps: usize) -> Vec<Row> {
        let axes = spectrum::principal_axes(&spectrum::codes(self.model, self.train, usize::MAX));
        let walks = walk(&axes, components, reach, steps);
        let row = |axis: i64| self.row(&format!("axis {}", axis + 1), &decode(self.model, &walks.get(axis)));
        (0..walks.size()[0]).map(row).collect()
    }

    /// Images of drawn codes, in rows of `columns`.
    pub fn samples(&self, name: &str, codes: &Tensor, columns: usize) -> Vec<Row> {
        codes.split(columns as i64, 0).iter().map(|codes| self.row(name, &decode(self.model, codes))).collect()
    }

    /// The first `count` test items, normalised.
    fn items(&self, count: usize) -> Tensor {
        let count = count.min(self.test.len()) as i64;
        self.test.batch(&Tensor::arange(count, (Kind::Int64, self.test.device())))
    }

    fn row(&self, name: &str, images: &Tensor) -> Row {
        let images = sheet::images_of(&self.test.to_raw(images).to_device(Device::Cpu));
        Row { name: name.into(), about: String::new(), images }
    }
}

/// `count` codes drawn from a Gaussian, and as many from a mixture of `components`, both fitted to the codes that `model` gives `data`.
/// Shape: `[count, n]` each.
pub fn draw(model: &Model, data: &DeviceData, components: usize, count: usize, seed: u64) -> [Tensor; 2] {
    let codes = spectrum::codes(model, data, FITTED_CODES);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let components = components.clamp(1, codes.size()[0] as usize);
    let gaussian = Gaussian::fit(&codes).sample(count, &mut random);
    [gaussian, Mixture::fit(&codes, components, &mut random).sample(count, &mut random)]
}
