//! A sensor node, whatever the board: rows of samples come as the [`Sensor`] delivers them, go through the encoder one by one, and
//! whole windows leave as full packets in COBS frames on any [`embedded_io::Write`]. The [`Outbox`] stands between sampling and
//! sending, so that a slow link delays no sample.
//!
//! A board's program is glue: it makes a [`Node`] of its peripherals and calls [`Node::boot`] with the bytes of the [`model`] that
//! lies in its flash. Read [`Node`], then [`Sensor`].

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod clock;
mod error;
mod log;
pub mod model;
mod node;
mod outbox;
mod report;
pub mod sensor;

#[cfg(feature = "cortex-m")]
pub use clock::Cycles;
pub use clock::{Clock, SpinDelay};
pub use error::{NodeError, SensorError};
pub use node::{Memory, Node, ROW_LEN_MAX, Settings};
pub use outbox::{Full, Outbox};
pub use report::Tally;
pub use sensor::{Reading, Sensor};
