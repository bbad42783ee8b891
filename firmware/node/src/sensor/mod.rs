//! Sources of samples.
//!
//! A sensor is asked again and again, and gives a row when its data-ready pin, or its status, says that there is a new one. Chips are
//! driven by well-kept crates; each module here joins one to a pin.

#[cfg(feature = "ads1115")]
pub mod ads1115;
#[cfg(feature = "bmi160")]
pub mod bmi160;
#[cfg(feature = "lis3dh")]
pub mod lis3dh;
pub mod stream;

use irmae_infer::Sample;

use crate::error::SensorError;

/// What a sensor has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is no new row yet.
    Pending,
    /// The row is there.
    Row,
    /// There will be none any more: only of recordings.
    End,
}

/// A source of rows of samples: for a one-dimensional signal, a row is one sample of all channels.
pub trait Sensor {
    /// The type of a sample.
    type Sample: Sample + Default;

    /// Values in a row.
    fn row_len(&self) -> usize;

    /// Fills `row`, of [`Sensor::row_len`] values, if there is a new one. Does not wait.
    ///
    /// # Errors
    /// A [`SensorError`]; the row is then lost.
    fn read(&mut self, row: &mut [Self::Sample]) -> Result<Reading, SensorError>;
}
