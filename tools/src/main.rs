//! `irmae`: look into model files, encode arrays into packets, decode packets into arrays or as they come from nodes.

mod decode;
mod encode;
mod files;
mod gateway;
mod inspect;
mod link;
mod npy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Host tools for IRMAE model files and packets.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what a model file holds
    Inspect(inspect::Args),
    /// Encode an array of windows or images into a file of packets
    Encode(encode::Args),
    /// Decode a file of packets into an array
    Decode(decode::Args),
    /// Receive packets of many nodes and write out their windows
    Gateway(Box<gateway::Args>),
}

fn run() -> Result<()> {
    match Cli::parse().verb {
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Encode(args) => encode::run(&args),
        Verb::Decode(args) => decode::run(&args),
        Verb::Gateway(args) => gateway::run(&args),
    }
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
