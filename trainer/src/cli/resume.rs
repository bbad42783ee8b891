//! `trainer resume`.

use clap::Args;
use trainer::{interrupt, train};

use super::{Common, RunArg, data_of};

/// Continue an interrupted run, or train a finished one further
///
/// On the CPU an interrupted run ends exactly as it would have without the interruption. RUN/collapsed and RUN/tuned,
/// which were made from the earlier weights, are removed.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer resume runs/fashion --epochs 30")]
pub(super) struct Resume {
    #[command(flatten)]
    run: RunArg,
    /// Epochs in all [default: those the run was started with]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    #[command(flatten)]
    common: Common,
}

impl Resume {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        interrupt::listen();
        let folder = &self.run.run;
        let summary = train::resume(folder, &data_of(folder)?, device, self.epochs)?;
        self.common.print(&summary, super::train::text(&summary))
    }
}
