//! `trainer eval`.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use trainer::code::check_bytes;
use trainer::config::RunConfig;
use trainer::data::{self, DataSpec, Dataset};
use trainer::deployed::Deployed;
use trainer::eval::{self, DeviceReport, NetworkReport};
use trainer::export::{self, Subject};
use trainer::files;
use trainer::run::Run;
use trainer::sheet;
use trainer::train::check_shape;

use super::{Common, RunArg};

/// Measure the networks of a run, and what was exported of it, on its test data
///
/// Exported files are measured by running irmae-infer on every item: what it says is what the device does.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer eval runs/fashion --model models/fashion")]
pub(super) struct Eval {
    #[command(flatten)]
    run: RunArg,
    /// Folder that `trainer export` wrote
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Sizes that packets may have, all their bytes included [default: those that the code was made for]
    #[arg(long, value_name = "N,...", value_delimiter = ',', requires = "model")]
    bytes: Vec<usize>,
    /// Picture of the first test images: original, libtorch, device
    #[arg(long, value_name = "FILE.png", requires = "model")]
    sheet: Option<PathBuf>,
    /// Other data, of the same shape, whose test part to measure on
    #[arg(long, value_name = "SPEC")]
    data: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    /// The network as trained, collapsed and tuned, as far as they exist.
    networks: Vec<Named>,
    /// The exported files, with packets of the largest size.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceReport>,
    /// The exported files at each size.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packets: Vec<PacketReport>,
}

/// What packets of a size give.
#[derive(Serialize)]
struct PacketReport {
    bytes: usize,
    bytes_per_item: f64,
    payload_bytes_per_item: f64,
    ideal_payload_bytes_per_item: f64,
    psnr_db: f64,
    rmse: f64,
}

#[derive(Serialize)]
struct Named {
    stage: &'static str,
    #[serde(flatten)]
    report: NetworkReport,
}

impl Eval {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = self.common.device()?;
        let data = self.dataset()?;
        let mut networks = Vec::new();
        for (stage, folder) in [("trained", ""), ("collapsed", files::COLLAPSED), ("tuned", files::TUNED)] {
            let folder = self.run.run.join(folder);
            if stage == "trained" || folder.join(files::CONFIG).exists() {
                let run = Run::load(&folder, device)?;
                let code = export::read_code(&folder)?;
                networks.push(Named { stage, report: eval::network(&run.model, code.as_ref(), &data, device) });
            }
        }
        let reports = self.model.as_deref().map(|folder| self.device_reports(folder, &data, device)).transpose()?;
        let reports = reports.unwrap_or_default();
        let packets = reports.iter().map(|report| PacketReport {
            bytes: report.max_bytes,
            bytes_per_item: report.bytes_per_item,
            payload_bytes_per_item: report.payload_bytes_per_item,
            ideal_payload_bytes_per_item: report.ideal_payload_bytes_per_item,
            psnr_db: report.psnr_db,
            rmse: report.rmse,
        });
        let report = Report { networks, packets: packets.collect(), device: reports.last().cloned() };
        self.common.print(&report, &report)
    }

    /// The run's data, or other data seen through the run's normalisation.
    fn dataset(&self) -> anyhow::Result<Dataset> {
        let config = RunConfig::load(&self.run.run)?;
        let spec = match &self.data {
            Some(data) => DataSpec { resize: config.data.resize, ..DataSpec::new(data) },
            None => config.data.clone(),
        };
        let dataset = data::load(&spec)?;
        check_shape(&config, &dataset)?;
        Ok(Dataset { normalization: config.normalization, ..dataset })
    }

    /// One for each size of packets, ascending.
    fn device_reports(&self, folder: &Path, data: &Dataset, device: tch::Device) -> anyhow::Result<Vec<DeviceReport>> {
        const SHEET_IMAGES: usize = 12;
        let deployed = Deployed::read(folder)?;
        let id = deployed.models().with_context(|| folder.display().to_string())?[0].id();
        let subject = Subject::open(&self.run.run, &export::read_bytes(folder)?, device)?;
        ensure!(
            export::model_id(&subject.model, &subject.code) == id,
            "{} was not exported from {} as it is now; export it again",
            folder.display(),
            self.run.run.display()
        );
        let sizes = if self.bytes.is_empty() { subject.code.bytes.clone() } else { check_bytes(&self.bytes)? };
        let report = |max_bytes: usize| eval::deployed(&deployed, &subject, data, max_bytes, usize::MAX);
        let reports = sizes.into_iter().map(report).collect::<Result<Vec<_>, _>>()?;
        if let (Some(path), Some(largest)) = (&self.sheet, reports.last()) {
            sheet::write(path, &eval::sheet_rows(&deployed, &subject, data, largest, SHEET_IMAGES)?)?;
        }
        Ok(reports)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.networks.first().map_or(0, |network| network.report.items);
        write!(f, "{items} test items")?;
        for Named { stage, report } in &self.networks {
            write!(f, "\n  {stage:<10} PSNR {:6.2} dB, RMSE {:.4}", report.psnr_db, report.rmse)?;
            if let Some(psnr_db) = report.psnr_quantized_code_db {
                write!(f, "; with its code quantised {psnr_db:.2} dB")?;
            }
        }
        if let Some(device) = &self.device {
            let name = format!("device {}", device.precision);
            write!(f, "\n  {name:<10} {:.1e} from libtorch", device.max_rel_diff)?;
        }
        for packet in &self.packets {
            let PacketReport { bytes_per_item, psnr_db, rmse, .. } = packet;
            let name = format!("{} bytes", packet.bytes);
            write!(f, "\n    {name:<10} PSNR {psnr_db:6.2} dB, RMSE {rmse:.4} at {bytes_per_item:.3} bytes an item")?;
            let [payload, ideal] = [packet.payload_bytes_per_item, packet.ideal_payload_bytes_per_item];
            write!(f, ", payload {payload:.3}, ideally {ideal:.3}")?;
        }
        Ok(())
    }
}
