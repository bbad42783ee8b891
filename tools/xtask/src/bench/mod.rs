//! `cargo xtask bench`: executed instructions, memory and code of every layer and network on every core, counted in QEMU by
//! `tools/insn-plugin`; and latency on the host.

mod budget;
mod counter;
mod error;
mod host;
mod measure;
mod models;
mod print;
mod report;
mod table;

pub(crate) use error::BenchError;

use crate::{
    env::Env,
    firmware::FirmwareError,
    setup::{self, Need},
};
use budget::Budget;
use clap::{Args, builder::PossibleValuesParser};
use counter::Counter;
use measure::{CORES, Figures};
use report::Report;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The committed budget.
const BUDGET: &str = "tools/xtask/budget.json";
/// Golden networks that are counted beside the full-size ones.
const GOLDEN: [&str; 5] = ["adc-i8", "colour-i8", "image-i8", "motion-i8", "signal-i8"];
/// The network that the smallest programs run.
const SMALLEST: &str = "micro_image-i8";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Count on one core alone
    #[arg(long, value_parser = PossibleValuesParser::new(CORES.iter().map(|core| core.name)))]
    core: Option<String>,
    /// Count single layers alone
    #[arg(long)]
    layers_only: bool,
    /// Time the host alone
    #[arg(long, conflicts_with_all = ["core", "layers_only", "check", "update_budget"])]
    host_only: bool,
    /// Fail where a figure is more than 1 % over the committed budget; the host is not timed
    #[arg(long)]
    check: bool,
    /// Make the figures the budget; the host is not timed
    #[arg(long, conflicts_with_all = ["core", "layers_only", "check"])]
    update_budget: bool,
}

impl Options {
    fn is_all(&self) -> bool {
        self.core.is_none() && !self.layers_only
    }
}

/// The verb.
///
/// # Errors
/// Where something does not run, or is over the budget.
pub(crate) fn run(env: &Env, options: &Options) -> Result<(), BenchError> {
    setup::ensure(env, &[Need::Rust, Need::Qemu])?;
    let counter = Counter::new(env)?;
    let figures = if options.host_only { Figures::default() } else { count(env, &counter, options)? };
    let Figures { layers, networks } = figures;
    let times_host = options.is_all() && !options.check && !options.update_budget;
    let host = if times_host { Some(host::measure(env)?) } else { None };
    let (commit, rustc) = (commit(&env.root), first_line(Command::new("rustc").arg("--version")));
    let (qemu, opt_level) = (counter.version(), opt_level(&env.root));
    let report = Report { commit, rustc, opt_level, qemu, layers, networks, host };
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report).expect("strings and numbers can be written");
        fs::write(path, text + "\n").map_err(FirmwareError::io(path))?;
    }
    println!("{}", print::tables(&report));
    let (path, measured) = (env.root.join(BUDGET), Budget::of(&report));
    if options.update_budget {
        measured.write(&path)?;
    }
    if options.check { check(&Budget::read(&path)?, &measured, &report, options.is_all()) } else { Ok(()) }
}

fn count(env: &Env, counter: &Counter, options: &Options) -> Result<Figures, BenchError> {
    let cases = env.root.join("target/bench/cases");
    let smallest = env.root.join("target/bench/smallest").join(SMALLEST);
    write_cases(env, &cases, &smallest)?;
    let mut all = Figures::default();
    for core in CORES.iter().filter(|core| options.core.as_ref().is_none_or(|name| name == core.name)) {
        eprintln!("counting on {}", core.name);
        let mut figures = core.measure(env, counter, &cases)?;
        all.layers.append(&mut figures.layers);
        if options.layers_only {
            continue;
        }
        let [encoder, both] = core.code_bytes(env, counter, &smallest)?;
        for network in figures.networks.iter_mut().filter(|network| network.is_named(SMALLEST)) {
            (network.code_bytes_encoder, network.code_bytes_both) = (Some(encoder), Some(both));
        }
        all.networks.append(&mut figures.networks);
    }
    Ok(all)
}

/// Writes what the programs carry.
fn write_cases(env: &Env, cases: &Path, smallest: &Path) -> Result<(), BenchError> {
    models::write_all(cases)?;
    for name in GOLDEN {
        models::copy(&env.root.join("tests/golden").join(name), &cases.join(name))?;
    }
    models::copy(&cases.join(SMALLEST), smallest)
}

fn check(budget: &Budget, measured: &Budget, report: &Report, is_all: bool) -> Result<(), BenchError> {
    if !budget.is_of(&report.rustc) {
        println!("the budget is of another compiler than {}: not compared", report.rustc);
        return Ok(());
    }
    let comparison = budget.compare(measured, is_all);
    for line in &comparison.under {
        println!("under budget: {line}");
    }
    if !comparison.under.is_empty() {
        println!("`cargo xtask bench --update-budget` tightens it");
    }
    for line in &comparison.over {
        println!("OVER BUDGET: {line}");
    }
    let count = comparison.over.len();
    if count == 0 { Ok(()) } else { Err(BenchError::OverBudget { count }) }
}

fn commit(root: &Path) -> String {
    first_line(Command::new("git").current_dir(root).args(["describe", "--always", "--abbrev=40", "--dirty"]))
}

/// How the firmware is optimised: as its manifest says, unless the environment says otherwise.
fn opt_level(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("firmware/Cargo.toml")).unwrap_or_default();
    let stated = manifest.lines().find_map(|line| line.strip_prefix("opt-level = ")).unwrap_or("3");
    let given = std::env::var("CARGO_PROFILE_RELEASE_OPT_LEVEL");
    given.unwrap_or_else(|_| stated.trim_matches('"').to_string())
}

/// What a program says, or nothing.
fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_string()
}
