//! `trainer tune`.
use clap::Args;
/// To come
#[derive(Args)]
pub(super) struct Tune {}
impl Tune {
    pub(super) fn run(self) -> anyhow::Result<()> {
        Ok(())
    }
}
