//! Inner loops for cores with the Arm DSP extension (Cortex-M4, M7, M33): SMLAD multiplies two pairs of 16-bit lanes and adds.
//!
//! Loops are naked functions: they need 14 registers, and `asm!` gives out 12, since the compiler keeps r6 and r7 to itself.
//! Counted in executed instructions, for a half (two input values) of four pixels and two outputs, 16 multiplications: 12, of
//! which 8 multiply. A multiple load is one instruction, and on Cortex-M4 takes a cycle more than it loads words.

use core::arch::{asm, naked_asm};

use crate::kernels::tile::{PanelOutputs, Runs};

/// Functions that are all assembly do not get the instructions that `target-cpu` brings.
#[cfg(irmae_v8m)]
macro_rules! cpu {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(irmae_v8m))]
macro_rules! cpu {
    () => {
        ""
    };
}

/// Four pixels by a pair of outputs, for one half. r0: panel, r1: weights, r4 to r7: `sum u x`, r8 to r11: `sum lane x`, for
/// lanes `256 q + u`. 44 bytes.
macro_rules! half {
    () => {
        "ldm r0!, {{r2, r3}}
         ldr r12, [r1], #4
         uxtb16 lr, r12
         smlad r8, r12, r2, r8
         smlad r4, lr, r2, r4
         smlad r9, r12, r3, r9
         smlad r5, lr, r3, r5
         ldm r0!, {{r2, r3}}
         smlad r10, r12, r2, r10
         smlad r6, lr, r2, r6
         smlad r11, r12, r3, r11
         smlad r7, lr, r3, r7
        "
    };
}

/// As [`half`], for any 16-bit input: r8 to r11 are `sum q x`. 48 bytes.
macro_rules! half_wide {
    () => {
        "ldm r0!, {{r2, r3}}
         ldr r12, [r1], #4
         uxtb16 lr, r12
         sxtb16 r12, r12, ror #8
         smlad r8, r12, r2, r8
         smlad r4, lr, r2, r4
         smlad r9, r12, r3, r9
         smlad r5, lr, r3, r5
         ldm r0!, {{r2, r3}}
         smlad r10, r12, r2, r10
         smlad r6, lr, r2, r6
         smlad r11, r12, r3, r11
         smlad r7, lr, r3, r7
        "
    };
}

/// The address, in `$to`, at which the eight halves from label 20 on are entered so that `halves` (in `$to`, at least 1) leave
/// a multiple of eight. `$free` is overwritten.
macro_rules! entry {
    ($to:literal, $free:literal, $half_bytes:literal) => {
        concat!(
            "rsb ",
            $to,
            ", ",
            $to,
            ", #0\n",
            "and ",
            $to,
            ", ",
            $to,
            ", #7\n",
            "mov ",
            $free,
            ", #",
            $half_bytes,
            "\n",
            "mul ",
            $to,
            ", ",
            $to,
            ", ",
            $free,
            "\n",
            "adr ",
            $free,
            ", 20f\n",
            "add ",
            $to,
            ", ",
            $to,
            ", ",
            $free,
            "\n",
            "orr ",
            $to,
            ", ",
            $to,
            ", #1\n",
        )
    };
}

/// Adds the products of four pixels with a pair of outputs, for `u8` input: `sums[0..4] += sum u x`, `sums[4..8] += sum q x`.
///
/// # Safety
/// `halves` is 1 to 128. `panel` has `4 * halves` words and `weights` `halves` words.
#[unsafe(naked)]
unsafe extern "C" fn multiply_panel_u8(panel: *const u32, weights: *const u32, halves: usize, sums: *mut i32) {
    naked_asm!(
        cpu!(),
        "push {{r0, r3, r4-r11, lr}}",
        "ldm r3, {{r4-r7}}",
        "ldm r3, {{r8-r11}}",
        "add r12, r0, r2, lsl #4",
        "str r12, [sp]",
        entry!("r2", "r12", "44"),
        "bx r2",
        ".p2align 2",
        "20:",
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        "ldr r12, [sp]",
        "cmp r0, r12",
        "bne 20b",
        "ldr r12, [sp, #4]",
        "sub r8, r8, r4",
        "sub r9, r9, r5",
        "sub r10, r10, r6",
        "sub r11, r11, r7",
        "stm r12!, {{r4-r7}}",
        "ldm r12, {{r4-r7}}",
        "add r4, r4, r8, asr #8",
        "add r5, r5, r9, asr #8",
        "add r6, r6, r10, asr #8",
        "add r7, r7, r11, asr #8",
        "stm r12, {{r4-r7}}",
        "pop {{r0, r3, r4-r11, pc}}",
    );
}

/// As [`multiply_panel_u8`], for `i16` input.
///
/// # Safety
/// `halves` is at least 1. `panel` has `4 * halves` words and `weights` `halves` words.
#[unsafe(naked)]
unsafe extern "C" fn multiply_panel_i16(panel: *const u32, weights: *const u32, halves: usize, sums: *mut i32) {
    naked_asm!(
        cpu!(),
        "push {{r0, r3, r4-r11, lr}}",
        "ldm r3, {{r4-r11}}",
        "add r12, r0, r2, lsl #4",
        "str r12, [sp]",
        entry!("r2", "r12", "48"),
        "bx r2",
        ".p2align 2",
        "20:",
        half_wide!(),
        half_wide!(),
        half_wide!(),
        half_wide!(),
        half_wide!(),
        half_wide!(),
        half_wide!(),
        half_wide!(),
        "ldr r12, [sp]",
        "cmp r0, r12",
        "bne 20b",
        "ldr r12, [sp, #4]",
        "stm r12, {{r4-r11}}",
        "pop {{r0, r3, r4-r11, pc}}",
    );
}

/// Four pixels by many pairs of outputs, requantised to `u8` and stored; see [`PanelJob`].
///
/// # Safety
/// `job` describes memory as its fields say. `halves` is 1 to 128, `pairs` at least 1.
#[unsafe(naked)]
unsafe extern "C" fn requantize_panel_u8(job: &mut PanelJob) {
    naked_asm!(
        cpu!(),
        // On the stack: job, entry of the loop, end of the panel.
        "push {{r0, r1, r2, r4-r11, lr}}",
        "ldr r2, [r0, #8]",
        "ldr r3, [r0]",
        "ldr r1, [r0, #4]",
        "add r3, r3, r2, lsl #4",
        "str r3, [sp, #8]",
        entry!("r2", "r3", "44"),
        "str r2, [sp, #4]",
        "10:",
        "ldr r12, [sp]",
        "add lr, r12, #36",
        "ldm lr, {{r4-r7}}",
        "ldm lr, {{r8-r11}}",
        "ldr r0, [r12]",
        "ldr pc, [sp, #4]",
        ".p2align 2",
        "20:",
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        half!(),
        "ldr r12, [sp, #8]",
        "cmp r0, r12",
        "bne 20b",
        "ldr r12, [sp]",
        // Sums, with biases.
        "ldr r0, [r12, #20]",
        "ldrd r2, r3, [r0], #8",
        "str r0, [r12, #20]",
        "sub r8, r8, r4",
        "sub r9, r9, r5",
        "sub r10, r10, r6",
        "sub r11, r11, r7",
        "add r8, r3, r8, asr #8",
        "add r9, r3, r9, asr #8",
        "add r10, r3, r10, asr #8",
        "add r11, r3, r11, asr #8",
        "add r4, r4, r2",
        "add r5, r5, r2",
        "add r6, r6, r2",
        "add r7, r7, r2",
        // To the output's scale.
        "ldr r0, [r12, #24]",
        "ldrd r2, r3, [r0], #8",
        "str r0, [r12, #24]",
        "smmulr r4, r4, r2",
        "smmulr r5, r5, r2",
        "smmulr r6, r6, r2",
        "smmulr r7, r7, r2",
        "smmulr r8, r8, r3",
        "smmulr r9, r9, r3",
        "smmulr r10, r10, r3",
        "smmulr r11, r11, r3",
        "usat r4, #8, r4",
        "usat r5, #8, r5",
        "usat r6, #8, r6",
        "usat r7, #8, r7",
        "usat r8, #8, r8",
        "usat r9, #8, r9",
        "usat r10, #8, r10",
        "usat r11, #8, r11",
        "orr r4, r4, r8, lsl #8",
        "orr r5, r5, r9, lsl #8",
        "orr r6, r6, r10, lsl #8",
        "orr r7, r7, r11, lsl #8",
        // The two outputs of a pixel lie together.
        "ldr r0, [r12, #28]",
        "ldr r2, [r12, #32]",
        "add r3, r0, #2",
        "str r3, [r12, #28]",
        "strh r4, [r0]",
        "strh r5, [r0, r2]",
        "strh r6, [r0, r2, lsl #1]",
        "add r0, r0, r2",
        "strh r7, [r0, r2, lsl #1]",
        // The next pair.
        "ldr r2, [r12, #12]",
        "add r1, r1, r2",
        "ldr r2, [r12, #16]",
        "subs r2, r2, #1",
        "str r2, [r12, #16]",
        "bne 10b",
        "pop {{r0, r1, r2, r4-r11, pc}}",
    );
}

/// Adds the products of one pixel with many pairs of outputs, for `u8` input; see
/// [`Tile::multiply_pixel`](super::super::tile::Tile::multiply_pixel).
///
/// # Safety
/// `job.halves` is 2 to 128 and even, `job.pairs` at least 1. `panel` has `halves` words, `weights` that many for each pair, and
/// `skip_bytes` between pairs; `sums` has two words a pair.
#[unsafe(naked)]
unsafe extern "C" fn multiply_pixel_u8(job: &mut PixelJob) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "ldr r1, [r0, #4]",
        "ldr r3, [r0, #20]",
        "10:",
        "ldr r4, [sp]",
        "ldr r0, [r4]",
        "ldr r2, [r4, #8]",
        "ldr lr, [r3]",
        "mov r12, lr",
        // An odd four of inputs first.
        "tst r2, #2",
        "beq 30f",
        "ldm r0!, {{r4, r5}}",
        "ldm r1!, {{r8, r9}}",
        "smlad r12, r8, r4, r12",
        "uxtb16 r8, r8",
        "smlad r12, r9, r5, r12",
        "uxtb16 r9, r9",
        "smlad lr, r8, r4, lr",
        "smlad lr, r9, r5, lr",
        "30:",
        "subs r2, r2, #4",
        "blo 40f",
        "20:",
        "ldm r0!, {{r4-r7}}",
        "ldm r1!, {{r8-r11}}",
        "smlad r12, r8, r4, r12",
        "uxtb16 r8, r8",
        "smlad r12, r9, r5, r12",
        "uxtb16 r9, r9",
        "smlad r12, r10, r6, r12",
        "uxtb16 r10, r10",
        "smlad r12, r11, r7, r12",
        "uxtb16 r11, r11",
        "smlad lr, r8, r4, lr",
        "smlad lr, r9, r5, lr",
        "smlad lr, r10, r6, lr",
        "smlad lr, r11, r7, lr",
        "subs r2, r2, #4",
        "bhs 20b",
        "40:",
        "ldr r4, [sp]",
        "sub r12, r12, lr",
        "str lr, [r3], #4",
        "ldr r5, [r3]",
        "add r5, r5, r12, asr #8",
        "str r5, [r3], #4",
        "ldr r5, [r4, #12]",
        "add r1, r1, r5",
        "ldr r5, [r4, #16]",
        "subs r5, r5, #1",
        "str r5, [r4, #16]",
        "bne 10b",
        "pop {{r0, r4-r11, pc}}",
    );
}

/// As [`multiply_pixel_u8`], for `i16` input and any number of halves.
///
/// # Safety
/// `job.halves` is even, `job.pairs` at least 1; else as [`multiply_pixel_u8`].
#[unsafe(naked)]
unsafe extern "C" fn multiply_pixel_i16(job: &mut PixelJob) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "ldr r1, [r0, #4]",
        "ldr r3, [r0, #20]",
        "10:",
        "ldr r4, [sp]",
        "ldr r0, [r4]",
        "ldr r2, [r4, #8]",
        "ldr lr, [r3]",
        "ldr r12, [r3, #4]",
        "20:",
        "subs r2, r2, #2",
        "blo 40f",
        "ldm r0!, {{r4, r5}}",
        "ldm r1!, {{r6, r7}}",
        "uxtb16 r8, r6",
        "sxtb16 r6, r6, ror #8",
        "uxtb16 r9, r7",
        "sxtb16 r7, r7, ror #8",
        "smlad lr, r8, r4, lr",
        "smlad r12, r6, r4, r12",
        "smlad lr, r9, r5, lr",
        "smlad r12, r7, r5, r12",
        "b 20b",
        "40:",
        "ldr r4, [sp]",
        "str lr, [r3], #4",
        "str r12, [r3], #4",
        "ldr r5, [r4, #12]",
        "add r1, r1, r5",
        "ldr r5, [r4, #16]",
        "subs r5, r5, #1",
        "str r5, [r4, #16]",
        "bne 10b",
        "pop {{r0, r4-r11, pc}}",
    );
}

/// What [`multiply_pixel_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct PixelJob {
    panel: *const u32,
    weights: *const u32,
    halves: usize,
    skip_bytes: usize,
    pairs: usize,
    sums: *mut i32,
}

/// What [`requantize_panel_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct PanelJob {
    panel: *const u32,
    weights: *const u32,
    halves: usize,
    /// From the end of a pair's weights to the next one's.
    skip_bytes: usize,
    pairs: usize,
    /// Two a pair.
    bias: *const i32,
    multiplier: *const i32,
    /// Outputs of the first pixel, two a pair.
    y: *mut u8,
    /// From one pixel's outputs to the next one's.
    step: usize,
    /// What the sum of each pixel starts from.
    offsets: [i32; 4],
}

/// Halves that can be summed before a sum of `q x` may leave 24 bits: `2 * 128 * 128 * 255 < 2^23`.
const MAX_HALVES_U8: usize = 128;

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply).
pub(in crate::kernels) fn multiply<const IS_WIDE: bool>(panel: &[u32], weights: &[u32], sums: &mut [[i32; 4]; 2]) {
    let most = if IS_WIDE { weights.len().max(1) } else { MAX_HALVES_U8 };
    for (panel, weights) in panel.chunks(4 * most).zip(weights.chunks(most)) {
        assert!(panel.len() >= 4 * weights.len());
        let (panel, weights_at, sums) = (panel.as_ptr(), weights.as_ptr(), sums.as_mut_ptr().cast());
        // SAFETY: chunks are not empty, and lengths are as the functions want them; sums are eight words.
        unsafe {
            if IS_WIDE {
                multiply_panel_i16(panel, weights_at, weights.len(), sums);
            } else {
                multiply_panel_u8(panel, weights_at, weights.len(), sums);
            }
        }
    }
}

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel).
pub(in crate::kernels) fn multiply_pixel<const IS_WIDE: bool>(
    panel: &[u32],
    weights: &[u32],
    pair_len: usize,
    quads: usize,
    sums: &mut [[i32; 2]],
) {
    if sums.is_empty() || quads == 0 {
        return;
    }
    assert!(panel.len() >= 2 * quads && pair_len >= 2 * quads);
    assert!(weights.len() >= (sums.len() - 1) * pair_len + 2 * quads);
    let most = if IS_WIDE { 2 * quads } else { MAX_HALVES_U8 };
    for start in (0..2 * quads).step_by(most) {
        let halves = (2 * quads - start).min(most);
        let mut job = PixelJob {
            panel: panel[start..].as_ptr(),
            weights: weights[start..].as_ptr(),
            halves,
            skip_bytes: 4 * (pair_len - halves),
            pairs: sums.len(),
            sums: sums.as_mut_ptr().cast(),
        };
        // SAFETY: lengths have been checked; `halves` is even as `most` is.
        unsafe { if IS_WIDE { multiply_pixel_i16(&mut job) } else { multiply_pixel_u8(&mut job) } }
    }
}

/// See [`Tile::multiply_store`](crate::kernels::tile::Tile::multiply_store).
#[inline(always)]
pub(in crate::kernels) fn multiply_store(outputs: &mut PanelOutputs<'_>, offsets: [i32; 4]) -> bool {
    let PanelOutputs { panel, weights, pair_len, quads, pairs, bias, multiplier, y, step } = outputs;
    let halves = 2 * *quads;
    if !(1..=MAX_HALVES_U8).contains(&halves) || *pairs == 0 {
        return false;
    }
    assert!(panel.len() >= 4 * halves && *pair_len >= halves);
    assert!(weights.len() >= (*pairs - 1) * *pair_len + halves);
    assert!(bias.len() >= 2 * *pairs && multiplier.len() >= 2 * *pairs && y.len() >= 3 * *step + 2 * *pairs);
    let mut job = PanelJob {
        panel: panel.as_ptr(),
        weights: weights.as_ptr(),
        halves,
        skip_bytes: 4 * (*pair_len - halves),
        pairs: *pairs,
        bias: bias.as_ptr(),
        multiplier: multiplier.as_ptr(),
        y: y.as_mut_ptr(),
        step: *step,
        offsets,
    };
    // SAFETY: lengths have been checked.
    unsafe { requantize_panel_u8(&mut job) };
    true
}

/// A four of bytes as 16-bit lanes `(0, 2)` and `(1, 3)`, and its sum.
macro_rules! quad {
    () => {
        "ldr {w}, [{x}], #4
         uxtb16 {lo}, {w}
         usada8 {sum}, {w}, {zero}, {sum}
         uxtb16 {w}, {w}, ror #8
         str {lo}, [{p}], #{stride}
         str {w}, [{p}], #{stride}
        "
    };
}

/// Fours of bytes as words of two 16-bit lanes, each `STRIDE` bytes after the last, from the start of `panel` on; the sum of the
/// bytes. 7 instructions a four.
#[inline(always)]
pub(in crate::kernels) fn place_quads<const STRIDE: usize>(panel: &mut [u32], quads: &[[u8; 4]]) -> i32 {
    if quads.is_empty() {
        return 0;
    }
    assert!(4 * panel.len() > (2 * quads.len() - 1) * STRIDE);
    let mut sum = 0;
    // SAFETY: reads the words of `quads`, which need no alignment, and writes the words that have been checked to be there.
    unsafe {
        asm!(
            "lsrs {n}, {n}, #1",
            "bcc 2f",
            quad!(),
            "2:",
            "subs {n}, {n}, #1",
            "blo 4f",
            "3:",
            quad!(),
            quad!(),
            "subs {n}, {n}, #1",
            "bhs 3b",
            "4:",
            n = inout(reg) quads.len() => _,
            x = inout(reg) quads.as_ptr() => _,
            p = inout(reg) panel.as_mut_ptr() => _,
            sum = inout(reg) sum,
            zero = in(reg) 0,
            w = out(reg) _,
            lo = out(reg) _,
            stride = const STRIDE,
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

/// Weights as [`add_columns`] reads them, from those of column 0 and then of column 1. 11 instructions for two words.
pub(in crate::kernels) fn expand_columns(weights: &[u32], expanded: &mut [u32]) {
    let words = weights.len() / 2;
    if words == 0 {
        return;
    }
    assert!(expanded.len() >= 4 * words);
    // SAFETY: reads `2 * words` words and writes `4 * words`, which have been checked to be there.
    unsafe {
        asm!(
            "2:",
            "ldr r4, [{second}, {first}]",
            "ldr r2, [{first}], #4",
            "sxtb16 r5, r4, ror #8",
            "eor r4, r4, {offset}",
            "sxtb16 r3, r2, ror #8",
            "eor r2, r2, {offset}",
            "sxtb16 r4, r4",
            "sxtb16 r2, r2",
            "stm {to}!, {{r2-r5}}",
            "subs {n}, {n}, #1",
            "bne 2b",
            first = inout(reg) weights.as_ptr() => _,
            second = in(reg) 4 * words,
            to = inout(reg) expanded.as_mut_ptr() => _,
            n = inout(reg) words => _,
            offset = in(reg) 0x0080_0080_u32,
            out("r2") _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            options(nostack),
        );
    }
}

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns). `weights` are eight words for each four of channels: for
/// both halves, the lanes of column 0's two phases, then of column 1's. 13 instructions for 16 multiplications.
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    let quads = weights.len() / 8;
    let columns = sums.len().saturating_sub(1);
    if quads == 0 || columns == 0 {
        return;
    }
    assert!(x.len() >= 4 * quads * columns);
    let mut job =
        ColumnsJob { x: x.as_ptr(), weights: weights.as_ptr(), quads, columns, sums: sums.as_mut_ptr().cast() };
    // SAFETY: lengths have been checked.
    unsafe { add_columns_u8(&mut job) };
}

/// What [`add_columns_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct ColumnsJob {
    x: *const u8,
    weights: *const u32,
    quads: usize,
    columns: usize,
    sums: *mut i32,
}

/// Four channels of a column: r4 and r5 are the sums of column 0's phases, r6 and r7 of column 1's.
macro_rules! column_quad {
    () => {
        "ldr r12, [r0], #4
         ldm r1!, {{r8-r11}}
         uxtb16 lr, r12, ror #8
         uxtb16 r12, r12
         smlad r4, r8, r12, r4
         smlad r5, r9, r12, r5
         smlad r6, r10, r12, r6
         smlad r7, r11, r12, r7
         ldm r1!, {{r8-r11}}
         smlad r4, r8, lr, r4
         smlad r5, r9, lr, r5
         smlad r6, r10, lr, r6
         smlad r7, r11, lr, r7
        "
    };
}

/// See [`add_columns`].
///
/// # Safety
/// `x` has `4 * quads * columns` bytes, `weights` `8 * quads` words, `sums` `2 * columns + 2` words; `quads` and `columns` are at
/// least 1.
#[unsafe(naked)]
unsafe extern "C" fn add_columns_u8(job: &mut ColumnsJob) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "ldr r3, [r0, #16]",
        "mov r12, r0",
        "ldr r0, [r12]",
        // The sums to the left of a column are those to the right of the one before.
        "ldrd r4, r5, [r3]",
        "10:",
        "ldr r12, [sp]",
        "mov r6, r4",
        "mov r7, r5",
        "ldrd r4, r5, [r3, #8]",
        "ldr r1, [r12, #4]",
        "ldr r2, [r12, #8]",
        "lsrs r2, r2, #1",
        "bcc 20f",
        column_quad!(),
        "20:",
        "subs r2, r2, #1",
        "blo 40f",
        "30:",
        column_quad!(),
        column_quad!(),
        "subs r2, r2, #1",
        "bhs 30b",
        "40:",
        "strd r6, r7, [r3], #8",
        "ldr r12, [sp]",
        "ldr r1, [r12, #12]",
        "subs r1, r1, #1",
        "str r1, [r12, #12]",
        "bne 10b",
        "strd r4, r5, [r3]",
        "pop {{r0, r4-r11, pc}}",
    );
}
