//! `trainer spectrum`.
use super::{Common, RunArg, data_of};
use clap::Args;
/// Singular values of the code's covariance over the training set, the rank by each rule, and a plot
#[derive(Args)]
#[command(after_help = "Example:\n  trainer spectrum runs/fashion")]
pub(super) struct Spectrum {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    common: Common,
}
impl Spectrum {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let run = trainer::run::Run::load(&self.run.run, device)?;
        let dataset = data_of(&self.run.run)?;
        let data = trainer::batches::DeviceData::upload(&dataset.train, &run.config.normalization, device);
        let spectrum = trainer::spectrum::Spectrum::measure(&run.model, &data);
        spectrum.save(&self.run.run)?;
        self.common.print(&spectrum, format!("{spectrum:?}"))
    }
}
