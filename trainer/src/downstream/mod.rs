//! Classification with few labels: how much of what matters is in a code.
//!
//! As in the paper, a head of two hidden layers is trained on frozen codes, with Adam at 1e-3 and batches of 100. Unlike in its code, the
//! codes are those behind the linear stack, and the error is that after the last epoch: the best on the test set would be
//! chosen with the test's labels. The twin is the encoder with the same head, trained from scratch on the same labels.

mod classifier;
mod features;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::config::OptimizerKind;
use crate::data::Labels;
use crate::layer::{Layer, Shape};
use crate::model::Model;
use crate::network::NetworkSpec;
use crate::optim::Optimizer;
use crate::spectrum::{self, CHUNK};
use classifier::Classifier;

pub use features::{FeatureError, Features};

const LEARNING_RATE: f64 = 1e-3;
const BATCH: usize = 100;
/// The paper's numbers of labels; all of them come last.
const LABEL_COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];

/// How long a classifier is trained: for so many epochs, but for no more steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Epochs; the paper has 500.
    pub epochs: usize,
    /// Steps at most.
    pub steps: usize,
}

/// The error at one number of labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Labels that were trained on.
    pub labels: usize,
    /// Share of the test items classified wrongly after the last epoch.
    pub error: f64,
}

/// Inputs of both parts with their labels: codes for a head, items for a twin.
#[derive(Debug)]
struct Task<'a> {
    /// Shape: `[N, ...]`.
    train: &'a Tensor,
    /// Shape: `[M, ...]`.
    test: &'a Tensor,
    /// Their classes.
    labels: &'a Labels,
    /// Shape of one input.
    input: Shape,
    /// Layers between input and head: none for codes.
    body: &'a [Layer],
}

/// The numbers of labels for a training set of `items`: the paper's, as far as there are so many, and all.
fn label_counts(items: usize) -> Vec<usize> {
    LABEL_COUNTS.into_iter().filter(|&count| count < items).chain([items]).collect()
}

/// Errors of the head on the codes of `model`, for the training and the test part, all codes divided by one number that takes their mean
/// variance to 1.
pub fn on_codes(
    model: &Model,
    [train, test]: [&DeviceData; 2],
    labels: &Labels,
    effort: Effort,
    seed: u64,
) -> Vec<Point> {
    let [train, test] = [train, test].map(|data| spectrum::codes(model, data, usize::MAX));
    let variance = train.var_dim(0i64, false, false).mean(Kind::Float);
    let deviation = variance.sqrt().clamp_min(f64::from(f32::MIN_POSITIVE));
    let [train, test] = [train, test].map(|codes| (codes / &deviation).to_device(model.device()));
    let input = Shape::vector(model.spec().latent);
    Task { train: &train, test: &test, labels, input, body: &[] }.points(effort, seed)
}

/// Errors of the twin: the encoder of `network` with the head, trained on the items themselves.
pub fn on_items(
    network: &NetworkSpec,
    [train, test]: [&DeviceData; 2],
    labels: &Labels,
    effort: Effort,
    seed: u64,
) -> Vec<Point> {
    let (train, test) = (train.items(usize::MAX), test.items(usize::MAX));
    let (input, body) = (network.item_shape(), network.encoder.as_slice());
    Task { train: &train, test: &test, labels, input, body }.points(effort, seed)
}

impl Task<'_> {
    fn points(&self, effort: Effort, seed: u64) -> Vec<Point> {
        let measure = |count| {
            let point = self.measure(count, effort, seed);
            eprintln!("classified with {} labels: {:.1} % wrong", point.labels, 100.0 * point.error);
            point
        };
        label_counts(self.labels.train.len()).into_iter().map(measure).collect()
    }

    /// The test error with `count` labels, chosen by `seed` from the training part with as many of each class as possible.
    fn measure(&self, count: usize, effort: Effort, seed: u64) -> Point {
        let chosen = choose(&self.labels.train, self.labels.classes, count, seed);
        let classifier = self.fit(&chosen, effort, seed);
        let labels = as_tensor(&self.labels.test, self.test.device());
        let pieces = self.test.split(CHUNK as i64, 0).into_iter().zip(labels.split(CHUNK as i64, 0));
        Point { labels: chosen.len(), error: classifier.error(pieces) }
    }

    /// A classifier trained on the training inputs at `chosen`.
    fn fit(&self, chosen: &[i64], effort: Effort, seed: u64) -> Classifier {
        let device = self.train.device();
        let classifier = Classifier::initialise(self.input, self.body, self.labels.classes, seed, device);
        let parameters = classifier.parameters();
        let mut optimizer = Optimizer::new(OptimizerKind::Adam, 0.0, parameters);
        let labels = as_tensor(&self.labels.train, device);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut order = chosen.to_vec();
        let an_epoch = order.len().div_ceil(BATCH);
        let mut steps = (an_epoch * effort.epochs).min(effort.steps);
        while steps > 0 {
            order.shuffle(&mut random);
            let indices = Tensor::from_slice(&order).to_device(device);
            for batch in indices.split(BATCH as i64, 0).into_iter().take(steps) {
                let (x, labels) = (self.train.index_select(0, &batch), labels.index_select(0, &batch));
                let loss = classifier.scores(&x, Some(&mut random)).cross_entropy_for_logits(&labels);
                optimizer.minimise(&loss, parameters, LEARNING_RATE);
                steps -= 1;
            }
        }
        classifier
    }
}

/// Indices of `count` of `labels`, drawn by `seed`, the classes in turn.
fn choose(labels: &[u8], classes: usize, count: usize, seed: u64) -> Vec<i64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut random);
    let mut by_class = vec![Vec::new(); classes];
    order.into_iter().for_each(|index| by_class[usize::from(labels[index])].push(index as i64));
    let longest = by_class.iter().map(Vec::len).max().unwrap_or(0);
    let in_turn = (0..longest).flat_map(|round| by_class.iter().filter_map(move |class| class.get(round).copied()));
    in_turn.take(count).collect()
}

fn as_tensor(labels: &[u8], device: Device) -> Tensor {
    Tensor::from_slice(&labels.iter().map(|&label| i64::from(label)).collect::<Vec<_>>()).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataShape;
    use crate::presets;

    #[test]
    fn labels_are_drawn_from_every_class() {
        let labels: Vec<u8> = (0..60).map(|i| if i < 50 { 0 } else { 1 + (i % 2) as u8 }).collect();
        let chosen = choose(&labels, 3, 9, 1);
        let count = |class| chosen.iter().filter(|&&index| labels[index as usize] == class).count();
        assert_eq!([count(0), count(1), count(2)], [3, 3, 3]);
        assert_ne!(chosen, choose(&labels, 3, 9, 2));
        assert_eq!(choose(&labels, 3, 60, 1).len(), 60);
        assert_eq!(label_counts(1_000), [10, 100, 1_000]);
    }

    /// Two noisy classes on opposite sides of the first axis of four.
    fn noisy(count: i64, seed: i64) -> (Tensor, Vec<u8>) {
        tch::manual_seed(seed);
        let classes: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        let side = Tensor::from_slice(&classes).to_kind(Kind::Float) * 2.0 - 1.0;
        let x = Tensor::randn([count, 4], (Kind::Float, Device::Cpu));
        let _ = x.narrow(1, 0, 1).squeeze_dim(1).g_add_(&(side * 2.0));
        (x, classes)
    }

    #[test]
    fn a_head_learns_what_is_in_the_codes_and_the_same_seed_repeats() {
        let ((train, train_labels), (test, test_labels)) = (noisy(300, 1), noisy(400, 2));
        let labels = Labels { classes: 2, train: train_labels, test: test_labels };
        let task = Task { train: &train, test: &test, labels: &labels, input: Shape::vector(4), body: &[] };
        let effort = Effort { epochs: 100, steps: 10_000 };
        let many = task.measure(300, effort, 3);
        // Two deviations from the middle: 2.3 % lie on the wrong side.
        assert!(many.labels == 300 && many.error < 0.1, "{many:?}");
        assert_eq!(many, task.measure(300, effort, 3));
        assert!(task.measure(300, Effort { epochs: 1, steps: 0 }, 3).error > 0.2, "without a step it knows nothing");
    }

    #[test]
    fn a_twin_is_trained_from_the_items() {
        let shape = DataShape { channels: 1, height: 8, width: 8, one_dimensional: false };
        let spec = presets::find("micro-image").unwrap().network(shape, 16, 0).unwrap();
        tch::manual_seed(5);
        let classes: Vec<u8> = (0..80).map(|i| (i % 2) as u8).collect();
        let level = Tensor::from_slice(&classes).to_kind(Kind::Float).view([-1, 1, 1, 1]);
        let items = Tensor::rand([80, 1, 8, 8], (Kind::Float, Device::Cpu)) * 0.5 + level * 0.5;
        let labels = Labels { classes: 2, train: classes.clone(), test: classes };
        let task = Task { train: &items, test: &items, labels: &labels, input: spec.item_shape(), body: &spec.encoder };
        assert!(task.measure(80, Effort { epochs: 300, steps: 300 }, 1).error < 0.1);
    }
}
