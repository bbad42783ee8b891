//! `trainer`: from data to a compressor for small devices.

mod cli;
mod openmp;

use std::process::ExitCode;

use clap::Parser;
use trainer::interrupt;
use trainer::train::TrainError;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    openmp::wait_without_spinning();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if matches!(error.downcast_ref(), Some(TrainError::Interrupted(_))) => {
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
