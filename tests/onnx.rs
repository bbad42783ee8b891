//! ONNX files of the trainer in onnxruntime, against libtorch.

use std::path::PathBuf;
use std::sync::OnceLock;

use ort::session::Session;
use ort::value;
use tch::{Device, Kind, Tensor};
use trainer::config::StackInit;
use trainer::data::{self, DataShape};
use trainer::exchange;
use trainer::layer::{Activation, Layer, Op, Shape, Window};
use trainer::model::Model;
use trainer::network::NetworkSpec;
use trainer::presets;

/// Sums of thousands of products, in another order.
const TOLERANCE: f64 = 1e-5;
const LATENT: usize = 6;
const ITEMS: i64 = 3;

/// The library that `cargo xtask setup` took out of onnxruntime's Python package.
fn library() -> PathBuf {
    let inside = |name: &str| {
        let version = name.strip_prefix("onnxruntime-")?;
        Some(PathBuf::from(name).join(format!("onnxruntime/capi/libonnxruntime.so.{version}")))
    };
    let entries = std::fs::read_dir(data::cache()).into_iter().flatten().flatten();
    let mut libraries = entries.filter_map(|entry| inside(entry.file_name().to_str()?));
    data::cache().join(libraries.next().expect("onnxruntime is missing: run `cargo xtask setup`"))
}

fn image(channels: usize, height: usize, width: usize) -> DataShape {
    DataShape { channels, height, width, one_dimensional: false }
}

fn windows(channels: usize, width: usize) -> DataShape {
    DataShape { channels, height: 1, width, one_dimensional: true }
}

/// What onnxruntime makes of `x` with the graph in `bytes`; its shape and values.
fn run(bytes: &[u8], x: &Tensor) -> (Vec<i64>, Vec<f32>) {
    static LOADED: OnceLock<()> = OnceLock::new();
    LOADED.get_or_init(|| {
        ort::init_from(library()).expect("onnxruntime loads").commit();
    });
    let mut session = Session::builder().unwrap().commit_from_memory(bytes).expect("a graph that onnxruntime takes");
    let values: Vec<f32> = Vec::try_from(x.contiguous().flatten(0, -1)).unwrap();
    let outputs = session.run(ort::inputs!["x" => value::Tensor::from_array((x.size(), values)).unwrap()]).unwrap();
    let (shape, values) = outputs["y"].try_extract_tensor::<f32>().unwrap();
    (shape.to_vec(), values.to_vec())
}

/// Both halves of a freshly initialised network, in onnxruntime and in libtorch.
fn check(name: &str, spec: &NetworkSpec, item_axes: &[i64]) {
    let model = Model::initialise(spec, StackInit::Orthogonal, 11, Device::Cpu);
    tch::manual_seed(5);
    let DataShape { channels, height, width, .. } = spec.input;
    let maps = [ITEMS, channels as i64, height as i64, width as i64];
    let x = Tensor::randn(maps, (Kind::Float, Device::Cpu));
    let z = Tensor::randn([ITEMS, spec.latent as i64], (Kind::Float, Device::Cpu));
    let item_sizes = [&[ITEMS], item_axes].concat();
    let [code, item] = tch::no_grad(|| [model.encode(&x), model.decode(&z).view(&item_sizes[..])]);
    for (half, bytes, input, expected) in [
        ("encoder", exchange::encoder(&model), x.view(&item_sizes[..]), code),
        ("decoder", exchange::decoder(&model), z, item),
    ] {
        let (shape, values) = run(&bytes, &input);
        assert_eq!(shape, expected.size(), "{name} {half}");
        let difference = (Tensor::from_slice(&values).view_as(&expected) - &expected).abs().max().double_value(&[]);
        assert!(difference <= TOLERANCE, "{name} {half}: {difference:e}");
        assert!(expected.std(true).double_value(&[]) > 1e-2, "{name} {half}: an output that says something");
    }
}

#[test]
fn every_preset_is_the_same_in_onnxruntime() {
    for (name, shape, item_axes) in [
        ("micro-image", image(1, 28, 28), &[1, 28, 28][..]),
        ("micro-image", image(3, 27, 30), &[3, 27, 30]),
        ("micro-1d", windows(3, 101), &[3, 101]),
        ("radio-image", image(1, 28, 28), &[1, 28, 28]),
        ("paper-shapes", image(3, 32, 32), &[3, 32, 32]),
        ("paper-mnist", image(1, 32, 32), &[1, 32, 32]),
        ("paper-celeba", image(3, 64, 64), &[3, 64, 64]),
    ] {
        let spec = presets::find(name).unwrap().network(shape, LATENT, 0).unwrap();
        check(name, &spec, item_axes);
    }
    let tried = ["micro-image", "micro-1d", "radio-image", "paper-shapes", "paper-mnist", "paper-celeba"];
    assert!(presets::PRESETS.iter().all(|preset| tried.contains(&preset.name)), "a new preset belongs here");
}

#[test]
fn layers_that_no_preset_has_are_the_same_too() {
    let window = |out_channels, kernel, padding| Window {
        out_channels,
        kernel,
        stride: [1, 2],
        padding,
        output_padding: [0, 0],
    };
    let layer = |op, activation| Layer { op, activation };
    // Sigmoids, dense layers in between, windows that are not square.
    let spec = NetworkSpec {
        input: image(2, 7, 12),
        latent: LATENT,
        linear_layers: 0,
        encoder: vec![
            layer(Op::Conv(window(5, [3, 4], [0, 1])), Activation::Sigmoid),
            layer(Op::Dense(Shape::new(4, 2, 3)), Activation::Tanh),
            layer(Op::Conv(window(3, [2, 3], [1, 1])), Activation::Relu),
            layer(Op::Dense(Shape::vector(LATENT)), Activation::None),
        ],
        decoder: vec![
            layer(Op::Dense(Shape::vector(9)), Activation::Sigmoid),
            layer(Op::Dense(Shape::new(5, 5, 6)), Activation::Relu),
            layer(Op::ConvTranspose(window(2, [3, 4], [0, 1])), Activation::Sigmoid),
        ],
    };
    check("images", &spec, &[2, 7, 12]);
    // A kernel that reaches beyond the height of 1-D data.
    let encoder = [
        layer(Op::Conv(Window { stride: [1, 1], ..window(4, [3, 3], [1, 1]) }), Activation::Tanh),
        layer(Op::Dense(Shape::vector(LATENT)), Activation::None),
    ];
    let decoder = [layer(Op::Dense(Shape::new(2, 1, 20)), Activation::None)];
    let spec = NetworkSpec { input: windows(2, 20), encoder: encoder.into(), decoder: decoder.into(), ..spec };
    check("windows", &spec, &[2, 1, 20]);
}
