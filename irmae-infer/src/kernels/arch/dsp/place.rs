//! Bytes to 16-bit lanes, and their sums.

use core::{
    arch::{asm, naked_asm},
    ptr,
};

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

/// What [`place_four_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
pub(super) struct PlaceJob {
    panel: *mut u32,
    x: *const u8,
    pixel_step: usize,
    quads: usize,
    rows: usize,
    /// From the end of a run to the next one, modulo the address space.
    row_skip: usize,
    /// Sums times -128.
    offsets: [i32; 4],
}

impl PlaceJob {
    /// The runs of four pixels, whole fours.
    pub(super) fn new(runs: &Runs<'_, u8>) -> Self {
        Self {
            panel: ptr::null_mut(),
            x: runs.x.as_ptr(),
            pixel_step: runs.pixel_step,
            quads: runs.len / 4,
            rows: runs.rows,
            row_skip: runs.row_step.wrapping_sub(runs.len),
            offsets: [0; 4],
        }
    }

    /// Fills the panel with patches `at` bytes from the runs' start on, and gives what the sums of products start from. 24 instructions
    /// for a four of each pixel.
    ///
    /// # Safety
    /// The panel has `8 * quads * rows` words; from `at` on there are all bytes of the runs; `quads` and `rows` are at least 1.
    pub(super) unsafe fn run(&mut self, at: usize, panel: &mut [u32]) -> [i32; 4] {
        self.panel = panel.as_mut_ptr();
        // SAFETY: as this function's.
        unsafe { place_four_u8(self, at) };
        self.offsets
    }
}

/// See [`PlaceJob::run`].
///
/// # Safety
/// See [`PlaceJob::run`].
#[unsafe(naked)]
unsafe extern "C" fn place_four_u8(job: &mut PlaceJob, at: usize) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "mov r6, r1",
        "ldm r0, {{r0-r4, r11}}",
        "push {{r3, r4, r11}}",
        "add r1, r1, r6",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
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
        "ldm sp, {{r3, r8, r9}}",
        "add r1, r1, r9",
        "add r12, r12, r9",
        "subs r8, r8, #1",
        "str r8, [sp, #4]",
        "bne 20b",
        "ldr r8, [sp, #12]",
        "add r8, r8, #24",
        "sub r4, lr, r4, lsl #7",
        "sub r5, lr, r5, lsl #7",
        "sub r6, lr, r6, lsl #7",
        "sub r7, lr, r7, lsl #7",
        "stm r8, {{r4-r7}}",
        "add sp, sp, #16",
        "pop {{r4-r11, pc}}",
    );
}
