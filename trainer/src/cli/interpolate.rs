//! `trainer interpolate`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trainer::sheet;

use super::gallery::with_gallery;
use super::{Common, RunArg};

/// Pictures on straight lines between the codes of pairs of test images
#[derive(Args)]
#[command(after_help = "Example:\n  trainer interpolate runs/fashion --pairs 6")]
pub(super) struct Interpolate {
    #[command(flatten)]
    run: RunArg,
    /// Pairs of test images
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pairs: u16,
    /// Pictures on each line, both ends included
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=100))]
    steps: u16,
    /// The picture [default: RUN/interpolation.png]
    #[arg(long, value_name = "F.png")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Output {
    pairs: u16,
    picture: PathBuf,
}

impl Interpolate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let rows = with_gallery(&self.run.run, &self.common, |gallery| {
            (0..self.pairs.into())
                .map(|pair| gallery.line(&format!("pair {}", pair + 1), pair, self.steps.into()))
                .collect()
        })?;
        let picture = self.out.unwrap_or_else(|| self.run.run.join("interpolation.png"));
        sheet::write(&picture, &rows)?;
        let text = format!("{} lines of {} pictures: {}", self.pairs, self.steps, picture.display());
        self.common.print(&Output { pairs: self.pairs, picture }, text)
    }
}
