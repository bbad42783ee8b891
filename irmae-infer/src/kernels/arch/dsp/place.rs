//! Bytes to 16-bit lanes, and their sums.

use core::arch::{asm, naked_asm};

use crate::kernels::tile::Runs;

/// Fours of bytes as words of two 16-bit lanes, each `step` words after the last, from the start of `panel` on; the sum of the
/// bytes. 9 instructions a four.
pub(in crate::kernels) fn place_quads(panel: &mut [u32], step: usize, quads: &[[u8; 4]]) -> i32 {
    if quads.is_empty() {
        return 0;
    }
    assert!(panel.len() > (2 * quads.len() - 1) * step);
    let mut sum = 0;
    // SAFETY: reads the words of `quads`, which need no alignment, and writes the words that have been checked to be there.
    unsafe {
        asm!(
            // Lanes (0, 2) and (1, 3).
            "2:",
            "ldr {w}, [{x}], #4",
            "uxtb16 {lo}, {w}",
            "usada8 {sum}, {w}, {zero}, {sum}",
            "uxtb16 {w}, {w}, ror #8",
            "str {lo}, [{p}]",
            "str {w}, [{p}, {step}]",
            "add {p}, {p}, {step}, lsl #1",
            "subs {n}, {n}, #1",
            "bne 2b",
            n = inout(reg) quads.len() => _,
            x = inout(reg) quads.as_ptr() => _,
            p = inout(reg) panel.as_mut_ptr() => _,
            sum = inout(reg) sum,
            zero = in(reg) 0,
            step = in(reg) 4 * step,
            w = out(reg) _,
            lo = out(reg) _,
            options(nostack),
        );
    }
    sum
}

/// See [`Tile::place_all`](crate::kernels::tile::Tile::place_all). 24 instructions for a four of each pixel.
#[inline(always)]
pub(in crate::kernels) fn place_four(panel: &mut [u32], runs: &Runs<'_, u8>, sums: &mut [i32; 4]) {
    let quads = runs.len / 4;
    if quads == 0 || runs.rows == 0 {
        return;
    }
    assert!(panel.len() >= 8 * quads * runs.rows);
    assert!(runs.x.len() >= (runs.rows - 1) * runs.row_step + 3 * runs.pixel_step + 4 * quads);
    let mut job = PlaceJob {
        panel: panel.as_mut_ptr(),
        x: runs.x.as_ptr(),
        pixel_step: runs.pixel_step,
        quads,
        sums: *sums,
        rows: runs.rows,
        row_skip: runs.row_step.wrapping_sub(4 * quads),
    };
    // SAFETY: lengths have been checked.
    unsafe { place_four_u8(&mut job) };
    *sums = job.sums;
}

/// What [`place_four_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct PlaceJob {
    panel: *mut u32,
    x: *const u8,
    pixel_step: usize,
    quads: usize,
    sums: [i32; 4],
    rows: usize,
    /// From the end of a run to the next one, modulo the address space.
    row_skip: usize,
}

/// See [`place_four`].
///
/// # Safety
/// `panel` has `8 * quads * rows` words; `x` all the bytes that [`place_four`] reads; `quads` and `rows` are at least 1.
#[unsafe(naked)]
unsafe extern "C" fn place_four_u8(job: &mut PlaceJob) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "ldm r0, {{r0-r7}}",
        "add r12, r1, r2",
        "mov lr, #0",
        "20:",
        "ldr r8, [r1, r2]",
        "ldr r10, [r1], #4",
        "usada8 r5, r8, lr, r5",
        "usada8 r4, r10, lr, r4",
        "uxtb16 r9, r8",
        "uxtb16 r11, r10",
        "uxtb16 r8, r8, ror #8",
        "uxtb16 r10, r10, ror #8",
        "strd r10, r8, [r0, #16]",
        "strd r11, r9, [r0], #8",
        "ldr r8, [r12, r2, lsl #1]",
        "ldr r10, [r12, r2]",
        "add r12, r12, #4",
        "usada8 r7, r8, lr, r7",
        "usada8 r6, r10, lr, r6",
        "uxtb16 r9, r8",
        "uxtb16 r11, r10",
        "uxtb16 r8, r8, ror #8",
        "uxtb16 r10, r10, ror #8",
        "strd r10, r8, [r0, #16]",
        "strd r11, r9, [r0], #24",
        "subs r3, r3, #1",
        "bne 20b",
        "ldr r8, [sp]",
        "ldrd r9, r10, [r8, #32]",
        "ldr r3, [r8, #12]",
        "add r1, r1, r10",
        "add r12, r12, r10",
        "subs r9, r9, #1",
        "str r9, [r8, #32]",
        "bne 20b",
        "add r8, r8, #16",
        "stm r8, {{r4-r7}}",
        "pop {{r0, r4-r11, pc}}",
    );
}
