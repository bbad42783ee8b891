//! Blocks of outputs of several pixels.

use core::arch::x86_64::*;
use core::ops::Range;

use super::{first_lanes, load};
use crate::kernels::FloatWeight;
use crate::kernels::float_tile::{Ends, Patches};

/// `B` pairs of blocks, pixels in groups of like size. The last pair has `LANES` outputs: eight where there is one block only. Gives
/// the number of blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
pub(super) fn multiply<W: FloatWeight, const B: usize, const LANES: usize>(
    x: &Patches<'_>,
    weights: &[[W; 8]],
    ends: Option<Ends<'_>>,
    y: &mut [f32],
    step: usize,
) -> usize {
    for group in groups(x.pixels) {
        let y = &mut y[group.start * step..];
        match group.len() {
            1 => add_blocks::<W, B, 1, LANES>(x, group.start, weights, ends, y, step),
            2 => add_blocks::<W, B, 2, LANES>(x, group.start, weights, ends, y, step),
            3 => add_blocks::<W, B, 3, LANES>(x, group.start, weights, ends, y, step),
            4 => add_blocks::<W, B, 4, LANES>(x, group.start, weights, ends, y, step),
            5 => add_blocks::<W, B, 5, LANES>(x, group.start, weights, ends, y, step),
            6 => add_blocks::<W, B, 6, LANES>(x, group.start, weights, ends, y, step),
            7 => add_blocks::<W, B, 7, LANES>(x, group.start, weights, ends, y, step),
            _ => add_blocks::<W, B, 8, LANES>(x, group.start, weights, ends, y, step),
        }
    }
    2 * B - 2 + LANES / 8
}

/// Pixels in as few groups of up to eight as there can be, of like size.
#[inline]
fn groups(pixels: usize) -> impl Iterator<Item = Range<usize>> {
    let len = pixels.div_ceil(pixels.div_ceil(8).max(1)).max(1);
    (0..pixels).step_by(len).map(move |start| start..pixels.min(start + len))
}

/// Inputs of which all weights are loaded before they are multiplied: as many products for each place of a pixel's values.
const TURN: usize = 4;

/// `B` pairs of blocks of `P` pixels from pixel `first` on: `B * P` vectors of sums.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn add_blocks<W: FloatWeight, const B: usize, const P: usize, const LANES: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[[W; 8]],
    ends: Option<Ends<'_>>,
    y: &mut [f32],
    step: usize,
) {
    // One block is multiplied twice, and half of the vector stored.
    let block_step = if LANES == 8 { 0 } else { x.inputs };
    let mask = first_lanes(LANES);
    let y = &mut y[..(P - 1) * step + 16 * (B - 1) + LANES];
    let (start, start_step, least) = match &ends {
        Some(ends) => (ends.bias[..16 * (B - 1) + LANES].as_ptr(), 0, ends.least),
        None => (y.as_ptr(), step, f32::NEG_INFINITY),
    };
    let mut acc = [[_mm512_setzero_ps(); P]; B];
    for (b, acc) in acc.iter_mut().enumerate() {
        for (n, acc) in acc.iter_mut().enumerate() {
            // SAFETY: biases and `y` have as many values as the mask has lanes.
            *acc = unsafe { _mm512_maskz_loadu_ps(mask, start.add(n * start_step + 16 * b)) };
        }
    }
    let values = x.values(first, P).as_ptr();
    let weights = weights[x.k..][..(2 * B - 1) * block_step + x.count * x.len].as_ptr();
    let whole = x.len / TURN * TURN;
    for row in 0..x.count {
        // SAFETY: inputs from `i` on, `TURN` or one, are below `len`, and there are as many of the last row, block and pixel.
        unsafe {
            let (weights, values) = (weights.add(row * x.len), values.add(row * x.row_step));
            for i in (0..whole).step_by(TURN) {
                add_products::<W, TURN, B, P>(&mut acc, weights.add(i), block_step, values.add(i), x.step);
            }
            for i in whole..x.len {
                add_products::<W, 1, B, P>(&mut acc, weights.add(i), block_step, values.add(i), x.step);
            }
        }
    }
    let least = _mm512_set1_ps(least);
    for (b, acc) in acc.iter().enumerate() {
        for (n, acc) in acc.iter().enumerate() {
            // SAFETY: `y` has as many values as the mask has lanes.
            unsafe { _mm512_mask_storeu_ps(y.as_mut_ptr().add(n * step + 16 * b), mask, _mm512_max_ps(least, *acc)) };
        }
    }
}

/// Adds the products of `U` inputs.
///
/// # Safety
/// There must be `U` weights in each of `2 * B` blocks `block_step` apart, and as many values of each pixel.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
unsafe fn add_products<W: FloatWeight, const U: usize, const B: usize, const P: usize>(
    acc: &mut [[__m512; P]; B],
    weights: *const [W; 8],
    block_step: usize,
    x: *const f32,
    pixel_step: usize,
) {
    // SAFETY: there are as many.
    unsafe {
        let mut w = [[_mm512_setzero_ps(); B]; U];
        for (u, w) in w.iter_mut().enumerate() {
            for (b, w) in w.iter_mut().enumerate() {
                *w = load(weights.add(2 * b * block_step + u), weights.add((2 * b + 1) * block_step + u));
            }
        }
        for n in 0..P {
            for (u, w) in w.iter().enumerate() {
                let value = _mm512_set1_ps(*x.add(n * pixel_step + u));
                for (acc, w) in acc.iter_mut().zip(w) {
                    acc[n] = _mm512_fmadd_ps(*w, value, acc[n]);
                }
            }
        }
    }
}
