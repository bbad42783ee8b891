//! Copies bytes into panels: a granule of a pixel lies together, each four's middle two swapped, as weights have them.

use core::arch::asm;

use super::GRANULE;
use crate::kernels::tile::Runs;

/// Where the sixteen values from `k` on lie, behind the granule of value 0: `offsets[k..]`, for panels of `pixels`.
const fn offsets(pixels: usize) -> [u8; 2 * GRANULE] {
    let (mut offsets, mut k) = ([0; 2 * GRANULE], 0);
    while k < offsets.len() {
        let swapped = k % GRANULE / 4 * 4 + k % 2 * 2 + k % 4 / 2;
        offsets[k] = (k / GRANULE * pixels * GRANULE + swapped) as u8;
        k += 1;
    }
    offsets
}

static PIXEL_OFFSETS: [u8; 2 * GRANULE] = offsets(1);
static PANEL_OFFSETS: [u8; 2 * GRANULE] = offsets(4);

/// Copies `x` into a panel of `pixels` (1 or 4) that starts with the pixel's first granule, as values `k..`. Gives their sum.
#[inline]
pub(in crate::kernels) fn place(panel: &mut [u8], pixels: usize, k: usize, x: &[u8]) -> i32 {
    let (within, stride) = (k % GRANULE, pixels * GRANULE);
    let panel = &mut panel[k / GRANULE * stride..];
    assert!(panel.len() + stride >= (within + x.len()).div_ceil(GRANULE) * stride + GRANULE);
    let offsets = if pixels == 1 { &PIXEL_OFFSETS } else { &PANEL_OFFSETS };
    let mut sum = 0;
    // SAFETY: the last granule that is written to lies within the panel. No more of `x` is read than there is.
    unsafe {
        asm!(
            "vldrb.u8 q1, [{offsets}]",
            "wlstp.8 lr, {len}, 3f",
            "2:",
            "vldrb.u8 q0, [{x}], #16",
            "vaddva.u8 r12, q0",
            "vstrb.8 q0, [{panel}, q1]",
            "add {panel}, {panel}, {stride}",
            "letp lr, 2b",
            "3:",
            offsets = in(reg) offsets[within..].as_ptr(),
            len = in(reg) x.len(),
            x = inout(reg) x.as_ptr() => _,
            panel = inout(reg) panel.as_mut_ptr() => _,
            stride = in(reg) stride,
            inout("r12") sum,
            out("lr") _, out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            options(nostack),
        );
    }
    sum
}

/// Copies bytes.
#[inline]
pub(in crate::kernels) fn copy(to: &mut [u8], from: &[u8]) {
    assert!(to.len() >= from.len());
    // SAFETY: both slices are as long as is copied.
    unsafe {
        asm!(
            "wlstp.8 lr, {len}, 3f",
            "2:",
            "vldrb.u8 q0, [{from}], #16",
            "vstrb.8 q0, [{to}], #16",
            "letp lr, 2b",
            "3:",
            len = in(reg) from.len(),
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            out("lr") _, out("d0") _, out("d1") _,
            options(nostack),
        );
    }
}

/// What [`place_four_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct Job {
    offsets: *const u8,
    panel: *mut u8,
    pixel_step: usize,
    len: usize,
    /// From the end of what is read of a run, in whole granules, to the next one.
    row_skip: isize,
    x: *const u8,
    k: usize,
    rows: usize,
}

/// See [`Tile::place_all`](crate::kernels::tile::Tile::place_all). 17 instructions for a granule of each pixel.
pub(in crate::kernels) fn place_four(panel: &mut [u8], k: usize, runs: &Runs<'_, u8>, sums: &mut [i32; 4]) {
    let &Runs { x, len, rows, row_step, pixel_step, .. } = runs;
    if rows == 0 || len == 0 {
        return;
    }
    assert!(panel.len() >= (k + rows * len).div_ceil(GRANULE) * 4 * GRANULE);
    assert!(x.len() >= (rows - 1) * row_step + 3 * pixel_step + len);
    let row_skip = row_step as isize - len.next_multiple_of(GRANULE) as isize;
    let (offsets, panel) = (PANEL_OFFSETS.as_ptr(), panel.as_mut_ptr());
    let job = Job { offsets, panel, pixel_step, len, row_skip, x: x.as_ptr(), k, rows };
    // SAFETY: lengths have been checked.
    unsafe { place_four_u8(&job, sums) }
}

/// See [`place_four`].
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
unsafe fn place_four_u8(job: *const Job, sums: &mut [i32; 4]) {
    // SAFETY: the code stays within what the job describes, and leaves r6, r7 and the stack as they were.
    unsafe {
        asm!(
            "push {{r6, r7}}",
            "ldrd r1, r7, [r10, #20]",
            "ldr r11, [r10, #28]",
            "4:",
            // Where the run starts.
            "ldrd r6, r0, [r10]",
            "and lr, r7, #15",
            "add r6, r6, lr",
            "vldrb.u8 q1, [r6]",
            "lsr lr, r7, #4",
            "add r0, r0, lr, lsl #6",
            "ldrd r6, lr, [r10, #8]",
            "add r7, r7, lr",
            "add r3, r1, r6",
            "add r5, r3, r6",
            "add r9, r5, r6",
            "dlstp.8 lr, lr",
            "2:",
            "vldrb.u8 q0, [r1], #16",
            "vaddva.u8 r2, q0",
            "vstrb.8 q0, [r0, q1]",
            "add r0, r0, #16",
            "vldrb.u8 q0, [r3], #16",
            "vaddva.u8 r4, q0",
            "vstrb.8 q0, [r0, q1]",
            "add r0, r0, #16",
            "vldrb.u8 q0, [r5], #16",
            "vaddva.u8 r8, q0",
            "vstrb.8 q0, [r0, q1]",
            "add r0, r0, #16",
            "vldrb.u8 q0, [r9], #16",
            "vaddva.u8 r12, q0",
            "vstrb.8 q0, [r0, q1]",
            "add r0, r0, #16",
            "letp lr, 2b",
            "ldr r6, [r10, #16]",
            "add r1, r1, r6",
            "subs r11, r11, #1",
            "bne 4b",
            "pop {{r6, r7}}",
            in("r10") job,
            inout("r2") sums[0],
            inout("r4") sums[1],
            inout("r8") sums[2],
            inout("r12") sums[3],
            out("r0") _, out("r1") _, out("r3") _, out("r5") _, out("r9") _, out("r11") _, out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
        );
    }
}
