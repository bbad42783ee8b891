//! Ctrl-C in the middle of long work, and going on from there.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array3;
use serde_json::Value;

use super::{Folder, json};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
const PATIENCE: Duration = Duration::from_secs(120);
/// Less than an epoch takes, more than what comes between two of them mostly does.
const INTO_THE_EPOCH: Duration = Duration::from_millis(30);

/// Windows for epochs of some tenths of a second.
fn windows(folder: &Folder) -> String {
    let path = folder.path("windows.npy");
    let wave = |(n, c, t): (usize, usize, usize)| ((n * 37 + (c + 1) * t * 53) % 400) as i16 - 200;
    ndarray_npy::write_npy(&path, &Array3::from_shape_fn((2000, 2, 64), wave)).expect("an array");
    path
}

/// Starts a verb, sends SIGINT once `is_time`, and gives the last line of what it says.
fn interrupt(arguments: &[&str], is_time: impl Fn() -> bool) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trainer"))
        .args(arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("trainer starts");
    let start = Instant::now();
    while !is_time() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
        assert!(start.elapsed() < PATIENCE, "it never came so far");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(INTO_THE_EPOCH);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let mut text = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(INTERRUPTED), "{text}");
    text.lines().last().expect("it says something").to_string()
}

/// Interrupts `first`, and then resumes of `run`, until that was in the middle of an epoch; resumes it to its end. `epochs` says how
/// many are saved.
fn interrupt_and_resume(first: &[&str], run: &str, epochs: impl Fn() -> usize) {
    let resume = ["resume", run];
    let mut arguments = first;
    loop {
        let saved = epochs();
        let line = interrupt(arguments, || epochs() > saved);
        assert!(line.starts_with("interrupted in epoch"), "{line}");
        assert!(line.ends_with(&format!("go on with `trainer resume {run}`")), "{line}");
        if !line.contains("after step 0 of") {
            break;
        }
        arguments = &resume;
    }
    json(&resume);
}

/// The tensors of a file. What stands before them is in any order.
fn tensors(run: &str, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(Path::new(run).join(name)).expect("a file");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    bytes[8 + header..].to_vec()
}

/// The losses of a run so far.
fn losses(run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(run).join("history.jsonl")).unwrap_or_default();
    let loss = |line| serde_json::from_str::<Value>(line).expect("an object")["loss"].clone();
    text.lines().map(loss).collect()
}

/// The figures of a comparison, without how long they took.
fn curves(report: &Value) -> Vec<(Value, Value)> {
    let curves = report["curves"].as_array().expect("curves");
    curves.iter().map(|curve| (curve["method"].clone(), curve["points"].clone())).collect()
}

#[test]
fn a_comparison_goes_on_in_the_middle_of_each_training() {
    let folder = Folder::new();
    let (data, whole, out) = (windows(&folder), folder.path("whole"), folder.path("out"));
    let rd = |out| {
        let size = ["--methods", "ours,vae", "--latent", "8", "--epochs", "4", "--tune-epochs", "4", "--out", out];
        [&["rd", "--preset", "micro-1d", "--data", &data, "--bytes", "3,6"][..], &size].concat()
    };
    let expected = curves(&json(&rd(&whole)));
    for under_way in ["ours-0/optimizer.safetensors", "ours-0/tuning", "vae-0/under-way"] {
        let line = interrupt(&rd(&out), || Path::new(&out).join(under_way).exists());
        assert!(line.starts_with("interrupted in epoch"), "{line}");
        assert!(line.ends_with("and saved; give the same command again to go on"), "{line}");
    }
    assert_eq!(curves(&json(&rd(&out))), expected);
    assert!(!Path::new(&out).join("vae-0/under-way").exists(), "nothing is left of what is finished");
}

#[test]
fn what_was_interrupted_ends_the_same_to_the_bit() {
    let folder = Folder::new();
    let (data, whole, run) = (windows(&folder), folder.path("whole"), folder.path("run"));
    let train = |out| {
        let size = ["--latent", "8", "--epochs", "12", "--threads", "1", "--out", out];
        [&["train", "--preset", "micro-1d", "--data", &data][..], &size].concat()
    };
    json(&train(&whole));
    interrupt_and_resume(&train(&run), &run, || losses(&run).len());
    assert_eq!(losses(&whole), losses(&run));
    for name in ["model.safetensors", "optimizer.safetensors"] {
        assert!(tensors(&whole, name) == tensors(&run, name), "{name}");
    }

    // Tuning draws at random, and has a quantiser in the loop.
    let tune = ["tune", &run, "--bytes", "3,6", "--epochs", "12"];
    json(&["collapse", &run, "--rank", "6"]);
    let tuned = format!("{run}/tuned");
    let code = || std::fs::read(format!("{tuned}/code.json")).expect("a file");
    let without = json(&tune);
    let (weights_without, code_without) = (tensors(&tuned, "model.safetensors"), code());
    let state = Path::new(&run).join("tuning/tuning.json");
    interrupt_and_resume(&tune, &run, || {
        let text = std::fs::read(&state).unwrap_or_default();
        serde_json::from_slice::<Value>(&text)
            .map_or(0, |state| state["seconds"].as_f64().map_or(0, |s| (s * 1e6) as usize))
    });
    assert!(tensors(&tuned, "model.safetensors") == weights_without, "tuned weights");
    assert!(code() == code_without, "tuned code");
    let report: Value =
        serde_json::from_slice(&std::fs::read(format!("{tuned}/tune.json")).expect("a report")).expect("an object");
    assert_eq!((&report["loss"], &report["packets"]), (&without["loss"], &without["packets"]));
    assert!(!state.exists(), "nothing is left of what is finished");
}
