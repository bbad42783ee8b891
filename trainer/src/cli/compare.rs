//! `trainer compare`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use ndarray::{Array4, Axis};
use ndarray_npy::WritableElement;
use serde::Serialize;
use trainer::baseline::{Comparison, compare};
use trainer::code::check_bytes;
use trainer::data::RawItems;
use trainer::deployed::Deployed;
use trainer::export;
use trainer::files;
use trainer::traces;

use super::{Common, RunArg, data_of};

/// Test windows in a plot.
const SHOWN: usize = 3;

/// Measure what was exported of a run beside PCA, DCT and wavelet codes with the same quantiser and coder
///
/// Their tables are fitted to the run's training data. All of them, and PCA with an ideal coder, are measured on its test data.
#[derive(Args)]
#[command(after_help = "Example:\n  trainer compare runs/watch --model models/watch --bytes 16,32,64 --plot watch.png")]
pub(super) struct Compare {
    #[command(flatten)]
    run: RunArg,
    /// Folder that `trainer export` wrote
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Sizes that packets may have, all their bytes included [default: those that the code was made for]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    bytes: Vec<usize>,
    /// Picture of some test windows with what the model and PCA make of them at the middle size
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Write the test windows as an array that `irmae encode` takes: (N,C,L), of the data's own type
    #[arg(long, value_name = "FILE.npy")]
    windows: Option<PathBuf>,
    /// Write what --json prints to a file
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let data = data_of(&self.run.run)?;
        ensure!(
            data.shape.one_dimensional || (self.plot.is_none() && self.windows.is_none()),
            "--plot and --windows are for windows of a sensor; for a picture of images use `trainer eval --sheet`"
        );
        let deployed = Deployed::read(&self.model)?;
        let made_for = export::read_bytes(&self.model)?;
        let bytes = if self.bytes.is_empty() { made_for } else { check_bytes(&self.bytes)? };
        let count = SHOWN.min(data.test.len());
        let shown: Vec<usize> = (0..count).map(|i| (2 * i + 1) * data.test.len() / (2 * count)).collect();
        let comparison = compare(&deployed, &data, &bytes, &shown).with_context(|| self.model.display().to_string())?;
        if let Some(path) = &self.plot {
            traces::draw(path, &comparison, bytes[bytes.len() / 2])?;
        }
        if let Some(path) = &self.windows {
            write_windows(path, &data.test)?;
        }
        let text = match &self.plot {
            Some(path) => format!("{comparison}\nplot: {}", path.display()),
            None => comparison.to_string(),
        };
        let output = Output { comparison: &comparison, plot: self.plot };
        if let Some(path) = &self.save {
            files::write_json(path, &output)?;
        }
        self.common.print(&output, text)
    }
}

fn write_windows(path: &Path, items: &RawItems) -> anyhow::Result<()> {
    fn write<T: WritableElement + Clone>(path: &Path, items: &Array4<T>) -> anyhow::Result<()> {
        ndarray_npy::write_npy(path, &items.index_axis(Axis(2), 0)).with_context(|| path.display().to_string())
    }
    match items {
        RawItems::U8(items) => write(path, items),
        RawItems::I16(items) => write(path, items),
        RawItems::U16(items) => write(path, items),
        RawItems::F32(items) => write(path, items),
    }
}
