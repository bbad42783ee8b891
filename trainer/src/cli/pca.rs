//! `trainer pca`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trainer::sheet;

use super::gallery::with_gallery;
use super::{Common, RunArg};

/// Pictures along the principal axes of the code: what each of them means
#[derive(Args)]
#[command(after_help = "Example:\n  trainer pca runs/fashion --axes 8")]
pub(super) struct Pca {
    #[command(flatten)]
    run: RunArg,
    /// Axes, the strongest first
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    axes: u16,
    /// How far to go to either side, in deviations
    #[arg(long, default_value_t = 2.0, value_name = "SIGMAS")]
    reach: f64,
    /// Pictures along each
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=100))]
    steps: u16,
    /// The picture [default: RUN/pca.png]
    #[arg(long, value_name = "F.png")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Output {
    axes: usize,
    picture: PathBuf,
}

impl Pca {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let rows = with_gallery(&self.run.run, &self.common, |gallery| {
            gallery.walks(self.axes.into(), self.reach, self.steps.into())
        })?;
        let picture = self.out.unwrap_or_else(|| self.run.run.join("pca.png"));
        sheet::write(&picture, &rows)?;
        let text = format!("{} axes of {} pictures: {}", rows.len(), self.steps, picture.display());
        self.common.print(&Output { axes: rows.len(), picture }, text)
    }
}
