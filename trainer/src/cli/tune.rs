//! `trainer tune`.

use clap::Args;
use trainer::cut::{RankChoice, collapse_run};
use trainer::files;
use trainer::run::Run;
use trainer::tune::{TuneOptions, tune};

use super::{Common, RunArg, data_of};

/// Fine-tune the collapsed network at its rank, with --bytes also for a packet of that size
///
/// Reads RUN/collapsed (a run that was not collapsed yet is, with --rank auto) and writes RUN/tuned.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer tune runs/fashion --bytes 12")]
pub(super) struct Tune {
    #[command(flatten)]
    run: RunArg,
    /// Size of a packet in bytes, the one for its length included: quantise the code to fit while tuning
    #[arg(long, value_name = "N")]
    bytes: Option<usize>,
    /// Passes over the training set
    #[arg(long, default_value_t = 8, value_name = "N")]
    epochs: usize,
    /// Learning rate at the start; it falls along half a cosine
    #[arg(long, default_value_t = 2e-3, value_name = "RATE")]
    lr: f64,
    /// Items in a step
    #[arg(long, default_value_t = 128, value_name = "N")]
    batch_size: usize,
    #[command(flatten)]
    common: Common,
}

impl Tune {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let folder = &self.run.run;
        let dataset = data_of(folder)?;
        let collapsed = folder.join(files::COLLAPSED);
        if !collapsed.join(files::CONFIG).exists() {
            let report = collapse_run(&Run::load(folder, device)?, &dataset, RankChoice::Auto)?;
            eprintln!("{report}");
        }
        let options =
            TuneOptions { epochs: self.epochs, learning_rate: self.lr, batch_size: self.batch_size, bytes: self.bytes };
        let report = tune(&Run::load(&collapsed, device)?, &dataset, options)?;
        self.common.print(&report, &report)
    }
}
