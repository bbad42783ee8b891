//! One pixel by pairs of outputs.

use core::arch::naked_asm;

use super::MAX_HALVES_U8;

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
    let mut start = 0;
    while start < 2 * quads {
        let halves = (2 * quads - start).min(most);
        let mut job = PixelJob {
            panel: panel.as_ptr().wrapping_add(start),
            weights: weights.as_ptr().wrapping_add(start),
            halves,
            skip_bytes: 4 * (pair_len - halves),
            pairs: sums.len(),
            sums: sums.as_mut_ptr().cast(),
        };
        // SAFETY: lengths have been checked; `halves` is even as `most` is.
        unsafe { if IS_WIDE { multiply_pixel_i16(&mut job) } else { multiply_pixel_u8(&mut job) } }
        start += halves;
    }
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

/// The first pair of a [`PixelJob`], at label 10: r0 is the panel, r1 the weights, r2 the halves, r3 the sums.
macro_rules! first_pair {
    () => {
        "push {{r0, r4-r11, lr}}
         ldr r1, [r0, #4]
         ldr r3, [r0, #20]
         10:
         ldr r4, [sp]
         ldr r0, [r4]
         ldr r2, [r4, #8]
        "
    };
}

/// On to label 10 for the next pair, if there is one; with r4 the job.
macro_rules! next_pair {
    () => {
        "ldr r5, [r4, #12]
         add r1, r1, r5
         ldr r5, [r4, #16]
         subs r5, r5, #1
         str r5, [r4, #16]
         bne 10b
         pop {{r0, r4-r11, pc}}
        "
    };
}

/// Adds the products of one pixel with many pairs of outputs, for `u8` input; see
/// [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel).
///
/// # Safety
/// `job.halves` is 2 to 128 and even, `job.pairs` at least 1. `panel` has `halves` words, `weights` that many for each pair, and
/// `skip_bytes` between pairs; `sums` has two words a pair.
#[unsafe(naked)]
unsafe extern "C" fn multiply_pixel_u8(job: &mut PixelJob) {
    naked_asm!(
        cpu!(),
        first_pair!(),
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
        next_pair!(),
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
        first_pair!(),
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
        next_pair!(),
    );
}
