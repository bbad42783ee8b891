//! `trainer resume`.

use clap::Args;
use trainer::run::Run;
use trainer::{auto, data, files, interrupt, train, tune};

use super::{Common, RunArg, data_of};

/// Continue an interrupted training, tuning or --auto, or train a finished run further
///
/// On the CPU what was interrupted ends exactly as it would have without the interruption. Training removes RUN/collapsed and
/// RUN/tuned, which were made from the earlier weights.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer resume runs/fashion --epochs 30")]
pub(super) struct Resume {
    #[command(flatten)]
    run: RunArg,
    /// Train, to so many epochs in all [default: those the run was started with]
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
        if self.epochs.is_none() && auto::is_under_way(folder) {
            let report = auto::resume(&data::load(&auto::data_of(folder)?)?, folder, device)?;
            return super::train::print_auto(&report, device, &self.common);
        }
        if self.epochs.is_none() && folder.join(files::TUNING).exists() {
            let collapsed = Run::load(&folder.join(files::COLLAPSED), device)?;
            let report = tune::resume(&collapsed, &data_of(folder)?)?;
            return self.common.print(&report, &report);
        }
        let summary = train::resume(folder, &data_of(folder)?, device, self.epochs)?;
        self.common.print(&summary, super::train::text(&summary))
    }
}
