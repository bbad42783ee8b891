//! `trainer import`.

use std::path::PathBuf;

use clap::Args;
use trainer::draft::{Draft, NetworkDraft, TrainingDraft};
use trainer::exchange::{self, ImportReport};
use trainer::{data, files};

use super::Common;
use super::data_args::DataArgs;

/// Make a run of weights that PyTorch trained, named as the paper's code names them
///
/// RUN then collapses, tunes, exports and evaluates like any other; `trainer resume` trains it on. The data is what it is
/// collapsed and measured on; u8 images reach the network as 0 to 1, as in the paper's code.
#[derive(Args)]
#[command(after_help = "Example, where the paper's code has a trained `model`:\n  \
    python -c 'import safetensors.torch as s; ...; s.save_file(model.state_dict(), \"mnist.safetensors\")'\n  \
    trainer import --safetensors mnist.safetensors --preset paper-mnist --latent 128 --linear-layers 8 \
    --data mnist --out runs/mnist")]
pub(super) struct Import {
    /// The state dict: enc.dcnn.0.weight, enc.fc.weight, mlp.hidden.0.weight, dec.fc.weight, dec.dcnn.1.weight, ...
    #[arg(long, value_name = "F")]
    safetensors: PathBuf,
    /// The network that the weights are of
    #[arg(long, value_name = "NAME")]
    preset: String,
    /// Values in the code [default: the preset's]
    #[arg(long, value_name = "N")]
    latent: Option<usize>,
    /// Square linear layers between encoder and decoder [default: the preset's]
    #[arg(long, value_name = "L")]
    linear_layers: Option<usize>,
    #[command(flatten)]
    data: DataArgs,
    /// Folder of the run
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Replace a run that is in the way
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    common: Common,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let network = NetworkDraft::sizes(self.latent, self.linear_layers);
        let draft = Draft::new(Some(self.preset), self.data.draft(), TrainingDraft::default(), network);
        let config = draft.resolve(&data::load(&draft.data_spec()?)?)?;
        let prepare = |folder: &_| files::prepare_output(folder, self.overwrite);
        let report = exchange::import(&self.safetensors, &config, &self.out, prepare)?;
        self.common.print(&report, text(&report))
    }
}

fn text(ImportReport { run, tensors, parameters }: &ImportReport) -> String {
    let run = run.display();
    format!("{run}: {parameters} weights in {tensors} tensors\nnext: trainer collapse {run}")
}
