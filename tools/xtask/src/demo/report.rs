//! What the demo found: `demo.json`, and the table at its end.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Demo;
use crate::firmware;

/// `f32` agrees with libtorch to this, relative to the largest value.
const F32_DIFF_MAX: f64 = 1e-5;
/// What `f16` and `i8` may cost against `f32`.
const LOSS_MAX_DB: [(&str, f64); 2] = [("f16", 0.01), ("i8", 0.1)];
/// PSNR of the full demo's `i8` model at 12 bytes an image.
const I8_PSNR_MIN_DB: f64 = 19.2;

/// One precision's way through packets.
pub(super) struct PrecisionReport {
    pub(super) precision: &'static str,
    /// Over all pixels of all test images, from the decoded array.
    pub(super) psnr_db: f64,
    /// Of the packets, all their bytes counted: the file's size over the number of images, less the byte that it adds to each.
    pub(super) bytes_per_image: f64,
    /// Folder of the exported files.
    pub(super) model: PathBuf,
    pub(super) packets: PathBuf,
    pub(super) output: PathBuf,
    /// What `trainer export` said.
    pub(super) exported: Value,
    /// What `trainer eval` said.
    pub(super) evaluated: Value,
}

/// What the steps gave.
pub(super) struct Outcome {
    pub(super) spectrum: Value,
    pub(super) collapse: Value,
    pub(super) tune: Value,
    pub(super) precisions: Vec<PrecisionReport>,
    pub(super) device: firmware::Report,
}

/// All of it.
pub(super) struct Report {
    pub(super) quick: bool,
    pub(super) seconds: f64,
    run: PathBuf,
    contact_sheet: PathBuf,
    spectrum_plot: PathBuf,
    outcome: Outcome,
}

impl PrecisionReport {
    fn device(&self, name: &str) -> f64 {
        self.evaluated["device"][name].as_f64().unwrap_or(f64::NAN)
    }

    /// Largest difference to libtorch, of outputs and, where they are real numbers, of codes.
    fn max_rel_diff(&self) -> f64 {
        let code = self.evaluated["device"]["code_max_rel_diff"].as_f64().unwrap_or(0.0);
        self.device("max_rel_diff").max(code)
    }

    fn half(&self, half: &str, figure: &str) -> u64 {
        self.exported[half][figure].as_u64().unwrap_or(0)
    }

    fn json(&self) -> Value {
        json!({
            "psnr_db": self.psnr_db,
            "bytes_per_image": self.bytes_per_image,
            "flash_bytes": self.half("encoder", "flash_bytes"),
            "ram_bytes": self.half("encoder", "ram_bytes"),
            "decoder_flash_bytes": self.half("decoder", "flash_bytes"),
            "decoder_ram_bytes": self.half("decoder", "ram_bytes"),
            "max_rel_diff": self.max_rel_diff(),
            "model": self.model,
            "encoder": self.model.join("encoder.irmae"),
            "decoder": self.model.join("decoder.irmae"),
            "packets": self.packets,
            "restored": self.output,
        })
    }
}

impl Report {
    pub(super) fn new(demo: &Demo<'_>, outcome: Outcome) -> Self {
        Self {
            quick: false,
            seconds: 0.0,
            run: demo.run.clone(),
            contact_sheet: demo.folder.join("contact-sheet.png"),
            spectrum_plot: demo.run.join("spectrum.png"),
            outcome,
        }
    }

    /// Writes `demo.json`.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let Outcome { spectrum, collapse, tune, precisions, device } = &self.outcome;
        let precisions: Map<String, Value> = precisions.iter().map(|p| (p.precision.into(), p.json())).collect();
        let json = json!({
            "quick": self.quick,
            "seconds": self.seconds,
            "rank": tune["rank"],
            "rank_after_collapse": collapse["rank"],
            "packets": tune["packets"],
            "spectrum": spectrum["singular_values"],
            "spectrum_before": spectrum["before"],
            "ranks": spectrum["ranks"],
            "precisions": precisions,
            "device": device,
            "run": self.run,
            "contact_sheet": self.contact_sheet,
            "spectrum_plot": self.spectrum_plot,
        });
        std::fs::write(path, format!("{json:#}\n"))
    }

    fn precision(&self, name: &str) -> &PrecisionReport {
        self.outcome.precisions.iter().find(|p| p.precision == name).expect("all three precisions were run")
    }

    /// The bars that were missed, in words.
    pub(super) fn missed(&self) -> Vec<String> {
        let [f32_report, i8_report] = ["f32", "i8"].map(|name| self.precision(name));
        let diff = f32_report.max_rel_diff();
        // Each says what holds, so that a NaN misses.
        let mut bars = vec![(
            diff <= F32_DIFF_MAX,
            format!("f32 differs from libtorch by {diff:.1e}, at most {F32_DIFF_MAX:.0e} is allowed"),
        )];
        for (name, max_db) in LOSS_MAX_DB {
            let loss_db = f32_report.psnr_db - self.precision(name).psnr_db;
            let words = format!("{name} loses {loss_db:.3} dB against f32, at most {max_db} is allowed");
            bars.push((loss_db <= max_db, words));
        }
        let psnr_db = i8_report.psnr_db;
        let words = format!("i8 reaches {psnr_db:.2} dB, at least {I8_PSNR_MIN_DB} is asked for");
        bars.push((self.quick || psnr_db >= I8_PSNR_MIN_DB, words));
        bars.into_iter().filter(|(holds, _)| !holds).map(|(_, words)| words).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { collapse, tune, precisions, device, .. } = &self.outcome;
        writeln!(
            f,
            "Fashion-MNIST, 10,000 test images of 784 bytes; code of {} coefficients, {} after tuning for packets",
            collapse["rank"], tune["rank"]
        )?;
        writeln!(
            f,
            "{:9} {:>20} {:>20} {:>8} {:>9} {:>9}",
            "", "encoder bytes", "decoder bytes", "bytes", "PSNR", "from"
        )?;
        writeln!(
            f,
            "{:9} {:>12} {:>7} {:>12} {:>7} {:>8} {:>9} {:>9}",
            "precision", "flash", "RAM", "flash", "RAM", "an image", "dB", "libtorch"
        )?;
        for p in precisions {
            writeln!(
                f,
                "{:9} {:>12} {:>7} {:>12} {:>7} {:>8.3} {:>9.2} {:>9.1e}",
                p.precision,
                p.half("encoder", "flash_bytes"),
                p.half("encoder", "ram_bytes"),
                p.half("decoder", "flash_bytes"),
                p.half("decoder", "ram_bytes"),
                p.bytes_per_image,
                p.psnr_db,
                p.max_rel_diff()
            )?;
        }
        writeln!(
            f,
            "on {} ({}): {} cases equal to the host's to the bit, {} bytes of code for encoder and decoder together",
            device.board, device.core, device.cases, device.code_bytes
        )?;
        writeln!(f, "{:.0} s in all\n", self.seconds)?;
        writeln!(f, "{}", self.contact_sheet.display())?;
        write!(f, "{}", self.spectrum_plot.display())
    }
}
