//! `trainer spectrum`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trainer::batches::DeviceData;
use trainer::files;
use trainer::model::Model;
use trainer::plot::{self, Series};
use trainer::rank::CLEAR_GAP;
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
    /// Show the spectrum before training as well
    #[arg(long)]
    before: bool,
    #[command(flatten)]
    common: Common,
}

/// The rank at the largest gap where that is one; in a spectrum that falls evenly, the values above 1 % of the largest.
fn clear_rank(spectrum: &Measured) -> usize {
    let ranks = &spectrum.ranks;
    if ranks.gap_ratio >= CLEAR_GAP { ranks.gap } else { ranks.numerical_1e2 }
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    spectrum: &'a Measured,
    /// Singular values before training.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<f64>>,
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
        let mut series = vec![Series {
            name: format!("{}, {linear_layers} linear layers", dataset.name),
            values: spectrum.singular_values.clone(),
            rank: Some(clear_rank(&spectrum)),
        }];
        let before = self.before.then(|| {
            let training = &run.config.training;
            let model = Model::initialise(&run.config.network, training.stack_init, training.seed, device);
            Measured::measure(&model, &data).singular_values
        });
        series.extend(before.iter().map(|values| Series {
            name: "before training".into(),
            values: values.clone(),
            rank: None,
        }));
        plot::spectra(&plot, "Singular values of the code's covariance", &series)?;
        let text = format!("{spectrum}\nplot: {}", plot.display());
        self.common.print(&Output { spectrum: &spectrum, before, plot }, text)
    }
}
