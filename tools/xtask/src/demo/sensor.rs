//! `cargo xtask demo --sensor NAME`: the product's main job on a sensor's signal. Trains, collapses, tunes, exports, streams the
//! test windows through the application of real boards on an emulated one to a gateway, and stands the model beside PCA, DCT and
//! wavelet codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use irmae_infer::packet::Profile;
use serde_json::{Value, json};

use super::tools::Tools;
use super::{BOARD, DemoError, heading, path, write_error};
use crate::env::Env;
use crate::firmware::recording::Recording;
use crate::firmware::stream::check::through_gateway;
use crate::firmware::stream::{self, Stream};
use crate::firmware::{self, FirmwareError};
use crate::setup::{self, DataSet, Need};

/// Bytes of a full packet beyond those of a bare one.
const ENVELOPE_LEN: usize = Profile::Full.overhead_len() - Profile::Bare.overhead_len();
/// Least gain in signal-to-noise ratio over PCA with an ideal coder, on motion.
const GAIN_MIN_DB: f64 = 1.5;
/// Largest PRDN, as a share of PCA's with an ideal coder, on an ECG.
const PRDN_RATIO_MAX: f64 = 0.85;
/// Passes over the training set with `--quick`.
const QUICK: [&str; 2] = ["--epochs", "4"];

/// A recorded sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sensor {
    /// A smartwatch's acceleration and angular rate: windows of 128 samples of six axes, by people it was not trained on
    ImuWatch,
    /// An electrocardiogram: windows of 256 samples, from the last fifth of the time
    #[value(name = "ecg-mitbih208")]
    EcgMitbih208,
}

impl Sensor {
    fn data(self) -> DataSet {
        match self {
            Self::ImuWatch => DataSet::ImuWatch,
            Self::EcgMitbih208 => DataSet::EcgMitbih208,
        }
    }

    /// Bytes of a (bare) packet.
    fn bytes(self) -> [usize; 3] {
        match self {
            Self::ImuWatch => [16, 32, 64],
            Self::EcgMitbih208 => [8, 11, 16],
        }
    }

    /// Values in the code before it is cut: motion has so many that are worth sending in the largest packet.
    fn latent(self) -> &'static str {
        match self {
            Self::ImuWatch => "128",
            Self::EcgMitbih208 => "32",
        }
    }

    /// The bars that were missed at each size of packets, in words.
    fn missed(self, gains: &Value) -> Vec<String> {
        self.bytes().iter().enumerate().filter_map(|(index, bytes)| self.missed_at(*bytes, &gains[index])).collect()
    }

    fn missed_at(self, bytes: usize, gain: &Value) -> Option<String> {
        let figure = |name: &str| gain[name].as_f64().unwrap_or(f64::NAN);
        let (gain_db, prdn_ratio) = (figure("gain_db"), figure("prdn_ratio"));
        // Each says what holds, so that a NaN misses.
        let (holds, words) = match self {
            Self::ImuWatch => {
                (gain_db >= GAIN_MIN_DB, format!("{gain_db:+.2} dB beside PCA, at least {GAIN_MIN_DB} is asked for"))
            }
            Self::EcgMitbih208 => (
                prdn_ratio <= PRDN_RATIO_MAX,
                format!("PRDN is {prdn_ratio:.3} of PCA's, at most {PRDN_RATIO_MAX} is asked for"),
            ),
        };
        (!holds).then(|| format!("{bytes} bytes: {words}"))
    }
}

/// Sets up, then runs the demo.
///
/// # Errors
/// Where a step fails, or the result misses a bar.
pub(crate) fn run(env: &Env, sensor: Sensor, quick: bool) -> Result<(), DemoError> {
    setup::ensure(env, &[Need::Compiler, Need::Libtorch, Need::Rust, Need::Qemu, Need::Data(sensor.data())])?;
    let start = Instant::now();
    let folder = env.root.join("target").join(format!("demo-{}", sensor.data().name()));
    fs::create_dir_all(&folder).map_err(write_error(&folder))?;
    let demo = Demo {
        env,
        sensor,
        tools: Tools::build(env)?,
        run: folder.join("run"),
        model: folder.join("model-i8"),
        folder,
    };
    let (tune, export) = demo.train(if quick { &QUICK } else { &[] })?;
    heading("beside PCA, DCT and wavelet codes with the same quantiser and coder");
    let table = demo.compare()?;
    let device = demo.stream()?;
    let comparison = demo.file("comparison.json");
    let comparison: Value = read_json(&comparison)?;
    let missed = sensor.missed(&comparison["gains"]);
    let report = json!({
        "sensor": sensor.data().name(),
        "quick": quick,
        "seconds": start.elapsed().as_secs_f64(),
        "rank": tune["rank"],
        "encoder": export["encoder"],
        "decoder": export["decoder"],
        "comparison": comparison,
        "device": device,
        "missed": missed,
        "run": demo.run,
        "model": demo.model,
    });
    let json = demo.file("demo.json");
    fs::write(&json, format!("{report:#}\n")).map_err(write_error(&json))?;
    println!("\n{table}\n{}", said(&report));
    println!("{}", json.display());
    if quick || missed.is_empty() { Ok(()) } else { Err(DemoError::Missed(missed.join("; "))) }
}

/// Device and time, for people.
fn said(report: &Value) -> String {
    let device = &report["device"];
    format!(
        "on {} ({}): {} windows streamed in, {} bytes of frames out, all equal to the host's to the bit, as are the windows that the \
         gateway decoded\n\
         encoder {} bytes of flash and {} of RAM; {:.0} s in all",
        device["board"].as_str().unwrap_or_default(),
        device["core"].as_str().unwrap_or_default(),
        device["windows"],
        device["frame_bytes"],
        report["encoder"]["flash_bytes"],
        report["encoder"]["ram_bytes"],
        report["seconds"].as_f64().unwrap_or_default()
    )
}

struct Demo<'a> {
    env: &'a Env,
    sensor: Sensor,
    tools: Tools,
    folder: PathBuf,
    run: PathBuf,
    model: PathBuf,
}

impl Demo<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Trains and exports; what `tune` and `export` said.
    fn train(&self, effort: &[&str]) -> Result<(Value, Value), DemoError> {
        let name = self.sensor.data().name();
        heading(&format!("train micro-1d with a larger decoder for gateways on {name}"));
        let network = ["--preset", "micro-1d", "--decoder", "gateway", "--latent", self.sensor.latent()];
        let train = [&network[..], &["--data", name, "--overwrite", "--out"]].concat();
        self.tools.trainer("train", &train, &[&self.run], effort)?;
        heading("collapse the stack into one matrix, cut the code to its rank");
        self.tools.trainer("collapse", &[], &[&self.run], &["--rank", "auto"])?;
        let bytes = self.sensor.bytes().map(|bytes| bytes.to_string()).join(",");
        heading(&format!("tune what is left, with the quantiser of packets of {bytes} bytes in the loop"));
        let tune = self.tools.trainer("tune", &[], &[&self.run], &[&["--bytes", &bytes], effort].concat())?;
        heading("export i8");
        let export =
            self.tools.trainer("export", &["--quantize", "i8"], &[&self.run], &["--out", path(&self.model)])?;
        Ok((tune, export))
    }

    /// The table of all methods. Writes the plot, the figures and the test windows.
    fn compare(&self) -> Result<String, DemoError> {
        let [plot, figures, windows] = ["signals.png", "comparison.json", "windows.npy"].map(|name| self.file(name));
        let options = ["--plot", path(&plot), "--save", path(&figures), "--windows", path(&windows)];
        Ok(self.tools.trainer_text("compare", &self.run, &[&["--model", path(&self.model)], &options[..]].concat())?)
    }

    /// Streams the test windows through a board in packets of the middle size, to a gateway: what that decodes must be what the host
    /// makes of its own packets.
    fn stream(&self) -> Result<Value, DemoError> {
        heading("stream the test windows through an emulated board to a gateway");
        let board = firmware::find(BOARD).ok_or(FirmwareError::NoQemu)?;
        let max_bytes = self.sensor.bytes()[1] + ENVELOPE_LEN;
        let (encoder, decoder) = (self.model.join("encoder.irmae"), self.model.join("decoder.irmae"));
        let [windows, frames, restored] = ["windows.npy", "frames.cobs", "restored.npy"].map(|name| self.file(name));
        let link = ["--profile", "full", "--framing", "cobs"];
        let budget = max_bytes.to_string();
        self.tools.irmae("encode", &encoder, &windows, &frames, &[&link[..], &["--bytes", &budget]].concat())?;
        self.tools.irmae("decode", &decoder, &frames, &restored, &link)?;

        let recording = Recording::read(&encoder, &windows)?;
        let stream = Stream { board, recording: &recording, max_packet_len: max_bytes as u16, rate: None };
        let image = stream::build(self.env, board)?;
        let start = Instant::now();
        let received = through_gateway(self.env, self.tools.irmae_path(), &image, &stream, &self.model)?;
        firmware::check_wire(board, &received, &Recording::read(&encoder, &restored)?.samples)?;
        Ok(json!({
            "board": board.name,
            "core": board.core,
            "windows": recording.windows(),
            "max_packet_bytes": max_bytes,
            "frame_bytes": fs::metadata(&frames).map_err(read_error(&frames))?.len(),
            "seconds": start.elapsed().as_secs_f64(),
            "frames": frames,
            "restored": restored,
        }))
    }
}

fn read_json(path: &Path) -> Result<Value, DemoError> {
    let text = fs::read(path).map_err(read_error(path))?;
    serde_json::from_slice(&text).map_err(|why| read_error(path)(why.into()))
}

fn read_error(path: &Path) -> impl Fn(std::io::Error) -> DemoError {
    |why| DemoError::Read { path: path.to_path_buf(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_missed_or_not_measured_is_named() {
        let gains =
            |gain_db: f64, prdn_ratio: f64| json!(vec![json!({ "gain_db": gain_db, "prdn_ratio": prdn_ratio }); 3]);
        assert!(Sensor::ImuWatch.missed(&gains(1.5, 0.9)).is_empty());
        let missed = Sensor::ImuWatch.missed(&gains(1.2, 0.8));
        assert_eq!((missed.len(), missed[0].as_str()), (3, "16 bytes: +1.20 dB beside PCA, at least 1.5 is asked for"));
        assert!(Sensor::EcgMitbih208.missed(&gains(0.0, 0.85)).is_empty());
        assert_eq!(Sensor::EcgMitbih208.missed(&gains(2.0, 0.86)).len(), 3);
        assert_eq!(Sensor::EcgMitbih208.missed(&json!([{}])).len(), 3);
    }
}
