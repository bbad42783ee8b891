//! `trainer spectrum`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trainer::batches::DeviceData;
use trainer::files;
use trainer::plot::{self, Series};
use trainer::run::Run;
use trainer::spectrum::Spectrum as Measured;

use super::{Common, RunArg, data_of};

/// Singular values of the code's covariance over the training set, the rank by each rule, and a plot
///
/// Writes RUN/spectrum.json and RUN/spectrum.png.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer spectrum runs/fashion")]
pub(super) struct Spectrum {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    spectrum: &'a Measured,
    /// Where the picture is.
    plot: PathBuf,
}

impl Spectrum {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let folder = &self.run.run;
        let run = Run::load(folder, device)?;
        let dataset = data_of(folder)?;
        let data = DeviceData::upload(&dataset.train, &run.config.normalization, device);
        let spectrum = Measured::measure(&run.model, &data);
        spectrum.save(folder)?;
        let plot = folder.join(files::SPECTRUM_PLOT);
        let linear_layers = run.config.network.linear_layers;
        let series = Series {
            name: format!("{}, {linear_layers} linear layers", dataset.name),
            values: spectrum.singular_values.clone(),
            rank: Some(spectrum.ranks.gap),
        };
        plot::spectra(&plot, "Singular values of the code's covariance", &[series])?;
        self.common
            .print(&Output { spectrum: &spectrum, plot: plot.clone() }, format!("{spectrum}\nplot: {}", plot.display()))
    }
}
