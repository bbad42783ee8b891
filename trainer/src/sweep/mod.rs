//! Many runs of one configuration, each with other settings: `trainer sweep`.
//!
//! `plan` makes the runs out of a file, and `work` has them done by processes of this program, one for each step of a run: train,
//! tune if asked for, export, evaluate. All state is in the folders of the runs, so a sweep that ended in whatever way
//! goes on when it is started again.

mod plan;
mod work;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::files::FileError;

pub use plan::{Plan, TunePlan, read};
pub use work::{Options, run};

/// Why a sweep does not go on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file describes no sweep.
    #[error("{path}: {why}", path = path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A run was made with other settings.
    #[error("{path} was made with other settings; choose another --out, or remove that folder", path = path.display())]
    OtherSettings {
        /// The run's folder.
        path: PathBuf,
    },
    /// Another sweep, or what an earlier one started, is at work there.
    #[error("{path} is in use by another sweep, or by a run that an earlier one started; wait for it, or end it", path = path.display())]
    Busy {
        /// The sweep's folder.
        path: PathBuf,
    },
    /// Ctrl-C.
    #[error("interrupted, and saved; the same command goes on in {path}", path = path.display())]
    Interrupted {
        /// The sweep's folder.
        path: PathBuf,
    },
}

/// What came of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In the order of the file.
    pub runs: Vec<RunReport>,
}

/// What came of one run.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum RunReport {
    /// It is done.
    Done(Row),
    /// It failed, and is tried again next time.
    Failed {
        /// Its name.
        name: String,
        /// What its last step said.
        error: String,
    },
}

/// What a run gave, as its `result.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What the sweep set.
    pub settings: Table,
    /// Number type of the exported weights.
    pub precision: String,
    /// Coefficients of the code.
    pub rank: usize,
    /// Seconds of training and tuning.
    pub seconds: f64,
    /// What packets of each size give over the whole test part.
    pub packets: Vec<Packets>,
}

/// What packets of a size give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Packets {
    /// The most bytes that they may have.
    pub bytes: usize,
    /// Those that they have on average.
    pub bytes_per_item: f64,
    /// PSNR with them.
    pub psnr_db: f64,
}

impl Report {
    /// Runs that failed.
    pub fn failures(&self) -> usize {
        self.runs.iter().filter(|run| matches!(run, RunReport::Failed { .. })).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |run: &RunReport| match run {
            RunReport::Done(Row { name, .. }) | RunReport::Failed { name, .. } => name.len(),
        };
        let width = self.runs.iter().map(name).max().unwrap_or_default().max("run".len());
        write!(f, "{:<width$} {:>5} {:>8} {:>8} {:>8}", "run", "rank", "bytes", "PSNR dB", "seconds")?;
        for run in &self.runs {
            match run {
                RunReport::Failed { name, error } => write!(f, "\n{name:<width$} {error}")?,
                RunReport::Done(Row { name, rank, seconds, packets, .. }) => {
                    for Packets { bytes_per_item, psnr_db, .. } in packets {
                        write!(f, "\n{name:<width$} {rank:>5} {bytes_per_item:>8.2} {psnr_db:>8.2} {seconds:>8.0}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
