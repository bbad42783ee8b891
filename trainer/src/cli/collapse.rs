//! `trainer collapse`.

use clap::Args;
use trainer::cut::{RankChoice, collapse_run};
use trainer::run::Run;

use super::{Common, RunArg, data_of};

/// Fold the linear stack into one matrix, rotate the code onto its principal axes and cut it to its rank
///
/// Writes RUN/collapsed, a plain network; a RUN/tuned made from an earlier one is removed.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer collapse runs/fashion --rank auto")]
pub(super) struct Collapse {
    #[command(flatten)]
    run: RunArg,
    /// Coefficients to keep: a number, or auto: those before a clear gap in the spectrum, else the fewest that
    /// reconstruct within 1 % of the whole code
    #[arg(long, default_value = "auto", value_name = "N")]
    rank: RankChoice,
    /// Keep the fewest coefficients that hold this share of the variance
    #[arg(long, conflicts_with = "rank", value_name = "SHARE")]
    energy: Option<f64>,
    #[command(flatten)]
    common: Common,
}

impl Collapse {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let run = Run::load(&self.run.run, device)?;
        let choice = self.energy.map_or(self.rank, RankChoice::Energy);
        let report = collapse_run(&run, &data_of(&self.run.run)?, choice)?;
        self.common.print(&report, &report)
    }
}
