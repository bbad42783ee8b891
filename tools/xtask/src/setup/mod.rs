//! `cargo xtask setup`: everything that a build, a test or the demo needs and that cargo does not bring.
//!
//! Each [`Need`] is either *ready*, seen in a few milliseconds without a network, or is *obtained*: made in a
//! temporary folder beside its goal, checked, and moved there in one step. A lock keeps two set-ups apart.

mod chromium;
mod data;
mod debian;
mod error;
mod libtorch;
mod mosquitto;
pub(crate) mod onnxruntime;
mod python;
mod qemu;
mod rust;
mod starter;
mod workshop;

pub(crate) use data::DataSet;
pub(crate) use error::SetupError;
pub(crate) use rust::{BARE_EDGE_TARGETS, BARE_TARGETS, EDGE_TARGET, WASM_TARGET};

use crate::env::{Env, find_program};
use std::fmt;
use workshop::Workshop;

/// One thing that can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A C++ compiler, for the wrapper around libtorch.
    Compiler,
    /// libtorch for the CPU.
    Libtorch,
    /// Rust targets for devices, rustfmt and clippy.
    Rust,
    /// Emulators for Cortex-M, 32-bit RISC-V and aarch64.
    Qemu,
    /// The broker that tests of the gateway start.
    Mosquitto,
    /// The browser in which a test opens reports.
    Chromium,
    /// onnxruntime, which tests of ONNX files and the bench need.
    Onnxruntime,
    /// A data set.
    Data(DataSet),
}

impl Need {
    /// Everything that builds, tests and the demo need, in the order of being cheap to miss.
    pub(crate) const ALL: [Need; 11] = [
        Need::Compiler,
        Need::Rust,
        Need::Libtorch,
        Need::Qemu,
        Need::Mosquitto,
        Need::Chromium,
        Need::Onnxruntime,
        Need::Data(DataSet::FashionMnist),
        Need::Data(DataSet::Mnist),
        Need::Data(DataSet::EcgMitbih208),
        Need::Data(DataSet::ImuWatch),
    ];

    /// What is there, in words, or nothing where it is yet to be obtained.
    fn ready(self, env: &Env) -> Option<String> {
        match self {
            Need::Compiler => compiler().map(|name| format!("`{name}`")),
            Need::Libtorch => libtorch::ready(env),
            Need::Rust => rust::missing().ok()?.is_empty().then(|| "installed".into()),
            Need::Qemu => qemu::ready(env),
            Need::Mosquitto => mosquitto::ready(env),
            Need::Chromium => chromium::ready(env),
            Need::Onnxruntime => onnxruntime::ready(env),
            Need::Data(set) => set.ready(env),
        }
    }

    fn obtain(self, workshop: &Workshop) -> Result<(), SetupError> {
        match self {
            Need::Compiler => Err(SetupError::missing(
                "`c++`",
                "install g++ (Debian: `apt-get install g++`) or set CXX to a compiler",
            )),
            Need::Libtorch => libtorch::obtain(workshop),
            Need::Rust => rust::obtain(workshop),
            Need::Qemu => qemu::obtain(workshop),
            Need::Mosquitto => mosquitto::obtain(workshop),
            Need::Chromium => chromium::obtain(workshop),
            Need::Onnxruntime => onnxruntime::obtain(workshop),
            Need::Data(set) => set.obtain(workshop),
        }
    }

    /// Whether verbs go on without it: only some tests and examples use these data sets.
    fn is_optional(self) -> bool {
        matches!(self, Need::Data(set) if set != DataSet::FashionMnist)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Compiler => f.write_str("C++ compiler"),
            Need::Libtorch => f.write_str("libtorch"),
            Need::Rust => f.write_str("Rust targets"),
            Need::Qemu => f.write_str("QEMU"),
            Need::Mosquitto => f.write_str("mosquitto"),
            Need::Chromium => f.write_str("Chromium"),
            Need::Onnxruntime => f.write_str("onnxruntime"),
            Need::Data(set) => write!(f, "data set {}", set.name()),
        }
    }
}

/// The C++ compiler that build scripts will call.
fn compiler() -> Option<String> {
    let named = std::env::var("CXX").ok().filter(|name| !name.is_empty());
    let name = named.unwrap_or_else(|| "c++".into());
    let program = name.split_whitespace().next()?;
    find_program(program).map(|_| name)
}

/// The verb: obtains everything, then says where each thing is.
pub(crate) fn run(env: &Env) -> Result<(), SetupError> {
    let outcome = ensure(env, &Need::ALL);
    for need in Need::ALL {
        let state = need.ready(env).unwrap_or_else(|| "missing (see above)".into());
        eprintln!("{:<24} {state}", need.to_string());
    }
    outcome
}

/// Obtains those of `needs` that are not there. Tries all of them before it fails, and says so for each.
///
/// # Errors
/// Where a thing that is not optional cannot be had.
pub(crate) fn ensure(env: &Env, needs: &[Need]) -> Result<(), SetupError> {
    let absent = |need: &Need| need.ready(env).is_none();
    let absent: Vec<Need> = needs.iter().copied().filter(absent).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let workshop = Workshop::open(env)?;
    let mut unmet = Vec::new();
    for need in absent {
        match workshop.obtain(need) {
            Ok(()) => {}
            Err(why) if need.is_optional() => eprintln!("{need}: {why} (optional: going on)"),
            Err(why) => {
                eprintln!("{need}: {why}");
                unmet.push(need.to_string());
            }
        }
    }
    if unmet.is_empty() { Ok(()) } else { Err(SetupError::Unmet { names: unmet.join(", ") }) }
}

impl Workshop {
    /// Obtains one thing, unless a set-up that held the lock before has done so.
    fn obtain(&self, need: Need) -> Result<(), SetupError> {
        if need.ready(self.env()).is_none() {
            need.obtain(self)?;
            eprintln!("{need}: done");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_demo_data_is_needed() {
        let optional: Vec<String> = Need::ALL.iter().filter(|need| need.is_optional()).map(Need::to_string).collect();
        assert_eq!(optional, ["data set mnist", "data set ecg-mitbih208", "data set imu-watch"]);
    }

    #[test]
    fn a_missing_compiler_says_what_to_install() {
        let cache = tempfile::tempdir().unwrap();
        let env = Env { root: "/".into(), cache: cache.path().into() };
        let workshop = Workshop::open(&env).unwrap();
        let message = Need::Compiler.obtain(&workshop).unwrap_err().to_string();
        assert!(message.contains("apt-get install g++"), "{message}");
    }
}
