//! One pixel by fours of pairs of outputs.

use core::arch::naked_asm;

use super::{GRANULE, WEIGHT_WORDS, padded, readable_pairs};
use crate::kernels::tile::Weights;

/// Sums of four pairs of outputs.
type Sums = [[i32; 2]; 4];

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel), for inputs of 8 or 16 bits.
pub(in crate::kernels) fn multiply_pixel(is_wide: bool, cells: &[u32], weights: &Weights<'_>, sums: &mut [[i32; 2]]) {
    if sums.is_empty() {
        return;
    }
    let (granules, pair_len) = (weights.quads.div_ceil(4), weights.pair_len);
    let granule = if is_wide { GRANULE / 2 } else { GRANULE / 4 };
    assert!(cells.len() >= granules * granule);
    let direct = readable_pairs(weights, sums.len());
    let (fours, others) = sums.split_at_mut(direct / 4 * 4);
    let job = Job {
        weights: [0, 1, 2, 3].map(|pair| weights.words.as_ptr().wrapping_add(pair * pair_len)),
        granules,
        cells: cells.as_ptr(),
        gap: 4 * (4 * pair_len as isize - (granules * WEIGHT_WORDS) as isize),
        fours: fours.len() / 4,
        sums: fours.as_mut_ptr().cast(),
    };
    // SAFETY: weights of so many pairs can be read in whole granules.
    unsafe { job.run(is_wide) };
    for (pair, sums) in (fours.len()..).step_by(4).zip(others.chunks_mut(4)) {
        // The last one stands in for those that are missing.
        let pairs = [0, 1, 2, 3].map(|n: usize| weights.pair(pair + n.min(sums.len() - 1)));
        let mut all = [[0; 2]; 4];
        all[..sums.len()].copy_from_slice(sums);
        let whole = if pair + sums.len() <= direct { granules } else { weights.quads / 4 };
        let job = Job { weights: pairs.map(<[u32]>::as_ptr), granules: whole, fours: 1, sums: &mut all, ..job };
        // SAFETY: as above.
        unsafe { job.run(is_wide) };
        if whole < granules {
            let rest = pairs.map(|words| padded(&words[whole * WEIGHT_WORDS..]));
            let weights = rest.each_ref().map(|words| words.as_ptr());
            // SAFETY: weights are those of a granule, the last one.
            unsafe { Job { weights, granules: 1, cells: cells[whole * granule..].as_ptr(), ..job }.run(is_wide) };
        }
        sums.copy_from_slice(&all[..sums.len()]);
    }
}

/// Adds to the sums of fours of pairs. The code of [`multiply_u8`] knows the order of the fields.
#[repr(C)]
struct Job {
    /// `granules * WEIGHT_WORDS` words for each of four pairs.
    weights: [*const u32; 4],
    granules: usize,
    cells: *const u32,
    /// Bytes from the end of what is read of a pair's weights to those of the fourth pair after it.
    gap: isize,
    fours: usize,
    sums: *mut Sums,
}

impl Job {
    /// Multiplies inputs of 8 or 16 bits, if there are any.
    ///
    /// # Safety
    /// The fields describe memory as they say.
    unsafe fn run(&self, is_wide: bool) {
        if self.fours > 0 && self.granules > 0 {
            // SAFETY: no count is 0.
            unsafe { if is_wide { multiply_i16(self) } else { multiply_u8(self) } }
        }
    }
}

/// The code of [`multiply_u8`] by that of a round, `1 << $log` granules of `$bytes` of code each; see there.
macro_rules! multiply {
    ($round:ident, $log:literal, $bytes:literal, $save:literal, $restore:literal) => {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r11, lr}}",
            $save,
            "ldm r0!, {{r1, r3, r5, r7}}",
            "ldm r0, {{r2, r4, r6, r8, r10}}",
            "push {{r6, r8, r10}}",
            rounds!($log, $bytes),
            "push {{r2, r4, r6}}",
            "vmov.i8 q3, #0x80",
            "4:",
            "ldr r9, [sp, #20]",
            "ldm r9, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "ldrd r11, r9, [sp]",
            "ldr pc, [sp, #8]",
            "2:",
            $round!(),
            "subs r11, r11, #1",
            "bne 2b",
            "ldr r9, [sp, #20]",
            "stm r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "str r9, [sp, #20]",
            "ldrd r0, r2, [sp, #12]",
            "add r1, r1, r0",
            "add r3, r3, r0",
            "add r5, r5, r0",
            "add r7, r7, r0",
            "subs r2, r2, #1",
            "str r2, [sp, #16]",
            "bne 4b",
            "add sp, sp, #24",
            $restore,
            "pop {{r4-r11, pc}}",
        )
    };
}

/// `u8` inputs, in q2, by a pair of outputs. VLD2 takes the weights `p + 128` and `q` apart; q3 is 128.
macro_rules! pair_u8 {
    ($weights:literal, $p:literal, $q:literal) => {
        concat!(
            concat!("vld20.8 {{q0, q1}}, [", $weights, "]\n"),
            concat!("vld21.8 {{q0, q1}}, [", $weights, "]!\n"),
            "veor q1, q1, q3\n",
            concat!("vmladava.u8 ", $p, ", q0, q2\n"),
            concat!("vmladava.u8 ", $q, ", q1, q2\n"),
        )
    };
}

/// A granule of `u8` inputs by four pairs of outputs: 128 multiplications in 21 instructions.
macro_rules! granule_u8 {
    () => {
        concat!(
            "vldrb.u8 q2, [r9], #16\n",
            pair_u8!("r1", "r0", "r2"),
            pair_u8!("r3", "r4", "r6"),
            pair_u8!("r5", "r8", "r10"),
            pair_u8!("r7", "r12", "lr"),
        )
    };
}

macro_rules! round_u8 {
    () => {
        concat!(granule_u8!(), granule_u8!(), granule_u8!(), granule_u8!())
    };
}

/// Products of one pixel with fours of pairs of outputs, for `u8` input.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
#[unsafe(naked)]
unsafe extern "C" fn multiply_u8(job: *const Job) {
    multiply!(round_u8, 2, 84, "", "")
}

/// `i16` inputs, in q4 and q5, by a pair of outputs, whose weights are widened.
macro_rules! pair_i16 {
    ($weights:literal, $p:literal, $q:literal) => {
        concat!(
            concat!("vld20.8 {{q0, q1}}, [", $weights, "]\n"),
            concat!("vld21.8 {{q0, q1}}, [", $weights, "]!\n"),
            "veor q1, q1, q3\n",
            "vmovlb.u8 q2, q0\n",
            concat!("vmladava.s16 ", $p, ", q2, q4\n"),
            "vmovlt.u8 q2, q0\n",
            concat!("vmladava.s16 ", $p, ", q2, q5\n"),
            "vmovlb.u8 q2, q1\n",
            concat!("vmladava.s16 ", $q, ", q2, q4\n"),
            "vmovlt.u8 q2, q1\n",
            concat!("vmladava.s16 ", $q, ", q2, q5\n"),
        )
    };
}

/// As [`granule_u8`], for `i16` inputs, which VLD2 takes apart as the order of the weights wants it. 46 instructions.
macro_rules! granule_i16 {
    () => {
        concat!(
            "vld20.32 {{q4, q5}}, [r9]\n",
            "vld21.32 {{q4, q5}}, [r9]!\n",
            pair_i16!("r1", "r0", "r2"),
            pair_i16!("r3", "r4", "r6"),
            pair_i16!("r5", "r8", "r10"),
            pair_i16!("r7", "r12", "lr"),
        )
    };
}

macro_rules! round_i16 {
    () => {
        concat!(granule_i16!(), granule_i16!())
    };
}

/// As [`multiply_u8`], for `i16` input.
///
/// # Safety
/// As there.
#[unsafe(naked)]
unsafe extern "C" fn multiply_i16(job: *const Job) {
    multiply!(round_i16, 1, 184, "vpush {{d8-d11}}", "vpop {{d8-d11}}")
}
