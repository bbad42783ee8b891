//! Copies bytes into panels: a granule of a pixel lies together, each four's middle two swapped, as weights have them.

use core::arch::{asm, naked_asm};

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

/// Of the values of a granule, as they lie in a panel: where in a four they come from, and in which four.
static FOURS: [[u8; GRANULE]; 2] =
    [[0, 2, 1, 3, 0, 2, 1, 3, 0, 2, 1, 3, 0, 2, 1, 3], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]];

/// What [`place_granules`] and [`place_anywhere`] work on. The code knows the order of the fields.
#[repr(C)]
struct Job {
    panel: *mut u8,
    x: *const u8,
    pixel_step: usize,
    /// From one run to the next; for [`place_anywhere`] from the end of what is read of it, in whole granules.
    row_step: isize,
    len: usize,
    rows: usize,
    /// [`FOURS`] or [`PANEL_OFFSETS`].
    offsets: *const u8,
    /// From a run's four values that go together into a granule to the next ones.
    four_step: usize,
}

/// How a panel of four pixels is filled.
pub(super) struct Placing {
    job: Job,
    place: unsafe extern "C" fn(*const Job, &mut [i32; 4]),
}

impl Placing {
    /// For the first four of the pixels, of which there are more.
    pub(super) fn new(panel: &mut [u8], runs: &Runs<'_, u8>) -> Self {
        let &Runs { x, mut len, mut rows, row_step, pixel_step, pixels } = runs;
        assert!(panel.len() >= (rows * len).div_ceil(GRANULE) * 4 * GRANULE && rows > 0 && len > 0 && pixels >= 4);
        assert!(x.len() >= (rows - 1) * row_step + (pixels - 1) * pixel_step + len);
        let (mut four_step, mut step) = (4, row_step as isize);
        if len == 4 && rows <= 4 && row_step <= 84 {
            // All runs are one granule, and the last one still lies within 256 values.
            (four_step, len, rows) = (row_step, rows * len, 1);
        }
        let (offsets, place): (_, unsafe extern "C" fn(_, &mut _)) =
            if len <= 256 && len.is_multiple_of(if rows == 1 { 4 } else { GRANULE }) {
                (FOURS.as_ptr().cast(), place_granules)
            } else {
                step -= len.next_multiple_of(GRANULE) as isize;
                (PANEL_OFFSETS.as_ptr(), place_anywhere)
            };
        let (panel, x) = (panel.as_mut_ptr(), x.as_ptr());
        Self { job: Job { panel, x, pixel_step, row_step: step, len, rows, offsets, four_step }, place }
    }

    /// The panel.
    pub(super) fn panel(&self) -> *const u8 {
        self.job.panel
    }

    /// Fills the panel for the pixels from `first` on. Adds the sums of their values.
    ///
    /// # Safety
    /// The panel is still there, and there are four more pixels.
    pub(super) unsafe fn place(&mut self, first: usize, sums: &mut [i32; 4]) {
        let x = self.job.x;
        // SAFETY: `new` has checked the lengths, and no count is 0.
        unsafe {
            self.job.x = x.add(first * self.job.pixel_step);
            (self.place)(&self.job, sums);
        }
        self.job.x = x;
    }
}

/// Runs of up to 256 values that are whole granules, but for the last one. 14 instructions for a granule of
/// each pixel.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
#[unsafe(naked)]
unsafe extern "C" fn place_granules(job: *const Job, sums: &mut [i32; 4]) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r1, r4-r11, lr}}",
        "ldm r1, {{r2, r4, r6, r8}}",
        "ldm r0!, {{r1, r3, r9, r12}}",
        "add r5, r3, r9",
        "add r7, r5, r9",
        "add r9, r7, r9",
        "ldm r0, {{r0, r10, r11, lr}}",
        "vldrb.u8 q2, [r11]",
        "vldrb.u8 q1, [r11, #16]",
        "vmla.i8 q2, q1, lr",
        "mov r11, #16",
        "4:",
        "vmov q1, q2",
        "dlstp.8 lr, r0",
        "2:",
        "vldrb.u8 q0, [r3, q1]",
        "vaddva.u8 r2, q0",
        "vstrb.8 q0, [r1], #16",
        "vldrb.u8 q0, [r5, q1]",
        "vaddva.u8 r4, q0",
        "vstrb.8 q0, [r1], #16",
        "vldrb.u8 q0, [r7, q1]",
        "vaddva.u8 r6, q0",
        "vstrb.8 q0, [r1], #16",
        "vldrb.u8 q0, [r9, q1]",
        "vaddva.u8 r8, q0",
        "vstrb.8 q0, [r1], #16",
        "vadd.i8 q1, q1, r11",
        "letp lr, 2b",
        "add r3, r3, r12",
        "add r5, r5, r12",
        "add r7, r7, r12",
        "add r9, r9, r12",
        "subs r10, r10, #1",
        "bne 4b",
        "pop {{r1}}",
        "stm r1, {{r2, r4, r6, r8}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Any runs. 17 instructions for a granule of each pixel.
///
/// # Safety
/// `job` describes memory as its fields say; no count is 0.
#[unsafe(naked)]
unsafe extern "C" fn place_anywhere(job: *const Job, sums: &mut [i32; 4]) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r1, r4-r11, lr}}",
        "ldm r1, {{r2, r4, r6, r8}}",
        "ldm r0!, {{r1, r3, r9}}",
        "mov r12, r1",
        "add r5, r3, r9",
        "add r7, r5, r9",
        "add r9, r7, r9",
        "mov r10, #0",
        "ldr r11, [r0, #8]",
        "4:",
        // Where the run goes.
        "and r1, r10, #15",
        "ldr lr, [r0, #12]",
        "add lr, lr, r1",
        "vldrb.u8 q1, [lr]",
        "lsr r1, r10, #4",
        "add r1, r12, r1, lsl #6",
        "ldr lr, [r0, #4]",
        "add r10, r10, lr",
        "dlstp.8 lr, lr",
        "2:",
        "vldrb.u8 q0, [r3], #16",
        "vaddva.u8 r2, q0",
        "vstrb.8 q0, [r1, q1]",
        "add r1, r1, #16",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.u8 r4, q0",
        "vstrb.8 q0, [r1, q1]",
        "add r1, r1, #16",
        "vldrb.u8 q0, [r7], #16",
        "vaddva.u8 r6, q0",
        "vstrb.8 q0, [r1, q1]",
        "add r1, r1, #16",
        "vldrb.u8 q0, [r9], #16",
        "vaddva.u8 r8, q0",
        "vstrb.8 q0, [r1, q1]",
        "add r1, r1, #16",
        "letp lr, 2b",
        "ldr lr, [r0]",
        "add r3, r3, lr",
        "add r5, r5, lr",
        "add r7, r7, lr",
        "add r9, r9, lr",
        "subs r11, r11, #1",
        "bne 4b",
        "pop {{r1}}",
        "stm r1, {{r2, r4, r6, r8}}",
        "pop {{r4-r11, pc}}",
    )
}
