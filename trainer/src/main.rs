//! `trainer`: from data to a compressor for small devices.

mod cli;
mod openmp;

use std::process::ExitCode;

use clap::Parser;
use trainer::interrupt;
use trainer::sweep::SweepError;
use trainer::train::TrainError;
use trainer::tune::TuneError;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    openmp::wait_without_spinning();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_interruption(&error) => {
            eprintln!("{error}");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            // One line, with what led to it behind.
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well until the user ended it.
fn is_interruption(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Interrupted(_)))
        || matches!(error.downcast_ref(), Some(TuneError::Interrupted(_)))
        || matches!(error.downcast_ref(), Some(SweepError::Interrupted { .. }))
}
