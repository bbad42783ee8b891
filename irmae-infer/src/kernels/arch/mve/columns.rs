//! A row of a transposed convolution with one output channel, column by column.

use core::arch::naked_asm;

use super::GRANULE;

/// Bytes of a pair's weights `p` in the order of their inputs; those of `q` are one further.
static WEIGHT_OFFSETS: [u8; GRANULE] = {
    let (mut offsets, mut k) = ([0; GRANULE], 0);
    while k < GRANULE {
        offsets[k] = (k / 4 * 8 + k % 2 * 4 + k % 4 / 2 * 2) as u8;
        k += 1;
    }
    offsets
};

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns).
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    let channels = weights.len();
    let columns = sums.len().saturating_sub(1);
    if channels == 0 || columns == 0 {
        return;
    }
    assert!(channels.is_multiple_of(4) && x.len() >= columns * channels);
    let job = Job {
        sums: sums.as_mut_ptr(),
        weights: weights.as_ptr().cast(),
        x: x.as_ptr(),
        channels,
        columns,
        offsets: &WEIGHT_OFFSETS,
    };
    // SAFETY: `x` has the channels of all columns, the weights are those of two, and there is a sum more than columns.
    unsafe { add_columns_u8(&job) }
}

/// What [`add_columns_u8`] works on. The code knows the order of the fields.
#[repr(C)]
struct Job {
    sums: *mut [i32; 2],
    weights: *const u8,
    x: *const u8,
    channels: usize,
    columns: usize,
    offsets: *const [u8; GRANULE],
}

/// Adds what columns `n - 1` and `n` give to sum `n`, sixteen channels at a time, whose weights stay in registers. 14 instructions for
/// a granule of a column.
///
/// Inputs are taken as `x - 128`, weights as they are: `sum w x = sum w (x - 128) + 128 sum w`. So beside the row, where `x` is 0, lie
/// values of -128.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
#[unsafe(naked)]
unsafe extern "C" fn add_columns_u8(job: *const Job) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "ldm r0, {{r1, r3, r5, r7, r9, r12}}",
        "vmov.i8 q2, #0x80",
        "vldrb.u8 q3, [r12]",
        "mov r11, r7",
        "4:",
        // The weights: q4 and q5 of column 1, q6 and q7 of column 0, and the sums of `p` and `q`.
        "add r8, r3, #1",
        "add r10, r3, r7, lsl #1",
        "add r12, r10, #1",
        "vctp.8 r11",
        "vpstttt",
        "vldrbt.u8 q4, [r10, q3]",
        "vldrbt.u8 q5, [r12, q3]",
        "vldrbt.u8 q6, [r3, q3]",
        "vldrbt.u8 q7, [r8, q3]",
        "vpstt",
        "veort q4, q4, q2",
        "veort q6, q6, q2",
        "vaddv.s8 r4, q4",
        "vaddva.s8 r4, q6",
        "vaddv.s8 r6, q5",
        "vaddva.s8 r6, q7",
        "vmov q0, q2",
        "mov r8, r1",
        "mov r10, r5",
        "dls lr, r9",
        "2:",
        "ldrd r0, r2, [r8]",
        "vpst",
        "vldrbt.u8 q1, [r10]",
        "add r10, r10, r7",
        "veor q1, q1, q2",
        "vmladava.s8 r0, q0, q6",
        "vmladava.s8 r2, q0, q7",
        "vmladava.s8 r0, q1, q4",
        "vmladava.s8 r2, q1, q5",
        "vmov q0, q1",
        "add r0, r0, r4, lsl #7",
        "add r2, r2, r6, lsl #7",
        "strd r0, r2, [r8], #8",
        "le lr, 2b",
        "ldrd r0, r2, [r8]",
        "vmladava.s8 r0, q0, q6",
        "vmladava.s8 r2, q0, q7",
        "vmladava.s8 r0, q2, q4",
        "vmladava.s8 r2, q2, q5",
        "add r0, r0, r4, lsl #7",
        "add r2, r2, r6, lsl #7",
        "strd r0, r2, [r8]",
        "add r3, r3, #32",
        "add r5, r5, #16",
        "subs r11, r11, #16",
        "bhi 4b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
