//! `cargo xtask`: what the workspace needs beyond plain cargo. One module a verb:
//! [`setup`] fetches, [`mod@test`] checks, [`demo`] shows, [`firmware`] runs on emulated boards, [`mod@bench`] counts and
//! times; [`mod@env`] and [`qemu`] say where things are.

mod bench;
mod demo;
mod env;
mod firmware;
mod qemu;
mod setup;
mod test;

use clap::{Parser, Subcommand, builder::PossibleValuesParser};
use std::{path::PathBuf, process::ExitCode};

/// Set-up, demo and tests of the IRMAE workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Fetch libtorch, Rust targets, QEMU, mosquitto and data sets into a cache; does nothing where all is there.
    ///
    /// The cache is $IRMAE_CACHE, else $XDG_CACHE_HOME/irmae, else ~/.cache/irmae.
    /// A libtorch named by LIBTORCH or LIBTORCH_USE_PYTORCH is used as it is.
    #[command(after_help = "Example: cargo xtask setup")]
    Setup,
    /// Print what a shell needs to build the trainer by hand.
    #[command(after_help = "Example: eval \"$(cargo xtask env)\" && cargo run --release -p trainer -- --help")]
    Env,
    /// Train, collapse, export and run on an emulated Cortex-M, on real images or a sensor's signals.
    #[command(after_help = "Examples: cargo xtask demo --quick\n          cargo xtask demo --sensor imu-watch")]
    Demo {
        /// A sensor's signals, beside PCA, DCT and wavelet codes, instead of images.
        #[arg(long, value_enum)]
        sensor: Option<demo::sensor::Sensor>,
        /// Fewer epochs: under three minutes, with a lower quality, of which less is asked.
        #[arg(long)]
        quick: bool,
    },
    /// Run all that CI checks, cheapest first; every step runs, whatever failed before it.
    #[command(after_help = "Example: cargo xtask test")]
    Test,
    /// Build the firmware with a folder of golden cases, run it on emulated boards, and check what it sends.
    #[command(after_help = "Example: cargo xtask firmware --board an386 --cases tests/golden")]
    Firmware {
        /// A board, or all of them.
        #[arg(long, default_value = "all", value_parser = PossibleValuesParser::new(firmware::names()))]
        board: String,
        /// The folder of cases; tests/golden if none is given.
        #[arg(long)]
        cases: Option<PathBuf>,
    },
    /// Build the firmware for real boards, and say what memory it takes.
    #[command(after_help = "Example: cargo xtask boards")]
    Boards,
    /// Feed recorded windows to an emulated board over its UART, and take the frames that it sends back.
    #[command(
        after_help = "Example: cargo xtask stream --model encoder.irmae --windows windows.npy --listen 127.0.0.1:7000"
    )]
    Stream(firmware::stream::Options),
    /// Count instructions, memory and code on emulated cores, and time this library and others on the host.
    #[command(after_help = "Example: cargo xtask bench --json bench.json")]
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(verb: Verb) -> anyhow::Result<()> {
    let env = env::Env::detect()?;
    match verb {
        Verb::Setup => setup::run(&env)?,
        Verb::Env => print_env(&env),
        Verb::Demo { sensor: None, quick } => demo::run(&env, quick)?,
        Verb::Demo { sensor: Some(sensor), quick } => demo::sensor::run(&env, sensor, quick)?,
        Verb::Test => test::run(&env)?,
        Verb::Firmware { board, cases } => {
            let golden = || env.root.join("tests/golden");
            firmware::run(&env, &board, &cases.unwrap_or_else(golden))?;
        }
        Verb::Boards => firmware::real::run(&env)?,
        Verb::Stream(options) => firmware::stream::run(&env, &options)?,
        Verb::Bench(options) => bench::run(&env, &options)?,
    }
    Ok(())
}

/// What cargo must know of libtorch, in the words of a shell.
fn print_env(env: &env::Env) {
    if let env::Libtorch::Cached(folder) = env.libtorch() {
        println!("export LIBTORCH='{}'", folder.display());
    }
}
