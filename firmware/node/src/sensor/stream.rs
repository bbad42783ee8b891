//! A recording that comes in over a UART, in place of a sensor: a [`Header`], then samples, little-endian, in order row, channel.

use bytemuck::Pod;
use embedded_io::{Error as _, ErrorKind, Read, ReadExactError, ReadReady};
use irmae_infer::Sample;

use crate::error::SensorError;
use crate::node::ROW_LEN_MAX;
use crate::sensor::{Reading, Sensor};

/// What comes before the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of a packet, at most.
    pub max_packet_len: u16,
    /// Rows that follow.
    pub rows: u32,
}

impl Header {
    const LEN: usize = 6;

    /// As it goes over the wire: both numbers, little-endian.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&self.max_packet_len.to_le_bytes());
        bytes[2..].copy_from_slice(&self.rows.to_le_bytes());
        bytes
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`SensorError::Stream`]
    pub fn read(stream: &mut impl Read) -> Result<Self, SensorError> {
        let mut bytes = [0; Self::LEN];
        stream.read_exact(&mut bytes).map_err(|why| match why {
            ReadExactError::UnexpectedEof => SensorError::Stream(ErrorKind::BrokenPipe),
            ReadExactError::Other(why) => SensorError::Stream(why.kind()),
        })?;
        let [a, b, c, d, e, f] = bytes;
        Ok(Self { max_packet_len: u16::from_le_bytes([a, b]), rows: u32::from_le_bytes([c, d, e, f]) })
    }
}

/// The recording.
#[derive(Debug)]
pub struct Recording<R, S> {
    stream: R,
    row: [S; ROW_LEN_MAX],
    row_len: usize,
    /// Bytes of the row that have come.
    filled: usize,
    rows_left: u32,
}

impl<R: Read + ReadReady, S: Sample + Default + Pod> Recording<R, S> {
    /// What follows a header on `stream`, in rows of `row_len` values.
    pub fn new(stream: R, header: Header, row_len: usize) -> Self {
        let row = [S::default(); ROW_LEN_MAX];
        Self { stream, row, row_len, filled: 0, rows_left: header.rows }
    }
}

impl<R: Read + ReadReady, S: Sample + Default + Pod> Sensor for Recording<R, S> {
    type Sample = S;

    fn row_len(&self) -> usize {
        self.row_len
    }

    fn read(&mut self, row: &mut [S]) -> Result<Reading, SensorError> {
        if self.rows_left == 0 {
            return Ok(Reading::End);
        }
        let samples = &mut self.row[..row.len()];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(samples);
        let stream_error = |why: R::Error| SensorError::Stream(why.kind());
        while self.filled < bytes.len() {
            if !self.stream.read_ready().map_err(stream_error)? {
                return Ok(Reading::Pending);
            }
            match self.stream.read(&mut bytes[self.filled..]).map_err(stream_error)? {
                0 => return Err(SensorError::Stream(ErrorKind::BrokenPipe)),
                count => self.filled += count,
            }
        }
        row.copy_from_slice(samples);
        (self.filled, self.rows_left) = (0, self.rows_left - 1);
        Ok(Reading::Row)
    }
}
