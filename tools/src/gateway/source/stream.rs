//! Streams of bytes: serial ports, connections, files.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::SendError;

use irmae_infer::framing::{DELIMITER, FrameReader};
use irmae_infer::packet::MAX_PACKET_LEN;

use crate::gateway::intake::{Event, Intake};
use crate::link::Framing;

/// Bytes read at a time.
const CHUNK_LEN: usize = 1 << 12;

/// Reads a stream to its end, and hands on its packets.
///
/// # Errors
/// Where the stream breaks.
pub(crate) fn read(
    node: &Arc<str>,
    mut input: impl Read,
    framing: Framing,
    intake: &Intake,
) -> Result<(), std::io::Error> {
    let mut buffer = [0; MAX_PACKET_LEN];
    let mut frames = Frames { node, reader: FrameReader::new(&mut buffer), dropped: 0, intake };
    let mut chunk = vec![0; CHUNK_LEN];
    loop {
        let len = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => continue,
            Err(error) => return Err(error),
        };
        let bytes = &chunk[..len];
        let sent = match framing {
            Framing::None => intake.send(Event::Bytes { node: node.clone(), bytes: bytes.to_vec() }),
            Framing::Cobs => frames.push(bytes),
        };
        if sent.is_err() {
            // The gateway has stopped.
            return Ok(());
        }
    }
    // Whatever the last frame is, it ends where the stream does.
    if framing == Framing::Cobs {
        let _ = frames.push(&[DELIMITER]);
    }
    Ok(())
}

struct Frames<'a> {
    node: &'a Arc<str>,
    reader: FrameReader<'a>,
    /// Those that have been reported.
    dropped: u32,
    intake: &'a Intake,
}

impl Frames<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), SendError<Event>> {
        let packets: Vec<_> = bytes.iter().filter_map(|&byte| self.reader.push(byte).map(<[u8]>::to_vec)).collect();
        let damaged = self.reader.dropped() - self.dropped;
        if packets.is_empty() && damaged == 0 {
            return Ok(());
        }
        self.dropped += damaged;
        self.intake.send(Event::Frames { node: self.node.clone(), packets, damaged })
    }
}
