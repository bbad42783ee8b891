//! Four pixels by pairs of outputs.

use core::{arch::naked_asm, ptr};

use super::MAX_HALVES_U8;
use crate::kernels::params::IntParams;
use crate::kernels::tile::Weights;

/// Four pixels by a pair of outputs, for one half. r0: panel, r1: weights, r4 to r7: `sum u x`, r8 to r11: `sum lane x`, for
/// lanes `256 q + u`. 44 bytes. With `$extract` for the lanes in r12, 4 bytes more, r8 to r11 are the sums of what it leaves there.
macro_rules! half {
    ($($extract:literal)?) => {
        concat!(
            "ldm r0!, {{r2, r3}}
             ldr r12, [r1], #4
             uxtb16 lr, r12
            ",
            $($extract,)?
            "smlad r8, r12, r2, r8
             smlad r4, lr, r2, r4
             smlad r9, r12, r3, r9
             smlad r5, lr, r3, r5
             ldm r0!, {{r2, r3}}
             smlad r10, r12, r2, r10
             smlad r6, lr, r2, r6
             smlad r11, r12, r3, r11
             smlad r7, lr, r3, r7
            ",
        )
    };
}

/// In r2 the address at which a loop of `$count` halves at label 20 is entered so that r2 of them, at least 1, leave a multiple of its
/// length. Overwrites r12.
macro_rules! entry {
    ($count:literal, $half_bytes:literal) => {
        concat!(
            "rsb r2, r2, #0
             and r2, r2, #",
            $count,
            " - 1
             mov r12, #",
            $half_bytes,
            "
             mul r2, r2, r12
             adr r12, 20f
             add r2, r2, r12
             orr r2, r2, #1
            ",
        )
    };
}

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply), for `u8` input.
pub(in crate::kernels) fn multiply_u8(panel: &[u32], weights: &[u32], start: &[i32; 4], sums: &mut [[i32; 4]; 2]) {
    assert!(panel.len() >= 4 * weights.len());
    *sums = [*start, [0; 4]];
    let mut done = 0;
    while done < weights.len() {
        let halves = MAX_HALVES_U8.min(weights.len() - done);
        let mut added = [[0_i32; 4]; 2];
        let mut job = PanelJob {
            panel: panel.as_ptr().wrapping_add(4 * done),
            weights: weights.as_ptr().wrapping_add(done),
            halves,
            skip_bytes: 0,
            pairs: 0,
            bias: ptr::null(),
            multiplier: ptr::null(),
            y: added.as_mut_ptr().cast(),
            step: 0,
            offsets: sums[0],
        };
        // SAFETY: there are as many halves, at least one; `added` is eight words.
        unsafe { panel_u8(&mut job) };
        sums[0] = added[0];
        sums[1].iter_mut().zip(added[1]).for_each(|(sum, added)| *sum += added);
        done += halves;
    }
}

/// The same for `i16` input.
pub(in crate::kernels) fn multiply_i16(panel: &[u32], weights: &[u32], start: &[i32; 4], sums: &mut [[i32; 4]; 2]) {
    *sums = [*start, [0; 4]];
    if !weights.is_empty() {
        assert!(panel.len() >= 4 * weights.len());
        // SAFETY: lengths have been checked; sums are eight words.
        unsafe { panel_i16(panel.as_ptr(), weights.as_ptr(), weights.len(), sums.as_mut_ptr().cast()) };
    }
}

/// Adds the products of four pixels with a pair of outputs: `sums[0..4] += sum u x`, `sums[4..8] += sum q x`.
///
/// # Safety
/// `halves` is at least 1. `panel` has `4 * halves` words and `weights` `halves` words.
#[unsafe(naked)]
unsafe extern "C" fn panel_i16(panel: *const u32, weights: *const u32, halves: usize, sums: *mut i32) {
    naked_asm!(
        cpu!(),
        "push {{r0, r3, r4-r11, lr}}",
        "ldm r3, {{r4-r11}}",
        "add r12, r0, r2, lsl #4",
        "str r12, [sp]",
        entry!("2", "48"),
        "bx r2",
        ".p2align 2",
        "20:",
        half!("sxtb16 r12, r12, ror #8\n"),
        half!("sxtb16 r12, r12, ror #8\n"),
        "ldr r12, [sp]",
        "cmp r0, r12",
        "bne 20b",
        "ldr r12, [sp, #4]",
        "stm r12, {{r4-r11}}",
        "pop {{r0, r3, r4-r11, pc}}",
    );
}

/// What [`panel_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
pub(super) struct PanelJob {
    panel: *const u32,
    weights: *const u32,
    halves: usize,
    /// From the end of a pair's weights to the next one's.
    skip_bytes: usize,
    pairs: usize,
    /// Two a pair. With no pairs, one is summed up and neither scaled nor narrowed.
    bias: *const i32,
    multiplier: *const i32,
    /// Outputs of the first pixel, two a pair; with no pairs eight words, `sum u x` and `sum q x`.
    y: *mut u8,
    /// From one pixel's outputs to the next one's.
    step: usize,
    /// What the sum of each pixel starts from.
    offsets: [i32; 4],
}

impl PanelJob {
    /// All that panels of a row have in common.
    pub(super) fn new(weights: &Weights<'_>, halves: usize, step: usize) -> Self {
        Self {
            panel: ptr::null(),
            weights: weights.words.as_ptr(),
            halves,
            skip_bytes: 4 * (weights.pair_len - halves),
            pairs: 0,
            bias: ptr::null(),
            multiplier: ptr::null(),
            y: ptr::null_mut(),
            step,
            offsets: [0; 4],
        }
    }

    /// Makes `pairs` pairs of outputs of four pixels, from `y` on.
    ///
    /// # Safety
    /// There are `4 * halves` words of the panel; of each pair weights, biases and multipliers; and four pixels of `y`. `pairs` is at
    /// least 1, `halves` 1 to 128.
    pub(super) unsafe fn run(
        &mut self,
        pairs: usize,
        params: &IntParams<'_>,
        panel: &[u32],
        y: *mut u8,
        offsets: [i32; 4],
    ) {
        (self.panel, self.pairs, self.y, self.offsets) = (panel.as_ptr(), pairs, y, offsets);
        (self.bias, self.multiplier) = (params.bias.as_ptr(), params.multiplier.as_ptr());
        // SAFETY: as this function's.
        unsafe { panel_u8(self) };
    }
}

/// Four pixels by many pairs of outputs, requantised to `u8` and stored; see [`PanelJob`].
///
/// # Safety
/// `job` describes memory as its fields say. `halves` is 1 to 128, `pairs` at least 1.
#[unsafe(naked)]
unsafe extern "C" fn panel_u8(job: &mut PanelJob) {
    naked_asm!(
        cpu!(),
        // On the stack: job, entry of the loop, end of the panel.
        "push {{r0, r1, r2, r4-r11, lr}}",
        "ldr r2, [r0, #8]",
        "ldr r3, [r0]",
        "ldr r1, [r0, #4]",
        "add r3, r3, r2, lsl #4",
        "str r3, [sp, #8]",
        entry!("8", "44"),
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
        "sub r8, r8, r4",
        "sub r9, r9, r5",
        "sub r10, r10, r6",
        "sub r11, r11, r7",
        // Whether there is a next pair: what follows leaves the flags alone.
        "ldr r2, [r12, #16]",
        "subs r2, r2, #1",
        "str r2, [r12, #16]",
        "bmi 50f",
        // Sums, with biases.
        "ldr r0, [r12, #20]",
        "ldrd r2, r3, [r0], #8",
        "str r0, [r12, #20]",
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
        "bne 10b",
        "40:",
        "pop {{r0, r1, r2, r4-r11, pc}}",
        "50:",
        "ldr r0, [r12, #28]",
        "asr r8, r8, #8",
        "asr r9, r9, #8",
        "asr r10, r10, #8",
        "asr r11, r11, #8",
        "stm r0, {{r4-r11}}",
        "b 40b",
    );
}
