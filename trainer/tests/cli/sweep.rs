//! Many runs, killed and taken up again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Folder, error, json, waves};

const PATIENCE: Duration = Duration::from_secs(120);

/// Two numbers of linear layers, tuned for two sizes of packets.
fn file(folder: &Folder) -> String {
    let (data, file) = (folder.path("waves.npy"), folder.path("sweep.toml"));
    ndarray_npy::write_npy(&data, &waves()).expect("an array");
    let text = format!(
        "preset = 'micro-1d'\n[data]\ndata = '{data}'\n[network]\nlatent = 4\n[training]\nepochs = 2\nbatch_size = 8\n\
         [tune]\nepochs = 1\nbytes = [2, 3]\n[sweep]\n'network.linear_layers' = [0, 2]\n"
    );
    std::fs::write(&file, text).expect("a file");
    file
}

#[test]
fn a_killed_sweep_goes_on_and_repeats_nothing() {
    let folder = Folder::new();
    let (file, out) = (file(&folder), folder.path("sweep"));
    let first = Path::new(&out).join("linear_layers=0/result.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_trainer"))
        .args(["sweep", &file, "--out", &out])
        .stderr(Stdio::null())
        .spawn()
        .expect("trainer starts");
    let start = Instant::now();
    while !first.exists() {
        assert!(child.try_wait().expect("a child").is_none() && start.elapsed() < PATIENCE, "it stands still");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let modified = || first.metadata().and_then(|meta| meta.modified()).expect("a file");
    let before = modified();

    // What the killed sweep had started may go on for a while.
    let report = loop {
        let output = super::trainer(&["sweep", &file, "--out", &out, "--jobs", "2", "--json"]);
        if output.status.success() {
            break serde_json::from_slice::<Value>(&output.stdout).expect("one JSON object");
        }
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("is in use by another sweep") && start.elapsed() < PATIENCE, "{text}");
        thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(modified(), before, "done once");
    let runs = report["runs"].as_array().expect("rows");
    let names: Vec<_> = runs.iter().map(|run| run["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["linear_layers=0", "linear_layers=2"]);
    for run in runs {
        let packets = run["packets"].as_array().expect("sizes");
        assert_eq!(packets.iter().map(|p| p["bytes"].as_u64()).collect::<Vec<_>>(), [Some(2), Some(3)], "{run}");
        assert!(run["rank"].as_u64() <= Some(4) && run["seconds"].as_f64() > Some(0.0), "{run}");
        assert!(packets.iter().all(|p| p["psnr_db"].as_f64() > Some(0.0)), "{run}");
    }

    // Done: nothing is computed, and the table is there at once.
    let again = json(&["sweep", &file, "--out", &out]);
    assert_eq!(again, report);
    let text = std::fs::read_to_string(&file).expect("the file").replace("batch_size = 8", "batch_size = 4");
    std::fs::write(&file, text).expect("a file");
    let line = error(&["sweep", &file, "--out", &out]);
    assert!(line.contains("made with other settings"), "{line}");
}

#[test]
fn a_run_that_fails_is_named_and_the_others_go_on() {
    let folder = Folder::new();
    let (file, out) = (file(&folder), folder.path("sweep"));
    let text = std::fs::read_to_string(&file).expect("the file");
    let text = text.replace("'network.linear_layers' = [0, 2]", "'training.learning_rate' = [1e30, 1e-3]");
    std::fs::write(&file, &text).expect("a file");
    let output = super::trainer(&["sweep", &file, "--out", &out]);
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && errors.contains("error: 1 of 2 runs failed"), "{errors}");
    assert!(table.contains("train: the loss became") && table.contains("lower --lr"), "{table}");
    assert_eq!(table.lines().filter(|line| line.starts_with("learning_rate=0.001 ")).count(), 2, "{table}");
    std::fs::write(&file, text.replace("learning_rate", "lr")).expect("a file");
    let line = error(&["sweep", &file, "--out", &folder.path("other")]);
    assert!(line.contains("unknown field `lr`"), "{line}");
}
