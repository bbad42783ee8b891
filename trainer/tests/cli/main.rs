//! The command line as a user meets it: from an array to packets and back, and one clear line for each thing that is wrong.

mod auto;
mod exchange;
mod interrupted;
mod sweep;

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::{Array, Array3};
use serde_json::Value;
use tempfile::TempDir;

fn trainer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trainer")).args(arguments).output().expect("trainer starts")
}

/// The object that a verb prints with `--json`, which must be all that it prints.
fn json(arguments: &[&str]) -> Value {
    let output = trainer(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// The line that a verb ends with when something is wrong.
fn error(arguments: &[&str]) -> String {
    let output = trainer(arguments);
    assert!(!output.status.success(), "{arguments:?} should fail");
    assert!(output.stdout.is_empty(), "results go to stdout, errors do not");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    errors[0].to_string()
}

/// Windows of two channels: 40 of 24 samples, each a shifted wave.
fn waves() -> Array3<i16> {
    Array::from_shape_fn((40, 2, 24), |(n, c, t)| ((n * 37 + (c + 1) * t * 53) % 400) as i16 - 200)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_string()
    }

    /// A trained run of [`waves`].
    fn run(&self) -> String {
        let (data, run) = (self.path("waves.npy"), self.path("run"));
        ndarray_npy::write_npy(&data, &waves()).expect("an array");
        let size = ["--latent", "4", "--linear-layers", "2", "--epochs", "2", "--batch-size", "8"];
        json(&[&["train", "--preset", "micro-1d", "--data", &data, "--out", &run][..], &size].concat());
        run
    }
}

#[test]
fn an_array_of_windows_trains_exports_and_evaluates_in_every_precision() {
    let folder = Folder::new();
    let run = folder.run();
    assert_eq!(json(&["spectrum", &run])["singular_values"].as_array().map(Vec::len), Some(4));
    assert_eq!(json(&["collapse", &run, "--rank", "3"])["rank"], 3);
    json(&["tune", &run, "--bytes", "3,2", "--epochs", "1"]);
    for precision in ["f32", "f16", "i8"] {
        let out = folder.path(precision);
        let report = json(&["export", &run, "--quantize", precision, "--out", &out]);
        assert_eq!((&report["bytes"], report["raw"].as_str()), (&serde_json::json!([2, 3]), Some("i16")));
        for name in ["encoder.irmae", "decoder.irmae", "model.json"] {
            assert!(Path::new(&out).join(name).exists(), "{name}");
        }
        let report = json(&["eval", &run, "--model", &out]);
        let (device, packets) = (&report["device"], &report["packets"]);
        assert!(device["bytes_per_item"].as_f64() <= Some(3.0) && device["max_bytes"] == 3);
        assert_eq!((&packets[0]["bytes"], &packets[1]["psnr_db"]), (&2.into(), &device["psnr_db"]));
        assert!(packets[0]["bytes_per_item"].as_f64() <= Some(2.0));
        let bar = match precision {
            "f32" => 1e-5,
            "f16" => 5e-3,
            _ => 0.05,
        };
        assert!(device["max_rel_diff"].as_f64().expect("a number") <= bar, "{precision}: {device}");
    }
    // Another size of packet than the one tuned for.
    let report = json(&["export", &run, "--quantize", "i8", "--bytes", "2"]);
    assert_eq!(report["bytes"], serde_json::json!([2]));
}

/// Two percent and a byte are what the last byte and shares of 15 bits may cost.
#[test]
fn payloads_are_hardly_longer_than_an_ideal_coder_s() {
    let folder = Folder::new();
    let [data, run, model] = ["waves.npy", "run", "model"].map(|name| folder.path(name));
    // Sums of two waves, the second one weaker: coefficients of all kinds.
    let wave = |n: usize, t: usize, period: usize| ((n * 7919 / period + t) as f32 * TAU / period as f32).sin();
    let windows = Array3::from_shape_fn((2000, 2, 64), |(n, c, t)| {
        (300.0 * wave(n, t, 24 + c) + 100.0 * wave(n * n % 997, t, 7 + n % 3)) as i16
    });
    ndarray_npy::write_npy(&data, &windows).expect("an array");
    let size = ["--latent", "16", "--linear-layers", "2", "--epochs", "3", "--batch-size", "50"];
    json(&[&["train", "--preset", "micro-1d", "--data", &data, "--out", &run][..], &size].concat());
    json(&["tune", &run, "--bytes", "4,8,16", "--epochs", "1"]);
    json(&["export", &run, "--quantize", "i8", "--out", &model]);
    let report = json(&["eval", &run, "--model", &model, "--bytes", "3,4,6,8,12,16"]);
    for packets in report["packets"].as_array().expect("a list") {
        let figure = |name: &str| packets[name].as_f64().expect("a number");
        let [payload, ideal] = ["payload_bytes_per_item", "ideal_payload_bytes_per_item"].map(figure);
        assert!(ideal > 1.0 && payload > ideal && payload <= 1.02 * ideal + 1.0, "{packets}");
        assert_eq!(payload + 1.0, figure("bytes_per_item"), "{packets}");
    }
}

#[test]
fn a_model_stands_beside_linear_codes_with_the_same_coder() {
    let folder = Folder::new();
    let run = folder.run();
    let [model, plot, windows, saved] =
        ["model", "plot.png", "windows.npy", "report.json"].map(|name| folder.path(name));
    json(&["tune", &run, "--bytes", "4,8", "--epochs", "1"]);
    json(&["export", &run, "--quantize", "i8", "--out", &model]);
    let report = json(&["compare", &run, "--model", &model, "--plot", &plot, "--windows", &windows, "--save", &saved]);
    let text = std::fs::read(&saved).expect("a report");
    assert_eq!(serde_json::from_slice::<Value>(&text).expect("one JSON object"), report);
    assert_eq!((report["items"].as_u64(), report["sensor_bits"].as_u64()), (Some(4), Some(16)));
    let methods: Vec<_> = report["rows"].as_array().expect("rows").iter().map(|row| row["method"].as_str()).collect();
    assert_eq!(methods, ["irmae", "PCA", "DCT", "wavelet"].repeat(2).into_iter().map(Some).collect::<Vec<_>>());
    for row in report["rows"].as_array().expect("rows") {
        let figure = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        let bytes = figure("bytes_per_window");
        assert!(bytes >= 1.0 && bytes <= figure("max_bytes"), "{row}");
        // 48 samples of 16 bits.
        assert!((figure("compression_ratio") * bytes - 96.0).abs() < 1e-6, "{row}");
        assert!(figure("rmse") > 0.0 && figure("prdn_percent") > figure("prd_percent"), "{row}");
    }
    // What the table says of the model is what `eval` says of it.
    let eval = json(&["eval", &run, "--model", &model]);
    assert_eq!(eval["packets"][1]["bytes_per_item"], report["rows"][4]["bytes_per_window"]);
    let difference = |a: &Value, b: &Value| (a.as_f64().expect("a number") - b.as_f64().expect("a number")).abs();
    assert!(difference(&eval["packets"][1]["psnr_db"], &report["rows"][4]["psnr_db"]) < 1e-6, "{eval} {report}");
    let gain = &report["gains"][1];
    let snr_db = report["rows"][4]["snr_db"].as_f64().expect("a number");
    let above = snr_db - gain["ideal"]["snr_db"].as_f64().expect("a number");
    assert!((gain["gain_db"].as_f64().expect("a number") - above).abs() < 1e-9, "{gain}");
    assert!(std::fs::read(&plot).expect("a plot").starts_with(b"\x89PNG"));
    let written: Array3<i16> = ndarray_npy::read_npy(&windows).expect("an array");
    assert_eq!(written, waves().slice(ndarray::s![36.., .., ..]));

    let line = error(&["compare", &run, "--model", &model, "--bytes", "1"]);
    assert!(line.contains("--bytes 1 leaves no room"), "{line}");
    let line = error(&["compare", &run, "--model", &folder.path("nothing")]);
    assert!(line.contains("encoder.irmae is missing"), "{line}");
}

#[test]
fn methods_stand_beside_each_other_at_equal_steps() {
    let folder = Folder::new();
    let [data, out] = ["waves.npy", "rd"].map(|name| folder.path(name));
    ndarray_npy::write_npy(&data, &waves()).expect("an array");
    let rd = ["rd", "--data", &data, "--out", &out, "--epochs", "1", "--tune-epochs", "1", "--bytes", "3,6"];
    let methods = |names| [&rd[..], &["--methods", names]].concat();
    let report = json(&methods("ours,pca,ae_3"));
    let curve = |index: usize| (&report["curves"][index]["method"], report["curves"][index]["points"].as_array());
    for (index, method) in ["ours", "pca", "ae_3"].into_iter().enumerate() {
        let (name, points) = curve(index);
        let points = points.expect("points");
        assert_eq!((name.as_str(), points.len(), &points[1]["bytes"]), (Some(method), 2, &6.into()));
        assert!(points[1]["psnr_db"].as_f64() > Some(0.0), "{report}");
    }
    let read = |name: &str| std::fs::read(Path::new(&out).join(name)).expect("a report");
    let saved: Value = serde_json::from_slice(&read("report.json")).expect("one JSON object");
    assert_eq!(saved["settings"], report["settings"]);
    assert!(read("report.html").starts_with(b"<!DOCTYPE html>"));
    // Nothing is left to do: another training would have taken another time.
    let before = read("ae_3-0/curve.json");
    json(&methods("ours,pca,ae_3"));
    assert_eq!(read("ae_3-0/curve.json"), before);
    let line = error(&[&rd[..], &["--methods", "ours,vea"]].concat());
    assert!(line.contains("vea"), "{line}");
    let line = error(&[&rd[..10], &["9"]].concat());
    assert!(line.contains("other settings"), "{line}");
}

/// The sample in `trainer/configs`, for windows of another shape.
#[test]
fn a_toml_file_describes_a_network_and_its_errors_name_the_line() {
    let folder = Folder::new();
    let (data, out, config) = (folder.path("waves.npy"), folder.path("run"), folder.path("net.toml"));
    ndarray_npy::write_npy(&data, &waves()).expect("an array");
    let sample =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/ecg.toml")).expect("it is there");
    // 24 samples of 2 channels instead of 256 of 1, the middle layer tanh.
    let text = sample
        .replace("stride = 4", "stride = 2")
        .replace("padding = 2", "padding = 3")
        .replace("shape = [16, 1, 16]", "shape = [16, 1, 6]")
        .replace("out = 1\n", "out = 2\n")
        .replacen("activation = \"relu\" ", "activation = \"tanh\" ", 1);
    std::fs::write(&config, &text).expect("a file");
    json(&["train", "--config", &config, "--data", &data, "--out", &out, "--epochs", "1"]);
    for precision in ["f32", "i8"] {
        let model = folder.path(precision);
        json(&["export", &out, "--quantize", precision, "--out", &model]);
        json(&["eval", &out, "--model", &model]);
    }

    std::fs::write(&config, text.replace("batch_size", "batch_sise")).expect("a file");
    let line = error(&["train", "--config", &config, "--data", &data, "--out", &folder.path("other")]);
    assert!(line.contains("line 13") && line.contains("batch_sise"), "{line}");
    std::fs::write(&config, &sample).expect("a file");
    let line = error(&["train", "--config", &config, "--data", &data, "--out", &folder.path("other")]);
    assert!(line.contains("decoder ends in") && line.contains("2x1x24"), "{line}");
}

#[test]
fn a_run_that_was_only_trained_is_collapsed_by_export() {
    let folder = Folder::new();
    let run = folder.run();
    let report = json(&["export", &run, "--quantize", "f16"]);
    let rank = report["rank"].as_u64().expect("a number");
    assert_eq!(report["bytes"][0], 1 + (6 * rank).div_ceil(8), "6 bits a coefficient and the operating point");
    assert!(PathBuf::from(&run).join("collapsed/model.safetensors").exists());
}

#[test]
fn what_is_wrong_with_a_request_is_said_in_one_line() {
    let folder = Folder::new();
    let run = folder.run();
    let (data, out) = (folder.path("waves.npy"), folder.path("new"));
    let train = |more: &[&str]| error(&[&["train", "--out", &out][..], more].concat());

    let line = train(&["--preset", "micro-imgae", "--data", &data]);
    assert!(line.contains("micro-imgae") && line.contains("micro-image"), "{line}");
    let line = train(&["--preset", "micro-image", "--data", &data]);
    assert!(line.contains("micro-1d"), "a preset that fits is named: {line}");
    let line = train(&["--preset", "micro-1d", "--data", "fashoin-mnist"]);
    assert!(line.contains("fashion-mnist"), "{line}");
    let line = train(&["--preset", "micro-1d", "--data", &data, "--device", "cuda:0"]);
    assert!(line.contains("libtorch_cuda.so") || line.contains("cuda"), "{line}");
    assert!(!Path::new(&out).exists(), "nothing is left of what did not start");

    let line = error(&["train", "--preset", "micro-1d", "--data", &data, "--out", &run]);
    assert!(line.contains("--overwrite"), "{line}");
    let line = error(&["collapse", &run, "--rank", "5"]);
    assert!(line.contains("--rank 5") && line.contains("4 values"), "{line}");
    let line = error(&["export", &run, "--quantize", "i8", "--bytes", "1"]);
    assert!(line.contains("--bytes 1") && line.contains("2 or more"), "{line}");
    let line = error(&["spectrum", &folder.path("nowhere")]);
    assert!(line.contains("config.toml is missing"), "{line}");
}

#[test]
fn bad_data_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let (data, out) = (folder.path("bad.npy"), folder.path("run"));
    let train = || error(&["train", "--preset", "micro-1d", "--data", &data, "--out", &out]);

    let mut windows = waves().mapv(f32::from);
    windows[(7, 1, 3)] = f32::NAN;
    ndarray_npy::write_npy(&data, &windows).expect("an array");
    assert!(train().contains("item 7"), "{}", train());

    ndarray_npy::write_npy(&data, &Array3::<i16>::zeros((40, 2, 24))).expect("an array");
    assert!(train().contains("constant") || train().contains("same"), "{}", train());

    ndarray_npy::write_npy(&data, &waves()).expect("an array");
    let bytes = std::fs::read(&data).expect("the array");
    std::fs::write(&data, &bytes[..bytes.len() / 2]).expect("half of it");
    assert!(train().contains("bad.npy"), "{}", train());

    ndarray_npy::write_npy(&data, &Array3::<i16>::from_shape_fn((40, 1, 3), |(n, _, t)| (n * t) as i16))
        .expect("an array");
    assert!(train().contains("needs data of at least"), "{}", train());
    assert!(!Path::new(&out).exists(), "nothing is left of what did not start");
}

#[test]
fn damaged_runs_and_exports_are_named() {
    let folder = Folder::new();
    let run = folder.run();
    let out = folder.path("model");
    json(&["export", &run, "--quantize", "i8", "--out", &out]);

    let encoder = Path::new(&out).join("encoder.irmae");
    let bytes = std::fs::read(&encoder).expect("the encoder");
    std::fs::write(&encoder, &bytes[..bytes.len() - 1]).expect("cut short");
    let line = error(&["eval", &run, "--model", &out]);
    assert!(line.contains("encoder.irmae") && line.contains("truncated"), "{line}");

    let model = Path::new(&run).join("model.safetensors");
    let bytes = std::fs::read(&model).expect("the weights");
    std::fs::write(&model, &bytes[..bytes.len() / 2]).expect("cut short");
    let line = error(&["spectrum", &run]);
    assert!(line.contains("model.safetensors") && line.contains("damaged"), "{line}");
    std::fs::remove_file(&model).expect("remove it");
    let line = error(&["spectrum", &run]);
    assert!(line.contains("model.safetensors is missing"), "{line}");
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in [
        "train",
        "resume",
        "spectrum",
        "collapse",
        "tune",
        "export",
        "eval",
        "compare",
        "golden",
        "import",
        "bench",
        "sweep",
        "rd",
        "reproduce",
        "interpolate",
        "pca",
        "generate",
        "classify",
    ] {
        let help = String::from_utf8(trainer(&[verb, "--help"]).stdout).expect("UTF-8");
        assert!(help.contains("Example"), "{verb}");
    }
}
