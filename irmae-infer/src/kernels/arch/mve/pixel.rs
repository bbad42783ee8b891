//! One pixel by fours of pairs of outputs.

use core::arch::asm;

use super::{GRANULE, WEIGHT_WORDS, padded, readable_pairs};
use crate::kernels::tile::Weights;

/// Sums of four pairs of outputs.
type Sums = [[i32; 2]; 4];

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel).
pub(in crate::kernels) fn multiply_pixel<const IS_WIDE: bool>(
    cells: &[u32],
    weights: Weights<'_>,
    sums: &mut [[i32; 2]],
) {
    let granules = weights.quads.div_ceil(4);
    let direct = readable_pairs(&weights).min(sums.len());
    let (fours, _) = sums[..direct].as_chunks_mut();
    let pairs = [0, 1, 2, 3].map(|pair| weights.skip(pair).words);
    run::<IS_WIDE>(cells, granules, pairs, weights.pair_len, fours);
    let done = 4 * fours.len();
    for (four, sums) in sums[done..].chunks_mut(4).enumerate() {
        // The last pair stands in for those that are missing.
        let pairs = [0, 1, 2, 3].map(|pair| weights.pair(done + 4 * four + pair.min(sums.len() - 1)).as_chunks());
        let whole = pairs.map(|(whole, _): (&[[u32; WEIGHT_WORDS]], _)| whole.as_flattened());
        let rest = pairs.map(|(_, rest)| padded(rest));
        let mut all = [[[0; 2]; 4]];
        all[0][..sums.len()].copy_from_slice(sums);
        let split = weights.quads / 4;
        run::<IS_WIDE>(cells, split, whole, 0, &mut all);
        let cells = cells.get(split * granule_words::<IS_WIDE>()..).unwrap_or_default();
        run::<IS_WIDE>(cells, granules - split, rest.each_ref().map(|w| &w[..]), 0, &mut all);
        sums.copy_from_slice(&all[0][..sums.len()]);
    }
}

/// Words of a panel's granule.
const fn granule_words<const IS_WIDE: bool>() -> usize {
    if IS_WIDE { GRANULE / 2 } else { GRANULE / 4 }
}

/// Adds to the sums of fours of pairs, whose weights start in the four slices, `4 * pair_len` words after the last four's.
fn run<const IS_WIDE: bool>(cells: &[u32], granules: usize, weights: [&[u32]; 4], pair_len: usize, sums: &mut [Sums]) {
    if sums.is_empty() || granules == 0 {
        return;
    }
    let read = granules * WEIGHT_WORDS;
    assert!(cells.len() >= granules * granule_words::<IS_WIDE>());
    assert!(weights.iter().all(|weights| weights.len() >= (sums.len() - 1) * 4 * pair_len + read));
    let job = Job {
        weights: weights.map(<[u32]>::as_ptr),
        cells: cells.as_ptr(),
        count: granules + 1,
        gap: 4 * (4 * pair_len as isize - read as isize),
        fours: sums.len(),
        sums: sums.as_mut_ptr(),
    };
    // SAFETY: lengths have been checked.
    unsafe { if IS_WIDE { multiply_i16(&job) } else { multiply_u8(&job) } }
}

/// What [`multiply_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct Job {
    /// Of four pairs.
    weights: [*const u32; 4],
    cells: *const u32,
    /// Granules of inputs, and 1.
    count: usize,
    /// Bytes from the end of what is read of a pair's weights to those of the fourth pair after it.
    gap: isize,
    fours: usize,
    sums: *mut Sums,
}

/// The code of [`multiply_u8`], by what it does with a granule.
macro_rules! multiply {
    ($job:expr, $granule:ident, [$($vector:tt),*]) => {
        asm!(
            "push {{r6, r7}}",
            "ldrd r1, r3, [r0]",
            "ldrd r5, r7, [r0, #8]",
            "add r0, r0, #16",
            "ldm r0, {{r2, r4, r6, r8, r10}}",
            "push {{r2, r4, r6, r8, r10}}",
            "vmov.i8 q3, #0x80",
            "4:",
            "ldr r9, [sp, #16]",
            "ldm r9, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "ldrd r9, r11, [sp]",
            "lsrs r11, r11, #1",
            "bcc 3f",
            "2:",
            $granule!(),
            "3:",
            $granule!(),
            "subs r11, r11, #1",
            "bne 2b",
            "ldr r9, [sp, #16]",
            "stm r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "str r9, [sp, #16]",
            "ldrd r0, r2, [sp, #8]",
            "add r1, r1, r0",
            "add r3, r3, r0",
            "add r5, r5, r0",
            "add r7, r7, r0",
            "subs r2, r2, #1",
            "str r2, [sp, #12]",
            "bne 4b",
            "add sp, sp, #20",
            "pop {{r6, r7}}",
            inout("r0") $job => _,
            out("r1") _, out("r2") _, out("r3") _, out("r4") _, out("r5") _, out("r8") _, out("r9") _, out("r10") _,
            out("r11") _, out("r12") _, out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            $(out($vector) _,)*
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

/// Products of one pixel with fours of pairs of outputs, for `u8` input.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
unsafe fn multiply_u8(job: *const Job) {
    // SAFETY: the code stays within what the job describes, and leaves r6, r7 and the stack as they were.
    unsafe { multiply!(job, granule_u8, []) }
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

/// As [`multiply_u8`], for `i16` input.
///
/// # Safety
/// As there.
unsafe fn multiply_i16(job: *const Job) {
    // SAFETY: as there.
    unsafe { multiply!(job, granule_i16, ["d8", "d9", "d10", "d11"]) }
}
