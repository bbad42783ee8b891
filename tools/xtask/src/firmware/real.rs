//! `cargo xtask boards`: builds the programs for real boards, checks their source, and says what memory they take.

use object::{Object, ObjectSection, SectionFlags, SectionKind, elf::SHF_ALLOC};
use std::{fmt, fs, ops::Range};

use super::{FirmwareError, image};
use crate::{
    env::Env,
    setup::{self, Need},
};

/// A program for a real board, in a folder of its own in `firmware/boards`.
struct RealBoard {
    /// The folder, and the program.
    name: &'static str,
    chip: &'static str,
    target: &'static str,
    /// Where its RAM is.
    ram: [Range<u64>; 2],
    /// Features for a variant that is checked beside the program.
    variant: Option<&'static str>,
}

const CORTEX_RAM: [Range<u64>; 2] = [0x2000_0000..0x2100_0000, 0..0];
/// For data and for code: the same memory at two addresses.
const ESP32_C3_RAM: [Range<u64>; 2] = [0x3fc8_0000..0x3fce_0000, 0x4037_c000..0x403e_0000];

const BOARDS: [RealBoard; 4] = [
    RealBoard {
        name: "nrf52840-dk",
        chip: "nRF52840",
        target: "thumbv7em-none-eabihf",
        ram: CORTEX_RAM,
        variant: None,
    },
    RealBoard {
        name: "stm32f4",
        chip: "STM32F411",
        target: "thumbv7em-none-eabihf",
        ram: CORTEX_RAM,
        variant: Some("f407"),
    },
    RealBoard { name: "rp2040-pico", chip: "RP2040", target: "thumbv6m-none-eabi", ram: CORTEX_RAM, variant: None },
    RealBoard {
        name: "esp32-c3",
        chip: "ESP32-C3",
        target: "riscv32imc-unknown-none-elf",
        ram: ESP32_C3_RAM,
        variant: None,
    },
];

/// Bytes of memory that a program takes, but for its stack.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    flash: u64,
    ram: u64,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} {:>9}", self.flash, self.ram)
    }
}

/// The verb.
///
/// # Errors
/// Where a board does not build without a warning; the others are built all the same.
pub(crate) fn run(env: &Env) -> Result<(), FirmwareError> {
    setup::ensure(env, &[Need::Rust])?;
    let mut failed = Vec::new();
    if !cargo(env, "fmt --all --check", "")? {
        failed.push("formatting");
    }
    println!("{:<12} {:<10} {:<28} {:>9} {:>9}", "board", "chip", "target", "flash B", "RAM B");
    for board in &BOARDS {
        match board.build(env) {
            Ok(sizes) => println!("{:<12} {:<10} {:<28} {sizes}", board.name, board.chip, board.target),
            Err(why) => {
                eprintln!("{why}");
                failed.push(board.name);
            }
        }
    }
    println!("{} passed, {} failed", BOARDS.len() + 1 - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(FirmwareError::Failed { boards: failed.join(", ") }) }
}

/// Runs cargo in a folder of `firmware/boards`, which has the target; says whether it succeeded.
fn cargo(env: &Env, arguments: &str, folder: &str) -> Result<bool, FirmwareError> {
    let mut cargo = image::cargo(env);
    cargo.current_dir(env.root.join("firmware/boards").join(folder)).args(arguments.split_whitespace());
    // A model that the user has set up is none of the program's.
    let status = cargo.env_remove("IRMAE_MODEL").status().map_err(FirmwareError::io("cargo"))?;
    Ok(status.success())
}

impl RealBoard {
    fn build(&self, env: &Env) -> Result<Sizes, FirmwareError> {
        let mut commands = vec!["clippy --quiet --locked --release -- -D warnings".to_string()];
        commands.extend(self.variant.map(|feature| {
            format!("clippy --quiet --locked --release --no-default-features --features {feature} -- -D warnings")
        }));
        commands.push("build --quiet --locked --release".into());
        for command in &commands {
            if !cargo(env, command, self.name)? {
                return Err(FirmwareError::Build { board: self.name });
            }
        }
        let elf = env.root.join("target/firmware").join(self.target).join("release").join(self.name);
        let content = fs::read(&elf).map_err(FirmwareError::io(&elf))?;
        measure(&content, &self.ram).map_err(|_| FirmwareError::Elf { path: elf })
    }
}

/// Adds up the sections of a program by where they lie: first values of variables, and code that runs in RAM, take both memories.
fn measure(elf: &[u8], ram: &[Range<u64>]) -> Result<Sizes, object::Error> {
    let elf = object::File::parse(elf)?;
    let mut sizes = Sizes::default();
    for section in elf.sections() {
        let name = section.name()?;
        // What linker scripts leave for the stack, or out because other sections have the same memory at another address.
        let is_left_out = name == ".stack" || name.ends_with("_dummy");
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if is_left_out || sh_flags & u64::from(SHF_ALLOC) == 0 {
            continue;
        }
        if ram.iter().any(|range| range.contains(&section.address())) {
            sizes.ram += section.size();
        }
        if section.kind() != SectionKind::UninitializedData {
            sizes.flash += section.size();
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::BARE_TARGETS;

    #[test]
    fn every_board_has_a_folder_and_a_target_that_setup_installs() {
        let root = Env::detect().unwrap().root;
        for board in &BOARDS {
            let config = fs::read_to_string(root.join("firmware/boards").join(board.name).join(".cargo/config.toml"));
            assert!(config.unwrap().contains(&format!("target = \"{}\"", board.target)), "{}", board.name);
            assert!(BARE_TARGETS.contains(&board.target), "{}", board.name);
        }
    }
}
