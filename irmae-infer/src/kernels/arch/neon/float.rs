//! Sums of products of real numbers, by FMLA; `f16` weights are widened by FCVTL.

use core::arch::aarch64::*;
use core::arch::asm;

use crate::kernels::FloatWeight;
use crate::kernels::float_groups::Groups;
use crate::kernels::float_tile::Patches;

/// Eight sums or weights.
type Eight = [float32x4_t; 2];

/// Blocks of eight outputs.
pub(in crate::kernels) struct Blocks;

impl Groups for Blocks {
    type Weights<W: FloatWeight> = [W; 8];
    const OUTPUTS: usize = 8;

    fn add<W: FloatWeight, const B: usize, const P: usize>(
        x: &Patches<'_>,
        first: usize,
        weights: &[[W; 8]],
        y: &mut [f32],
        step: usize,
    ) {
        // SAFETY: the CPU has the instructions, see the module.
        unsafe {
            match P {
                1 => add_blocks::<W, 4, B, P>(x, first, weights, y, step),
                2 => add_blocks::<W, 2, B, P>(x, first, weights, y, step),
                _ => add_blocks::<W, 1, B, P>(x, first, weights, y, step),
            }
        }
    }
}

/// Outputs that belong to no block.
pub(in crate::kernels) struct Singles;

impl Groups for Singles {
    type Weights<W: FloatWeight> = W;
    const OUTPUTS: usize = 1;

    fn add<W: FloatWeight, const V: usize, const P: usize>(
        x: &Patches<'_>,
        first: usize,
        weights: &[W],
        y: &mut [f32],
        step: usize,
    ) {
        // SAFETY: the CPU has the instructions, see the module.
        unsafe { add_singles::<W, V, P>(x, first, weights, y, step) }
    }
}

/// `B` blocks of `P` pixels from pixel `first` on, four inputs at a time. These go to `U` sums in turn, which hide the latency of FMLA.
#[target_feature(enable = "neon")]
fn add_blocks<W: FloatWeight, const U: usize, const B: usize, const P: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[[W; 8]],
    y: &mut [f32],
    step: usize,
) {
    let y = &mut y[first * step..][..(P - 1) * step + 8 * B];
    let mut acc = [[[[vdupq_n_f32(0.0); 2]; P]; U]; B];
    for (b, acc) in acc.iter_mut().enumerate() {
        for (n, acc) in acc[0].iter_mut().enumerate() {
            // SAFETY: `y` has eight values from there on.
            *acc = unsafe { load(y.as_ptr().add(n * step + 8 * b)) };
        }
    }
    for (k, span) in x.spans(first, P) {
        let weights = &weights[k..][..(B - 1) * x.inputs + x.len];
        let span = &span[..(P - 1) * x.step + x.len];
        let whole = x.len / 4 * 4;
        for i in (0..whole).step_by(4) {
            // SAFETY: four from `i` on are below `len`, and the slices have as much of the last block and of the last pixel.
            unsafe {
                let four: [float32x4_t; P] = core::array::from_fn(|n| vld1q_f32(span.as_ptr().add(n * x.step + i)));
                for (b, acc) in acc.iter_mut().enumerate() {
                    let weights = weights.as_ptr().add(b * x.inputs + i);
                    add_scaled::<W, 0, P>(&mut acc[0], weights, four);
                    add_scaled::<W, 1, P>(&mut acc[1 % U], weights, four);
                    add_scaled::<W, 2, P>(&mut acc[2 % U], weights, four);
                    add_scaled::<W, 3, P>(&mut acc[3 % U], weights, four);
                }
            }
        }
        for i in whole..x.len {
            // SAFETY: `i` is below `len`, and the slices have as much of the last block and of the last pixel.
            unsafe {
                let one = core::array::from_fn(|n| vld1q_dup_f32(span.as_ptr().add(n * x.step + i)));
                for (b, acc) in acc.iter_mut().enumerate() {
                    add_scaled::<W, 0, P>(&mut acc[0], weights.as_ptr().add(b * x.inputs + i), one);
                }
            }
        }
    }
    for (b, acc) in acc.iter().enumerate() {
        for n in 0..P {
            let [mut low, mut high] = acc[0][n];
            for turn in &acc[1..] {
                (low, high) = (vaddq_f32(low, turn[n][0]), vaddq_f32(high, turn[n][1]));
            }
            // SAFETY: `y` has eight values from there on; the stores want no alignment.
            unsafe {
                vst1q_f32(y.as_mut_ptr().add(n * step + 8 * b), low);
                vst1q_f32(y.as_mut_ptr().add(n * step + 8 * b + 4), high);
            }
        }
    }
}

/// Adds a block for input `I` of four, `weights` being those of the first, to the sums of `P` pixels.
///
/// # Safety
/// There must be so many weights.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_scaled<W: FloatWeight, const I: i32, const P: usize>(
    acc: &mut [Eight; P],
    weights: *const [W; 8],
    x: [float32x4_t; P],
) {
    // SAFETY: there are as many.
    let weights = unsafe { load(weights.add(I as usize).cast::<W>()) };
    for (acc, x) in acc.iter_mut().zip(x) {
        acc[0] = vfmaq_laneq_f32::<I>(acc[0], weights[0], x);
        acc[1] = vfmaq_laneq_f32::<I>(acc[1], weights[1], x);
    }
}

/// `V` outputs of `P` pixels from pixel `first` on, eight inputs at a time.
#[target_feature(enable = "neon")]
fn add_singles<W: FloatWeight, const V: usize, const P: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[W],
    y: &mut [f32],
    step: usize,
) {
    let y = &mut y[first * step..][..(P - 1) * step + V];
    let mut acc = [[[vdupq_n_f32(0.0); 2]; P]; V];
    for (k, span) in x.spans(first, P) {
        let weights = &weights[k..][..(V - 1) * x.inputs + x.len];
        let span = &span[..(P - 1) * x.step + x.len];
        let whole = x.len / 8 * 8;
        for i in (0..whole).step_by(8) {
            for (v, acc) in acc.iter_mut().enumerate() {
                // SAFETY: eight from `i` on are below `len`, and the slices have as much of the last output and of the last pixel.
                unsafe {
                    let w = load(weights.as_ptr().add(v * x.inputs + i));
                    for (n, acc) in acc.iter_mut().enumerate() {
                        let x = load(span.as_ptr().add(n * x.step + i));
                        *acc = [vfmaq_f32(acc[0], w[0], x[0]), vfmaq_f32(acc[1], w[1], x[1])];
                    }
                }
            }
        }
        for i in whole..x.len {
            for v in 0..V {
                for n in 0..P {
                    y[n * step + v] += weights[v * x.inputs + i].to_f32() * span[n * x.step + i];
                }
            }
        }
    }
    for (v, acc) in acc.into_iter().enumerate() {
        for (n, [low, high]) in acc.into_iter().enumerate() {
            y[n * step + v] += vaddvq_f32(vaddq_f32(low, high));
        }
    }
}

/// Eight weights or values, widened.
///
/// # Safety
/// There must be eight.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load<W: FloatWeight>(from: *const W) -> Eight {
    // SAFETY: there are eight. They are `f32`, or `f16`, which is half as long; these loads want no alignment.
    unsafe {
        if size_of::<W>() == 2 {
            widen(vld1q_u16(from.cast()))
        } else {
            [vld1q_f32(from.cast()), vld1q_f32(from.cast::<f32>().add(4))]
        }
    }
}

/// FCVTL, whose intrinsics are not stable on the oldest Rust that is supported.
#[inline]
#[target_feature(enable = "neon")]
fn widen(halves: uint16x8_t) -> Eight {
    let (low, high);
    // SAFETY: these are instructions of every NEON, which read and write these registers alone.
    unsafe {
        asm!(
            "fcvtl {low:v}.4s, {halves:v}.4h",
            "fcvtl2 {high:v}.4s, {halves:v}.8h",
            low = out(vreg) low,
            high = lateout(vreg) high,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    [low, high]
}
