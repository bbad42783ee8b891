//! The boards that QEMU stands in for, and how the firmware is built for each.

/// A board, or a way to build for one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Board {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The core, in words.
    pub(crate) core: &'static str,
    /// The Rust target.
    pub(crate) target: &'static str,
    /// The core for the compiler, where it is more than the target says.
    pub(super) cpu: Option<&'static str>,
    /// The firmware's feature.
    pub(super) feature: &'static str,
    /// The emulator.
    pub(super) emulator: &'static str,
    /// The emulator's name for it.
    pub(super) machine: &'static str,
}

const fn arm(
    name: &'static str,
    core: &'static str,
    target: &'static str,
    cpu: Option<&'static str>,
    machine: &'static str,
) -> Board {
    Board { name, core, target, cpu, feature: "board-mps2", emulator: "qemu-system-arm", machine }
}

const fn an547(name: &'static str, core: &'static str, target: &'static str, cpu: Option<&'static str>) -> Board {
    Board { feature: "board-mps3-an547", ..arm(name, core, target, cpu, "mps3-an547") }
}

const fn virt(name: &'static str, core: &'static str, target: &'static str) -> Board {
    let emulator = "qemu-system-riscv32";
    Board { name, core, target, cpu: None, feature: "board-riscv-virt", emulator, machine: "virt" }
}

/// Every bare target runs somewhere: the M3 of AN385 runs code for M0+, and cores with an FPU run code without.
pub(crate) static BOARDS: [Board; 9] = [
    arm("an385-m0", "Cortex-M0+ code on M3", "thumbv6m-none-eabi", None, "mps2-an385"),
    arm("an385", "Cortex-M3", "thumbv7m-none-eabi", None, "mps2-an385"),
    arm("an386-soft", "Cortex-M4, no FPU", "thumbv7em-none-eabi", None, "mps2-an386"),
    arm("an386", "Cortex-M4F", "thumbv7em-none-eabihf", None, "mps2-an386"),
    arm("an500", "Cortex-M7", "thumbv7em-none-eabihf", Some("cortex-m7"), "mps2-an500"),
    an547("an547-soft", "Cortex-M55, no FPU", "thumbv8m.main-none-eabi", None),
    an547("an547", "Cortex-M55, MVE", "thumbv8m.main-none-eabihf", Some("cortex-m55")),
    virt("virt-imc", "RV32IMC", "riscv32imc-unknown-none-elf"),
    virt("virt", "RV32IMAC", "riscv32imac-unknown-none-elf"),
];

/// The board of that name.
pub(crate) fn find(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::BARE_TARGETS;

    #[test]
    fn every_bare_target_has_a_board() {
        for target in BARE_TARGETS {
            assert!(BOARDS.iter().any(|board| board.target == target), "{target}");
        }
    }

    #[test]
    fn boards_are_found_by_name() {
        for board in &BOARDS {
            assert_eq!(find(board.name), Some(board));
        }
        assert_eq!(find("no-such-board"), None);
    }
}
