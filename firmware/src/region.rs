//! Regions of the program that `tools/insn-plugin` counts. The markers are instructions that do nothing and that no
//! compiler makes.

use core::arch::asm;

#[cfg(target_arch = "arm")]
macro_rules! marker {
    (begin) => {
        "mov r11, r11"
    };
    (end) => {
        "mov r12, r12"
    };
}

#[cfg(target_arch = "riscv32")]
macro_rules! marker {
    (begin) => {
        "slti zero, zero, 1"
    };
    (end) => {
        "slti zero, zero, 2"
    };
}

/// Runs `work` as a region. It should be the call of a function that is not inlined: no part of that is moved out, and
/// little but the preparation of the call is moved in.
pub fn region<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the marker has no effect; without options, memory accesses stay on their side of it.
    unsafe { asm!(marker!(begin)) };
    let value = work();
    // SAFETY: as above.
    unsafe { asm!(marker!(end)) };
    value
}

/// A region of nothing.
pub fn empty() {
    // SAFETY: the markers have no effect.
    unsafe { asm!(marker!(begin), marker!(end)) };
}

/// A region of 201 instructions, in which a branch is taken 99 times.
pub fn known_loop() {
    // SAFETY: it changes nothing but the register that it says it changes, and the flags.
    #[cfg(target_arch = "arm")]
    unsafe {
        asm!(marker!(begin), "movs {n}, #100", "2: subs {n}, #1", "bne 2b", marker!(end), n = out(reg) _);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        asm!(marker!(begin), "li {n}, 100", "2: addi {n}, {n}, -1", "bnez {n}, 2b", marker!(end), n = out(reg) _);
    }
}
