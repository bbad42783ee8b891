//! From the bytes of instructions to what they cost and which of them are markers.

use std::ffi::CStr;

use crate::cortex_m4::Pipeline;

/// The processor's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Thumb code.
    Arm,
    /// 32-bit RISC-V.
    RiscV,
}

impl Family {
    /// By QEMU's name for it.
    pub(crate) fn named(name: &CStr) -> Option<Family> {
        match name.to_bytes() {
            b"arm" => Some(Family::Arm),
            b"riscv32" => Some(Family::RiscV),
            _ => None,
        }
    }

    /// The instruction at the start of `code`. At the end of a page QEMU 7.2 gives what it has read of the next one with it.
    pub(crate) fn first(self, code: &[u8]) -> &[u8] {
        let is_wide = match (self, code) {
            (Family::Arm, [_, high, ..]) => high >> 3 >= 0b11101,
            (Family::RiscV, [low, ..]) => low & 0b11 == 0b11,
            _ => false,
        };
        &code[..code.len().min(if is_wide { 4 } else { 2 })]
    }

    /// Whether the instruction marks the beginning (true) or the end of a region. They do nothing, and no compiler makes
    /// them: `mov r11, r11` and `mov r12, r12`, or `slti zero, zero, 1` and `slti zero, zero, 2`.
    pub(crate) fn marker(self, code: &[u8]) -> Option<bool> {
        match (self, code) {
            (Family::Arm, [0xdb, 0x46]) | (Family::RiscV, [0x13, 0x20, 0x10, 0x00]) => Some(true),
            (Family::Arm, [0xe4, 0x46]) | (Family::RiscV, [0x13, 0x20, 0x20, 0x00]) => Some(false),
            _ => None,
        }
    }

    /// Modelled cycles of an instruction.
    pub(crate) fn cycles(self, pipeline: &mut Pipeline, code: &[u8]) -> u64 {
        match (self, code) {
            (Family::Arm, &[a, b]) => pipeline.cycles(u16::from_le_bytes([a, b]), None),
            (Family::Arm, &[a, b, c, d]) => {
                pipeline.cycles(u16::from_le_bytes([a, b]), Some(u16::from_le_bytes([c, d])))
            }
            _ => 0,
        }
    }
}
