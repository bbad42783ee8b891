//! What both tests need: golden models, a link and a clock, and what the host would send.

use std::fs;
use std::path::PathBuf;

use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_io::{ErrorKind, ErrorType, Write, WriteReady};
use irmae_infer::format::AlignedBytes;
use irmae_infer::framing::{encode_frame, frame_len_max};
use irmae_infer::packet::{MAX_PACKET_LEN, Profile, encode_packet};
use irmae_infer::{Encoder, Model};
use irmae_node::{Clock, Node, Settings};

/// The settings of all tests.
pub(crate) const SETTINGS: Settings = Settings { max_packet_len: MAX_PACKET_LEN, poll_us: 100, silence_ms: 5 };

/// A file of a golden case, for as long as the test runs.
pub(crate) fn golden(case: &str, file: &str) -> &'static [u8] {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(case).join(file);
    Box::leak(Box::new(AlignedBytes::new(&fs::read(&path).unwrap()))).as_slice()
}

/// The model `signal-i8`.
pub(crate) fn model() -> Model<'static> {
    Model::load(golden("signal-i8", "encoder.irmae")).unwrap()
}

/// The windows of the golden case `signal-i8`: 32 samples of 3 channels.
pub(crate) fn windows() -> Vec<i16> {
    golden("signal-i8", "input.bin").chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

/// The frames that the host makes of windows, each encoded as a whole.
pub(crate) fn host_frames(model: &Model<'_>, samples: &[i16], max_packet_len: usize) -> Vec<Vec<u8>> {
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    let mut encoder = Encoder::new(model, buffer.as_mut_slice()).unwrap();
    let mut levels = vec![0; model.code_len()];
    let windows = samples.chunks_exact(model.frame().len()).enumerate();
    let frames = windows.map(|(sequence, window)| {
        encoder.encode(window, &mut levels).unwrap();
        let mut packet = [0; MAX_PACKET_LEN];
        let len = encode_packet(model, &levels, Profile::Full, sequence as u8, max_packet_len, &mut packet).unwrap();
        let mut frame = vec![0; frame_len_max(len)];
        let len = encode_frame(&packet[..len], &mut frame).unwrap();
        frame.truncate(len);
        frame
    });
    frames.collect()
}

/// A node around a sensor, with a link that keeps what it is given.
pub(crate) fn node<S>(sensor: S, link: Link) -> Node<S, Link, NoopDelay, StoppedClock> {
    Node { sensor, link, delay: NoopDelay::new(), clock: StoppedClock, settings: SETTINGS }
}

/// A link that keeps what it is given, and fails where it is told to.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// What has gone over it.
    pub(crate) sent: Vec<u8>,
    /// Bytes that it takes at a time, at most; 0 for all.
    pub(crate) room: usize,
    /// Times that it is asked, counted from 0, before it has room.
    pub(crate) busy: usize,
    /// Calls of `write`, counted from 0, that fail.
    pub(crate) failing: Vec<usize>,
    /// Calls of `write` so far.
    pub(crate) calls: usize,
}

impl ErrorType for Link {
    type Error = ErrorKind;
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let call = self.calls;
        self.calls += 1;
        if self.failing.contains(&call) {
            return Err(ErrorKind::TimedOut);
        }
        let room = if self.room == 0 { bytes.len() } else { self.room.min(bytes.len()) };
        self.sent.extend(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl WriteReady for Link {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        let is_ready = self.busy == 0;
        self.busy = self.busy.saturating_sub(1);
        Ok(is_ready)
    }
}

/// Time is not what these tests are about.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn ticks(&self) -> u32 {
        0
    }

    fn ticks_per_us(&self) -> u32 {
        1
    }
}
