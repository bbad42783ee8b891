//! Small networks that together have every layer, activation and raw type, fitted for a moment to made-up data.

use ndarray::Array4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tch::{Device, Kind};

use crate::batches::DeviceData;
use crate::code::{self, CodeTables};
use crate::collapse::Collapse;
use crate::config::{OptimizerKind, Schedule, StackInit, TrainingConfig};
use crate::data::{DataShape, Dataset, RawItems};
use crate::export::Subject;
use crate::fit::Fit;
use crate::layer::Layer;
use crate::model::Model;
use crate::network::NetworkSpec;
use crate::optim::Optimizer;
use crate::progress::Progress;

/// Names of the networks.
pub const NAMES: [&str; 5] = ["image", "colour", "signal", "adc", "motion"];

/// Enough for four classes of codes.
const TRAIN_ITEMS: usize = 600;
const TEST_ITEMS: usize = 8;
const TRAINING: TrainingConfig = TrainingConfig {
    stack_init: StackInit::Orthogonal,
    optimizer: OptimizerKind::Adam,
    learning_rate: 3e-3,
    weight_decay: 0.0,
    schedule: Schedule::Cosine,
    epochs: 80,
    batch_size: 32,
    seed: 0,
    threads: 0,
    bf16: false,
};

#[derive(Deserialize)]
struct Layers {
    latent: usize,
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
}

const IMAGE: &str = r#"
latent = 6
encoder = [
  { type = "conv2d", out = 4, kernel = 4, stride = 2, padding = 1, activation = "relu" },
  { type = "conv2d", out = 6, kernel = 3, padding = 1, activation = "relu" },
  { type = "dense", out = 6 },
]
decoder = [
  { type = "dense", shape = [6, 6, 6], activation = "relu" },
  { type = "conv_transpose2d", out = 4, kernel = 4, stride = 2, padding = 1, output_padding = [0, 1], activation = "relu" },
  { type = "conv2d", out = 1, kernel = 3, padding = 1 },
]
"#;

const COLOUR: &str = r#"
latent = 5
encoder = [
  { type = "conv2d", out = 5, kernel = 5, padding = 2, activation = "tanh" },
  { type = "conv2d", out = 8, kernel = 4, stride = 2, padding = 1, activation = "sigmoid" },
  { type = "dense", out = 5 },
]
decoder = [
  { type = "dense", shape = [8, 4, 3], activation = "tanh" },
  { type = "conv_transpose2d", out = 5, kernel = 4, stride = 2, padding = 1, output_padding = [0, 1], activation = "relu" },
  { type = "conv_transpose2d", out = 3, kernel = 3, padding = 1, activation = "sigmoid" },
]
"#;

const SIGNAL: &str = r#"
latent = 4
encoder = [
  { type = "conv1d", out = 6, kernel = 7, stride = 2, padding = 3, activation = "relu" },
  { type = "conv1d", out = 8, kernel = 4, stride = 2, padding = 1 },
  { type = "dense", out = 4 },
]
decoder = [
  { type = "dense", shape = [8, 1, 8], activation = "relu" },
  { type = "conv_transpose1d", out = 6, kernel = 4, stride = 2, padding = 1, activation = "tanh" },
  { type = "conv_transpose1d", out = 3, kernel = 4, stride = 2, padding = 1 },
]
"#;

const ADC: &str = r#"
latent = 4
encoder = [
  { type = "dense", out = 16, activation = "tanh" },
  { type = "dense", out = 4 },
]
decoder = [
  { type = "dense", out = 16, activation = "sigmoid" },
  { type = "dense", shape = [1, 1, 20] },
]
"#;

const MOTION: &str = r#"
latent = 3
encoder = [
  { type = "conv1d", out = 4, kernel = 3, padding = 1, activation = "sigmoid" },
  { type = "conv1d", out = 5, kernel = 5, stride = 3, activation = "tanh" },
  { type = "dense", out = 3 },
]
decoder = [
  { type = "dense", shape = [5, 1, 5], activation = "relu" },
  { type = "conv_transpose1d", out = 4, kernel = 5, stride = 3, activation = "relu" },
  { type = "conv1d", out = 2, kernel = 3, padding = 1 },
]
"#;

/// Builds, fits and rotates the network `name`.
///
/// # Panics
/// If there is no network of that name.
pub fn build(name: &str, seed: u64) -> Subject {
    let shape = |channels, height, width| DataShape { channels, height, width, one_dimensional: height == 1 };
    let (layers, shape) = match name {
        "image" => (IMAGE, shape(1, 12, 13)),
        "colour" => (COLOUR, shape(3, 8, 7)),
        "signal" => (SIGNAL, shape(3, 1, 32)),
        "adc" => (ADC, shape(1, 1, 20)),
        "motion" => (MOTION, shape(2, 1, 17)),
        _ => panic!("no golden network is called {name}"),
    };
    let Layers { latent, encoder, decoder } = toml::from_str(layers).expect("a constant network");
    let spec = NetworkSpec { input: shape, latent, linear_layers: 2, encoder, decoder };
    spec.check().expect("a constant network");
    let data = data(name, shape, seed);
    let train = DeviceData::upload(&data.train, &data.normalization, Device::Cpu);
    let model = Collapse::new(&fit(&spec, &train, seed), &train).cut(latent);
    let code = tables(&model, &train);
    Subject { model, code, data }
}

fn fit(spec: &NetworkSpec, train: &DeviceData, seed: u64) -> Model {
    // One thread: networks this small are slower on more, and sums come out the same on every machine.
    tch::set_num_threads(1);
    let training = TrainingConfig { seed, ..TRAINING };
    let model = Model::initialise(spec, training.stack_init, seed, Device::Cpu);
    let optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
    let mut fit = Fit { model: &model, data: train, training: &training, optimizer, progress: Progress::hidden() };
    for epoch in 0..training.epochs {
        fit.epoch(epoch, |model, x| (model.forward(x) - x).square().mean(Kind::Float)).expect("a tame network");
    }
    model
}

/// For two sizes of packets; all coefficients count alike.
fn tables(model: &Model, train: &DeviceData) -> CodeTables {
    let codes = crate::spectrum::codes(model, train, usize::MAX);
    let columns = Vec::<Vec<f32>>::try_from(codes.tr().contiguous()).expect("a matrix of f32");
    code::fit(&columns, &vec![1.0; columns.len()], &[3, 5], code::CLASSES_MAX)
}

/// Soft blobs in images, waves in windows; every raw type has its own range.
fn data(name: &str, shape: DataShape, seed: u64) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut items = |count: usize| -> Array4<f32> {
        let mut values = Array4::zeros((count, shape.channels, shape.height, shape.width));
        for mut item in values.outer_iter_mut() {
            let (y0, x0, size): (f32, f32, f32) = (random.random(), random.random(), random.random_range(0.1..0.5));
            for ((c, y, x), value) in item.indexed_iter_mut() {
                let dy = if shape.height > 1 { y as f32 / shape.height as f32 - y0 } else { y0 - 0.5 };
                let dx = x as f32 / shape.width as f32 - x0;
                let blob = 1.0 / (1.0 + (dy * dy + dx * dx) / (size * size));
                // A rational curve: the same on every machine, as exp and sin need not be.
                *value = (blob * (1.0 + 0.3 * c as f32) + 0.05 * random.random::<f32>()) / (1.05 + 0.3 * c as f32);
            }
        }
        values
    };
    let (train, test) = (items(TRAIN_ITEMS), items(TEST_ITEMS));
    let cast = |values: Array4<f32>| match name {
        "image" | "colour" => RawItems::U8(values.mapv(|v| (v * 255.0) as u8)),
        "signal" => RawItems::I16(values.mapv(|v| (v * 24_000.0 - 9_000.0) as i16)),
        "adc" => RawItems::U16(values.mapv(|v| (v * 3_000.0 + 700.0) as u16)),
        _ => RawItems::F32(values.mapv(|v| v * 19.5 - 4.0)),
    };
    let (train, test) = (cast(train), cast(test));
    let (normalization, peak) = crate::data::measure(&train, name).expect("made-up data is sound");
    Dataset { name: name.into(), shape, train, test, normalization, peak }
}
