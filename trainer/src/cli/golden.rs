//! `trainer golden`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use trainer::export::Subject;
use trainer::golden;

use super::Common;

/// Write golden cases: model files with inputs and the outputs that a device must give for them
///
/// Without --run, the small built-in networks that tests/golden holds.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  trainer golden --out tests/golden\n  trainer golden --run runs/fashion --out cases"
)]
pub(super) struct Golden {
    /// Folder that gets a folder for each case
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make the cases of this run's network and test items
    #[arg(long)]
    run: Option<PathBuf>,
    /// Windows in a case
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    windows: u16,
    /// Seed of the built-in networks and their data
    #[arg(long, default_value_t = 7)]
    seed: u64,
    #[command(flatten)]
    common: Common,
}

impl Golden {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let mut cases = Vec::new();
        if let Some(run) = &self.run {
            let subject = Subject::open(run, &[], device)?;
            let (name, command) = (subject.data.name.clone(), format!("trainer golden --run {}", run.display()));
            cases.extend(golden::write_cases(&subject, &name, self.windows.into(), &self.out, &command, 0)?);
        } else {
            for name in golden::NAMES {
                let subject = golden::build(name, self.seed);
                let command = format!("trainer golden --seed {} --windows {}", self.seed, self.windows);
                cases.extend(golden::write_cases(&subject, name, self.windows.into(), &self.out, &command, self.seed)?);
            }
        }
        self.common.print(&json!({ "folder": self.out, "cases": cases }), cases.join("\n"))
    }
}
