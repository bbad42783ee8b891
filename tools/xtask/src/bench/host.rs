//! Latency on the host: ours and that of the libraries that others would take, by `tools/host-bench`.

use super::table::Table;
use crate::{
    env::Env,
    setup::{self, Need, SetupError, onnxruntime},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The bench's package, a workspace of its own.
const PACKAGE: &str = "tools/host-bench";

/// Instruction sets that the libraries choose their kernels by.
const INSTRUCTION_SETS: [&str; 8] = ["avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "asimdhp", "asimddp"];

/// Why the host has no times.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Cargo failed, and has said why.
    #[error("{PACKAGE} does not build (see above)")]
    Build,
    /// A program of the bench failed.
    #[error("timing the host: {program}: {why}")]
    Failed {
        /// Its name.
        program: String,
        /// The last line that it said.
        why: String,
    },
    /// A file, or a program that cannot be started.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl HostError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> HostError {
        let path = path.into();
        move |source| HostError::Io { path, source }
    }
}

/// Times on the host.
#[derive(Debug, Serialize)]
pub(super) struct Host {
    /// Model of the processor, as the system names it.
    cpu: String,
    instruction_sets: Vec<&'static str>,
    threads: u32,
    network: &'static str,
    /// Ours first among those of the same half and precision.
    peers: Vec<Time>,
}

/// What one library needs for one inference.
#[derive(Debug, Serialize, Deserialize)]
struct Time {
    /// `encoder` or `decoder`.
    half: String,
    precision: String,
    peer: String,
    version: String,
    median_us: f64,
    /// Least and largest median of a round.
    spread_us: [f64; 2],
    /// Its time over ours in the same round: the median of the rounds.
    ratio: f64,
    /// Largest difference to libtorch's output in `f32`, as a share of the largest value there.
    difference: f64,
}

/// Builds and runs the bench.
///
/// # Errors
/// Where a library cannot be had, or computes something else than the others.
pub(super) fn measure(env: &Env) -> Result<Host, HostError> {
    setup::ensure(env, &[Need::Compiler, Need::Libtorch, Need::Onnxruntime])?;
    eprintln!("timing on the host");
    let program = build(env)?;
    let folder = env.root.join("target/bench/host");
    if folder.exists() {
        // Criterion would compare with what it finds.
        fs::remove_dir_all(&folder).map_err(HostError::io(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(HostError::io(&folder))?;
    let (network, times) = (folder.join("network.npz"), folder.join("times.json"));
    run(Command::new(&program).arg("network").arg(&network))?;
    let script = env.root.join(PACKAGE).join("onnx_files.py");
    run(onnxruntime::python(env)?.arg(script).arg(&network).arg(&folder))?;
    let mut measure = Command::new(&program);
    measure.arg("measure").arg("--folder").arg(&folder).arg("--out").arg(&times);
    run(measure.arg("--onnxruntime").arg(onnxruntime::library(env)))?;
    let (cpu, instruction_sets) = processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default());
    let network = "micro-image, 28x28x1 to 32";
    Ok(Host { cpu, instruction_sets, threads: 1, network, peers: read(&times)? })
}

fn build(env: &Env) -> Result<PathBuf, HostError> {
    let mut cargo = env.cargo();
    cargo.args(["build", "--quiet", "--release", "--manifest-path"]).arg(env.root.join(PACKAGE).join("Cargo.toml"));
    let status = cargo.env("CARGO_TARGET_DIR", env.target_dir()).status().map_err(HostError::io("cargo"))?;
    if status.success() { Ok(env.target_dir().join("release/irmae-host-bench")) } else { Err(HostError::Build) }
}

/// Runs a program to its end; what it says matters only if it fails.
fn run(command: &mut Command) -> Result<(), HostError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(HostError::io(&program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().rfind(|line| !line.trim().is_empty()).map_or(output.status.to_string(), str::to_string);
    Err(HostError::Failed { program, why })
}

fn read(path: &Path) -> Result<Vec<Time>, HostError> {
    let text = fs::read(path).map_err(HostError::io(path))?;
    serde_json::from_slice(&text).map_err(|why| HostError::io(path)(why.into()))
}

/// Model and instruction sets of the first processor in the text of `/proc/cpuinfo`.
fn processor(text: &str) -> (String, Vec<&'static str>) {
    let value = |names: [&str; 2]| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| names.contains(name))
    };
    let model = value(["model name", "CPU part"]).map_or("unknown", |(_, model)| model);
    let flags: Vec<&str> = value(["flags", "Features"]).map_or(vec![], |(_, flags)| flags.split(' ').collect());
    (model.into(), INSTRUCTION_SETS.into_iter().filter(|set| flags.contains(set)).collect())
}

/// A line about the machine and the libraries, and a row for each half and precision.
pub(super) fn table(host: &Host) -> String {
    let mut libraries: Vec<(&str, &str)> = Vec::new();
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for time in &host.peers {
        let (library, group) = ((&*time.peer, &*time.version), (&*time.half, &*time.precision));
        libraries.extend((!libraries.contains(&library)).then_some(library));
        groups.extend((!groups.contains(&group)).then_some(group));
    }
    let mut table = Table::new([""].into_iter().chain(libraries.iter().map(|(name, _)| *name)));
    for (half, precision) in groups {
        let mut row = vec![format!("{half} {precision}")];
        for (library, _) in &libraries {
            let of_library = |time: &&Time| time.half == half && time.precision == precision && time.peer == *library;
            row.push(host.peers.iter().find(of_library).map_or(String::new(), Time::cell));
        }
        table.push(row);
    }
    let versions: Vec<String> = libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let about =
        format!("{}; {} ({}); {}", host.network, host.cpu, host.instruction_sets.join(" "), versions.join(", "));
    format!("{about}\n\n{table}")
}

impl Time {
    fn cell(&self) -> String {
        format!("{:.1} ({:.2}x)", self.median_us, self.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(half: &str, peer: &str, median_us: f64, ratio: f64) -> Time {
        let (precision, version) = ("i8".into(), "1.2".into());
        let (half, peer, spread_us) = (half.into(), peer.into(), [median_us; 2]);
        Time { half, precision, peer, version, median_us, spread_us, ratio, difference: 0.0 }
    }

    #[test]
    fn a_row_leaves_out_what_a_library_cannot_do() {
        let peers = vec![
            time("encoder", "ours", 10.0, 1.0),
            time("encoder", "theirs", 25.0, 2.5),
            time("decoder", "ours", 20.04, 1.0),
        ];
        let host = Host { cpu: "C".into(), instruction_sets: vec!["avx2"], threads: 1, network: "n", peers };
        let lines: Vec<String> = table(&host).lines().map(str::to_string).collect();
        assert_eq!(lines[0], "n; C (avx2); ours 1.2, theirs 1.2");
        assert_eq!(lines[4], "| encoder i8 | 10.0 (1.00x) | 25.0 (2.50x) |");
        assert_eq!(lines[5], "| decoder i8 | 20.0 (1.00x) |              |");
    }

    #[test]
    fn the_processor_is_named_with_what_kernels_are_chosen_by() {
        let text = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f_x fma\n\nmodel name\t: Other\n";
        assert_eq!(processor(text), ("Some CPU".into(), vec!["avx2", "fma"]));
        assert_eq!(processor(""), ("unknown".into(), vec![]));
    }

    #[test]
    fn a_failed_program_is_named_with_its_last_line() {
        let error = run(Command::new("sh").args(["-c", "echo first >&2; echo 'error: last' >&2; exit 1"])).unwrap_err();
        assert_eq!(error.to_string(), "timing the host: sh: error: last");
    }
}
