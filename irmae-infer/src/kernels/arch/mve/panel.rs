//! Four pixels by pairs of outputs.

use core::arch::naked_asm;

use super::{GRANULE, WEIGHT_WORDS, padded, readable_pairs};
use crate::kernels::tile::Weights;

/// Sums of a pair of outputs.
pub(super) type Sums = [[i32; 4]; 2];

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply), for inputs of 8 or 16 bits.
pub(in crate::kernels) fn multiply(
    is_wide: bool,
    cells: &[u32],
    weights: &Weights<'_>,
    start: &Sums,
    sums: &mut [Sums],
) {
    // SAFETY: the pointer is that of as many sums.
    unsafe { multiply_to(is_wide, cells, weights, start, sums.as_mut_ptr(), sums.len()) }
}

/// Sums for `pairs` pairs of outputs.
///
/// # Safety
/// `sums` can be written to that many times.
pub(super) unsafe fn multiply_to(
    is_wide: bool,
    cells: &[u32],
    weights: &Weights<'_>,
    start: &Sums,
    sums: *mut Sums,
    pairs: usize,
) {
    let granules = weights.quads.div_ceil(4);
    let granule = if is_wide { 2 * GRANULE } else { GRANULE };
    assert!(cells.len() >= granules * granule);
    let direct = if granules == 0 { 0 } else { readable_pairs(weights, pairs) };
    let mut job = Job { start, sums, pairs: direct, ..Job::new(is_wide, weights, granules, cells.as_ptr()) };
    // SAFETY: there are weights for the granules of that many pairs, and room for their sums.
    unsafe { job.run() };
    for pair in direct..pairs {
        // SAFETY: this is one of the sums.
        let sum = unsafe { sums.add(pair) };
        let (whole, rest) = weights.pair(pair).as_chunks::<WEIGHT_WORDS>();
        let rest = padded(rest);
        let job = move |words, granules, cells: &[u32]| Job {
            weights: words,
            start: sum.cast_const(),
            sums: sum,
            pairs: 1,
            ..Job::new(is_wide, weights, granules, cells.as_ptr())
        };
        // SAFETY: weights are as long as is said; the second sums go on from the first ones.
        unsafe {
            *sum = *start;
            job(whole.as_ptr().cast(), whole.len(), cells).run();
            job(rest.as_ptr(), granules - whole.len(), &cells[whole.len() * granule..]).run();
        }
    }
}

/// Sums for pairs of outputs. The code of [`multiply_u8`] knows the order of the fields.
#[repr(C)]
pub(super) struct Job {
    /// `granules * WEIGHT_WORDS` words for each pair. Afterwards, those of the next pair.
    pub(super) weights: *const u32,
    granules: usize,
    cells: *const u32,
    /// Bytes from the end of what is read of a pair's weights to the next one's.
    gap: isize,
    pub(super) sums: *mut Sums,
    pub(super) pairs: usize,
    pub(super) start: *const Sums,
    code: unsafe extern "C" fn(&mut Job),
}

impl Job {
    /// With a panel of so many granules of inputs of 8 or 16 bits; for no pairs.
    pub(super) fn new(is_wide: bool, weights: &Weights<'_>, granules: usize, cells: *const u32) -> Self {
        let gap = 4 * (weights.pair_len as isize - (granules * WEIGHT_WORDS) as isize);
        let (weights, none) = (weights.words.as_ptr(), core::ptr::null_mut());
        let code = match (is_wide, granules) {
            (true, _) => multiply_i16,
            (false, 1) => multiply_granule_u8,
            (false, _) => multiply_u8,
        };
        Self { weights, granules, cells, gap, sums: none, pairs: 0, start: none, code }
    }

    /// Multiplies, if there is anything.
    ///
    /// # Safety
    /// The fields describe memory as they say.
    pub(super) unsafe fn run(&mut self) {
        if self.pairs > 0 && self.granules > 0 {
            // SAFETY: no count is 0.
            unsafe { (self.code)(self) }
        }
    }
}

/// The code of [`multiply_u8`] by that of a round, `1 << $log` granules of `$bytes` of code each.
macro_rules! multiply {
    ($round:ident, $log:literal, $bytes:literal, $save:literal, $restore:literal) => {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r0, r4-r11, lr}}",
            $save,
            "ldm r0, {{r1, r2, r4, r5, r9, r11, lr}}",
            rounds!($log, $bytes),
            "push {{r2, r4, r6}}",
            "ldm lr, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "push {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "vmov.i8 q3, #0x80",
            "4:",
            "ldrd r7, r3, [sp, #32]",
            "ldm sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "ldr pc, [sp, #40]",
            "2:",
            $round!(),
            "subs r7, r7, #1",
            "bne 2b",
            "stm r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "add r1, r1, r5",
            "subs r11, r11, #1",
            "bne 4b",
            "add sp, sp, #44",
            $restore,
            "pop {{r0}}",
            "str r1, [r0]",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// A granule of `u8` inputs: 128 multiplications in 15 instructions. VLD2 takes the weights `p + 128` and `q` apart; q3 is 128.
macro_rules! granule_u8 {
    () => {
        "vld20.8 {{q0, q1}}, [r1]
         vld21.8 {{q0, q1}}, [r1]!
         veor q1, q1, q3
         vldrb.u8 q2, [r3], #16
         vmladava.u8 r0, q0, q2
         vmladava.u8 r8, q1, q2
         vldrb.u8 q2, [r3], #16
         vmladava.u8 r2, q0, q2
         vmladava.u8 r10, q1, q2
         vldrb.u8 q2, [r3], #16
         vmladava.u8 r4, q0, q2
         vmladava.u8 r12, q1, q2
         vldrb.u8 q2, [r3], #16
         vmladava.u8 r6, q0, q2
         vmladava.u8 lr, q1, q2
        "
    };
}

macro_rules! round_u8 {
    () => {
        concat!(granule_u8!(), granule_u8!(), granule_u8!(), granule_u8!())
    };
}

/// Products of four pixels with pairs of outputs, for `u8` input.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
#[unsafe(naked)]
unsafe extern "C" fn multiply_u8(job: &mut Job) {
    multiply!(round_u8, 2, 60, "", "")
}

/// As [`multiply_u8`] for a single granule, which stays in registers.
///
/// # Safety
/// As there.
#[unsafe(naked)]
unsafe extern "C" fn multiply_granule_u8(job: &mut Job) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r0, r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "ldm r0, {{r1, r2, r3, r5, r9, r11, lr}}",
        "mov r7, lr",
        "vldrb.u8 q4, [r3]",
        "vldrb.u8 q5, [r3, #16]",
        "vldrb.u8 q6, [r3, #32]",
        "vldrb.u8 q7, [r3, #48]",
        "vmov.i8 q3, #0x80",
        "4:",
        "ldm r7, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "vld20.8 {{q0, q1}}, [r1]",
        "vld21.8 {{q0, q1}}, [r1]!",
        "veor q1, q1, q3",
        "vmladava.u8 r0, q0, q4",
        "vmladava.u8 r8, q1, q4",
        "vmladava.u8 r2, q0, q5",
        "vmladava.u8 r10, q1, q5",
        "vmladava.u8 r4, q0, q6",
        "vmladava.u8 r12, q1, q6",
        "vmladava.u8 r6, q0, q7",
        "vmladava.u8 lr, q1, q7",
        "stm r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "add r1, r1, r5",
        "subs r11, r11, #1",
        "bne 4b",
        "vpop {{d8-d15}}",
        "pop {{r0}}",
        "str r1, [r0]",
        "pop {{r4-r11, pc}}",
    )
}

/// A granule of `i16` inputs of one pixel. VLD2 takes them apart as the order of the weights wants it.
macro_rules! pixel_i16 {
    ($p:literal, $q:literal) => {
        concat!(
            "vld20.32 {{q0, q1}}, [r3]\n",
            "vld21.32 {{q0, q1}}, [r3]!\n",
            concat!("vmladava.s16 ", $p, ", q2, q0\n"),
            concat!("vmladava.s16 ", $p, ", q4, q1\n"),
            concat!("vmladava.s16 ", $q, ", q5, q0\n"),
            concat!("vmladava.s16 ", $q, ", q6, q1\n"),
        )
    };
}

/// As [`granule_u8`], for `i16` inputs: weights are widened. 31 instructions.
macro_rules! granule_i16 {
    () => {
        concat!(
            "vld20.8 {{q0, q1}}, [r1]\n",
            "vld21.8 {{q0, q1}}, [r1]!\n",
            "veor q1, q1, q3\n",
            "vmovlb.u8 q2, q0\n",
            "vmovlt.u8 q4, q0\n",
            "vmovlb.u8 q5, q1\n",
            "vmovlt.u8 q6, q1\n",
            pixel_i16!("r0", "r8"),
            pixel_i16!("r2", "r10"),
            pixel_i16!("r4", "r12"),
            pixel_i16!("r6", "lr"),
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
unsafe extern "C" fn multiply_i16(job: &mut Job) {
    multiply!(round_i16, 1, 124, "vpush {{d8-d13}}", "vpop {{d8-d13}}")
}
