//! From sums to outputs: VRMULH multiplies and rounds as [`requantize`](crate::quant::requantize) does.

use core::arch::{asm, naked_asm};

use crate::kernels::params::IntParams;
use crate::kernels::rows::IntsMut;
use crate::kernels::tile::Place;

/// A row of outputs of either type.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Row {
    y: *mut u8,
    len: usize,
    /// Bytes of an output.
    pub(super) size: usize,
}

impl Row {
    pub(in crate::kernels) fn of(y: &mut IntsMut<'_>) -> Self {
        match y {
            IntsMut::U8(y) => Self { y: y.as_mut_ptr(), len: y.len(), size: 1 },
            IntsMut::I16(y) => Self { y: y.as_mut_ptr().cast(), len: y.len(), size: 2 },
        }
    }

    /// Where the first of consecutive outputs of the first pixel goes, and bytes from a pixel to the next, if no pixel's lie outside.
    pub(super) fn all_outputs(&self, place: Place, outputs: usize) -> Option<(*mut u8, usize)> {
        let start = usize::try_from(place.at).ok()?;
        let end = start + place.count.checked_sub(1)? * place.step + outputs;
        // SAFETY: all of them lie in the row.
        (end <= self.len).then(|| (unsafe { self.y.add(start * self.size) }, place.step * self.size))
    }
}

/// Outputs of four pixels, from their sums. The code of [`store_u8`] knows the order of the fields.
#[repr(C)]
pub(super) struct Job {
    clamp: [i32; 2],
    pub(super) y: *mut u8,
    /// Bytes from a pixel to the next.
    step: usize,
    sums: *const [i32; 4],
    pub(super) bias: *const i32,
    pub(super) multiplier: *const i32,
    pub(super) outputs: usize,
}

impl Job {
    /// For so many outputs from `channel` on.
    pub(super) fn new(
        params: &IntParams<'_>,
        channel: usize,
        outputs: usize,
        sums: *const [i32; 4],
        y: *mut u8,
        step: usize,
    ) -> Self {
        let bias = params.bias[channel..][..outputs].as_ptr();
        let multiplier = params.multiplier[channel..][..outputs].as_ptr();
        Self { clamp: params.clamp, y, step, sums, bias, multiplier, outputs }
    }

    /// Stores outputs of `size` bytes. The next call goes on behind them.
    ///
    /// # Safety
    /// There are parameters and places for as many outputs, at least one; sums for a multiple of four.
    pub(super) unsafe fn run(&mut self, size: usize) {
        // SAFETY: as the caller says.
        unsafe { if size == 1 { store_u8(self) } else { store_i16(self) } }
    }
}

/// Stores consecutive outputs of four pixels, from channel `channel` on. Some pixels may lie beside the row, or not be there.
pub(in crate::kernels) fn store_panel(
    sums: &[[i32; 4]],
    params: &IntParams<'_>,
    channel: usize,
    place: Place,
    row: Row,
) {
    for (v, sums) in (0..).step_by(4).zip(sums.chunks(4)) {
        let outputs = sums.len();
        let mut four = [[0; 4]; 4];
        four[..outputs].copy_from_slice(sums);
        let mut all = [[0_u16; 4]; 4];
        let y = all.as_mut_ptr().cast();
        let mut job = Job::new(params, channel + v, outputs, four.as_ptr(), y, size_of_val(&all[0]));
        // SAFETY: there are as many of everything as there are outputs.
        unsafe { job.run(row.size) };
        for (pixel, from) in all.iter().enumerate().take(place.count) {
            if let Some(range) = place.skip(v).range(pixel, outputs, row.len) {
                // SAFETY: the outputs lie in the row.
                unsafe {
                    let to = row.y.add(range.start * row.size);
                    from.as_ptr().cast::<u8>().copy_to_nonoverlapping(to, outputs * row.size);
                }
            }
        }
    }
}

/// Four outputs of four pixels at a time. VLD4 brings together what is a pixel's.
macro_rules! store {
    ($store:literal, $bytes:literal) => {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r10, lr}}",
            "vpush {{d8-d15}}",
            "ldm r0, {{r1, r2, r3, r4, r7, r8, r9, r10}}",
            "add r5, r3, r4, lsl #1",
            "add r6, r5, r4",
            "add r4, r3, r4",
            "vdup.32 q6, r1",
            "vdup.32 q7, r2",
            "2:",
            "vctp.32 r10",
            "vpstt",
            "vldrwt.u32 q4, [r8], #16",
            "vldrwt.u32 q5, [r9], #16",
            "vld40.32 {{q0, q1, q2, q3}}, [r7]",
            "vld41.32 {{q0, q1, q2, q3}}, [r7]",
            "vld42.32 {{q0, q1, q2, q3}}, [r7]",
            "vld43.32 {{q0, q1, q2, q3}}, [r7]!",
            "vadd.i32 q0, q0, q4",
            "vadd.i32 q1, q1, q4",
            "vadd.i32 q2, q2, q4",
            "vadd.i32 q3, q3, q4",
            "vrmulh.s32 q0, q0, q5",
            "vrmulh.s32 q1, q1, q5",
            "vrmulh.s32 q2, q2, q5",
            "vrmulh.s32 q3, q3, q5",
            "vmax.s32 q0, q0, q6",
            "vmax.s32 q1, q1, q6",
            "vmax.s32 q2, q2, q6",
            "vmax.s32 q3, q3, q6",
            "vmin.s32 q0, q0, q7",
            "vmin.s32 q1, q1, q7",
            "vmin.s32 q2, q2, q7",
            "vmin.s32 q3, q3, q7",
            "vpstttt",
            concat!($store, "t.32 q0, [r3], #", $bytes),
            concat!($store, "t.32 q1, [r4], #", $bytes),
            concat!($store, "t.32 q2, [r5], #", $bytes),
            concat!($store, "t.32 q3, [r6], #", $bytes),
            "subs r10, r10, #4",
            "bhi 2b",
            // What the next outputs go on from: the last four may have been fewer.
            concat!("add r3, r3, r10, lsl #", $bytes, " / 8"),
            "add r8, r8, r10, lsl #2",
            "add r9, r9, r10, lsl #2",
            "str r3, [r0, #8]",
            "strd r8, r9, [r0, #20]",
            "vpop {{d8-d15}}",
            "pop {{r4-r10, pc}}",
        )
    };
}

/// See [`Job::run`], for outputs of 8 bits.
///
/// # Safety
/// As there.
#[unsafe(naked)]
unsafe extern "C" fn store_u8(job: &mut Job) {
    store!("vstrb", "4")
}

/// See [`Job::run`], for outputs of 16 bits.
///
/// # Safety
/// As there.
#[unsafe(naked)]
unsafe extern "C" fn store_i16(job: &mut Job) {
    store!("vstrh", "8")
}

/// Four outputs of one pixel at a time.
macro_rules! store_pixel {
    ($store:literal, $bytes:literal, $clamp:expr, $sums:expr, $bias:expr, $multiplier:expr, $y:expr) => {
        asm!(
            "vdup.32 q2, {least}",
            "vdup.32 q3, {most}",
            "wlstp.32 lr, {n}, 3f",
            "2:",
            "vldrw.u32 q0, [{sums}], #16",
            "vldrw.u32 q1, [{bias}], #16",
            "vadd.i32 q0, q0, q1",
            "vldrw.u32 q1, [{multiplier}], #16",
            "vrmulh.s32 q0, q0, q1",
            "vmax.s32 q0, q0, q2",
            "vmin.s32 q0, q0, q3",
            concat!($store, ".32 q0, [r0], #", $bytes),
            "letp lr, 2b",
            "3:",
            least = in(reg) $clamp[0],
            most = in(reg) $clamp[1],
            n = in(reg) $sums.len(),
            sums = inout(reg) $sums.as_ptr() => _,
            bias = inout(reg) $bias.as_ptr() => _,
            multiplier = inout(reg) $multiplier.as_ptr() => _,
            inout("r0") $y.as_mut_ptr() => _,
            out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            options(nostack),
        )
    };
}

/// Stores consecutive outputs of one pixel.
pub(in crate::kernels) fn store_pixel<Y: Copy>(
    sums: &[i32],
    bias: &[i32],
    multiplier: &[i32],
    clamp: [i32; 2],
    y: &mut [Y],
) {
    assert!(bias.len() >= sums.len() && multiplier.len() >= sums.len() && y.len() >= sums.len());
    // SAFETY: there are as many of everything as there are sums.
    unsafe {
        if size_of::<Y>() == 1 {
            store_pixel!("vstrb", "4", clamp, sums, bias, multiplier, y);
        } else {
            store_pixel!("vstrh", "8", clamp, sums, bias, multiplier, y);
        }
    }
}

/// Four outputs of one channel at a time.
macro_rules! store_channel {
    ($store:literal, $bytes:literal, $clamp:expr, $sums:expr, $multiplier:expr, $y:expr) => {
        asm!(
            "vdup.32 q1, {multiplier}",
            "vdup.32 q2, {least}",
            "vdup.32 q3, {most}",
            "wlstp.32 lr, {n}, 3f",
            "2:",
            "vldrw.u32 q0, [{sums}], #16",
            "vrmulh.s32 q0, q0, q1",
            "vmax.s32 q0, q0, q2",
            "vmin.s32 q0, q0, q3",
            concat!($store, ".32 q0, [r0], #", $bytes),
            "letp lr, 2b",
            "3:",
            multiplier = in(reg) $multiplier,
            least = in(reg) $clamp[0],
            most = in(reg) $clamp[1],
            n = in(reg) $sums.len(),
            sums = inout(reg) $sums.as_ptr() => _,
            inout("r0") $y => _,
            out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            options(nostack),
        )
    };
}

/// Stores outputs of one channel of consecutive pixels, from sums that have the bias.
pub(in crate::kernels) fn store_channel(sums: &[i32], multiplier: i32, clamp: [i32; 2], row: Row) {
    let sums = &sums[..sums.len().min(row.len)];
    // SAFETY: there are as many sums as outputs.
    unsafe {
        if row.size == 1 {
            store_channel!("vstrb", "4", clamp, sums, multiplier, row.y);
        } else {
            store_channel!("vstrh", "8", clamp, sums, multiplier, row.y);
        }
    }
}
