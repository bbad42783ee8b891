//! How fast a preset trains, beside a bare loop of the same network in tch.
//!
//! The two take turns, so that whatever else the machine does hits both alike. The bare loop is the least that one can do:
//! `nn::Sequential`, `nn::Adam`, f32 items that lie ready in order on the device, one loss read at the end. Ours takes raw items in
//! a shuffled order, normalises them on the way, and keeps an eye on the loss.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Reduction, Tensor};

use crate::batches::DeviceData;
use crate::config::{OptimizerKind, TrainingConfig};
use crate::data::{DataShape, Normalization, RawItems};
use crate::device;
use crate::fit::Fit;
use crate::layer::{Activation, Layer, Shape};
use crate::model::{Model, linear_part};
use crate::network::NetworkSpec;
use crate::optim::Optimizer;
use crate::presets::Preset;
use crate::progress::Progress;
use crate::train::reconstruction_loss;

/// Turns that each loop has; the median counts.
const TURNS: usize = 7;
/// Steps that find out how long one takes, and warm caches and buffers.
const WARM_UP_STEPS: usize = 4;
/// Steps that a turn may have.
const LEAST_STEPS: usize = 2;
const MOST_STEPS: usize = 400;

/// What to measure with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Where.
    pub device: Device,
    /// Items in a step; none takes the preset's.
    pub batch_size: Option<usize>,
    /// Our layers compute in bf16. Those of the bare loop never do.
    pub bf16: bool,
    /// Our optimiser. The bare loop has Adam.
    pub optimizer: OptimizerKind,
    /// About how long a turn takes.
    pub turn: Duration,
}

/// How fast a preset trains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// The preset.
    pub preset: &'static str,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// `f32` or `bf16`.
    pub precision: &'static str,
    /// Our optimiser.
    pub optimizer: String,
    /// Channels, height and width of an item.
    pub shape: [usize; 3],
    /// Linear layers.
    pub linear_layers: usize,
    /// Items in a step.
    pub batch_size: usize,
    /// CPU threads.
    pub threads: usize,
    /// Milliseconds of a step: the median of the turns.
    pub step_ms: f64,
    /// Items a second.
    pub items_per_second: f64,
    /// Milliseconds of a step of the bare loop.
    pub bare_step_ms: f64,
    /// Our time over that of the bare loop: the median of the turns.
    pub ratio: f64,
}

/// Measures `preset` on items of the shape that it is usually given.
pub fn measure(preset: &'static Preset, options: &Options) -> Speed {
    let shape = usual_shape(preset);
    let spec = preset.network(shape, preset.latent, preset.linear_layers).expect("a shape that it takes");
    let training = TrainingConfig {
        batch_size: options.batch_size.unwrap_or(preset.training.batch_size),
        bf16: options.bf16,
        optimizer: options.optimizer,
        ..preset.training.clone()
    };
    let turns = |steps: usize, count: usize| -> Vec<[f64; 2]> {
        let data = noise(shape, steps * training.batch_size, options.device);
        let (mut ours, mut bare) = (ours(&spec, &data, &training), bare(&spec, &data, training.batch_size));
        let turn = |_| [step_ms(steps, &mut ours), step_ms(steps, &mut bare)];
        (0..count).map(turn).collect()
    };
    // The second of two: the first one pays for what is only done once.
    let [of_ours, of_bare] = turns(WARM_UP_STEPS, 2)[1];
    let steps = (options.turn.as_secs_f64() * 1e3 / of_ours.max(of_bare)) as usize;
    let turns = &turns(steps.clamp(LEAST_STEPS, MOST_STEPS), 1 + TURNS)[1..];
    let median = |value: fn(&[f64; 2]) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[TURNS / 2]
    };
    let step_ms = median(|turn| turn[0]);
    Speed {
        preset: preset.name,
        device: device::name(options.device),
        precision: if options.bf16 { "bf16" } else { "f32" },
        optimizer: options.optimizer.to_string(),
        shape: [shape.channels, shape.height, shape.width],
        linear_layers: spec.linear_layers,
        batch_size: training.batch_size,
        threads: tch::get_num_threads() as usize,
        step_ms,
        items_per_second: training.batch_size as f64 / step_ms * 1e3,
        bare_step_ms: median(|turn| turn[1]),
        ratio: median(|turn| turn[0] / turn[1]),
    }
}

/// Milliseconds of a step of a loop of `steps` of them.
fn step_ms(steps: usize, epoch: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    epoch();
    start.elapsed().as_secs_f64() * 1e3 / steps as f64
}

/// The data that a preset is made for.
fn usual_shape(preset: &Preset) -> DataShape {
    let (channels, height, width) = match preset.name {
        "paper-shapes" => (3, 32, 32),
        "paper-mnist" => (1, 32, 32),
        "paper-celeba" => (3, 64, 64),
        _ if preset.one_dimensional => (6, 1, 128),
        _ => (1, 28, 28),
    };
    DataShape { channels, height, width, one_dimensional: preset.one_dimensional }
}

fn noise(shape: DataShape, count: usize, device: Device) -> DeviceData {
    let size = [count, shape.channels, shape.height, shape.width];
    // A step of an odd number goes through all bytes.
    let pixels = (0..size.iter().product::<usize>()).map(|at| (at.wrapping_mul(167) >> 3) as u8).collect();
    let pixels = ndarray::Array4::from_shape_vec(size, pixels).expect("as many values as the shape says");
    let (offset, scale) = (vec![0.0; shape.channels], vec![255.0; shape.channels]);
    DeviceData::upload(&RawItems::U8(pixels), &Normalization { offset, scale }, device)
}

/// Epochs as `trainer train` runs them.
fn ours(spec: &NetworkSpec, data: &DeviceData, training: &TrainingConfig) -> impl FnMut() {
    let model = Model::initialise(spec, training.stack_init, training.seed, data.device());
    let mut optimizer = Some(Optimizer::new(training.optimizer, 0.0, model.parameters()));
    let kind = training.kind();
    move || {
        let optimizer_now = optimizer.take().expect("given back each time");
        let mut fit = Fit { model: &model, data, training, optimizer: optimizer_now, progress: Progress::hidden() };
        fit.epoch(0, |model, x| reconstruction_loss(model, x, kind)).expect("it converges");
        optimizer = Some(fit.optimizer);
    }
}

fn bare(spec: &NetworkSpec, data: &DeviceData, batch_size: usize) -> impl FnMut() {
    let store = nn::VarStore::new(data.device());
    let net = network(&store.root(), spec);
    let mut adam = nn::Adam::default().build(&store, 1e-4).expect("plain parameters");
    let pieces: Vec<Tensor> = data.pieces(usize::MAX, batch_size).map(|indices| data.batch(&indices)).collect();
    move || {
        let mut last = None;
        for x in &pieces {
            let loss = net.forward(x).mse_loss(x, Reduction::Mean);
            adam.backward_step(&loss);
            last = Some(loss);
        }
        assert!(last.expect("a step").double_value(&[]).is_finite());
    }
}

/// The network as anyone would write it down.
fn network(path: &nn::Path<'_>, spec: &NetworkSpec) -> nn::Sequential {
    let n = spec.latent as i64;
    let no_bias = nn::LinearConfig { bias: false, ..Default::default() };
    let encoder = layers(nn::seq(), path, &spec.encoder, &spec.encoder_shapes().expect("a checked network"));
    let stacked = (0..spec.linear_layers)
        .fold(encoder.add_fn(|x| x.flatten(1, -1)), |net, _| net.add(nn::linear(path, n, n, no_bias)));
    let decoder_start = stacked.add_fn(|z| z.unsqueeze(-1).unsqueeze(-1));
    layers(decoder_start, path, &spec.decoder, &spec.decoder_shapes().expect("a checked network"))
}

fn layers(net: nn::Sequential, path: &nn::Path<'_>, layers: &[Layer], inputs: &[Shape]) -> nn::Sequential {
    layers.iter().zip(inputs).fold(net, |net, (&layer, &input)| {
        let Layer { op, activation } = layer;
        let shape: Vec<i64> = layer.weight_shape(input).iter().map(|&n| n as i64).collect();
        let (weight, bias) = (path.kaiming_uniform("weight", &shape), path.zeros("bias", &[layer.bias_count() as i64]));
        let net = net.add_fn(move |x| linear_part(&op, x, &weight, Some(&bias)));
        match activation {
            Activation::None => net,
            Activation::Relu => net.add_fn(Tensor::relu),
            Activation::Tanh => net.add_fn(Tensor::tanh),
            Activation::Sigmoid => net.add_fn(Tensor::sigmoid),
        }
    })
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { preset, device, precision, batch_size, step_ms, items_per_second, bare_step_ms, ratio, .. } = self;
        write!(
            f,
            "{preset:<13} {device:<7} {precision:<5} {batch_size:>5} {step_ms:>9.2} {items_per_second:>9.0} \
             {bare_step_ms:>9.2} {ratio:>6.3}"
        )
    }
}

/// The line above lines of [`Speed`].
pub fn heading() -> String {
    format!(
        "{:<13} {:<7} {:<5} {:>5} {:>9} {:>9} {:>9} {:>6}",
        "preset", "device", "", "batch", "ms a step", "items/s", "bare loop", "ratio"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn both_loops_train_every_preset() {
        for preset in &presets::PRESETS {
            let spec = preset.network(usual_shape(preset), 4, 2).unwrap();
            let path = nn::VarStore::new(Device::Cpu);
            let net = network(&path.root(), &spec);
            let shape = usual_shape(preset);
            let size = [1, shape.channels as i64, shape.height as i64, shape.width as i64];
            let x = Tensor::rand(size, (tch::Kind::Float, Device::Cpu));
            assert_eq!(tch::no_grad(|| net.forward(&x)).size(), size);
            let bare: usize = path.variables().values().map(Tensor::numel).sum();
            assert_eq!(bare, Model::zeros(&spec, Device::Cpu).parameters().flat().numel(), "{}", preset.name);
        }
        let options = Options {
            device: Device::Cpu,
            batch_size: Some(2),
            bf16: true,
            optimizer: OptimizerKind::Adam,
            turn: Duration::from_millis(1),
        };
        let speed = measure(presets::find("micro-1d").unwrap(), &options);
        assert!(speed.step_ms > 0.0 && speed.ratio > 0.0 && (speed.precision, speed.batch_size) == ("bf16", 2));
    }
}
