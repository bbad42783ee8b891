//! `trainer export`.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use irmae_infer::format::Precision;
use serde::Serialize;
use trainer::eval::precision_name;
use trainer::exchange;
use trainer::export::{ExportReport, Subject};

use super::{Common, RunArg};

/// Write encoder.irmae, decoder.irmae and model.json for irmae-infer, or files for other frameworks
///
/// Takes the tuned network of RUN, else the collapsed one; a RUN that has neither is collapsed first.
#[derive(Args)]
#[command(after_help = "Examples:\n  trainer export runs/fashion --quantize i8 --out models/fashion\n  \
    trainer export runs/fashion --format onnx")]
pub(super) struct Export {
    #[command(flatten)]
    run: RunArg,
    /// Number type of the weights
    #[arg(long, value_enum, required_unless_present = "format")]
    quantize: Option<Quantize>,
    /// Write files for other frameworks instead: the network in f32, without the quantiser of its code
    #[arg(long, value_enum, conflicts_with_all = ["quantize", "bytes"])]
    format: Option<Format>,
    /// Folder of the files [default: RUN/export-QUANTIZE or RUN/export-FORMAT]
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
pub(super) enum Quantize {
    /// f32 weights and arithmetic
    F32,
    /// f16 weights, f32 arithmetic
    F16,
    /// i8 weights, integer arithmetic: the same to the bit on every device
    I8,
}

impl Quantize {
    fn precision(self) -> Precision {
        match self {
            Quantize::F32 => Precision::F32,
            Quantize::F16 => Precision::F16,
            Quantize::I8 => Precision::I8,
        }
    }

    /// As the command line has it.
    pub(super) fn name(self) -> &'static str {
        precision_name(self.precision())
    }
}

/// Files for other frameworks.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// model.safetensors: tensors under the names of the paper's code, for PyTorch
    Safetensors,
    /// encoder.onnx and decoder.onnx: a graph each
    Onnx,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.format {
            Some(Format::Safetensors) => self.exchange(exchange::Format::Safetensors, "export-safetensors"),
            Some(Format::Onnx) => self.exchange(exchange::Format::Onnx, "export-onnx"),
            None => {
                let quantize = self.quantize.expect("one of the two is given");
                self.model_files(quantize.precision(), &format!("export-{}", quantize.name()))
            }
        }
    }

    fn model_files(self, precision: Precision, name: &str) -> anyhow::Result<()> {
        let subject = Subject::open(&self.run.run, &self.bytes, self.common.device()?)?;
        let report = Report(subject.write(precision, &self.out(name))?);
        self.common.print(&report, &report)
    }

    fn exchange(self, format: exchange::Format, name: &str) -> anyhow::Result<()> {
        let report = exchange::write(&self.run.run, format, &self.out(name))?;
        self.common.print(&report, &report)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| self.run.run.join(name))
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
