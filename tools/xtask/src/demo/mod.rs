//! `cargo xtask demo`: the product's main job on Fashion-MNIST. Trains, collapses, tunes, exports in three precisions, sends
//! the 10,000 test images through packets, runs some on an emulated Cortex-M4, and says what came of it. [`sensor`] does it with signals.

mod images;
mod report;
pub(crate) mod sensor;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::env::Env;
use crate::firmware::{self, FirmwareError};
use crate::setup::{self, DataSet, Need, SetupError};
use images::ImageError;
use report::{Outcome, PrecisionReport, Report};
use tools::{ToolError, Tools};

/// What the demo cannot do without.
const NEEDS: [Need; 5] = [Need::Compiler, Need::Libtorch, Need::Rust, Need::Qemu, Need::Data(DataSet::FashionMnist)];
/// Bytes of a packet.
const PACKET_BYTES: &str = "12";
/// Images that the emulated microcontroller encodes and decodes in each precision.
const DEVICE_IMAGES: &str = "8";
/// The board with a Cortex-M4F.
const BOARD: &str = "an386";

/// Why a demo failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A tool of this workspace failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Images cannot be read or written.
    #[error(transparent)]
    Images(#[from] ImageError),
    /// A result cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: std::io::Error,
    },
    /// The emulated board failed.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// A result cannot be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The result is worse than it must be.
    #[error("the demo ran, but missed a bar: {0}")]
    Missed(String),
}

/// How long to train.
struct Effort {
    train: &'static [&'static str],
    tune: &'static [&'static str],
}

const FULL: Effort = Effort { train: &["--epochs", "10"], tune: &["--epochs", "8"] };
const QUICK: Effort = Effort { train: &["--epochs", "4", "--limit", "12000"], tune: &["--epochs", "3"] };

/// Sets up, then runs the demo.
///
/// # Errors
/// Where a step fails, or the result misses a bar.
pub(crate) fn run(env: &Env, quick: bool) -> Result<(), DemoError> {
    setup::ensure(env, &NEEDS)?;
    let start = Instant::now();
    let folder = env.root.join("target/demo");
    std::fs::create_dir_all(&folder).map_err(write_error(&folder))?;
    let tools = Tools::build(env)?;
    let demo = Demo { env, tools, run: folder.join("run"), folder };
    let mut report = demo.report(if quick { &QUICK } else { &FULL })?;
    (report.quick, report.seconds) = (quick, start.elapsed().as_secs_f64());
    let json = demo.folder.join("demo.json");
    report.write(&json).map_err(write_error(&json))?;
    println!("\n{report}\n");
    println!("{}", json.display());
    let missed = report.missed();
    if missed.is_empty() { Ok(()) } else { Err(DemoError::Missed(missed.join("; "))) }
}

struct Demo<'a> {
    env: &'a Env,
    tools: Tools,
    run: PathBuf,
    folder: PathBuf,
}

impl Demo<'_> {
    fn report(&self, effort: &Effort) -> Result<Report, DemoError> {
        let train = ["--preset", "micro-image", "--data", "fashion-mnist", "--overwrite", "--out"];
        heading("train micro-image on Fashion-MNIST with a stack of linear layers");
        self.tools.trainer("train", &train, &[&self.run], effort.train)?;
        heading("spectrum of the code, before and after training");
        let spectrum = self.tools.trainer("spectrum", &[], &[&self.run], &["--before"])?;
        heading("collapse the stack into one matrix, cut the code to its rank");
        let collapse = self.tools.trainer("collapse", &[], &[&self.run], &["--rank", "auto"])?;
        heading("tune what is left, with the quantiser of a 12-byte packet in the loop");
        let tune =
            self.tools.trainer("tune", &[], &[&self.run], &[&["--bytes", PACKET_BYTES], effort.tune].concat())?;
        let precisions = self.precisions()?;

        heading("encode, send and decode on an emulated Cortex-M4");
        let cases = self.folder.join("cases");
        clear(&cases)?;
        self.tools.trainer("golden", &["--windows", DEVICE_IMAGES, "--run"], &[&self.run], &["--out", path(&cases)])?;
        let board = firmware::find(BOARD).ok_or(FirmwareError::NoQemu)?;
        let device = firmware::run_on(self.env, board, &cases)?;
        println!("{}: {} cases passed, {} bytes over its UART", device.core, device.cases, device.sent_bytes);
        Ok(Report::new(self, Outcome { spectrum, collapse, tune, precisions, device }))
    }

    /// Exports in each precision and sends all test images through packets.
    fn precisions(&self) -> Result<Vec<PrecisionReport>, DemoError> {
        heading("write the 10,000 test images as an array");
        let input = self.folder.join("test.npy");
        let gz = self.env.data("fashion-mnist").join("t10k-images-idx3-ubyte.gz");
        let originals = images::read_idx(&gz)?;
        images::write_npy(&input, &originals)?;
        ["f32", "f16", "i8"]
            .into_iter()
            .map(|precision| {
                heading(&format!("export {precision}, encode and decode all test images"));
                let model = self.folder.join(format!("model-{precision}"));
                let [packets, output] = ["irp", "npy"].map(|end| self.folder.join(format!("test-{precision}.{end}")));
                let export = ["--quantize", precision, "--out", path(&model)];
                let exported = self.tools.trainer("export", &[], &[&self.run], &export)?;
                self.tools.irmae("encode", &model.join("encoder.irmae"), &input, &packets, &[])?;
                self.tools.irmae("decode", &model.join("decoder.irmae"), &packets, &output, &[])?;
                let sheet = self.folder.join("contact-sheet.png");
                let eval = ["--sheet", path(&sheet), "--model", path(&model)];
                let evaluated = self.tools.trainer("eval", &[], &[&self.run], &eval)?;
                let psnr_db = images::psnr_db(&originals, &images::read_npy(&output)?);
                let bytes =
                    std::fs::metadata(&packets).map_err(|why| ImageError::Read { path: packets.clone(), why })?;
                // The file has a byte before each packet.
                let bytes_per_image = bytes.len() as f64 / originals.dim().0 as f64 - 1.0;
                Ok(PrecisionReport { precision, psnr_db, bytes_per_image, model, packets, output, exported, evaluated })
            })
            .collect()
    }
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> DemoError {
    |why| DemoError::Write { path: path.to_path_buf(), why }
}

/// Removes what an earlier demo left.
fn clear(folder: &Path) -> Result<(), DemoError> {
    match std::fs::remove_dir_all(folder) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(DemoError::Write { path: folder.to_path_buf(), why })
        }
        _ => Ok(()),
    }
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// A path of this workspace as an argument.
fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
