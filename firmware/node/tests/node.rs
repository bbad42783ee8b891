//! The application with sensors and links that do what sensors and links do: come late, fail, and have no room.

mod common;

use common::{Link, golden, host_frames, model, node, windows};
use irmae_infer::framing::FrameReader;
use irmae_infer::packet::MAX_PACKET_LEN;
use irmae_infer::{LoadError, RunError};
use irmae_node::sensor::stream::{Header, Recording};
use irmae_node::{Memory, NodeError, Reading, Sensor, SensorError, Tally};

/// Gives rows as a script says.
struct Scripted {
    samples: Vec<i16>,
    at: usize,
    /// What comes before each row.
    between: fn(usize) -> Option<Result<Reading, SensorError>>,
    asked: usize,
}

impl Scripted {
    fn new(samples: Vec<i16>, between: fn(usize) -> Option<Result<Reading, SensorError>>) -> Self {
        Self { samples, at: 0, between, asked: 0 }
    }
}

impl Sensor for Scripted {
    type Sample = i16;

    fn row_len(&self) -> usize {
        3
    }

    fn read(&mut self, row: &mut [i16]) -> Result<Reading, SensorError> {
        self.asked += 1;
        if let Some(reading) = (self.between)(self.asked) {
            return reading;
        }
        let Some(samples) = self.samples.get(self.at..self.at + 3) else { return Ok(Reading::End) };
        row.copy_from_slice(samples);
        self.at += 3;
        Ok(Reading::Row)
    }
}

/// Runs the model `signal-i8` on a sensor.
fn run<S: Sensor, const OUTBOX_LEN: usize>(sensor: S, link: Link, max_len: usize) -> (Result<Tally, NodeError>, Link) {
    let mut node = node(sensor, link);
    node.settings.max_packet_len = max_len;
    let outcome = node.boot(golden("signal-i8", "encoder.irmae"), &mut Memory::<1024, OUTBOX_LEN>::new());
    (outcome, node.link)
}

fn expected(max_len: usize) -> Vec<Vec<u8>> {
    host_frames(&model(), &windows(), max_len)
}

#[test]
fn frames_are_those_of_the_host_whenever_rows_come() {
    let betweens: [fn(usize) -> _; 3] = [
        |_| None,
        |asked| (asked % 3 != 0).then_some(Ok(Reading::Pending)),
        |asked| (asked % 40 < 25).then_some(Ok(Reading::Pending)),
    ];
    for between in betweens {
        for max_len in [MAX_PACKET_LEN, 9] {
            let (outcome, link) = run::<_, 64>(Scripted::new(windows(), between), Link::default(), max_len);
            let sent = expected(max_len).concat();
            assert_eq!(link.sent, sent);
            let tally = Tally { windows: 4, sent_bytes: sent.len() as u32, ..Tally::default() };
            assert_eq!(outcome, Ok(tally));
        }
    }
}

#[test]
fn a_budget_below_the_whole_code_makes_shorter_packets() {
    let [whole, cut] = [expected(64), expected(9)].map(|frames| frames.concat().len());
    assert!(cut < whole, "{cut} bytes with a budget, {whole} without");
}

#[test]
fn a_link_that_takes_a_byte_at_a_time_gets_all_of_them() {
    let link = Link { room: 1, ..Link::default() };
    let (outcome, link) = run::<_, 16>(Scripted::new(windows(), |_| None), link, 64);
    assert_eq!((outcome.unwrap().dropped_frames, link.sent), (0, expected(64).concat()));
}

#[test]
fn while_the_link_is_busy_frames_wait_and_what_finds_no_room_is_dropped_whole() {
    let frames = expected(64);
    // Room for two frames; the link has none until the fourth window is sampled.
    let link = Link { busy: 70, ..Link::default() };
    let (outcome, link) = run::<_, 30>(Scripted::new(windows(), |_| None), link, 64);
    let tally = outcome.unwrap();
    assert_eq!((tally.windows, tally.dropped_frames), (4, 1), "frames of {} bytes", frames[0].len());
    assert_eq!(link.sent, [&frames[0][..], &frames[1], &frames[3]].concat());
}

#[test]
fn an_error_of_the_link_costs_the_frame_on_its_way() {
    let frames = expected(64);
    // Five bytes at a time: the second write is in the middle of the first frame.
    let link = Link { room: 5, failing: vec![1], ..Link::default() };
    let (outcome, link) = run::<_, 64>(Scripted::new(windows(), |_| None), link, 64);
    let tally = outcome.unwrap();
    assert_eq!((tally.windows, tally.link_errors), (4, 1));
    assert_eq!(unframe(&link.sent), (unframe(&frames[1..].concat()).0, 1));
}

/// The packets in a stream, and how many frames were dropped.
fn unframe(stream: &[u8]) -> (Vec<Vec<u8>>, u32) {
    let mut buffer = [0; MAX_PACKET_LEN];
    let mut reader = FrameReader::new(&mut buffer);
    let packets = stream.iter().filter_map(|&byte| reader.push(byte).map(<[u8]>::to_vec)).collect();
    (packets, reader.dropped())
}

#[test]
fn a_link_that_never_works_ends_nothing() {
    let link = Link { failing: (0..1000).collect(), ..Link::default() };
    let (outcome, link) = run::<_, 64>(Scripted::new(windows(), |_| None), link, 64);
    let tally = outcome.unwrap();
    assert_eq!((tally.windows, tally.sent_bytes), (4, 0));
    assert!(tally.link_errors >= 2 && link.sent.is_empty());
}

#[test]
fn an_error_of_the_sensor_costs_the_window_on_its_way() {
    // Row 41 fails: that is in the second window, which then starts anew with row 42.
    let failing = |asked| (asked == 41).then_some(Err(SensorError::WrongDevice));
    let (outcome, link) = run::<_, 64>(Scripted::new(windows(), failing), Link::default(), 64);
    let samples = windows();
    let expected = [&samples[..32 * 3], &samples[40 * 3..(40 + 64) * 3]].concat();
    assert_eq!(link.sent, host_frames(&model(), &expected, 64).concat());
    let tally = outcome.unwrap();
    assert_eq!((tally.windows, tally.sensor_errors), (3, 1));
}

#[test]
fn a_sensor_that_fails_for_good_or_says_nothing_ends_the_run() {
    let (outcome, _) =
        run::<_, 64>(Scripted::new(windows(), |_| Some(Err(SensorError::WrongDevice))), Link::default(), 64);
    assert_eq!(outcome, Err(NodeError::Sensor(SensorError::WrongDevice)));
    let (outcome, _) = run::<_, 64>(Scripted::new(windows(), |_| Some(Ok(Reading::Pending))), Link::default(), 64);
    assert_eq!(outcome, Err(NodeError::Silent { limit_ms: 5 }));
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_the_reason() {
    let sensor = || Scripted::new(windows(), |_| None);
    let mut node = node(sensor(), Link::default());
    let memory = &mut Memory::<1024, 64>::new();
    let erased = irmae_infer::Aligned([0xff; 64]);
    assert_eq!(
        node.boot(&*erased, memory),
        Err(NodeError::Model { address: erased.as_ptr().addr(), why: LoadError::NotAModel })
    );
    let decoder = golden("signal-i8", "decoder.irmae");
    assert!(matches!(node.boot(decoder, memory), Err(NodeError::Model { .. } | NodeError::Run(RunError::Kind { .. }))));
    let one_axis = golden("adc-i8", "encoder.irmae");
    assert_eq!(node.boot(one_axis, memory), Err(NodeError::RowLen { model: 1, sensor: 3 }));
    let larger = golden("signal-i8", "encoder.irmae");
    let outcome = node.boot(larger, &mut Memory::<16, 64>::new());
    assert!(matches!(outcome, Err(NodeError::Run(RunError::BufferTooSmall { given: 16, .. }))), "{outcome:?}");
}

/// A stream that has a byte every third time.
struct Trickle {
    bytes: Vec<u8>,
    at: usize,
    asked: usize,
}

impl embedded_io::ErrorType for Trickle {
    type Error = std::convert::Infallible;
}

impl embedded_io::ReadReady for Trickle {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        self.asked += 1;
        Ok(self.asked.is_multiple_of(3))
    }
}

impl embedded_io::Read for Trickle {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        bytes[0] = self.bytes[self.at];
        self.at += 1;
        Ok(1)
    }
}

#[test]
fn a_recording_is_a_sensor() {
    let samples = windows();
    let header = Header { max_packet_len: 64, rows: (samples.len() / 3) as u32 };
    let bytes = [&header.to_bytes()[..], golden("signal-i8", "input.bin")].concat();
    let mut stream = Trickle { bytes, at: 0, asked: 0 };
    assert_eq!(Header::read(&mut stream), Ok(header));
    let (outcome, link) = run::<_, 64>(Recording::<_, i16>::new(stream, header, 3), Link::default(), 64);
    assert_eq!(outcome.unwrap().windows, 4);
    assert_eq!(link.sent, expected(64).concat());
}
