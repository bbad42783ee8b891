//! What can go wrong.

use core::fmt;

use embedded_hal::{digital, i2c, spi};
use irmae_infer::code::PacketError;
use irmae_infer::{LoadError, RunError};

/// Why a sensor gave no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SensorError {
    /// The I2C bus.
    I2c(i2c::ErrorKind),
    /// The SPI bus.
    Spi(spi::ErrorKind),
    /// The data-ready pin.
    Pin(digital::ErrorKind),
    /// The stream that stands in for a sensor.
    Stream(embedded_io::ErrorKind),
    /// Another chip answers, or none.
    WrongDevice,
    /// The driver refuses what it was asked for.
    Refused,
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I2c(kind) => write!(f, "I2C: {kind}"),
            Self::Spi(kind) => write!(f, "SPI: {kind}"),
            Self::Pin(kind) => write!(f, "data-ready pin: {kind}"),
            Self::Stream(kind) => write!(f, "stream of samples: {kind}"),
            Self::WrongDevice => f.write_str("another chip answers, or none: check address, wiring and power"),
            Self::Refused => f.write_str("the driver refuses these settings"),
        }
    }
}

impl core::error::Error for SensorError {}

/// Why a node does not run, or has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NodeError {
    /// The bytes in flash are no model for this program.
    Model(LoadError),
    /// The model does not run with this sensor or in this memory.
    Run(RunError),
    /// The model takes rows of another length than the sensor gives, or they are too long for this program.
    RowLen {
        /// Values in a row of the model.
        model: usize,
        /// Values in a row of the sensor.
        sensor: usize,
    },
    /// No packet can be made.
    Packet(PacketError),
    /// The sensor failed again and again.
    Sensor(SensorError),
    /// The sensor gave no row for so long.
    Silent {
        /// The time that it was given.
        limit_ms: u32,
    },
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(why) => write!(f, "no model to run: {why}"),
            Self::Run(why) => write!(f, "the model does not run here: {why}"),
            Self::RowLen { model, sensor } => {
                write!(f, "the model takes rows of {model} values, the sensor gives {sensor}")
            }
            Self::Packet(why) => write!(f, "no packet can be made: {why}"),
            Self::Sensor(why) => write!(f, "the sensor fails: {why}"),
            Self::Silent { limit_ms } => write!(f, "no sample for {limit_ms} ms: check the data-ready pin"),
        }
    }
}

impl core::error::Error for NodeError {}

impl From<LoadError> for NodeError {
    fn from(why: LoadError) -> Self {
        Self::Model(why)
    }
}

impl From<RunError> for NodeError {
    fn from(why: RunError) -> Self {
        Self::Run(why)
    }
}

impl From<PacketError> for NodeError {
    fn from(why: PacketError) -> Self {
        Self::Packet(why)
    }
}
