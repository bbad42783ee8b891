//! Ctrl-C in the middle of long work, and going on from there.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array3;

use super::{Folder, json};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
const PATIENCE: Duration = Duration::from_secs(120);

/// Enough windows for a few seconds of training.
fn windows(folder: &Folder) -> String {
    let path = folder.path("windows.npy");
    let wave = |(n, c, t): (usize, usize, usize)| ((n * 37 + (c + 1) * t * 53) % 400) as i16 - 200;
    ndarray_npy::write_npy(&path, &Array3::from_shape_fn((4000, 2, 64), wave)).expect("an array");
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
    // In the middle of the next epoch, as it takes longer than this.
    thread::sleep(Duration::from_millis(150));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let mut text = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(INTERRUPTED), "{text}");
    text.lines().last().expect("it says something").to_string()
}

#[test]
fn a_training_that_was_interrupted_ends_the_same_to_the_bit() {
    let folder = Folder::new();
    let (data, whole, run) = (windows(&folder), folder.path("whole"), folder.path("run"));
    let train =
        |out| ["train", "--preset", "micro-1d", "--data", &data, "--out", out, "--epochs", "4", "--threads", "1"];
    json(&train(&whole));
    let history = Path::new(&run).join("history.jsonl");
    let line = interrupt(&train(&run), || history.exists());
    assert!(line.starts_with("interrupted in epoch") && line.ends_with(&format!("`trainer resume {run}`")), "{line}");
    assert_ne!(line.split(' ').nth(6), Some("0"), "in the middle of an epoch: {line}");
    json(&["resume", &run]);
    for name in ["model.safetensors", "optimizer.safetensors"] {
        let bytes = |run: &str| std::fs::read(Path::new(run).join(name)).expect("a file");
        // Metadata stands in any order; the tensors behind it are what counts.
        let tensors = |run: &str| {
            let bytes = bytes(run);
            let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            bytes[8 + header..].to_vec()
        };
        assert!(tensors(&whole) == tensors(&run), "{name}");
    }
    let losses = |run: &str| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(Path::new(run).join("history.jsonl")).expect("a history");
        text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].clone()).collect()
    };
    assert_eq!(losses(&whole), losses(&run));
}
