//! Time of a training step against a bare loop of the same network in tch: `nn::Sequential`, `nn::Adam`, one batch.
//!
//! Should print a ratio below 1.05. The two take turns, so that whatever else the machine does hits both alike.
//!
//! ```text
//! cargo run --release -p trainer --example step_time [-- BATCH_SIZE]
//! ```

use std::time::{Duration, Instant};

use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};
use trainer::batches::DeviceData;
use trainer::config::{StackInit, TrainingConfig};
use trainer::data::{DataShape, Normalization, RawItems};
use trainer::fit::Fit;
use trainer::model::Model;
use trainer::optim::Optimizer;
use trainer::presets;
use trainer::progress::Progress;

const ITEMS: usize = 12_800;
const LATENT: i64 = 32;
const LINEAR_LAYERS: usize = 4;
const ROUNDS: usize = 7;

fn main() {
    let batch_size = std::env::args().nth(1).map_or(128, |size| size.parse().expect("a batch size"));
    let pixels = ndarray::Array4::from_shape_fn([ITEMS, 1, 28, 28], |(n, _, y, x)| (n * 31 + y * 7 + x * x) as u8);
    let normalization = Normalization { offset: vec![0.0], scale: vec![255.0] };
    let data = DeviceData::upload(&RawItems::U8(pixels), &normalization, Device::Cpu);
    let everything = Tensor::arange(ITEMS as i64, (Kind::Int64, Device::Cpu));

    let (mut ours, mut bare) = (ours(&data, batch_size), bare(data.batch(&everything), batch_size as i64));
    // The first epoch warms caches and buffers.
    ours();
    bare();
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (ours, bare) = (time(&mut ours), time(&mut bare));
            let steps = ITEMS.div_ceil(batch_size) as u32;
            println!("trainer {:>8.3?} a step, bare loop {:>8.3?}", ours / steps, bare / steps);
            ours.as_secs_f64() / bare.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3} at batch {batch_size}", ratios[ROUNDS / 2]);
}

fn time(epoch: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    epoch();
    start.elapsed()
}

/// An epoch as `trainer train` runs it: raw pixels, shuffled, normalised on the way.
fn ours(data: &DeviceData, batch_size: usize) -> impl FnMut() {
    let preset = presets::find("micro-image").expect("it exists");
    let shape = DataShape { channels: 1, height: 28, width: 28, one_dimensional: false };
    let spec = preset.network(shape, LATENT as usize, LINEAR_LAYERS).expect("it fits");
    let model = Model::initialise(&spec, StackInit::Orthogonal, 0, Device::Cpu);
    let training = TrainingConfig { batch_size, ..preset.training.clone() };
    let mut optimizer = Some(Optimizer::new(training.optimizer, 0.0, model.parameters()));
    move || {
        let optimizer_now = optimizer.take().expect("given back each time");
        let mut fit =
            Fit { model: &model, data, training: &training, optimizer: optimizer_now, progress: Progress::hidden() };
        fit.epoch(0, |model, x| model.forward(x).mse_loss(x, Reduction::Mean)).expect("it converges");
        optimizer = Some(fit.optimizer);
    }
}

/// The least that a loop can do: floats that lie ready in order, one loss read at the end.
fn bare(items: Tensor, batch_size: i64) -> impl FnMut() {
    let store = nn::VarStore::new(Device::Cpu);
    let net = network(&store.root());
    let mut adam = nn::Adam::default().build(&store, 1e-3).expect("plain parameters");
    move || {
        let mut last = None;
        for x in items.split(batch_size, 0) {
            let loss = net.forward(&x).mse_loss(&x, Reduction::Mean);
            adam.backward_step(&loss);
            last = Some(loss);
        }
        assert!(last.expect("a step").double_value(&[]).is_finite());
    }
}

fn network(path: &nn::Path<'_>) -> nn::Sequential {
    let window = nn::ConvConfig { stride: 2, padding: 1, ..Default::default() };
    let double = nn::ConvTransposeConfig { stride: 2, padding: 1, ..Default::default() };
    let no_bias = nn::LinearConfig { bias: false, ..Default::default() };
    let encoder = nn::seq()
        .add(nn::conv2d(path, 1, 16, 4, window))
        .add_fn(|x| x.relu())
        .add(nn::conv2d(path, 16, 32, 4, window))
        .add_fn(|x| x.relu().flatten(1, -1))
        .add(nn::linear(path, 32 * 7 * 7, LATENT, Default::default()));
    let stacked = (0..LINEAR_LAYERS).fold(encoder, |net, _| net.add(nn::linear(path, LATENT, LATENT, no_bias)));
    stacked
        .add(nn::linear(path, LATENT, 32 * 7 * 7, Default::default()))
        .add_fn(|x| x.relu().view([-1, 32, 7, 7]))
        .add(nn::conv_transpose2d(path, 32, 16, 4, double))
        .add_fn(|x| x.relu())
        .add(nn::conv_transpose2d(path, 16, 1, 4, double))
}
