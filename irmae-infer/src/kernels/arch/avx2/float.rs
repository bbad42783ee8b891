//! Sums of products of real numbers, by FMA; `f16` weights are widened by F16C.

use core::arch::x86_64::*;

use super::is_available;
use crate::kernels::FloatWeight;
use crate::kernels::float_groups::Groups;
use crate::kernels::float_tile::Patches;

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
        debug_assert!(is_available());
        // SAFETY: the CPU has the instructions, see the module.
        unsafe {
            match P {
                1 => add_blocks::<W, 4, B, P>(x, first, weights, y, step),
                2 | 3 => add_blocks::<W, 2, B, P>(x, first, weights, y, step),
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
        debug_assert!(is_available());
        // SAFETY: the CPU has the instructions, see the module.
        unsafe { add_singles::<W, V, P>(x, first, weights, y, step) }
    }
}

/// `B` blocks of `P` pixels from pixel `first` on, for `U` inputs in turn: `U * B * P` vectors of sums. From eight on they hide
/// the latency of FMA.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_blocks<W: FloatWeight, const U: usize, const B: usize, const P: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[[W; 8]],
    y: &mut [f32],
    step: usize,
) {
    let y = &mut y[first * step..][..(P - 1) * step + 8 * B];
    let mut acc = [[[_mm256_setzero_ps(); P]; B]; U];
    for (b, acc) in acc[0].iter_mut().enumerate() {
        for (n, acc) in acc.iter_mut().enumerate() {
            // SAFETY: `y` has eight values from there on.
            *acc = unsafe { load(y.as_ptr().add(n * step + 8 * b)) };
        }
    }
    for (k, span) in x.spans(first, P) {
        let weights = &weights[k..][..(B - 1) * x.inputs + x.len];
        let span = &span[..(P - 1) * x.step + x.len];
        let mut i = 0;
        while i < x.len {
            for acc in acc.iter_mut().take(x.len - i) {
                for (b, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: `i` is below `len`, and the slices have as much of the last block and of the last pixel.
                    unsafe {
                        let w = load(weights.as_ptr().add(b * x.inputs + i).cast::<W>());
                        for (n, acc) in acc.iter_mut().enumerate() {
                            let value = _mm256_broadcast_ss(&*span.as_ptr().add(n * x.step + i));
                            *acc = _mm256_fmadd_ps(w, value, *acc);
                        }
                    }
                }
                i += 1;
            }
        }
    }
    let [sums, turns @ ..] = &mut acc[..] else { return };
    for (b, sums) in sums.iter_mut().enumerate() {
        for (n, sums) in sums.iter_mut().enumerate() {
            let sum = turns.iter().fold(*sums, |sum, turn| _mm256_add_ps(sum, turn[b][n]));
            // SAFETY: `y` has eight values from there on; the store wants no alignment.
            unsafe { _mm256_storeu_ps(y.as_mut_ptr().add(n * step + 8 * b), sum) };
        }
    }
}

/// `V` outputs of `P` pixels from pixel `first` on, eight inputs at a time.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_singles<W: FloatWeight, const V: usize, const P: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[W],
    y: &mut [f32],
    step: usize,
) {
    let y = &mut y[first * step..][..(P - 1) * step + V];
    let mut acc = [[_mm256_setzero_ps(); P]; V];
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
                        *acc = _mm256_fmadd_ps(w, load(span.as_ptr().add(n * x.step + i)), *acc);
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
    let mut sums = [_mm256_setzero_ps(); 8];
    for v in 0..V {
        for n in 0..P {
            sums[n * V + v] = acc[v][n];
        }
    }
    let mut totals = [0.0; 8];
    // SAFETY: there is room for eight values; the store wants no alignment.
    unsafe { _mm256_storeu_ps(totals.as_mut_ptr(), horizontal_sums(sums)) };
    for n in 0..P {
        for v in 0..V {
            y[n * step + v] += totals[n * V + v];
        }
    }
}

/// Eight weights or values, widened.
///
/// # Safety
/// There must be eight.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load<W: FloatWeight>(from: *const W) -> __m256 {
    // SAFETY: there are eight. They are `f32`, or `f16`, which is half as long; these loads want no alignment.
    unsafe {
        if size_of::<W>() == 2 { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) } else { _mm256_loadu_ps(from.cast()) }
    }
}

/// The sum of the elements of each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn horizontal_sums([a, b, c, d, e, f, g, h]: [__m256; 8]) -> __m256 {
    // Of each half: a, b, c, d and e, f, g, h.
    let first = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    let second = _mm256_hadd_ps(_mm256_hadd_ps(e, f), _mm256_hadd_ps(g, h));
    let lower = _mm256_permute2f128_ps::<0x20>(first, second);
    let upper = _mm256_permute2f128_ps::<0x31>(first, second);
    _mm256_add_ps(lower, upper)
}
