//! The verbs of `trainer`, one a file. Results go to stdout, progress and errors to stderr.

mod bench;
mod classify;
mod collapse;
mod compare;
mod data_args;
mod eval;
mod export;
mod gallery;
mod generate;
mod golden;
mod import;
mod interpolate;
mod pca;
mod rd;
mod reproduce;
mod resume;
mod spectrum;
mod sweep;
mod train;
mod tune;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use trainer::config::RunConfig;
use trainer::data::{self, Dataset};
use trainer::device::{self, DeviceChoice};

/// Train, collapse, tune and export IRMAE autoencoders: from data to a compressor for small devices.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  trainer train --preset micro-image --data fashion-mnist --out runs/fashion\n  \
    trainer collapse runs/fashion\n  trainer tune runs/fashion --bytes 12"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Train(Box<train::Train>),
    Resume(resume::Resume),
    Spectrum(spectrum::Spectrum),
    Collapse(collapse::Collapse),
    Tune(tune::Tune),
    Export(export::Export),
    Eval(eval::Eval),
    Compare(compare::Compare),
    Rd(rd::Rd),
    Golden(golden::Golden),
    Import(import::Import),
    Bench(bench::Bench),
    Sweep(sweep::Sweep),
    Reproduce(Box<reproduce::Reproduce>),
    Interpolate(interpolate::Interpolate),
    Pca(pca::Pca),
    Generate(generate::Generate),
    Classify(classify::Classify),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.verb {
            Verb::Train(verb) => verb.run(),
            Verb::Resume(verb) => verb.run(),
            Verb::Spectrum(verb) => verb.run(),
            Verb::Collapse(verb) => verb.run(),
            Verb::Tune(verb) => verb.run(),
            Verb::Export(verb) => verb.run(),
            Verb::Eval(verb) => verb.run(),
            Verb::Compare(verb) => verb.run(),
            Verb::Rd(verb) => verb.run(),
            Verb::Golden(verb) => verb.run(),
            Verb::Import(verb) => verb.run(),
            Verb::Bench(verb) => verb.run(),
            Verb::Sweep(verb) => verb.run(),
            Verb::Reproduce(verb) => verb.run(),
            Verb::Interpolate(verb) => verb.run(),
            Verb::Pca(verb) => verb.run(),
            Verb::Generate(verb) => verb.run(),
            Verb::Classify(verb) => verb.run(),
        }
    }
}

/// What every verb takes.
#[derive(Args)]
struct Common {
    /// Device to compute on: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Print one JSON object on stdout instead of text
    #[arg(long)]
    json: bool,
}

impl Common {
    fn device(&self) -> anyhow::Result<tch::Device> {
        Ok(device::open(self.device)?)
    }

    /// Prints the result of a verb.
    fn print(&self, result: &impl Serialize, text: impl Display) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(result)?);
        } else {
            println!("{text}");
        }
        Ok(())
    }
}

/// A verb that works on a run.
#[derive(Args)]
struct RunArg {
    /// Folder of the run, as `trainer train --out RUN` made it
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

/// The data that the run in `folder` was trained on.
fn data_of(folder: &Path) -> anyhow::Result<Dataset> {
    let config = RunConfig::load(folder)?;
    let dataset = data::load(&config.data)?;
    trainer::train::check_shape(&config, &dataset)?;
    Ok(dataset)
}
