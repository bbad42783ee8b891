//! A program of the firmware as a file: built for a board with a folder of cases, and measured.

use super::{Board, FirmwareError, cases::Cases};
use crate::env::Env;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, elf::SHF_ALLOC};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

/// A program file and its sizes.
#[derive(Debug)]
pub(crate) struct Image {
    /// The program, with all that its logs are decoded by.
    pub(crate) elf: PathBuf,
    /// Sizes.
    pub(crate) sizes: Sizes,
    /// Address of the region for a model; 0 where the program has none.
    pub(crate) model_address: u64,
    /// Addresses of the stack, which grows down from the end, towards the variables.
    pub(crate) stack: Range<u64>,
}

/// Bytes of memory that a program takes, but for its stack.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Code, constants, and the first values of variables.
    pub(crate) flash: u64,
    /// Variables.
    pub(crate) ram: u64,
}

/// Cargo in the firmware's own workspace.
pub(super) fn cargo(env: &Env) -> Command {
    let mut cargo = env.cargo();
    cargo.current_dir(env.root.join("firmware")).env("CARGO_TARGET_DIR", env.root.join("target/firmware"));
    cargo
}

/// A program of the firmware's workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    /// The binary's name.
    pub(crate) name: &'a str,
    /// The folder of cases that it carries; absolute, as cargo is started elsewhere.
    pub(crate) cases: &'a Path,
    /// More arguments for cargo.
    pub(crate) arguments: &'a [&'a str],
}

impl<'a> Program<'a> {
    /// The one that checks golden cases.
    pub(super) fn golden(cases: &'a Cases) -> Program<'a> {
        Program { name: "firmware", cases: &cases.root, arguments: &[] }
    }
}

/// Builds a program for a board and puts it into `folder`, where the next board's build does not overwrite it.
pub(crate) fn build(env: &Env, board: &Board, program: Program<'_>, folder: &Path) -> Result<Image, FirmwareError> {
    let mut cargo = cargo(env);
    cargo.args(["build", "--quiet", "--release", "--target", board.target, "--features", board.feature]);
    cargo.args(["--bin", program.name]).args(program.arguments).env("IRMAE_CASES", program.cases);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(env, board).join("\u{1f}"));
    let status = cargo.status().map_err(FirmwareError::io("cargo"))?;
    if !status.success() {
        return Err(FirmwareError::Build { board: board.name });
    }
    let built = env.root.join("target/firmware").join(board.target).join("release").join(program.name);
    let elf = folder.join(program.name).with_extension("elf");
    fs::create_dir_all(folder).map_err(FirmwareError::io(folder))?;
    let content = fs::read(&built).map_err(FirmwareError::io(&built))?;
    fs::write(&elf, &content).map_err(FirmwareError::io(&elf))?;
    let measured = measure(&content).ok().flatten();
    let (sizes, stack) = measured.ok_or_else(|| FirmwareError::Elf { path: elf.clone() })?;
    let model_address = symbol(&content, "__model_start").unwrap_or_default();
    Ok(Image { elf, sizes, model_address, stack })
}

/// Flags for the compiler. Paths, which panics would name, are cut, so that sizes are the same wherever the workspace lies.
fn flags(env: &Env, board: &Board) -> Vec<String> {
    let cut = |folder: &Path| format!("--remap-path-prefix={}=", folder.display());
    // Of two that fit the last one counts, and the workspace may lie in the home.
    let mut flags = vec![cut(&std::env::home_dir().unwrap_or_default()), cut(&env.root)];
    flags.extend(board.cpu.map(|cpu| format!("-Ctarget-cpu={cpu}")));
    flags
}

/// The address of a symbol.
fn symbol(elf: &[u8], name: &str) -> Option<u64> {
    Some(object::File::parse(elf).ok()?.symbol_by_name(name)?.address())
}

/// Adds up the sections of a program, and finds its stack; nothing where it has none.
fn measure(elf: &[u8]) -> Result<Option<(Sizes, Range<u64>)>, object::Error> {
    let elf = object::File::parse(elf)?;
    let Some(stack_start) = elf.symbol_by_name("_stack_start").map(|symbol| symbol.address()) else { return Ok(None) };
    let (mut sizes, mut variables_end) = (Sizes::default(), 0);
    for section in elf.sections() {
        // What the linker script leaves for stack and heap is no section of the program.
        let is_left_over = matches!(section.name()?, ".stack" | ".heap");
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if is_left_over || sh_flags & u64::from(SHF_ALLOC) == 0 {
            continue;
        }
        let is_variable = matches!(section.kind(), SectionKind::UninitializedData | SectionKind::Data);
        if is_variable {
            sizes.ram += section.size();
            variables_end = variables_end.max(section.address() + section.size());
        }
        if section.kind() != SectionKind::UninitializedData {
            sizes.flash += section.size();
        }
    }
    Ok(Some((sizes, variables_end..stack_start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::find;

    #[test]
    fn the_workspace_is_cut_from_paths_and_the_core_named() {
        let env = Env { root: "/home/me/irmae".into(), cache: "/".into() };
        let flags = flags(&env, find("an500").unwrap());
        assert_eq!(flags[1..], ["--remap-path-prefix=/home/me/irmae=", "-Ctarget-cpu=cortex-m7"]);
    }
}
