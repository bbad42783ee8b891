//! The emulators: those on PATH, or the private copy that `setup` unpacked into the cache.

use crate::env::{Env, find_program};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Programs that the project runs, each with an option and the value of it that they must know.
pub(crate) const EMULATORS: [(&str, &str, &str); 3] = [
    ("qemu-system-arm", "-machine", "mps2-an386"),
    ("qemu-system-riscv32", "-machine", "virt"),
    ("qemu-aarch64", "-cpu", "cortex-a76"),
];

/// The oldest QEMU whose machines and plugin interface the project is checked with.
const OLDEST_MAJOR: u32 = 7;

/// A QEMU that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Qemu {
    /// The programs on PATH.
    Installed,
    /// Debian packages unpacked under a folder.
    Private(PathBuf),
}

/// The folder of the private copy.
pub(crate) fn private_prefix(env: &Env) -> PathBuf {
    env.cache.join("qemu")
}

impl Qemu {
    /// The QEMU to use, if there is one: recent enough on PATH, else the private copy.
    pub(crate) fn find(env: &Env) -> Option<Qemu> {
        [Qemu::Installed, Qemu::Private(private_prefix(env))].into_iter().find(Qemu::works)
    }

    /// Whether every emulator starts and is recent enough.
    fn works(&self) -> bool {
        EMULATORS.iter().all(|(program, ..)| self.is_present(program))
            && EMULATORS.iter().all(|(program, ..)| self.major(program).is_some_and(|major| major >= OLDEST_MAJOR))
    }

    /// Whether the emulator's file is there, which is quicker to see than to start it.
    fn is_present(&self, program: &str) -> bool {
        match self {
            Qemu::Installed => find_program(program).is_some(),
            Qemu::Private(prefix) => prefix.join("usr/bin").join(program).is_file(),
        }
    }

    fn major(&self, program: &str) -> Option<u32> {
        major_version(&self.version(program)?)
    }

    /// The line in which the emulator says its version.
    pub(crate) fn version(&self, program: &str) -> Option<String> {
        let output = self.command(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_string())
    }

    /// Whether the emulator lists that value of an option.
    pub(crate) fn knows(&self, program: &str, option: &str, value: &str) -> bool {
        let output = self.command(program).args([option, "help"]).output();
        output.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).lines().any(|line| line.split_whitespace().next() == Some(value))
        })
    }

    /// An emulator ready for its arguments, for example `command("qemu-system-arm")`.
    pub(crate) fn command(&self, program: &str) -> Command {
        match self {
            Qemu::Installed => Command::new(program),
            Qemu::Private(prefix) => {
                let mut command = Command::new(prefix.join("usr/bin").join(program));
                command.env("LD_LIBRARY_PATH", library_path(prefix));
                if program.starts_with("qemu-system") {
                    command.arg("-L").arg(prefix.join("usr/share/qemu"));
                }
                command
            }
        }
    }

    /// The words in front of a program for Linux on aarch64 that run it on a CPU of that name.
    pub(crate) fn aarch64_runner(&self, cpu: &str) -> Vec<String> {
        let command = self.command("qemu-aarch64");
        let text = |word: &OsStr| word.to_string_lossy().into_owned();
        let variables = command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", text(name), text(value?))));
        let program = [text(command.get_program()), "-cpu".into(), cpu.into()];
        ["env".into()].into_iter().chain(variables).chain(program).collect()
    }
}

/// Every folder of the copy that libraries were unpacked into, `:` between.
/// Some lie one deeper than the architecture's folder (libpulsecommon, for one).
pub(crate) fn library_path(prefix: &Path) -> String {
    let mut found = Vec::new();
    for top in ["lib", "usr/lib"] {
        collect_library_dirs(&prefix.join(top), 2, &mut found);
    }
    found.sort();
    found.join(":")
}

fn collect_library_dirs(dir: &Path, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    if paths.iter().any(|path| path.to_string_lossy().contains(".so")) {
        found.push(dir.to_string_lossy().into_owned());
    }
    if depth > 0 {
        for path in paths.iter().filter(|path| path.is_dir()) {
            collect_library_dirs(path, depth - 1, found);
        }
    }
}

/// The major version in a line such as `QEMU emulator version 7.2.22 (Debian ...)`.
fn major_version(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("version ")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read_from_the_first_line() {
        let text = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022";
        assert_eq!(major_version(text), Some(7));
        assert_eq!(major_version("QEMU emulator version 10.0.2"), Some(10));
        assert_eq!(major_version("error while loading shared libraries"), None);
    }

    #[test]
    fn programs_for_aarch64_are_run_with_the_copys_libraries() {
        let runner = Qemu::Private("/a copy".into()).aarch64_runner("cortex-a53");
        assert_eq!(runner, ["env", "LD_LIBRARY_PATH=", "/a copy/usr/bin/qemu-aarch64", "-cpu", "cortex-a53"]);
        assert_eq!(Qemu::Installed.aarch64_runner("max"), ["env", "qemu-aarch64", "-cpu", "max"]);
    }

    #[test]
    fn library_path_names_the_folders_that_hold_libraries() {
        let prefix = tempfile::tempdir().unwrap();
        let (deep, empty) = ("usr/lib/x86_64-linux-gnu/pulseaudio", "usr/lib/empty");
        for dir in [deep, empty] {
            fs::create_dir_all(prefix.path().join(dir)).unwrap();
        }
        for file in ["usr/lib/x86_64-linux-gnu/libslirp.so.0", &format!("{deep}/libpulse.so")] {
            fs::write(prefix.path().join(file), b"").unwrap();
        }
        let root = prefix.path().display();
        let expected = format!("{root}/usr/lib/x86_64-linux-gnu:{root}/{deep}");
        assert_eq!(library_path(prefix.path()), expected);
    }
}
