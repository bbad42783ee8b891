//! [`Node`]: sensor, encoder, outbox and link, one row at a time.

use embedded_hal::delay::DelayNs;
use embedded_io::{Error as _, Write, WriteReady};
use irmae_infer::format::MAX_CODE;
use irmae_infer::framing::{encode_frame, frame_len_max};
use irmae_infer::packet::{MAX_PACKET_LEN, Profile, encode_packet};
use irmae_infer::{Aligned, Encoder, Model};

use crate::clock::Clock;
use crate::error::{NodeError, SensorError};
use crate::log::log;
use crate::model;
use crate::outbox::Outbox;
use crate::report::{Tally, WindowReport};
use crate::sensor::{Reading, Sensor};

/// Values in a row of samples, at most.
pub const ROW_LEN_MAX: usize = 128;
/// Bytes that go to the link at a time: while it takes them, no sample is read. At 115,200 bits per second that is 0.7 ms at most.
const CHUNK_LEN: usize = 8;
/// Errors of the sensor in a row that end a run.
const SENSOR_ERRORS_MAX: u32 = 10;

/// What can be chosen at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a packet, at most, its envelope of 6 included; with less than 7 no code goes out.
    pub max_packet_len: usize,
    /// How long to wait before the sensor is asked again. A sample is late by that, at most.
    pub poll_us: u32,
    /// How long the sensor may give nothing.
    pub silence_ms: u32,
}

/// All working memory but the stack: a buffer of at least [`Model::buffer_len`] bytes, and the outbox.
#[derive(Debug)]
pub struct Memory<const BUFFER_LEN: usize, const OUTBOX_LEN: usize> {
    buffer: Aligned<[u8; BUFFER_LEN]>,
    code: [i16; MAX_CODE],
    outbox: Outbox<OUTBOX_LEN>,
}

impl<const BUFFER_LEN: usize, const OUTBOX_LEN: usize> Memory<BUFFER_LEN, OUTBOX_LEN> {
    /// Zeros.
    #[expect(clippy::new_without_default, reason = "made in statics, where a default cannot be called")]
    pub const fn new() -> Self {
        Self { buffer: Aligned([0; BUFFER_LEN]), code: [0; MAX_CODE], outbox: Outbox::new() }
    }
}

/// A sensor node.
#[derive(Debug)]
pub struct Node<S, L, D, C> {
    /// Gives rows of samples.
    pub sensor: S,
    /// Takes frames. Where it has no room, it is asked again after the next sample.
    pub link: L,
    /// Passes the time until the next sample.
    pub delay: D,
    /// Measures what is logged.
    pub clock: C,
    /// What can be chosen.
    pub settings: Settings,
}

/// What is known of the window on its way.
#[derive(Default)]
struct Spent {
    ticks: u32,
    longest_row_ticks: u32,
}

impl<S: Sensor, L: Write + WriteReady, D: DelayNs, C: Clock> Node<S, L, D, C> {
    /// A board's whole life: loads the model that lies in `bytes`, and runs until an error stops it.
    ///
    /// # Errors
    /// A [`NodeError`]
    pub fn boot<const B: usize, const Q: usize>(
        &mut self,
        bytes: &[u8],
        memory: &mut Memory<B, Q>,
    ) -> Result<Tally, NodeError> {
        let model = model::load(bytes)?;
        self.run(&model, memory)
    }

    /// Samples, encodes and sends until the sensor has no more, and says what came of it.
    ///
    /// # Errors
    /// A [`NodeError`]. Single errors of sensor and link are counted and logged, and end nothing.
    pub fn run<const B: usize, const Q: usize>(
        &mut self,
        model: &Model<'_>,
        memory: &mut Memory<B, Q>,
    ) -> Result<Tally, NodeError> {
        let Memory { buffer, code, outbox } = memory;
        let code = &mut code[..model.code_len()];
        let (mut tally, mut spent, mut silent_us, mut failures) = (Tally::default(), Spent::default(), 0, 0);
        let mut row = [S::Sample::default(); ROW_LEN_MAX];
        let row = self.row(model, &mut row)?;
        let mut encoder = Encoder::new(model, &mut **buffer)?;
        loop {
            let has_sent = self.send_if_ready(outbox, &mut tally);
            match self.sensor.read(row) {
                Ok(Reading::Row) => {
                    (silent_us, failures) = (0, 0);
                    let start = self.clock.ticks();
                    let is_complete = encoder.push_row(row, code)?;
                    spent.add(self.clock.ticks().wrapping_sub(start));
                    if is_complete {
                        self.enqueue(model, code, outbox, core::mem::take(&mut spent), &mut tally)?;
                    }
                }
                Ok(Reading::Pending) if has_sent => (),
                Ok(Reading::Pending) => self.wait(&mut silent_us)?,
                Ok(Reading::End) => break,
                Err(why) => {
                    // A row is missing, so the window would be another one.
                    (encoder, spent) = (Encoder::new(model, &mut **buffer)?, Spent::default());
                    tally.sensor_errors += 1;
                    failures += 1;
                    self.report_sensor(why, failures)?;
                }
            }
        }
        self.finish(outbox, &mut tally);
        Ok(tally)
    }

    /// Sends what still waits, however long the link takes.
    fn finish<const Q: usize>(&mut self, outbox: &mut Outbox<Q>, tally: &mut Tally) {
        while self.send(outbox, tally) {}
        if self.link.flush().is_err() {
            tally.link_errors += 1;
        }
        log!(info, "{}", tally);
    }

    /// Memory for a row, where model and sensor agree on its length.
    fn row<'r>(&self, model: &Model<'_>, row: &'r mut [S::Sample]) -> Result<&'r mut [S::Sample], NodeError> {
        let (model, sensor) = (model.frame().row_len(), self.sensor.row_len());
        row.get_mut(..sensor).filter(|_| model == sensor).ok_or(NodeError::RowLen { model, sensor })
    }

    fn wait(&mut self, silent_us: &mut u32) -> Result<(), NodeError> {
        let limit_ms = self.settings.silence_ms;
        if *silent_us / 1_000 >= limit_ms {
            return Err(NodeError::Silent { limit_ms });
        }
        self.delay.delay_us(self.settings.poll_us);
        *silent_us = silent_us.saturating_add(self.settings.poll_us);
        Ok(())
    }

    fn report_sensor(&mut self, why: SensorError, failures: u32) -> Result<(), NodeError> {
        if failures >= SENSOR_ERRORS_MAX {
            return Err(NodeError::Sensor(why));
        }
        log!(warn, "the window starts anew, as the sensor failed: {}", why);
        self.delay.delay_us(self.settings.poll_us);
        Ok(())
    }

    /// Makes a packet of a complete window and puts its frame into the outbox. Where that is full, the frame is dropped, and the
    /// receiver sees a gap in the sequence numbers.
    fn enqueue<const Q: usize>(
        &self,
        model: &Model<'_>,
        code: &[i16],
        outbox: &mut Outbox<Q>,
        spent: Spent,
        tally: &mut Tally,
    ) -> Result<(), NodeError> {
        let mut packet = [0; MAX_PACKET_LEN];
        let (index, max_len) = (tally.windows, self.settings.max_packet_len);
        let packet_len = encode_packet(model, code, Profile::Full, index as u8, max_len, &mut packet)?;
        let mut frame = [0; frame_len_max(MAX_PACKET_LEN)];
        let frame_len = encode_frame(&packet[..packet_len], &mut frame)?;
        tally.windows = tally.windows.wrapping_add(1);
        let is_dropped = outbox.push(&frame[..frame_len]).is_err();
        let us = |ticks: u32| ticks / self.clock.ticks_per_us();
        let (encode_us, longest_row_us) = (us(spent.ticks), us(spent.longest_row_ticks));
        log!(info, "{}", WindowReport { index, packet_len, encode_us, longest_row_us, waiting: outbox.len() });
        if is_dropped {
            tally.dropped_frames += 1;
            log!(
                warn,
                "window {} is dropped: the link has not taken the frames before it, {} bytes",
                index,
                outbox.len()
            );
        }
        Ok(())
    }

    /// Gives the link its next bytes, if there are any and it has room for them, and says whether it did.
    fn send_if_ready<const Q: usize>(&mut self, outbox: &mut Outbox<Q>, tally: &mut Tally) -> bool {
        // An error of the link comes again with its `write`.
        !outbox.is_empty() && self.link.write_ready().unwrap_or(true) && self.send(outbox, tally)
    }

    /// Gives the link its next bytes, and says whether there were any.
    fn send<const Q: usize>(&mut self, outbox: &mut Outbox<Q>, tally: &mut Tally) -> bool {
        let bytes = outbox.next(CHUNK_LEN);
        if bytes.is_empty() {
            return false;
        }
        match self.link.write(bytes) {
            Ok(count) => {
                outbox.remove(count);
                tally.sent_bytes = tally.sent_bytes.wrapping_add(count as u32);
            }
            Err(why) => {
                outbox.abandon_frame();
                tally.link_errors += 1;
                log!(warn, "a frame is lost, as the link failed: {}", why.kind());
            }
        }
        true
    }
}

impl Spent {
    fn add(&mut self, ticks: u32) {
        self.ticks = self.ticks.wrapping_add(ticks);
        self.longest_row_ticks = self.longest_row_ticks.max(ticks);
    }
}
