//! The firmware as a program file: built for a board with a folder of cases, and measured.

use super::{Board, Cases, FirmwareError};
use crate::env::Env;
use object::{Object, ObjectSection, SectionFlags, SectionKind, elf::SHF_ALLOC};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A program file and its sizes.
#[derive(Debug)]
pub(super) struct Image {
    /// The program, with all that its logs are decoded by.
    pub(super) elf: PathBuf,
    /// Sizes.
    pub(super) sizes: Sizes,
}

/// Bytes of memory that a program takes, but for its stack.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Code, constants, and the first values of variables.
    pub(super) flash: u64,
    /// Variables.
    pub(super) ram: u64,
}

/// Cargo in the firmware's own workspace.
pub(super) fn cargo(env: &Env) -> Command {
    let mut cargo = env.cargo();
    cargo.current_dir(env.root.join("firmware")).env("CARGO_TARGET_DIR", env.root.join("target/firmware"));
    cargo
}

/// Builds the firmware for a board and puts it into `folder`, where the next board's build does not overwrite it.
pub(super) fn build(env: &Env, board: &Board, cases: &Cases, folder: &Path) -> Result<Image, FirmwareError> {
    let mut cargo = cargo(env);
    cargo.args(["build", "--quiet", "--release", "--target", board.target, "--features", board.feature]);
    cargo.env("IRMAE_CASES", &cases.root);
    if let Some(cpu) = board.cpu {
        cargo.env(flags_variable(board.target), format!("-Ctarget-cpu={cpu}"));
    }
    let status = cargo.status().map_err(FirmwareError::io("cargo"))?;
    if !status.success() {
        return Err(FirmwareError::Build { board: board.name });
    }
    let built = env.root.join("target/firmware").join(board.target).join("release/firmware");
    let elf = folder.join("firmware.elf");
    fs::create_dir_all(folder).map_err(FirmwareError::io(folder))?;
    let content = fs::read(&built).map_err(FirmwareError::io(&built))?;
    fs::write(&elf, &content).map_err(FirmwareError::io(&elf))?;
    Ok(Image { sizes: sizes(&content).map_err(|_| FirmwareError::Elf { path: elf.clone() })?, elf })
}

/// The environment variable by which cargo takes flags for the compiler for one target.
fn flags_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"))
}

/// Adds up the sections of a program.
fn sizes(elf: &[u8]) -> Result<Sizes, object::Error> {
    let mut sizes = Sizes::default();
    for section in object::File::parse(elf)?.sections() {
        // What the linker script leaves for stack and heap is no section of the program.
        let is_left_over = matches!(section.name()?, ".stack" | ".heap");
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if is_left_over || sh_flags & u64::from(SHF_ALLOC) == 0 {
            continue;
        }
        match section.kind() {
            SectionKind::UninitializedData => sizes.ram += section.size(),
            SectionKind::Data => {
                sizes.flash += section.size();
                sizes.ram += section.size();
            }
            _ => sizes.flash += section.size(),
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_given_for_one_target() {
        assert_eq!(flags_variable("thumbv8m.main-none-eabihf"), "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABIHF_RUSTFLAGS");
    }
}
