//! From sums to outputs: VRMULH multiplies and rounds as [`requantize`](crate::quant::requantize) does.

use core::arch::asm;

use crate::kernels::params::IntParams;
use crate::kernels::tile::Place;

/// Outputs that [`store_panel`] stores at most.
const MAX_OUTPUTS: usize = 16;

/// What [`store_panel`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct Job {
    clamp: [i32; 2],
    y: [*mut u8; 4],
    bias: *const i32,
    multiplier: *const i32,
    sums: *const [i32; 4],
    outputs: usize,
}

/// Four outputs of four pixels at a time. VLD4 brings together what is a pixel's.
macro_rules! store_panel {
    ($job:expr, $store:literal, $bytes:literal) => {
        asm!(
            "push {{r6, r7}}",
            "ldm r0, {{r1, r2, r4, r5, r6, r7, r8, r9, r10, r11}}",
            "vdup.32 q6, r1",
            "vdup.32 q7, r2",
            "2:",
            "vctp.32 r11",
            "vpstt",
            "vldrwt.u32 q4, [r8], #16",
            "vldrwt.u32 q5, [r9], #16",
            "vld40.32 {{q0, q1, q2, q3}}, [r10]",
            "vld41.32 {{q0, q1, q2, q3}}, [r10]",
            "vld42.32 {{q0, q1, q2, q3}}, [r10]",
            "vld43.32 {{q0, q1, q2, q3}}, [r10]!",
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
            concat!($store, "t.32 q0, [r4], #", $bytes),
            concat!($store, "t.32 q1, [r5], #", $bytes),
            concat!($store, "t.32 q2, [r6], #", $bytes),
            concat!($store, "t.32 q3, [r7], #", $bytes),
            "subs r11, r11, #4",
            "bhi 2b",
            "pop {{r6, r7}}",
            inout("r0") $job => _,
            out("r1") _, out("r2") _, out("r4") _, out("r5") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _, out("d12") _, out("d13") _, out("d14") _, out("d15") _,
        )
    };
}

/// Stores consecutive outputs of four pixels, from channel `channel` on.
///
/// # Safety
/// `outputs` is 1 to [`MAX_OUTPUTS`]. `sums` are those of the outputs; three more can be read.
pub(super) unsafe fn store_panel<Y: Copy>(
    sums: *const [i32; 4],
    outputs: usize,
    params: &IntParams<'_>,
    channel: usize,
    place: Place,
    y: &mut [Y],
) {
    let (bias, multiplier) = (&params.bias[channel..][..outputs], &params.multiplier[channel..][..outputs]);
    // For pixels that nobody asks for, or beside the row.
    let mut nowhere = [0_u16; MAX_OUTPUTS];
    let mut pointer = |pixel: usize| match place.range(pixel, outputs, y.len()) {
        Some(range) if pixel < place.count => y[range].as_mut_ptr().cast(),
        _ => nowhere.as_mut_ptr().cast(),
    };
    let job = Job {
        clamp: params.clamp,
        y: [pointer(0), pointer(1), pointer(2), pointer(3)],
        bias: bias.as_ptr(),
        multiplier: multiplier.as_ptr(),
        sums,
        outputs,
    };
    let job: *const Job = &job;
    // SAFETY: there are as many of everything as there are outputs; r6, r7 and the stack are left as they were.
    unsafe { if size_of::<Y>() == 1 { store_panel!(job, "vstrb", "4") } else { store_panel!(job, "vstrh", "8") } }
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
