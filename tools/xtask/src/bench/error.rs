//! Why there are no figures.

use super::host::HostError;
use crate::firmware::FirmwareError;
use irmae_infer::{LoadError, RunError, code::PacketError, format::WriteError};

/// Why there are no figures, or why they are too large.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] crate::setup::SetupError),
    /// A program does not build or run; or a file.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// The host cannot be timed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Cargo failed, and has said why.
    #[error("the plugin for QEMU does not build (see above)")]
    Plugin,
    /// The plugin and the program do not agree.
    #[error("{board}: the regions that were counted are not those that the program says it ran")]
    Counts {
        /// The board.
        board: &'static str,
    },
    /// What is known beforehand comes out otherwise.
    #[error("{board}: {found} instructions were counted in a region of {expected}: the counter is wrong")]
    Miscounted {
        /// The board.
        board: &'static str,
        /// Instructions that are there.
        expected: u64,
        /// Instructions that were counted.
        found: u64,
    },
    /// A model cannot be written.
    #[error("a network of the bench: {0}")]
    Write(#[from] WriteError),
    /// A model that was written cannot be read.
    #[error("a network of the bench: {0}")]
    Load(#[from] LoadError),
    /// A model does not run on the host.
    #[error("a network of the bench: {0}")]
    Run(#[from] RunError),
    /// A packet of its own is refused.
    #[error("a network of the bench: {0}")]
    Packet(#[from] PacketError),
    /// The budget file is not one.
    #[error("{path} is not a budget: {source}; `cargo xtask bench --update-budget` writes one")]
    Budget {
        /// The file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Figures are over the budget; which, has been said.
    #[error("figures over the budget, or without one: {count}")]
    OverBudget {
        /// How many.
        count: usize,
    },
}
