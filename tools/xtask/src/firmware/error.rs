//! Why the firmware did not do what it must.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the firmware did not do what it must.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirmwareError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] crate::setup::SetupError),
    /// No emulator.
    #[error("no QEMU to run the firmware: run `cargo xtask setup`")]
    NoQemu,
    /// The folder holds nothing to run.
    #[error("no golden cases in {}: name a folder whose sub folders each hold an encoder.irmae (`trainer golden` makes them)", root.display())]
    NoCases {
        /// The folder.
        root: PathBuf,
    },
    /// A model or a recording that cannot be streamed.
    #[error("{}: {why}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file, or a program that cannot be started.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Cargo failed, and has said why.
    #[error("{board}: the firmware does not build (see above)")]
    Build {
        /// The board.
        board: &'static str,
    },
    /// The program file cannot be read.
    #[error("{} is not a program file", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
    },
    /// The log cannot be decoded.
    #[error("{board}: what the firmware logged is not a defmt log of this program")]
    Log {
        /// The board.
        board: &'static str,
    },
    /// The program does not end.
    #[error(
        "{board}: the firmware was still running after {seconds} s and has been stopped; its last line: {last_line}"
    )]
    Hangs {
        /// The board.
        board: &'static str,
        /// The time that it was given.
        seconds: u64,
        /// The last line that it wrote.
        last_line: String,
    },
    /// The program found a difference, or panicked.
    #[error("{board}: the firmware exited with status {status}:\n  {}", lines.join("\n  "))]
    Exit {
        /// The board.
        board: &'static str,
        /// Exit status.
        status: i32,
        /// What it wrote.
        lines: Vec<String>,
    },
    /// Other bytes came over the wire than the host would make.
    #[error("{board}: {sent} bytes came from it, {expected} were expected; they differ from byte {byte} on")]
    Wire {
        /// The board.
        board: &'static str,
        /// Bytes that came.
        sent: usize,
        /// Bytes that were expected.
        expected: usize,
        /// Index of the first that differs.
        byte: usize,
    },
    /// The receiver of a board's frames failed.
    #[error("irmae: {why}")]
    Receiver {
        /// What it said.
        why: String,
    },
    /// A damaged model was run.
    #[error("{board}: the firmware runs a model file with a wrong bit")]
    Accepted {
        /// The board.
        board: &'static str,
    },
    /// Some boards failed; why has been said.
    #[error("the firmware failed on {boards}")]
    Failed {
        /// Their names.
        boards: String,
    },
}

impl FirmwareError {
    /// For `map_err`: what went wrong at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> FirmwareError {
        let path = path.as_ref().to_path_buf();
        move |source| FirmwareError::Io { path, source }
    }
}
