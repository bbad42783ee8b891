//! `trainer classify`.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use trainer::batches::DeviceData;
use trainer::data;
use trainer::downstream::{Effort, Point, on_codes, on_items};
use trainer::run::Run;

use super::{Common, RunArg, data_of};

/// Errors of classifiers that are trained on the codes with few labels, beside the encoder trained with those labels alone
///
/// At 10, 100, 1,000, 10,000 and all labels; the head is the paper's, and the error is that after the last epoch.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer classify runs/mnist --epochs 100")]
pub(super) struct Classify {
    #[command(flatten)]
    run: RunArg,
    /// Epochs; the paper has 500
    #[arg(long, default_value_t = 500, value_name = "N")]
    epochs: usize,
    /// Steps at most
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    steps: usize,
    /// Seed of the choice of labels, of weights and of the order
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Output {
    effort: Effort,
    seed: u64,
    codes: Vec<Point>,
    supervised_twin: Vec<Point>,
}

impl Classify {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let folder = &self.run.run;
        let (run, dataset) = (Run::load(folder, device)?, data_of(folder)?);
        let labels = data::labels(&run.config.data)?.with_context(|| {
            format!("{} has no labels; classify takes mnist, fashion-mnist and shapes", dataset.name)
        })?;
        let [train, test] =
            [&dataset.train, &dataset.test].map(|items| DeviceData::upload(items, &run.config.normalization, device));
        let (effort, seed) = (Effort { epochs: self.epochs, steps: self.steps }, self.seed);
        let output = Output {
            effort,
            seed,
            codes: on_codes(&run.model, [&train, &test], &labels, effort, seed),
            supervised_twin: on_items(&run.config.network, [&train, &test], &labels, effort, seed),
        };
        self.common.print(&output, text(&output))
    }
}

fn text(output: &Output) -> String {
    let mut text = format!("{:>7} {:>13} {:>22}", "labels", "error, codes", "error, supervised twin");
    for (codes, twin) in output.codes.iter().zip(&output.supervised_twin) {
        let percent = |point: &Point| format!("{:.2} %", 100.0 * point.error);
        write!(text, "\n{:>7} {:>13} {:>22}", codes.labels, percent(codes), percent(twin))
            .expect("writing into memory");
    }
    text
}
