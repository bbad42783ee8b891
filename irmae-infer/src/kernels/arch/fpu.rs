//! Inner loops for `f16` weights on cores with a floating-point unit (Cortex-M4F, M7, M33 and later): VCVTB and VCVTT widen the
//! halves of a word. Each product and each sum is rounded, as everywhere; on Cortex-M4 a fused VFMA takes three cycles, VMUL
//! and VADD together two.
//!
//! Loops are naked functions: `asm!` gives out no registers of a unit that has single precision alone. They begin with `.fpu`,
//! because the assembler does not know the target's unit either.

use core::arch::naked_asm;

use half::f16;

use crate::kernels::float_tile::Block;

/// Whether the loops can read these weights: VLDM wants whole words.
pub(in crate::kernels) fn is_aligned(weights: &[[f16; 8]]) -> bool {
    (weights.as_ptr() as usize).is_multiple_of(4)
}

/// `sums[v] += sum_k weights[k][v] x[k]`. The weights must be [aligned](is_aligned).
pub(in crate::kernels) fn multiply_one(weights: &[[f16; 8]], x: &[f32], sums: &mut Block) {
    let len = weights.len().min(x.len());
    assert!(is_aligned(weights));
    if len > 0 {
        // SAFETY: there are `len` values of each, more than none, and the weights are aligned. Every core of an `eabihf` target
        // has these instructions.
        unsafe { one(weights.as_ptr(), x.as_ptr(), len, sums) };
    }
}

/// [`multiply_one`] for two pixels.
pub(in crate::kernels) fn multiply_two(weights: &[[f16; 8]], x: [&[f32]; 2], sums: &mut [Block; 2]) {
    let len = weights.len().min(x[0].len()).min(x[1].len());
    assert!(is_aligned(weights));
    if len > 0 {
        // SAFETY: as in `multiply_one`.
        unsafe { two(weights.as_ptr(), x[0].as_ptr(), x[1].as_ptr(), len, sums) };
    }
}

/// Widens `from`; exact.
pub(in crate::kernels) fn widen(from: &[f16], to: &mut [f32]) {
    let len = from.len().min(to.len());
    if len > 0 {
        // SAFETY: there are `len` values of each, more than none.
        unsafe { convert(from.as_ptr(), to.as_mut_ptr(), len) };
    }
}

/// Eight weights from r0 to s20 to s27.
macro_rules! load_weights {
    () => {
        "vldmia r0!, {{s16-s19}}
         vcvtb.f32.f16 s20, s16
         vcvtt.f32.f16 s21, s16
         vcvtb.f32.f16 s22, s17
         vcvtt.f32.f16 s23, s17
         vcvtb.f32.f16 s24, s18
         vcvtt.f32.f16 s25, s18
         vcvtb.f32.f16 s26, s19
         vcvtt.f32.f16 s27, s19
        "
    };
}

/// Adds a pixel's value times four weights to four sums. In fours, since a sum that waits for its product stalls.
#[rustfmt::skip]
macro_rules! add_four {
    ($x:literal, [$w0:literal, $w1:literal, $w2:literal, $w3:literal], [$s0:literal, $s1:literal, $s2:literal, $s3:literal]) => {
        concat!(
            "vmul.f32 s16, ", $w0, ", ", $x, "\n vmul.f32 s17, ", $w1, ", ", $x, "\n",
            "vmul.f32 s18, ", $w2, ", ", $x, "\n vmul.f32 s19, ", $w3, ", ", $x, "\n",
            "vadd.f32 ", $s0, ", ", $s0, ", s16\n vadd.f32 ", $s1, ", ", $s1, ", s17\n",
            "vadd.f32 ", $s2, ", ", $s2, ", s18\n vadd.f32 ", $s3, ", ", $s3, ", s19\n",
        )
    };
}

/// Sums in s0 to s7.
#[unsafe(naked)]
unsafe extern "C" fn one(weights: *const [f16; 8], x: *const f32, len: usize, sums: *mut Block) {
    naked_asm!(
        ".fpu fpv4-sp-d16",
        "vpush {{s16-s27}}",
        "vldm r3, {{s0-s7}}",
        "2:",
        "vldmia r1!, {{s8}}",
        load_weights!(),
        add_four!("s8", ["s20", "s21", "s22", "s23"], ["s0", "s1", "s2", "s3"]),
        add_four!("s8", ["s24", "s25", "s26", "s27"], ["s4", "s5", "s6", "s7"]),
        "subs r2, #1",
        "bne 2b",
        "vstm r3, {{s0-s7}}",
        "vpop {{s16-s27}}",
        "bx lr",
    )
}

/// Sums in s0 to s15.
#[unsafe(naked)]
unsafe extern "C" fn two(weights: *const [f16; 8], x0: *const f32, x1: *const f32, len: usize, sums: *mut [Block; 2]) {
    naked_asm!(
        ".fpu fpv4-sp-d16",
        "vpush {{s16-s31}}",
        "ldr r12, [sp, #64]",
        "vldm r12, {{s0-s15}}",
        "2:",
        "vldmia r1!, {{s30}}",
        "vldmia r2!, {{s31}}",
        load_weights!(),
        add_four!("s30", ["s20", "s21", "s22", "s23"], ["s0", "s1", "s2", "s3"]),
        add_four!("s30", ["s24", "s25", "s26", "s27"], ["s4", "s5", "s6", "s7"]),
        add_four!("s31", ["s20", "s21", "s22", "s23"], ["s8", "s9", "s10", "s11"]),
        add_four!("s31", ["s24", "s25", "s26", "s27"], ["s12", "s13", "s14", "s15"]),
        "subs r3, #1",
        "bne 2b",
        "vstm r12, {{s0-s15}}",
        "vpop {{s16-s31}}",
        "bx lr",
    )
}

#[unsafe(naked)]
unsafe extern "C" fn convert(from: *const f16, to: *mut f32, len: usize) {
    naked_asm!(
        ".fpu fpv4-sp-d16",
        "2:",
        "ldrh r3, [r0], #2",
        "vmov s0, r3",
        "vcvtb.f32.f16 s0, s0",
        "vstmia r1!, {{s0}}",
        "subs r2, #1",
        "bne 2b",
        "bx lr",
    )
}
