//! A row of a transposed convolution with one output channel, column by column.

use core::arch::asm;

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
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
    let channels = weights.len();
    let columns = sums.len().saturating_sub(1);
    if channels == 0 || columns == 0 {
        return;
    }
    let (first, second) = weights.split_at(channels / 2);
    let rows = expand([second, first], expanded);
    assert!(x.len() >= columns * channels);
    let job = Job {
        weights: rows,
        x_step: channels as isize - channels.next_multiple_of(GRANULE) as isize,
        channels,
        x: x.as_ptr(),
        sums: sums.as_mut_ptr(),
        columns,
    };
    // SAFETY: `x` has the channels of all columns, and there is a sum more than columns.
    unsafe { add_columns_u8(&job) }
}

/// Weights `p + 128` and `q + 128` of both columns of the kernel, each row in the order of the channels.
fn expand(columns: [&[u32]; 2], expanded: &mut [u32]) -> [*const u8; 4] {
    let channels = 2 * columns[0].len();
    let expanded: &mut [u8] = bytemuck::cast_slice_mut(expanded);
    let rows = [0, 1, 2, 3].map(|row| expanded[row * channels..][..channels].as_mut_ptr());
    for (weights, rows) in columns.iter().zip(rows.chunks_exact(2)) {
        assert!(4 * weights.len() >= 2 * channels);
        // SAFETY: of both rows as many bytes are written as there are channels, of the weights twice as many are read.
        unsafe {
            asm!(
                "vldrb.u8 q1, [{offsets}]",
                "vmov.i8 q2, #0x80",
                "wlstp.8 lr, {channels}, 3f",
                "2:",
                "vldrb.u8 q0, [{p}, q1]",
                "vstrb.8 q0, [{p_row}], #16",
                "vldrb.u8 q0, [{q}, q1]",
                "veor q0, q0, q2",
                "vstrb.8 q0, [{q_row}], #16",
                "add {p}, {p}, #32",
                "add {q}, {q}, #32",
                "letp lr, 2b",
                "3:",
                offsets = in(reg) WEIGHT_OFFSETS.as_ptr(),
                channels = in(reg) channels,
                p = inout(reg) weights.as_ptr() => _,
                q = inout(reg) weights.as_ptr().cast::<u8>().add(1) => _,
                p_row = inout(reg) rows[0] => _,
                q_row = inout(reg) rows[1] => _,
                out("lr") _, out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _,
                options(nostack),
            );
        }
    }
    rows.map(<*mut u8>::cast_const)
}

/// What [`add_columns_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct Job {
    weights: [*const u8; 4],
    /// From the end of what is read of a column, in whole granules, to the next one.
    x_step: isize,
    channels: usize,
    x: *const u8,
    sums: *mut [i32; 2],
    columns: usize,
}

/// Adds to the sums to the left and to the right of every column.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
unsafe fn add_columns_u8(job: *const Job) {
    // SAFETY: the code stays within what the job describes, and leaves r6, r7 and the stack as they were.
    unsafe {
        asm!(
            "push {{r6, r7}}",
            "ldm r0!, {{r3, r5, r7, r9, r12}}",
            "push {{r3, r5, r7, r9, r12}}",
            "ldm r0, {{r6, r8, r10, r11}}",
            "mov r1, r8",
            "ldrd r4, r8, [r10]",
            "4:",
            "ldm sp, {{r3, r5, r7, r9}}",
            // The sums to the left of a column are those to the right of the one before.
            "mov r0, r4",
            "mov r2, r8",
            "ldrd r4, r8, [r10, #8]",
            "mov r12, #0",
            "wlstp.8 lr, r6, 3f",
            "2:",
            "vldrb.u8 q0, [r1], #16",
            "vaddva.u8 r12, q0",
            "vldrb.u8 q1, [r3], #16",
            "vmladava.u8 r0, q0, q1",
            "vldrb.u8 q1, [r5], #16",
            "vmladava.u8 r2, q0, q1",
            "vldrb.u8 q1, [r7], #16",
            "vmladava.u8 r4, q0, q1",
            "vldrb.u8 q1, [r9], #16",
            "vmladava.u8 r8, q0, q1",
            "letp lr, 2b",
            "3:",
            "ldr r3, [sp, #16]",
            "add r1, r1, r3",
            "sub r0, r0, r12, lsl #7",
            "sub r2, r2, r12, lsl #7",
            "sub r4, r4, r12, lsl #7",
            "sub r8, r8, r12, lsl #7",
            "strd r0, r2, [r10], #8",
            "subs r11, r11, #1",
            "bne 4b",
            "strd r4, r8, [r10]",
            "add sp, sp, #20",
            "pop {{r6, r7}}",
            inout("r0") job => _,
            out("r1") _, out("r2") _, out("r3") _, out("r4") _, out("r5") _, out("r8") _, out("r9") _, out("r10") _,
            out("r11") _, out("r12") _, out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
        );
    }
}
