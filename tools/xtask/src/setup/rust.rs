//! Rust's part: device targets for the no_std builds, rustfmt and clippy for the checks.

use super::{SetupError, Workshop};
use std::{path::Path, process::Command};

/// Every target without an operating system that `irmae-infer` is checked for.
pub(crate) const BARE_TARGETS: [&str; 8] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "riscv32imac-unknown-none-elf",
];

/// Cores of edge CPUs without an operating system, with NEON and without, that it is checked for.
pub(crate) const BARE_EDGE_TARGETS: [&str; 2] = ["aarch64-unknown-none", "aarch64-unknown-none-softfloat"];

/// The target of edge CPUs whose programs QEMU runs; Rust's own linker suffices for it.
pub(crate) const EDGE_TARGET: &str = "aarch64-unknown-linux-musl";

/// The target of browsers.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Toolchain programs by the component that brings them.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")];

/// What the toolchain lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    targets: Vec<&'static str>,
    components: Vec<&'static str>,
}

impl Lacking {
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.components.is_empty()
    }
}

/// What the toolchain in use lacks.
pub(super) fn missing() -> Result<Lacking, SetupError> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]);
    let output = rustc.output().map_err(|source| SetupError::start(&rustc, source))?;
    Ok(missing_in(Path::new(String::from_utf8_lossy(&output.stdout).trim())))
}

fn missing_in(sysroot: &Path) -> Lacking {
    let has_target = |target: &str| sysroot.join("lib/rustlib").join(target).join("lib").is_dir();
    let all = BARE_TARGETS.into_iter().chain(BARE_EDGE_TARGETS).chain([EDGE_TARGET, WASM_TARGET]);
    let lacking = COMPONENTS.into_iter().filter(|(_, file)| !sysroot.join("bin").join(file).exists());
    Lacking {
        targets: all.filter(|target| !has_target(target)).collect(),
        components: lacking.map(|(component, _)| component).collect(),
    }
}

pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let lacking = missing()?;
    for (kind, names) in [("target", &lacking.targets), ("component", &lacking.components)] {
        if names.is_empty() {
            continue;
        }
        let list = names.join(" ");
        if crate::env::find_program("rustup").is_none() {
            return Err(SetupError::missing(
                format!("the Rust {kind} {list}"),
                format!("install Rust by rustup, then run `rustup {kind} add {list}`"),
            ));
        }
        eprintln!("Rust: rustup {kind} add {list}");
        workshop.run(&format!("`rustup {kind} add`"), Command::new("rustup").args([kind, "add"]).args(names))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_sysroot_says_what_it_lacks() {
        let sysroot = tempfile::tempdir().unwrap();
        let all = missing_in(sysroot.path());
        assert_eq!((all.targets.len(), all.components.len()), (12, 2));
        for target in BARE_TARGETS.into_iter().chain(BARE_EDGE_TARGETS).chain([EDGE_TARGET]) {
            fs::create_dir_all(sysroot.path().join("lib/rustlib").join(target).join("lib")).unwrap();
        }
        fs::create_dir(sysroot.path().join("bin")).unwrap();
        fs::write(sysroot.path().join("bin/cargo-fmt"), b"").unwrap();
        let rest = missing_in(sysroot.path());
        assert_eq!(rest, Lacking { targets: vec![WASM_TARGET], components: vec!["clippy"] });
    }
}
