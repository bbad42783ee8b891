//! Weights of PyTorch in, and out again.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array3;
use rand::{Rng, SeedableRng};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Folder, error, json};

/// What a file holds: shape and values of each tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The layers of the paper's model for MNIST with a code of 8 values: its code's name, our name, shape of the weight, number of biases.
const LAYERS: [(&str, &str, &[usize], usize); 9] = [
    ("enc.dcnn.0", "encoder.0", &[32, 1, 4, 4], 32),
    ("enc.dcnn.2", "encoder.1", &[64, 32, 4, 4], 64),
    ("enc.dcnn.4", "encoder.2", &[128, 64, 4, 4], 128),
    ("enc.dcnn.6", "encoder.3", &[256, 128, 4, 4], 256),
    ("enc.fc", "encoder.4", &[8, 1024], 8),
    ("dec.fc", "decoder.0", &[8192, 8], 8192),
    ("dec.dcnn.1", "decoder.1", &[128, 64, 4, 4], 64),
    ("dec.dcnn.3", "decoder.2", &[64, 32, 4, 4], 32),
    ("dec.dcnn.5", "decoder.3", &[32, 1, 1, 1], 1),
];

/// The state dict of an untrained model with two linear layers.
fn state_dict() -> Tensors {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut tensor = |shape: &[usize], fan_in: usize| {
        let bound = 1.0 / (fan_in as f32).sqrt();
        (shape.to_vec(), (0..shape.iter().product()).map(|_| random.random_range(-bound..bound)).collect())
    };
    let mut tensors = Tensors::new();
    for (name, _, weight, biases) in LAYERS {
        let fan_in = weight[1..].iter().product();
        tensors.insert(format!("{name}.weight"), tensor(weight, fan_in));
        tensors.insert(format!("{name}.bias"), tensor(&[biases], fan_in));
    }
    for index in 0..2 {
        tensors.insert(format!("mlp.hidden.{index}.weight"), tensor(&[8, 8], 8));
    }
    tensors
}

fn read(path: impl AsRef<Path>) -> Tensors {
    let bytes = std::fs::read(path).expect("a file of tensors");
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    let values = |bytes: &[u8]| bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), values(view.data())))).collect()
}

fn write(path: &str, tensors: &Tensors) {
    let bytes: Vec<Vec<u8>> =
        tensors.values().map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.into(), bytes).expect("a sound tensor");
    let views = tensors.iter().zip(&bytes).map(|((name, (shape, _)), bytes)| (name, view(shape, bytes)));
    std::fs::write(path, safetensors::serialize(views, None).expect("plain tensors")).expect("a file");
}

/// Images of 32 x 32.
fn images(folder: &Folder) -> String {
    let path = folder.path("images.npy");
    let pixels = Array3::from_shape_fn((40, 32, 32), |(n, y, x)| ((n * 29 + y * (n + 5) + x * x) % 256) as u8);
    ndarray_npy::write_npy(&path, &pixels).expect("an array");
    path
}

#[test]
fn a_state_dict_becomes_a_run_that_collapses_and_goes_back() {
    let folder = Folder::new();
    let (data, file, run) = (images(&folder), folder.path("state.safetensors"), folder.path("run"));
    let state = state_dict();
    write(&file, &state);
    let import = |file: &str, out: &str, sizes: [&str; 2]| {
        let [latent, layers] = sizes;
        json(
            &[
                &["import", "--safetensors", file, "--preset", "paper-mnist", "--data", &data, "--out", out][..],
                &["--latent", latent, "--linear-layers", layers],
            ]
            .concat(),
        )
    };
    assert_eq!(import(&file, &run, ["8", "2"])["tensors"], 20);
    let taken = read(format!("{run}/model.safetensors"));
    for (name, ours, ..) in LAYERS {
        for what in ["weight", "bias"] {
            assert_eq!(taken[&format!("{ours}.{what}")], state[&format!("{name}.{what}")], "{name}.{what}");
        }
    }
    assert_eq!(taken["stack.1"], state["mlp.hidden.1.weight"]);

    assert_eq!(json(&["collapse", &run, "--rank", "5"])["rank"], 5);
    let report = json(&["export", &run, "--format", "safetensors"]);
    assert_eq!((&report["rank"], &report["normalization"]["scale"][0]), (&5.into(), &255.0.into()));
    let back = report["files"][0].as_str().expect("a path");
    let names: Vec<String> = read(back).into_keys().collect();
    let expected: Vec<String> = state.keys().filter(|name| !name.starts_with("mlp.")).cloned().collect();
    assert_eq!(names, expected, "the paper's model without linear layers");

    // What came back is the collapsed network.
    let again = folder.path("again");
    import(back, &again, ["5", "0"]);
    assert_eq!(read(format!("{again}/model.safetensors")), read(format!("{run}/collapsed/model.safetensors")));
    let networks = |run: &str| json(&["eval", run])["networks"].clone();
    assert_eq!(networks(&run)[1]["psnr_db"], networks(&again)[0]["psnr_db"]);

    // Like any other run.
    json(&["export", &run, "--quantize", "i8"]);
    let report = json(&["export", &run, "--format", "onnx", "--out", &folder.path("onnx")]);
    assert!(report["files"].as_array().expect("paths").iter().all(|path| Path::new(path.as_str().unwrap()).exists()));
    assert_eq!(json(&["resume", &again, "--epochs", "1"])["epochs"], 1);
}

#[test]
fn a_state_dict_that_does_not_fit_is_named_by_tensor() {
    let folder = Folder::new();
    let (data, file, out) = (images(&folder), folder.path("state.safetensors"), folder.path("run"));
    let import = |tensors: &Tensors, sizes: &[&str]| {
        write(&file, tensors);
        let request = ["import", "--safetensors", &file, "--preset", "paper-mnist", "--data", &data, "--out", &out];
        error(&[&request[..], sizes].concat())
    };
    let mut state = state_dict();
    let line = import(&state, &["--latent", "8", "--linear-layers", "1"]);
    assert!(line.contains("does not have: mlp.hidden.1.weight;"), "{line}");
    let line = import(&state, &["--latent", "16", "--linear-layers", "2"]);
    assert!(line.contains("enc.fc.weight is [8, 1024]") && line.contains("[16, 1024]"), "{line}");
    state.remove("dec.dcnn.3.bias");
    let line = import(&state, &["--latent", "8", "--linear-layers", "2"]);
    assert!(line.contains("no tensor dec.dcnn.3.bias"), "{line}");
    assert!(!Path::new(&out).exists(), "nothing is left of what was not taken");
}
