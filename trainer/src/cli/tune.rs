//! `trainer tune`.

use clap::Args;
use trainer::cut::{RankChoice, collapse_run};
use trainer::run::Run;
use trainer::tune::{TuneOptions, tune};
use trainer::{files, interrupt};

use super::{Common, RunArg, data_of};

/// Fine-tune the collapsed network at its rank, with --bytes also for packets of these sizes
///
/// Reads RUN/collapsed (a run that was not collapsed yet is, with --rank auto) and writes RUN/tuned.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer tune runs/fashion --bytes 4,8,16,32")]
pub(super) struct Tune {
    #[command(flatten)]
    run: RunArg,
    /// Sizes of packets, all their bytes included: quantise the code to fit while tuning, so that one network serves all
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    bytes: Vec<usize>,
    /// Passes over the training set [default: as many as the run had]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Learning rate at the start; it falls along half a cosine [default: the run's]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Items in a step [default: the run's]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    #[command(flatten)]
    common: Common,
}

impl Tune {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        interrupt::listen();
        let folder = &self.run.run;
        let dataset = data_of(folder)?;
        let folder_of_collapsed = folder.join(files::COLLAPSED);
        if !folder_of_collapsed.join(files::CONFIG).exists() {
            let report = collapse_run(&Run::load(folder, device)?, &dataset, RankChoice::Auto)?;
            eprintln!("{report}");
        }
        let collapsed = Run::load(&folder_of_collapsed, device)?;
        let training = &collapsed.config.training;
        let options = TuneOptions {
            epochs: self.epochs.unwrap_or(training.epochs),
            learning_rate: self.lr.unwrap_or(training.learning_rate),
            batch_size: self.batch_size.unwrap_or(training.batch_size),
            bytes: self.bytes,
        };
        let report = tune(&collapsed, &dataset, &options)?;
        self.common.print(&report, &report)
    }
}
