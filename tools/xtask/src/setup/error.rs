//! Why a thing cannot be set up; each message is one line that says what to do.

use std::{io, path::PathBuf, process::Command};

/// Why set-up stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// Something that set-up builds on, or cannot fetch here.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// The thing.
        what: String,
        /// What the user can do.
        remedy: String,
    },
    /// A program ran and failed.
    #[error("{what} failed{}; if the network is up and the disk is not full, {} says more",
        detail.as_ref().map(|line| format!(" ({line})")).unwrap_or_default(), log.display())]
    Failed {
        /// What was done.
        what: String,
        /// The program's last telling line, if one can be shown.
        detail: Option<String>,
        /// All that it printed.
        log: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`: {source}; install it and run `cargo xtask setup` again")]
    Start {
        /// What was to run.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The file system refused.
    #[error("{}: {source}; check the disk, or set IRMAE_CACHE to another folder", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was fetched is not what was pinned.
    #[error(
        "{name} is not the expected file (sha256 {found}, expected {expected}): run `cargo xtask setup` again, \
         and if that does not help, a package mirror serves a changed file"
    )]
    Checksum {
        /// The file's name.
        name: String,
        /// What was fetched.
        found: String,
        /// What is pinned.
        expected: String,
    },
    /// The end of a set-up in which needed things could not be had.
    #[error("set-up is incomplete: {names}; the lines above say what to do")]
    Unmet {
        /// The needed things.
        names: String,
    },
}

impl SetupError {
    pub(super) fn missing(what: impl Into<String>, remedy: impl Into<String>) -> SetupError {
        SetupError::Missing { what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn start(command: &Command, source: io::Error) -> SetupError {
        SetupError::Start { program: command.get_program().to_string_lossy().into_owned(), source }
    }

    /// For `map_err`, naming the path.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> SetupError {
        let path = path.into();
        move |source| SetupError::Io { path, source }
    }
}
