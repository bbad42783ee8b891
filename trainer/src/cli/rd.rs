//! `trainer rd`.

use std::path::{Path, PathBuf};

use clap::Args;
use trainer::config::DecoderKind;
use trainer::data::{self, DataSpec};
use trainer::draft::{Draft, NetworkDraft, TrainingDraft};
use trainer::interrupt;
use trainer::rd::{self, Contender, Settings};

use super::Common;
use super::data_args::DataArgs;

/// Training items of a quick comparison.
const QUICK_ITEMS: usize = 12_000;

/// Draw rate against distortion of our code and of baselines with the same networks, steps, quantiser and coder
///
/// Every method gets the steps that ours has for training and tuning together. What is finished is kept in --out, so that the same
/// command goes on where it was interrupted.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer rd --data fashion-mnist --quick")]
pub(super) struct Rd {
    #[command(flatten)]
    data: DataArgs,
    /// Fewer training items, fewer steps, a smaller decoder, one of each method: minutes on two cores
    #[arg(long)]
    quick: bool,
    /// Seeds, from 0
    #[arg(long, default_value_t = 1, value_name = "K")]
    seeds: u64,
    /// Sizes of packets, all their bytes included [default: 4,8,16,32 for images, 8,16,32 for windows]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    bytes: Vec<usize>,
    /// What to compare: ours, pca, ae, vae, rrae, nested, irmae, irmae_preset, and ae_N and rrae_N with N coefficients [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    methods: Vec<Contender>,
    /// The network that all share [default: radio-image for images, micro-1d for windows]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The preset's decoder [default: gateway, with --quick mirror]
    #[arg(long)]
    decoder: Option<DecoderKind>,
    /// Values in the code of ours before tuning leaves out what is never sent [default: the preset's]
    #[arg(long, value_name = "N")]
    latent: Option<usize>,
    /// Epochs in which ours is trained
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Epochs in which ours is tuned
    #[arg(long, value_name = "N")]
    tune_epochs: Option<usize>,
    /// Learning rate at the start of tuning [default: 0.01 with a gateway's decoder, 0.02 with a mirror]
    #[arg(long, value_name = "RATE")]
    tune_lr: Option<f64>,
    /// Linear layers of IRMAE as published
    #[arg(long, default_value_t = 4, value_name = "L")]
    linear_layers: usize,
    /// Folder for what was trained, report.html and report.json [default: rd/NAME of the data, or rd/NAME-quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Rd {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        interrupt::listen();
        let data = self.data.draft();
        let mut draft = Draft::new(self.preset.clone(), data, TrainingDraft::default(), NetworkDraft::default());
        if self.quick {
            draft.data.limit = draft.data.limit.or(Some(QUICK_ITEMS));
        }
        let spec = draft.data_spec()?;
        let dataset = data::load(&spec)?;
        let settings = self.settings(spec, dataset.shape.one_dimensional);
        let contenders = match (&self.methods[..], self.quick) {
            ([], true) => Contender::quick(),
            ([], false) => Contender::all(),
            (methods, _) => methods.to_vec(),
        };
        let suffix = if self.quick { "-quick" } else { "" };
        let out = self.out.unwrap_or_else(|| Path::new("rd").join(format!("{}{suffix}", dataset.name)));
        let report = rd::compare(settings, &contenders, self.seeds, &dataset, &out, device)?;
        self.common.print(&report, format!("{report}\n{}", out.join(rd::PAGE).display()))
    }

    fn settings(&self, data: DataSpec, one_dimensional: bool) -> Settings {
        let (preset, bytes, epochs): (_, &[usize], [usize; 2]) = match (one_dimensional, self.quick) {
            (true, false) => ("micro-1d", &[8, 16, 32], [40, 120]),
            (true, true) => ("micro-1d", &[8, 16, 32], [20, 40]),
            (false, false) => ("radio-image", &[4, 8, 16, 32], [6, 16]),
            (false, true) => ("radio-image", &[4, 8, 16, 32], [6, 14]),
        };
        let preset = self.preset.clone().unwrap_or(preset.into());
        let is_mirror = self.quick || preset.starts_with("paper-");
        let decoder = self.decoder.unwrap_or(if is_mirror { DecoderKind::Mirror } else { DecoderKind::Gateway });
        // Behind the larger decoder 0.02 ended 0.1 to 0.3 dB below 0.01 at 16 and 32 bytes of Fashion-MNIST, in 16 epochs beside 18.
        let tune_learning_rate = if decoder == DecoderKind::Gateway { 1e-2 } else { 2e-2 };
        Settings {
            data,
            preset,
            decoder,
            latent: self.latent,
            train_epochs: self.epochs.unwrap_or(epochs[0]),
            tune_epochs: self.tune_epochs.unwrap_or(epochs[1]),
            tune_learning_rate: self.tune_lr.unwrap_or(tune_learning_rate),
            bytes: if self.bytes.is_empty() { bytes.to_vec() } else { self.bytes.clone() },
            published_linear_layers: self.linear_layers,
        }
    }
}
