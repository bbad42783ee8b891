//! onnxruntime and what writes its files: Python packages for tests and the bench, in a folder that no other Python looks into.

use super::{
    SetupError, Workshop,
    python::{self, Python},
};
use crate::env::Env;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const VERSION: &str = "1.32.0";

/// All that onnxruntime's quantisation imports.
const PACKAGES: [&str; 8] = [
    "onnxruntime==1.32.0",
    "onnx==1.23.2",
    "numpy==2.4.6",
    "protobuf==7.36.2",
    "ml_dtypes==0.6.0",
    "flatbuffers==25.12.19",
    "packaging==26.3",
    "typing_extensions==4.16.0",
];

/// What pip downloads for them.
const BYTES: u64 = 61_000_000;

fn folder(env: &Env) -> PathBuf {
    env.cache.join(format!("onnxruntime-{VERSION}"))
}

/// The shared library, which needs no Python.
pub(crate) fn library(env: &Env) -> PathBuf {
    folder(env).join(format!("onnxruntime/capi/libonnxruntime.so.{VERSION}"))
}

/// A Python that finds the packages.
///
/// # Errors
/// Where there is no Python.
pub(crate) fn python(env: &Env) -> Result<Command, SetupError> {
    python_in(&folder(env))
}

fn python_in(packages: &Path) -> Result<Command, SetupError> {
    let mut command = Command::new(python::program()?);
    command.env("PYTHONPATH", packages);
    Ok(command)
}

/// Whether the packages are there, and made for the Python that is.
pub(super) fn ready(env: &Env) -> Option<String> {
    if !library(env).is_file() {
        return None;
    }
    // Half a second, which the bench does not feel.
    let output = importing(&folder(env)).ok()?.output().ok()?;
    output.status.success().then(|| folder(env).display().to_string())
}

fn importing(packages: &Path) -> Result<Command, SetupError> {
    let mut command = python_in(packages)?;
    command.args(["-c", "import onnx, onnxruntime.quantization"]);
    Ok(command)
}

pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let stage = workshop.stage()?;
    let out = stage.path().join("packages");
    Python::find(workshop, stage.path())?.install("onnxruntime", BYTES, &PACKAGES, &out)?;
    workshop.run("starting onnxruntime", &mut importing(&out)?)?;
    workshop.publish(&out, &folder(workshop.env()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_that_of_the_package() {
        assert_eq!(PACKAGES[0], format!("onnxruntime=={VERSION}"));
    }
}
