//! Packets and what they decode to; gateways as programs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use irmae_infer::format::AlignedBytes;
use irmae_infer::framing::{encode_frame, frame_len_max};
use irmae_infer::packet::{MAX_PACKET_LEN, PacketDecoder};
use irmae_infer::{Decoder, Encoder, Model, Profile, RawType, encode_packet};
use serde_json::Value;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A golden model.
pub(crate) struct Case {
    folder: PathBuf,
    encoder: AlignedBytes,
    decoder: AlignedBytes,
}

/// A packet as it was sent, and its window: values in a file's order, and exact, as every sample is an `f32`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) packet: Vec<u8>,
    pub(crate) sequence: u8,
    pub(crate) window: Vec<f32>,
}

impl Case {
    pub(crate) fn named(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
        let read = |name| AlignedBytes::new(&std::fs::read(folder.join(name)).expect("a golden file"));
        let (encoder, decoder) = (read("encoder.irmae"), read("decoder.irmae"));
        Self { folder, encoder, decoder }
    }

    /// The decoder's file.
    pub(crate) fn decoder_path(&self) -> String {
        self.folder.join("decoder.irmae").to_str().expect("UTF-8").into()
    }

    /// The encoder's file.
    pub(crate) fn encoder_path(&self) -> String {
        self.folder.join("encoder.irmae").to_str().expect("UTF-8").into()
    }

    /// Packets of `count` windows, no two of which are the same. Those of another `seed` are others.
    pub(crate) fn send(&self, profile: Profile, seed: usize, count: usize) -> Vec<Sent> {
        let [encoder, decoder] = [&self.encoder, &self.decoder].map(|bytes| Model::load(bytes.as_slice()).unwrap());
        let mut buffer = AlignedBytes::zeroed(encoder.buffer_len());
        let mut session = Encoder::new(&encoder, buffer.as_mut_slice()).unwrap();
        let mut code = vec![0; encoder.code_len()];
        (0..count)
            .map(|i| {
                let phase = (seed * 1000 + i) as f32;
                let amplitude = if encoder.raw_type() == RawType::F32 { 1.0 } else { 100.0 };
                let window: Vec<f32> = (0..encoder.frame().len())
                    .map(|t| (amplitude * (1.2 + (0.3 * t as f32 + 1.7 * phase).sin())).round())
                    .collect();
                session.encode(&window, &mut code).unwrap();
                let mut packet = vec![0; MAX_PACKET_LEN];
                let sequence = i as u8;
                let len = encode_packet(&encoder, &code, profile, sequence, MAX_PACKET_LEN, &mut packet).unwrap();
                packet.truncate(len);
                Sent { window: decode(&decoder, profile, &packet), sequence, packet }
            })
            .collect()
    }
}

/// The window of a packet, by the library alone.
fn decode(model: &Model<'_>, profile: Profile, packet: &[u8]) -> Vec<f32> {
    let mut code = vec![0; model.code_len()];
    PacketDecoder::new(model, profile).decode(packet, &mut code).unwrap();
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    let mut decoder = Decoder::new(model, buffer.as_mut_slice()).unwrap();
    macro_rules! values {
        ($type:ty) => {{
            let mut values = vec![<$type>::default(); model.frame().len()];
            decoder.decode(&code, &mut values).unwrap();
            values.into_iter().map(f32::from).collect::<Vec<f32>>()
        }};
    }
    let values = match model.raw_type() {
        RawType::U8 => values!(u8),
        RawType::I16 => values!(i16),
        RawType::U16 => values!(u16),
        RawType::F32 => values!(f32),
    };
    let channels = usize::from(model.frame().channels);
    (0..channels)
        .flat_map(|channel| values.iter().skip(channel).step_by(channels).copied().collect::<Vec<_>>())
        .collect()
}

/// A packet as a frame.
pub(crate) fn framed(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; frame_len_max(packet.len())];
    let len = encode_frame(packet, &mut frame).unwrap();
    frame.truncate(len);
    frame
}

/// A line of JSON as a gateway writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) node: String,
    pub(crate) model: String,
    pub(crate) sequence: Option<u64>,
    pub(crate) arrival: String,
    pub(crate) lost: u64,
    pub(crate) window: Vec<f32>,
}

impl Record {
    pub(crate) fn parse(line: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(line).expect("a JSON object");
        let text = |key: &str| value[key].as_str().expect("a text").to_string();
        let mut window = Vec::new();
        flatten(&value["window"], &mut window);
        Self {
            node: text("node"),
            model: text("model"),
            sequence: value["sequence"].as_u64(),
            arrival: text("arrival"),
            lost: value["lost"].as_u64().expect("a number"),
            window,
        }
    }

    /// All lines of a file, in order.
    pub(crate) fn read(path: &Path) -> Vec<Self> {
        let text = std::fs::read(path).unwrap_or_default();
        text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")).map(Self::parse).collect()
    }
}

fn flatten(value: &Value, into: &mut Vec<f32>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
        value => into.push(value.as_f64().expect("a number") as f32),
    }
}

/// A gateway that runs; it is killed with the test.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    stderr: Receiver<String>,
}

impl Gateway {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_irmae"))
            .arg("gateway")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("irmae starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (sender, stderr) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, stderr }
    }

    /// What follows `start` in the next line of standard error that has it.
    pub(crate) fn says(&self, start: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE).expect("the line comes");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_string();
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Waits for the end, and gives its report.
    pub(crate) fn end(mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "the gateway does not end"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        let errors: Vec<String> = self.stderr.try_iter().collect();
        assert!(status.success(), "{errors:?}");
        serde_json::from_reader(self.child.stdout.take().expect("a pipe")).expect("one JSON object")
    }

    /// Ctrl-C, then the report.
    pub(crate) fn stop(self) -> Value {
        self.signal("-INT");
        self.end()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is what is asked for.
pub(crate) fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The counts of a report by their names.
pub(crate) fn counts<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| report[name].as_u64().unwrap_or_else(|| panic!("{name} in {report}")))
}
