//! What can go wrong.

use embedded_hal::{digital, i2c, spi};
use irmae_infer::code::PacketError;
use irmae_infer::{LoadError, RunError};

/// Why a sensor gave no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Why a node does not run, or has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeError {
    /// The bytes where the model should be are none for this program.
    Model {
        /// Address of the first of them.
        address: usize,
        /// What is wrong with them.
        why: LoadError,
    },
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
    /// The sensor cannot be set up, or failed again and again.
    Sensor(SensorError),
    /// The sensor gave no row for so long.
    Silent {
        /// The time that it was given.
        limit_ms: u32,
    },
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

impl From<SensorError> for NodeError {
    fn from(why: SensorError) -> Self {
        Self::Sensor(why)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for SensorError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match *self {
            Self::I2c(kind) => defmt::write!(f, "I2C: {}", kind),
            Self::Spi(kind) => defmt::write!(f, "SPI: {}", kind),
            Self::Pin(kind) => defmt::write!(f, "data-ready pin: {}", kind),
            Self::Stream(kind) => defmt::write!(f, "stream of samples: {}", kind),
            Self::WrongDevice => defmt::write!(f, "another chip answers, or none: check address, wiring and power"),
            Self::Refused => defmt::write!(f, "its driver refuses what it was asked for"),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for NodeError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match *self {
            Self::Model { address, why } => {
                defmt::write!(f, "no model to run at {=usize:#010x}: {}; flash an encoder.irmae there", address, why);
            }
            Self::Run(why) => defmt::write!(f, "the model does not run here: {}", why),
            Self::RowLen { model, sensor } => defmt::write!(
                f,
                "the model takes rows of {=usize} values, the sensor gives {=usize}: flash another model",
                model,
                sensor
            ),
            Self::Packet(why) => defmt::write!(f, "no packet can be made: {}", why),
            Self::Sensor(why) => defmt::write!(f, "the sensor fails: {}", why),
            Self::Silent { limit_ms } => {
                defmt::write!(f, "no sample for {=u32} ms: check the data-ready pin", limit_ms);
            }
        }
    }
}
