//! `trainer export`.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use irmae_infer::format::Precision;
use serde::Serialize;
use trainer::export::{ExportReport, Subject};

use super::{Common, RunArg};

/// Write encoder.irmae, decoder.irmae and model.json for irmae-infer
///
/// Takes the tuned network of RUN, else the collapsed one; a RUN that has neither is collapsed first.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer export runs/fashion --quantize i8 --out models/fashion")]
pub(super) struct Export {
    #[command(flatten)]
    run: RunArg,
    /// Number type of the weights
    #[arg(long, value_enum)]
    quantize: Quantize,
    /// Folder of the files [default: RUN/export-QUANTIZE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Sizes of packets, all their bytes included [default: as tuned, else 6 bits a coefficient]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    bytes: Vec<usize>,
    #[command(flatten)]
    common: Common,
}

/// Number types of the weights.
#[derive(Clone, Copy, ValueEnum)]
enum Quantize {
    /// f32 weights and arithmetic
    F32,
    /// f16 weights, f32 arithmetic
    F16,
    /// i8 weights, integer arithmetic: the same to the bit on every device
    I8,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let subject = Subject::open(&self.run.run, &self.bytes, self.common.device()?)?;
        let (precision, name) = match self.quantize {
            Quantize::F32 => (Precision::F32, "export-f32"),
            Quantize::F16 => (Precision::F16, "export-f16"),
            Quantize::I8 => (Precision::I8, "export-i8"),
        };
        let out = self.out.unwrap_or_else(|| self.run.run.join(name));
        let report = Report(subject.write(precision, &out)?);
        self.common.print(&report, &report)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Report(ExportReport);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.0;
        writeln!(
            f,
            "{}: {} coefficients in packets of up to {} bytes, {} operating points",
            report.folder.display(),
            report.rank,
            report.bytes.last().copied().unwrap_or_default(),
            report.points
        )?;
        writeln!(f, "  {:<8} {:>12} {:>12} {:>12}", "", "flash bytes", "RAM bytes", "MACs")?;
        for (name, half) in [("encoder", report.encoder), ("decoder", report.decoder)] {
            writeln!(f, "  {name:<8} {:>12} {:>12} {:>12}", half.flash_bytes, half.ram_bytes, half.macs)?;
        }
        write!(
            f,
            "  PSNR {:.2} dB over {} test items, {:.3} dB below f32",
            report.psnr_db, report.items, report.loss_db
        )
    }
}
