//! One network in irmae-infer and in the libraries that others would take: do they agree, and how long does each need?
//! `cargo xtask bench` runs it.

mod measure;
mod network;
mod peer;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use measure::Stopwatch;
use network::Network;
use peer::Peers;

/// Times one network in several libraries.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write weights and calibration data, which onnx_files.py and tflite_file.py read
    Network {
        /// The .npz file
        file: PathBuf,
    },
    /// Time all libraries
    Measure {
        /// The folder of the ONNX files; criterion's files go there too
        #[arg(long)]
        folder: PathBuf,
        /// libonnxruntime.so
        #[arg(long)]
        onnxruntime: PathBuf,
        /// The JSON file that results go into
        #[arg(long)]
        out: PathBuf,
    },
}

fn run() -> Result<()> {
    let network = Network::seeded()?;
    match Cli::parse().verb {
        Verb::Network { file } => network.write(&file),
        Verb::Measure { folder, onnxruntime, out } => {
            tch::set_num_threads(1);
            tch::set_num_interop_threads(1);
            let peers = Peers::new(&network, &folder, &onnxruntime)?;
            let rows = Stopwatch::new(folder.join("criterion")).rows(&network, &peers)?;
            fs::write(&out, serde_json::to_vec_pretty(&rows)?).with_context(|| out.display().to_string())
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
