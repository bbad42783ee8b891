//! `trainer bench`.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use trainer::bench::{self, Options, Speed};
use trainer::config::OptimizerKind;
use trainer::presets::{self, PRESETS};

use super::Common;

/// How fast presets train on this machine, beside a bare loop of the same network
///
/// The bare loop is what anyone would write with libtorch: the same layers one after another, Adam, items that lie ready in f32.
/// Ours shuffles, normalises and watches the loss. Both take turns; the ratio is the median of our time over the bare loop's.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer bench --preset paper-mnist --batch-size 32 --device cpu")]
pub(super) struct Bench {
    /// The preset; may be given more than once [default: all of them]
    #[arg(long, value_name = "NAME")]
    preset: Vec<String>,
    /// Items in a step [default: the preset's]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Our layers compute in bf16 (the bare loop stays in f32)
    #[arg(long)]
    bf16: bool,
    /// Our optimiser (the bare loop has adam)
    #[arg(long, default_value = "adam")]
    optimizer: OptimizerKind,
    /// Seconds of each of the seven turns that a loop has
    #[arg(long, value_name = "SECONDS", default_value = "0.5")]
    turn: f64,
    /// CPU threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<u16>,
    #[command(flatten)]
    common: Common,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        ensure!(self.batch_size != Some(0), "the batch size is 0; give 1 or more");
        let turn = Duration::try_from_secs_f64(self.turn)?;
        let presets = match &self.preset[..] {
            [] => PRESETS.iter().collect(),
            names => names.iter().map(|name| presets::find(name)).collect::<Result<Vec<_>, _>>()?,
        };
        if let Some(threads) = self.threads {
            tch::set_num_threads(threads.into());
        }
        let options = Options { device, batch_size: self.batch_size, bf16: self.bf16, optimizer: self.optimizer, turn };
        if !self.common.json {
            println!("{}", bench::heading());
        }
        let measure = |preset| {
            let speed = bench::measure(preset, &options);
            if !self.common.json {
                println!("{speed}");
            }
            speed
        };
        let speeds: Vec<Speed> = presets.into_iter().map(measure).collect();
        if self.common.json { self.common.print(&serde_json::json!({ "speeds": speeds }), "") } else { Ok(()) }
    }
}
