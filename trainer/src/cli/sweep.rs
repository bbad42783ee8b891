//! `trainer sweep`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use trainer::{interrupt, sweep};

use super::Common;
use super::export::Quantize;

/// Train, tune, export and evaluate one run for every combination of settings
///
/// Each step is a process of its own. What was done before is not done again: the same command goes on where a sweep was
/// interrupted or killed, or where a run failed.
#[derive(Args)]
#[command(
    after_help = "FILE.toml is a configuration, as `trainer train --config` takes it, with lists of values in [sweep], and with\n\
    options of `trainer tune` in [tune], if the runs are to be tuned:\n\n  \
    preset = \"micro-image\"\n  [data]\n  data = \"fashion-mnist\"\n  [tune]\n  bytes = [8, 16]\n  [sweep]\n  \
    \"network.linear_layers\" = [0, 2, 4]\n  \"training.seed\" = [0, 1, 2]\n\n\
    Example:\n  trainer sweep layers.toml --out sweeps/layers --jobs 2"
)]
pub(super) struct Sweep {
    /// A configuration with lists of settings
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Folder of the sweep; each run has a folder in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Runs side by side
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// Number type of the exported weights that are measured
    #[arg(long, value_enum, default_value = "f32")]
    quantize: Quantize,
    #[command(flatten)]
    common: Common,
}

impl Sweep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let plans = sweep::read(&self.file)?;
        let options = sweep::Options {
            folder: self.out,
            jobs: self.jobs.get(),
            program: std::env::current_exe().context("the path of this program")?,
            device: self.common.device.to_string(),
            precision: self.quantize.name().into(),
        };
        interrupt::listen();
        let report = sweep::run(&plans, &options)?;
        self.common.print(&report, &report)?;
        match report.failures() {
            0 => Ok(()),
            n => bail!("{n} of {} runs failed; the same command tries them again", report.runs.len()),
        }
    }
}
