//! Rate against distortion for ways to make a code, all bytes counted.
//!
//! Each [`Contender`] has the same encoder and decoder, as many steps with batches of the same size, and the same quantiser and entropy coder
//! as ours, and is measured on the whole test part through bare packets. What one has reached lies in a folder of its own
//! (`OUT/NAME-SEED`), so that an interrupted comparison goes on where it was, in the middle of a training as well.
//!
//! `contender` says who they are, `bench` makes their networks, `measure` sends their codes, `report` holds the figures beside each other,
//! `page` shows them.

mod bench;
mod contender;
mod estimate;
mod measure;
mod page;
mod report;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::code;
use crate::config::{DecoderKind, RunConfig, TrainingConfig};
use crate::cut::CollapseError;
use crate::data::{DataSpec, Dataset};
use crate::draft::DraftError;
use crate::files::{self, FileError};
use crate::methods::MethodError;
use crate::packet_run::PacketRunError;
use crate::presets::PresetError;
use crate::run::RunError;

use bench::Bench;
pub use contender::{Contender, Kind};
pub use report::{Gain, Report, Spread};

/// File with the settings of a comparison.
const SETTINGS: &str = "settings.json";
/// File with what a contender has reached.
const CURVE: &str = "curve.json";
/// The page of a comparison.
pub const PAGE: &str = "report.html";
/// Its figures.
pub const FIGURES: &str = "report.json";

/// What is compared. A folder holds one comparison; contenders and seeds may be added to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The data.
    pub data: DataSpec,
    /// The network that all share.
    pub preset: String,
    /// Which of its decoders.
    pub decoder: DecoderKind,
    /// Values in the code, where ours does not say how many; the preset's without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latent: Option<usize>,
    /// Epochs in which ours is trained.
    pub train_epochs: usize,
    /// Epochs in which ours is then tuned; the others are trained for as many as both together.
    pub tune_epochs: usize,
    /// Learning rate at the start of tuning.
    pub tune_learning_rate: f64,
    /// Packet sizes, ascending, all bytes of bare packets included.
    pub bytes: Vec<usize>,
    /// Linear layers of IRMAE as published.
    pub published_linear_layers: usize,
}

/// What a contender reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name.
    pub method: String,
    /// Seed of its weights and of the order of the items.
    pub seed: u64,
    /// Coefficients of its code that are sent at some point.
    pub rank: usize,
    /// Epochs that it was trained for, tuning included.
    pub epochs: usize,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// Where it was trained.
    pub device: String,
    /// By packet size.
    pub points: Vec<Point>,
}

/// Quality over the test part at a packet size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Bytes that a packet may have.
    pub bytes: usize,
    /// Bytes that packets have on average, every byte of them.
    pub bytes_per_item: f64,
    /// PSNR in raw units.
    pub psnr_db: f64,
}

/// Why a comparison failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is what it wraps")]
pub enum RdError {
    #[error(transparent)]
    Bytes(#[from] code::BytesError),
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Preset(#[from] PresetError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    PacketRun(PacketRunError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Collapse(#[from] CollapseError),
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A folder holds the results of other settings.
    #[error("{path} holds a comparison with other settings; choose another --out, or remove it", path = path.display())]
    OtherSettings {
        /// Where they are.
        path: PathBuf,
    },
    /// A comparison that compares nothing.
    #[error("{0}")]
    Nothing(&'static str),
}

/// Interrupted, the comparison is what goes on, not the run of ours alone.
impl From<PacketRunError> for RdError {
    fn from(error: PacketRunError) -> Self {
        Self::PacketRun(error.of_run(None))
    }
}

/// Compares `contenders` over `seeds` seeds in `folder`, and says on stderr beforehand how long it will take. Figures and page are written there.
///
/// # Errors
/// When the settings do not fit the data or those in `folder`, a loss is lost, or a file cannot be written. What is finished stays.
pub fn compare(
    settings: Settings,
    contenders: &[Contender],
    seeds: u64,
    dataset: &Dataset,
    folder: &Path,
    device: Device,
) -> Result<Report, RdError> {
    let settings = Settings { bytes: code::check_bytes(&settings.bytes)?, ..settings };
    if settings.bytes.is_empty() || seeds == 0 || !contenders.contains(&Contender::OURS) {
        return Err(RdError::Nothing("give --bytes, --seeds 1 or more, and ours among --methods"));
    }
    let bench = Bench::new(settings, dataset, device)?;
    take_up(&bench.settings, folder)?;
    // The code of ours says how many coefficients others have.
    let others = contenders.iter().filter(|&&contender| contender != Contender::OURS);
    let in_order: Vec<Contender> = [Contender::OURS].iter().chain(others).copied().collect();
    let places: Vec<(Contender, u64, PathBuf)> = (0..seeds)
        .flat_map(|seed| in_order.iter().map(move |&contender| (contender, seed)))
        // PCA has nothing random in it.
        .filter(|&(contender, seed)| contender.kind != Kind::Pca || seed == 0)
        .map(|(contender, seed)| (contender, seed, folder.join(format!("{contender}-{seed}"))))
        .collect();
    let open = places.iter().filter(|(.., place)| !place.join(CURVE).exists()).map(|&(contender, ..)| contender);
    estimate::tell(&bench, &open.collect::<Vec<_>>());
    let mut curves: Vec<Curve> = Vec::new();
    for (contender, seed, place) in &places {
        let rank =
            curves.iter().rev().find(|curve| curve.method == Contender::OURS.to_string()).map(|curve| curve.rank);
        curves.push(finished(&bench, *contender, *seed, rank, place)?);
    }
    let items = [dataset.train.len(), dataset.test.len()];
    let report = Report::new(bench.settings, &dataset.name, items, curves);
    files::write_json(&folder.join(FIGURES), &report)?;
    report.page().write(&folder.join(PAGE))?;
    Ok(report)
}

/// Makes `folder` one for these settings, or finds that it is.
fn take_up(settings: &Settings, folder: &Path) -> Result<(), RdError> {
    let path = folder.join(SETTINGS);
    if !path.exists() {
        files::prepare_output(folder, false)?;
        return Ok(files::write_json(&path, settings)?);
    }
    let there: Settings = files::read_json(&path)?;
    if there == *settings { Ok(()) } else { Err(RdError::OtherSettings { path: folder.into() }) }
}

/// What a contender reached before, or reaches now.
fn finished(
    bench: &Bench<'_>,
    contender: Contender,
    seed: u64,
    rank: Option<usize>,
    place: &Path,
) -> Result<Curve, RdError> {
    let path = place.join(CURVE);
    if path.exists() {
        return Ok(files::read_json(&path)?);
    }
    eprintln!("{contender}, seed {seed}");
    let curve = bench.curve(contender, seed, rank, place)?;
    files::write_json(&path, &curve)?;
    Ok(curve)
}

impl Settings {
    /// Epochs of every contender.
    pub fn epochs(&self) -> usize {
        self.train_epochs + self.tune_epochs
    }

    /// Ours as it is trained, `training` but for the epochs.
    fn config(&self, config: &RunConfig, seed: u64) -> RunConfig {
        let training = TrainingConfig { epochs: self.train_epochs, seed, ..config.training.clone() };
        RunConfig { training, ..config.clone() }
    }
}

#[cfg(test)]
mod tests;
