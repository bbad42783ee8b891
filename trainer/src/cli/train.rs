//! `trainer train`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use irmae_infer::format::Precision;
use trainer::auto::{self, AutoOptions, AutoReport, Plan, Steps};
use trainer::config::{DecoderKind, OptimizerKind, Schedule, StackInit};
use trainer::draft::{Draft, NetworkDraft, TrainingDraft};
use trainer::export::Subject;
use trainer::presets::PRESETS;
use trainer::train::TrainSummary;
use trainer::{data, files, interrupt, train};

use super::Common;
use super::data_args::DataArgs;

/// Train an autoencoder (--linear-layers 0) or an IRMAE (1 and more) from scratch
#[derive(Args)]
#[command(
    after_help = format!(
        "Presets:\n{}\n\nExample:\n  trainer train --preset micro-image --data fashion-mnist --out runs/fashion --epochs 15\n\n\
         What is not given comes from --config, then from the preset.",
        PRESETS.iter().map(|preset| format!("  {:<13} {}", preset.name, preset.about)).collect::<Vec<_>>().join("\n")
    )
)]
pub(super) struct Train {
    /// Find network, depth and learning rate for the data and the packets, and collapse, tune and export (i8) as well
    #[arg(long, conflicts_with_all = [
        "preset", "config", "latent", "linear_layers", "stack_init", "optimizer", "lr", "weight_decay", "schedule", "epochs",
        "batch_size", "threads", "bf16",
    ])]
    auto: bool,
    /// With --auto: sizes of packets, all their bytes included [default: 4,8,16,32 for images, 8,16,32 for windows]
    #[arg(long, value_name = "N,...", value_delimiter = ',', requires = "auto")]
    bytes: Vec<usize>,
    /// A named network, adapted to the data's shape
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML file with any of preset, [data], [network] and [training]; a run's config.toml is one
    #[arg(long, value_name = "F.toml")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Folder of the run
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Replace a run that is in the way
    #[arg(long)]
    overwrite: bool,
    /// Values in the code
    #[arg(long, value_name = "N")]
    latent: Option<usize>,
    /// Square linear layers between encoder and decoder; 0 is a plain autoencoder
    #[arg(long, value_name = "L")]
    linear_layers: Option<usize>,
    /// The preset's decoder: as small as the encoder, or larger, for a gateway
    #[arg(long)]
    decoder: Option<DecoderKind>,
    /// How the linear layers start
    #[arg(long)]
    stack_init: Option<StackInit>,
    /// The optimiser
    #[arg(long)]
    optimizer: Option<OptimizerKind>,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Weight decay (decoupled with adamw)
    #[arg(long, value_name = "RATE")]
    weight_decay: Option<f64>,
    /// How the learning rate changes
    #[arg(long)]
    schedule: Option<Schedule>,
    /// Passes over the training set
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Items in a step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Seed of the weights and of the order of the items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// CPU threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Let layers compute in bf16, on CUDA
    #[arg(long)]
    bf16: bool,
    #[command(flatten)]
    common: Common,
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        interrupt::listen();
        if self.auto {
            return self.automatic(device);
        }
        let file = self.config.as_deref().map(Draft::read).transpose()?;
        let draft = self.draft().over(file.unwrap_or_default());
        let dataset = data::load(&draft.data_spec()?)?;
        let config = draft.resolve(&dataset)?;
        ensure!(
            device.is_cuda() || !config.training.bf16,
            "--bf16 is for CUDA; on a CPU it takes up to seven times as long as f32: leave it out"
        );
        files::prepare_output(&self.out, self.overwrite)?;
        let summary = train::train(config, &dataset, &self.out, device, None)?;
        self.common.print(&summary, text(&summary))
    }

    /// From data to exported files.
    fn automatic(&self, device: tch::Device) -> anyhow::Result<()> {
        let spec = self.draft().data_spec()?;
        let dataset = data::load(&spec)?;
        let options = AutoOptions {
            bytes: self.bytes.clone(),
            decoder: self.decoder.unwrap_or(DecoderKind::Gateway),
            seed: self.seed.unwrap_or_default(),
            steps: Steps::default(),
        };
        let plan = Plan::new(spec, &dataset, &options)?;
        files::prepare_output(&self.out, self.overwrite)?;
        let report = auto::train_auto(plan, &dataset, &self.out, device)?;
        print_auto(&report, device, &self.common)
    }

    /// What the command line says.
    fn draft(&self) -> Draft {
        let training = TrainingDraft {
            stack_init: self.stack_init,
            optimizer: self.optimizer,
            learning_rate: self.lr,
            weight_decay: self.weight_decay,
            schedule: self.schedule,
            epochs: self.epochs,
            batch_size: self.batch_size,
            seed: self.seed,
            threads: self.threads,
            bf16: self.bf16.then_some(true),
        };
        let mut network = NetworkDraft::sizes(self.latent, self.linear_layers);
        network.decoder_kind = self.decoder;
        Draft::new(self.preset.clone(), self.data.draft(), training, network)
    }
}

/// Exports what an automatic run has come to, and prints what was done.
pub(super) fn print_auto(report: &AutoReport, device: tch::Device, common: &Common) -> anyhow::Result<()> {
    let exported = Subject::open(&report.run, &[], device)?.write(Precision::I8, &report.run.join("export-i8"))?;
    let text = format!(
        "{report}\nexported to {}, encoder {} bytes of flash; next: trainer eval {} --model {}",
        exported.folder.display(),
        exported.encoder.flash_bytes,
        report.run.display(),
        exported.folder.display()
    );
    common.print(report, text)
}

/// The summary of a training, for people.
pub(super) fn text(summary: &TrainSummary) -> String {
    let TrainSummary { run, epochs, loss, seconds, ranks } = summary;
    let run = run.display();
    format!(
        "{run}: {epochs} epochs, loss {loss:.6}, {seconds:.0} s; rank by gap {}, above 1e-2 of the largest {}\n\
         next: trainer collapse {run}",
        ranks.gap, ranks.numerical_1e2
    )
}
