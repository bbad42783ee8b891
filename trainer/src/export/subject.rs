//! What is exported: a collapsed network, the quantiser of its code, and its data.

use std::path::{Path, PathBuf};

use irmae_infer::code::{MAX_PAYLOAD_LEN, OVERHEAD_LEN};
use irmae_infer::format::Precision;
use serde::Serialize;
use tch::Device;

use super::{ExportError, Exported, Source, calibration, export, model_id, raw_type};
use crate::batches::DeviceData;
use crate::code::{BytesError, CLASSES_MAX, CodeTables, Quantizer, check_bytes};
use crate::collapse;
use crate::cut::{CollapseError, RankChoice, collapse_run};
use crate::data::{self, DataError, Dataset};
use crate::deployed::{self, DeployError, Deployed};
use crate::eval::{self, HalfReport};
use crate::files::{self, FileError};
use crate::model::Model;
use crate::run::{Run, RunError};
use crate::train::{self, TrainError};

/// Name of the report in an export.
pub const REPORT: &str = "model.json";

/// Bits of a coefficient, on average, where no packet size is known.
const DEFAULT_BITS: usize = 6;

/// Test items that the loss against `f32` is measured on.
const REPORT_ITEMS: usize = 1000;

/// A network with the quantiser of its code and its data.
#[derive(Debug)]
pub struct Subject {
    /// The network, its stack collapsed.
    pub model: Model,
    /// The quantiser of its code.
    pub code: CodeTables,
    /// Its data.
    pub data: Dataset,
}

/// Why a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The run cannot be loaded.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its data cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Its data has changed.
    #[error(transparent)]
    Shape(#[from] TrainError),
    /// It cannot be collapsed.
    #[error(transparent)]
    Collapse(#[from] CollapseError),
    /// The network cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The exported network does not run.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A packet size that no code can have.
    #[error(transparent)]
    Bytes(#[from] BytesError),
}

/// What `model.json` holds.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// Folder of the files.
    pub folder: PathBuf,
    /// `encoder.irmae`
    pub encoder_file: PathBuf,
    /// `decoder.irmae`
    pub decoder_file: PathBuf,
    /// `f32`, `f16` or `i8`.
    pub precision: &'static str,
    /// The id that both files have in common.
    pub model_id: String,
    /// Type of the raw samples.
    pub raw: &'static str,
    /// Channels, height and width of a window.
    pub shape: [usize; 3],
    /// Number of coefficients.
    pub rank: usize,
    /// Packet sizes that the code was fitted for, ascending.
    pub bytes: Vec<usize>,
    /// Operating points of the code.
    pub points: usize,
    /// The encoder's needs.
    pub encoder: HalfReport,
    /// The decoder's needs.
    pub decoder: HalfReport,
    /// Test items behind the figures below.
    pub items: usize,
    /// PSNR of these files with packets of the largest size.
    pub psnr_db: f64,
    /// PSNR of the same network in `f32` with the same packets.
    pub psnr_f32_db: f64,
    /// What this precision costs.
    pub loss_db: f64,
}

impl Subject {
    /// The network of a run that is to be exported: the tuned one, else the collapsed one; a run that has neither is
    /// collapsed now.
    ///
    /// The code is the one that the network was tuned with, unless `bytes` asks for packets of other sizes; without any of them
    /// it is for one size, 6 bits a coefficient.
    ///
    /// # Errors
    /// When the run or its data cannot be loaded.
    pub fn open(folder: &Path, bytes: &[usize], device: Device) -> Result<Self, SubjectError> {
        let bytes = check_bytes(bytes)?;
        let network = network_folder(folder, device)?;
        let Run { model, config, .. } = Run::load(&network, device)?;
        let data = data::load(&config.data)?;
        train::check_shape(&config, &data)?;
        let tuned = read_code(&network)?.filter(|code| bytes.is_empty() || code.bytes == bytes);
        if let Some(code) = tuned {
            return Ok(Self { model, code, data });
        }
        let train = DeviceData::upload(&data.train, &data.normalization, device);
        let bytes = if bytes.is_empty() { vec![default_bytes(model.spec().latent)] } else { bytes };
        let quantizer = Quantizer::fit(&model, &train, &bytes, CLASSES_MAX);
        let sent = quantizer.tables().sent();
        Ok(Self { model: collapse::select(&model, &sent), code: quantizer.tables().select(&sent), data })
    }

    /// Both files at `precision`, calibrated on training items.
    ///
    /// # Errors
    /// As [`export`].
    pub fn export(&self, precision: Precision) -> Result<Exported, ExportError> {
        let train = DeviceData::upload(&self.data.train, &self.data.normalization, self.model.device());
        let source = Source {
            model: &self.model,
            code: &self.code,
            normalization: &self.data.normalization,
            raw: raw_type(&self.data.train),
            calibration: &calibration(&train),
        };
        export(&source, precision)
    }

    /// Exports at `precision` into `folder`, with a report of what the precision costs.
    ///
    /// # Errors
    /// When the network cannot be exported or a file cannot be written.
    pub fn write(&self, precision: Precision, folder: &Path) -> Result<ExportReport, SubjectError> {
        let exported = self.export(precision)?;
        let measure = |exported: &Exported| {
            eval::deployed(&Deployed::from(exported), self, &self.data, self.code.max_bytes(), REPORT_ITEMS)
        };
        let ours = measure(&exported)?;
        let in_f32 = if precision == Precision::F32 { ours.clone() } else { measure(&self.export(Precision::F32)?)? };
        let [encoder_file, decoder_file] = [deployed::ENCODER, deployed::DECODER].map(|name| folder.join(name));
        let shape = self.data.shape;
        let report = ExportReport {
            folder: folder.to_path_buf(),
            precision: ours.precision,
            model_id: format!("{:016x}", model_id(&self.model, &self.code)),
            raw: self.data.train.dtype(),
            shape: [shape.channels, shape.height, shape.width],
            rank: self.code.rank(),
            bytes: self.code.bytes.clone(),
            points: self.code.spec.deadzones.len(),
            encoder: ours.encoder,
            decoder: ours.decoder,
            items: ours.items,
            psnr_db: ours.psnr_db,
            psnr_f32_db: in_f32.psnr_db,
            loss_db: in_f32.psnr_db - ours.psnr_db,
            encoder_file,
            decoder_file,
        };
        let json = serde_json::to_vec_pretty(&report).expect("plain data");
        files::write_together(&[
            (&report.encoder_file, &exported.encoder),
            (&report.decoder_file, &exported.decoder),
            (&folder.join(REPORT), &json),
        ])?;
        Ok(report)
    }
}

fn default_bytes(rank: usize) -> usize {
    (OVERHEAD_LEN + (DEFAULT_BITS * rank).div_ceil(8)).min(OVERHEAD_LEN + MAX_PAYLOAD_LEN)
}

/// The folder of the network of a run that is to be exported: the tuned one, else the collapsed one, made now if need be.
///
/// # Errors
/// When the run or its data cannot be loaded, or it cannot be collapsed.
pub fn network_folder(run: &Path, device: Device) -> Result<PathBuf, SubjectError> {
    for name in [files::TUNED, files::COLLAPSED] {
        let folder = run.join(name);
        if folder.join(files::MODEL).exists() {
            return Ok(folder);
        }
    }
    let loaded = Run::load(run, device)?;
    let data = data::load(&loaded.config.data)?;
    train::check_shape(&loaded.config, &data)?;
    Ok(collapse_run(&loaded, &data, RankChoice::Auto)?.folder)
}

/// The quantiser that the network in `folder` was tuned with, if any.
///
/// # Errors
/// When its file is damaged.
pub fn read_code(folder: &Path) -> Result<Option<CodeTables>, FileError> {
    let path = folder.join(files::CODE);
    if path.exists() { files::read_json(&path).map(|code: CodeTables| Some(code.upgraded())) } else { Ok(None) }
}

/// The packet sizes that the export in `folder` was made for.
///
/// # Errors
/// When its report is missing or damaged.
pub fn read_bytes(folder: &Path) -> Result<Vec<usize>, FileError> {
    #[derive(serde::Deserialize)]
    struct Made {
        bytes: Vec<usize>,
    }
    files::read_json::<Made>(&folder.join(REPORT)).map(|made| made.bytes)
}
