//! `trainer`: from data to a compressor for small devices.

mod cli;
mod openmp;

use std::process::ExitCode;

use clap::Parser;
use trainer::interrupt;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    openmp::wait_without_spinning();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // All went well until the user ended it; what the verb says is where it stands.
        Err(error) if interrupt::requested() => {
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
