//! `trainer generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use trainer::generate::{self, COMPONENTS};
use trainer::sheet;

use super::gallery::with_gallery;
use super::{Common, RunArg};

/// New pictures, decoded from codes drawn from a distribution that is fitted to those of the training set
#[derive(Args)]
#[command(after_help = "Example:\n  trainer generate runs/fashion --from gmm --count 60")]
pub(super) struct Generate {
    #[command(flatten)]
    run: RunArg,
    /// The distribution
    #[arg(long, value_enum, default_value_t = Distribution::Gmm)]
    from: Distribution,
    /// Gaussians of a mixture
    #[arg(long, default_value_t = COMPONENTS, value_name = "N")]
    components: usize,
    /// Pictures
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// The picture [default: RUN/generated.png]
    #[arg(long, value_name = "F.png")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What codes are drawn from.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Distribution {
    /// A Gaussian with a full covariance
    Mvg,
    /// A mixture of such Gaussians
    Gmm,
}

#[derive(Serialize)]
struct Output {
    from: Distribution,
    count: u16,
    seed: u64,
    picture: PathBuf,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        const COLUMNS: usize = 10;
        let Generate { from, components, count, seed, .. } = self;
        let rows = with_gallery(&self.run.run, &self.common, |gallery| {
            let [mvg, gmm] = generate::draw(gallery.model, gallery.train, components, count.into(), seed);
            gallery.samples("", &if matches!(from, Distribution::Mvg) { mvg } else { gmm }, COLUMNS)
        })?;
        let picture = self.out.unwrap_or_else(|| self.run.run.join("generated.png"));
        sheet::write(&picture, &rows)?;
        let text = format!("{count} pictures: {}", picture.display());
        self.common.print(&Output { from, count, seed, picture }, text)
    }
}
