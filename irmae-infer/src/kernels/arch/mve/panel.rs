//! Four pixels by pairs of outputs.

use core::arch::asm;
use core::mem::MaybeUninit;

use super::{GRANULE, WEIGHT_WORDS, padded, readable_pairs, store};
use crate::kernels::params::IntParams;
use crate::kernels::tile::{Panel, Weights};

/// Sums of a pair of outputs.
type Sums = [[i32; 4]; 2];

/// Pairs that are summed before they are stored.
const PAIRS: usize = 8;

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply).
pub(in crate::kernels) fn multiply<const IS_WIDE: bool>(
    cells: &[u32],
    weights: Weights<'_>,
    start: &Sums,
    sums: &mut [Sums],
) {
    // SAFETY: the pointer is that of as many sums.
    unsafe { multiply_to::<IS_WIDE>(cells, weights, start, sums.as_mut_ptr(), sums.len()) }
}

/// See [`Tile::multiply_store`](crate::kernels::tile::Tile::multiply_store).
pub(in crate::kernels) fn multiply_store<const IS_WIDE: bool, Y: Copy>(
    panel: &Panel<'_>,
    start: &Sums,
    params: &IntParams<'_>,
    y: &mut [Y],
) {
    // Outputs are stored in fours: there may be four that nobody asks for.
    let mut sums = [const { MaybeUninit::<Sums>::uninit() }; PAIRS + 2];
    let sums: *mut Sums = sums.as_mut_ptr().cast();
    for v in (0..panel.outputs).step_by(2 * PAIRS) {
        let outputs = (panel.outputs - v).min(2 * PAIRS);
        // SAFETY: there is room for `PAIRS`.
        unsafe { multiply_to::<IS_WIDE>(panel.cells, panel.weights.skip(v / 2), start, sums, outputs.div_ceil(2)) };
        let mut done = 0;
        while done < outputs {
            let channel = (v + done) % panel.channels;
            let run = (panel.channels - channel).min(outputs - done);
            // SAFETY: of `outputs` and four more sums there are `run` and three more from `done` on.
            unsafe {
                let sums = sums.cast::<[i32; 4]>().add(done);
                store::store_panel(sums, run, params, channel, panel.place.skip(v + done), y);
            }
            done += run;
        }
    }
}

/// Sums for `pairs` pairs of outputs.
///
/// # Safety
/// `sums` can be written to that many times.
unsafe fn multiply_to<const IS_WIDE: bool>(
    cells: &[u32],
    weights: Weights<'_>,
    start: &Sums,
    sums: *mut Sums,
    pairs: usize,
) {
    let granules = weights.quads.div_ceil(4);
    let direct = if granules == 0 { 0 } else { readable_pairs(&weights).min(pairs) };
    // SAFETY: there are weights for the granules of that many pairs, and room for their sums.
    unsafe { run::<IS_WIDE>(cells, granules, weights.words.as_ptr(), weights.pair_len, start, sums, direct) };
    for pair in direct..pairs {
        // SAFETY: this is one of the sums.
        let sums = unsafe { sums.add(pair) };
        let (whole, rest) = weights.pair(pair).as_chunks::<WEIGHT_WORDS>();
        let rest = padded(rest);
        // SAFETY: weights are as long as is said; the first call gives the sums that the second starts from.
        unsafe {
            *sums = *start;
            run::<IS_WIDE>(cells, whole.len(), whole.as_ptr().cast(), 0, start, sums, whole.len().min(1));
            let cells = &cells[whole.len() * granule_words::<IS_WIDE>()..];
            let start = *sums;
            run::<IS_WIDE>(cells, 1, rest.as_ptr(), 0, &start, sums, weights.quads.min(1));
        }
    }
}

/// Words of a panel's granule.
const fn granule_words<const IS_WIDE: bool>() -> usize {
    if IS_WIDE { 2 * GRANULE } else { GRANULE }
}

/// Sums for `pairs` pairs of outputs, if any.
///
/// # Safety
/// `weights` are `granules * WEIGHT_WORDS` words for each pair, `pair_len` words after the last one's; `sums` can be written to that
/// many times.
unsafe fn run<const IS_WIDE: bool>(
    cells: &[u32],
    granules: usize,
    weights: *const u32,
    pair_len: usize,
    start: &Sums,
    sums: *mut Sums,
    pairs: usize,
) {
    if pairs == 0 {
        return;
    }
    assert!(granules > 0 && cells.len() >= granules * granule_words::<IS_WIDE>());
    let job = Job {
        weights,
        gap: 4 * (pair_len as isize - (granules * WEIGHT_WORDS) as isize),
        count: granules + 1,
        cells: cells.as_ptr(),
        sums,
        pairs,
        start,
    };
    // SAFETY: as the caller says; no count is 0.
    unsafe { if IS_WIDE { multiply_i16(&job) } else { multiply_u8(&job) } }
}

/// What [`multiply_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct Job {
    weights: *const u32,
    /// Bytes from the end of what is read of a pair's weights to the next one's.
    gap: isize,
    /// Granules of inputs, and 1.
    count: usize,
    cells: *const u32,
    sums: *mut Sums,
    pairs: usize,
    start: *const Sums,
}

/// The code of [`multiply_u8`], by what it does with a granule.
macro_rules! multiply {
    ($job:expr, $granule:ident, [$($vector:tt),*]) => {
        asm!(
            "push {{r6, r7}}",
            "ldrd r1, r5, [r0]",
            "ldrd r2, r3, [r0, #8]",
            "ldrd r9, r11, [r0, #16]",
            "ldr lr, [r0, #24]",
            "push {{r2, r3}}",
            "ldm lr, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "push {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "vmov.i8 q3, #0x80",
            "4:",
            "ldrd r7, r3, [sp, #32]",
            "ldm sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "lsrs r7, r7, #1",
            "bcc 3f",
            "2:",
            $granule!(),
            "3:",
            $granule!(),
            "subs r7, r7, #1",
            "bne 2b",
            "stm r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "add r1, r1, r5",
            "subs r11, r11, #1",
            "bne 4b",
            "add sp, sp, #40",
            "pop {{r6, r7}}",
            inout("r0") $job => _,
            out("r1") _, out("r2") _, out("r3") _, out("r4") _, out("r5") _, out("r8") _, out("r9") _, out("r10") _,
            out("r11") _, out("r12") _, out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            $(out($vector) _,)*
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
         vmladava.u8 lr, q1, q2"
    };
}

/// Products of four pixels with pairs of outputs, for `u8` input.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
unsafe fn multiply_u8(job: *const Job) {
    // SAFETY: the code stays within what the job describes, and leaves r6, r7 and the stack as they were.
    unsafe { multiply!(job, granule_u8, []) }
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

/// As [`multiply_u8`], for `i16` input.
///
/// # Safety
/// As there.
unsafe fn multiply_i16(job: *const Job) {
    // SAFETY: as there.
    unsafe { multiply!(job, granule_i16, ["d8", "d9", "d10", "d11", "d12", "d13"]) }
}
