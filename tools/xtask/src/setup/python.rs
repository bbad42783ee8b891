//! Python's part: wheels of pinned content by pip, and small scripts that unpack them.
//!
//! Wheels that are only unpacked are fetched for one fixed interpreter, so everybody gets the same bytes. Nothing is installed
//! but what scripts import, in folders of their own.

use super::{SetupError, Workshop, debian::Apt};
use crate::env::find_program;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const UNPACK: &str = include_str!("unpack.py");

/// The interpreter and systems that wheels are asked for, whatever runs here.
const WHEEL_TAGS: [&str; 15] = [
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--abi=none",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_25_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
    "--only-binary=:all:",
    "--no-deps",
    "--no-cache-dir",
    "--retries=3",
    "--require-hashes",
    "--disable-pip-version-check",
    "--progress-bar=off",
];

/// For `pip install`: wheels only, and into the folder that follows.
const TO_FOLDER: [&str; 4] = ["--only-binary=:all:", "--no-cache-dir", "--progress-bar=off", "--target"];

/// A wheel, pinned to the bit.
pub(super) struct Wheel {
    /// As in a requirements file: `name==version`.
    pub(super) requirement: &'static str,
    pub(super) sha256: &'static str,
    pub(super) bytes: u64,
}

/// A Python with a pip, working in a stage.
pub(super) struct Python<'a> {
    workshop: &'a Workshop,
    stage: PathBuf,
    program: PathBuf,
    /// What makes `program` be pip: `-m pip`, or the path of a wheel that holds it.
    pip: Vec<OsString>,
}

impl<'a> Python<'a> {
    /// The machine's Python; where it lacks pip, the one out of Debian's pip wheel.
    pub(super) fn find(workshop: &'a Workshop, stage: &Path) -> Result<Python<'a>, SetupError> {
        let pip = vec!["-m".into(), "pip".into()];
        let mut python = Python { workshop, stage: stage.into(), program: program()?, pip };
        if !python.has("import pip") {
            python.pip = vec![python.fetch_pip()?.into()];
        }
        Ok(python)
    }

    fn has(&self, import: &str) -> bool {
        let output = Command::new(&self.program).args(["-c", import]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// The wheel that Debian keeps for virtual environments, installed or downloaded; it runs as it is.
    fn fetch_pip(&self) -> Result<PathBuf, SetupError> {
        const PACKAGE: &str = "python3-pip-whl";
        const FOLDER: &str = "usr/share/python-wheels";
        if let Some(wheel) = pip_wheel(&Path::new("/").join(FOLDER)) {
            return Ok(wheel.join("pip"));
        }
        let missing = || SetupError::missing("pip", "install it (Debian: `apt-get install python3-pip`)");
        let mut apt = Apt::find(self.workshop, &self.stage, PACKAGE)?.ok_or_else(missing)?;
        let prefix = self.stage.join("pip");
        apt.unpack("pip", &[PACKAGE.into()], &prefix)?;
        Ok(pip_wheel(&prefix.join(FOLDER)).ok_or_else(missing)?.join("pip"))
    }

    fn pip(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Downloads are collected in the stage too: /tmp may be small, and the bar counts what is there.
        command.args(&self.pip).env("TMPDIR", &self.stage).env("PIP_REQUIRE_VIRTUALENV", "0");
        command
    }

    /// Downloads wheels, which pip checks against their hashes; gives the folder that they lie in.
    pub(super) fn download(&self, what: &str, wheels: &[Wheel]) -> Result<PathBuf, SetupError> {
        let folder = self.stage.join("wheels");
        let list = self.stage.join("requirements.txt");
        fs::write(&list, requirements(wheels)).map_err(SetupError::io(&list))?;
        let bytes = wheels.iter().map(|wheel| wheel.bytes).sum();
        let mut pip = self.pip();
        pip.arg("download").args(WHEEL_TAGS).arg("-d").arg(&folder).arg("-r").arg(&list);
        self.workshop.download(what, bytes, &self.stage, &mut pip)?;
        Ok(folder)
    }

    /// Installs packages of given versions, as wheels for this interpreter, into a folder of their own.
    pub(super) fn install(&self, what: &str, bytes: u64, packages: &[&str], folder: &Path) -> Result<(), SetupError> {
        let mut pip = self.pip();
        pip.args(["install", "--disable-pip-version-check", "--no-deps", "--retries=3"]).args(TO_FOLDER);
        self.workshop.download(what, bytes, &self.stage, pip.arg(folder).args(packages))
    }

    /// Takes files out of all wheels in a folder: `from=to` moves one, `from/=to/` a tree.
    pub(super) fn unpack(&self, wheels: &Path, out: &Path, moves: &[&str]) -> Result<(), SetupError> {
        let mut command = Command::new(&self.program);
        command.args(["-c", UNPACK]).arg(wheels).arg(out).args(moves);
        self.workshop.run("unpacking wheels", &mut command)
    }

    /// Runs a script that imports numpy, from a throw-away folder where this Python has none.
    pub(super) fn run_with_numpy(&self, what: &str, script: &str, args: &[&Path]) -> Result<(), SetupError> {
        let mut command = Command::new(&self.program);
        command.args(["-c", script]).args(args);
        if !self.has("import numpy") {
            let folder = self.stage.join("numpy");
            let mut pip = self.pip();
            self.workshop.run("fetching numpy", pip.arg("install").args(TO_FOLDER).arg(&folder).arg("numpy"))?;
            command.env("PYTHONPATH", folder);
        }
        self.workshop.run(what, &mut command)
    }
}

/// The machine's Python.
pub(super) fn program() -> Result<PathBuf, SetupError> {
    ["python3", "python"]
        .into_iter()
        .find_map(find_program)
        .ok_or_else(|| SetupError::missing("Python 3", "install it (Debian: `apt-get install python3 python3-pip`)"))
}

fn pip_wheel(folder: &Path) -> Option<PathBuf> {
    let is_pip = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"));
    fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(is_pip)
}

fn requirements(wheels: &[Wheel]) -> String {
    let line = |wheel: &Wheel| format!("{} --hash=sha256:{}\n", wheel.requirement, wheel.sha256);
    wheels.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_pin_version_and_hash() {
        let wheels = [
            Wheel { requirement: "a==1", sha256: "00", bytes: 1 },
            Wheel { requirement: "b==2", sha256: "ff", bytes: 2 },
        ];
        assert_eq!(requirements(&wheels), "a==1 --hash=sha256:00\nb==2 --hash=sha256:ff\n");
    }
}
