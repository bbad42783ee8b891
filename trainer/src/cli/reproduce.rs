//! `trainer reproduce`.

use std::path::PathBuf;

use clap::Args;
use trainer::interrupt;
use trainer::methods::Method;
use trainer::reproduce::{self, Findings, Part, Request, Study};

use super::Common;

/// The IRMAE paper's experiments: spectra, ranks, generation, classification, ablations; one page and one JSON
///
/// Writes report.html and report.json into the output folder, beside a folder for every method and seed. It can be stopped at any time and
/// started again with the same words: it goes on where it was. How long it will take is said first.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer reproduce shapes --quick\n  \
    trainer reproduce mnist --epochs 20 --seeds 3 --device cuda --out runs/mnist\n  \
    trainer reproduce celeba --images img_align_celeba --quick")]
pub(super) struct Reproduce {
    /// What to reproduce it on
    study: Study,
    /// Folder of the aligned CelebA images, which you have
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// A narrower model and fewer steps: minutes on two cores
    #[arg(long)]
    quick: bool,
    /// Passes over the training set
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Linear layers of IRMAE and its ablations; it is shown at one other depth beside [default: the study's]
    #[arg(long, value_name = "L")]
    linear_layers: Option<usize>,
    /// Seeds of every experiment, for means and spreads [default: 1, but of AE and IRMAE 3 with --quick and 5 on all shapes]
    #[arg(long, value_name = "K")]
    seeds: Option<u64>,
    /// Only these methods, with the study's optimiser alone
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    methods: Option<Vec<Method>>,
    /// Take at most so many training items
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// TorchScript module for FID that takes images (N,3,299,299) from 0 to 1 and gives features (N,d); without it the features are
    /// those of a small classifier trained on the data
    #[arg(long, value_name = "F.pt")]
    inception: Option<PathBuf>,
    /// Train a share of the experiments alone, such as 1/4: for several processes that share an --out, or another machine. Run it
    /// once more without this, anywhere, to measure them all and write the report
    #[arg(long, value_name = "I/N")]
    part: Option<Part>,
    /// Output folder [default: reproduce-STUDY, or reproduce-STUDY-quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Reproduce {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        interrupt::listen();
        let default = format!("reproduce-{}{}", self.study.name(), if self.quick { "-quick" } else { "" });
        let request = Request {
            study: self.study,
            images: self.images,
            quick: self.quick,
            epochs: self.epochs,
            linear_layers: self.linear_layers,
            limit: self.limit,
            seeds: self.seeds,
            methods: self.methods,
            inception: self.inception,
            part: self.part,
            out: self.out.unwrap_or_else(|| default.into()),
        };
        let findings = reproduce::run(&request, device)?;
        let text = findings.as_ref().map_or_else(|| "this part is done".into(), text);
        self.common.print(&findings, text)
    }
}

fn text(findings: &Findings) -> String {
    let mut lines =
        vec![format!("{:<14} {:>2} {:>4} {:>5} {:>4} {:>9}", "method", "L", "seed", "auto", "gap", "PSNR, dB")];
    for run in &findings.runs {
        let settings = &run.experiment;
        let figures = run.outcome.as_ref().map_or_else(
            || run.failed.clone().unwrap_or_default(),
            |outcome| format!("{:>5} {:>4} {:>9.2}", outcome.ranks.auto, outcome.ranks.ranks.gap, outcome.psnr_db),
        );
        lines.push(format!("{:<14} {:>2} {:>4} {figures}", run.method, settings.linear_layers, settings.seed));
    }
    lines.push(format!("report: {}", findings.report.display()));
    lines.join("\n")
}
