//! Panels of bytes: sixteen values of a pixel together, of each four the first and third before the second and fourth, as weights
//! lie.

use core::arch::aarch64::*;

use super::has_dot_products;
use super::int::{GRANULE, Lanes, PIXELS, add_bytes, zeros};
use crate::kernels::tile::Runs;

/// See [`Tile::place`](crate::kernels::tile::Tile::place).
pub(in crate::kernels) fn place<const DOT: bool>(
    panel: &mut [u8],
    pixels: usize,
    pixel: usize,
    k: usize,
    x: &[u8],
) -> i32 {
    debug_assert!(!DOT || has_dot_products());
    let (granules, _) = panel.as_chunks_mut();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe { vaddvq_s32(place_run::<DOT>(&mut granules[pixel..], pixels, k, x, zeros())) }
}

/// See [`Tile::place_all`](crate::kernels::tile::Tile::place_all).
pub(in crate::kernels) fn place_all<const DOT: bool>(
    panel: &mut [u8],
    k: usize,
    runs: &Runs<'_, u8>,
    sums: &mut Lanes,
) {
    debug_assert!(!DOT || has_dot_products());
    let (granules, _) = panel.as_chunks_mut();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        if k.is_multiple_of(GRANULE) && runs.len < GRANULE {
            place_short_runs::<DOT>(&mut granules[k / GRANULE * PIXELS..], runs, sums);
        } else {
            place_runs::<DOT>(granules, k, runs, sums);
        }
    }
}

#[target_feature(enable = "neon")]
fn place_runs<const DOT: bool>(granules: &mut [[u8; GRANULE]], k: usize, runs: &Runs<'_, u8>, sums: &mut Lanes) {
    let &Runs { x, len, rows, row_step, pixel_step, pixels } = runs;
    for (pixel, sum) in sums.iter_mut().enumerate().take(pixels) {
        let granules = &mut granules[pixel..];
        let mut all = zeros();
        for row in 0..rows {
            let x = &x[row * row_step + pixel * pixel_step..][..len];
            all = place_run::<DOT>(granules, PIXELS, k + row * len, x, all);
        }
        *sum += vaddvq_s32(all);
    }
}

/// Runs of whole fours, shorter than a granule, from the first granule on; behind the last there are zeros.
#[target_feature(enable = "neon")]
fn place_short_runs<const DOT: bool>(granules: &mut [[u8; GRANULE]], runs: &Runs<'_, u8>, sums: &mut Lanes) {
    let &Runs { x, len, rows, row_step, pixel_step, pixels } = runs;
    for (pixel, sum) in sums.iter_mut().enumerate().take(pixels) {
        let (mut start, mut at, mut fours) = (pixel * pixel_step, 0, rows * len / 4);
        let mut next = || {
            if fours == 0 {
                return 0;
            }
            let four = x[start + at..].first_chunk().copied().unwrap_or_default();
            (at, fours) = (at + 4, fours - 1);
            if at == len {
                (start, at) = (start + row_step, 0);
            }
            u32::from_le_bytes(four)
        };
        let mut all = zeros();
        for granules in granules[pixel..].chunks_mut(PIXELS).take((rows * len).div_ceil(GRANULE)) {
            let now = vsetq_lane_u32::<0>(next(), vdupq_n_u32(0));
            let now = vsetq_lane_u32::<1>(next(), now);
            let now = vsetq_lane_u32::<2>(next(), now);
            let now = vreinterpretq_u8_u32(vsetq_lane_u32::<3>(next(), now));
            // SAFETY: there is room for sixteen values.
            unsafe { vst1q_u8(granules[0].as_mut_ptr(), in_halves(now)) };
            all = add_bytes::<DOT>(all, now, vdupq_n_u8(1));
        }
        *sum += vaddvq_s32(all);
    }
}

/// Writes a run to every `pixels`th granule. Gives `sums` with the sum of the values, spread over it.
#[inline]
#[target_feature(enable = "neon")]
fn place_run<const DOT: bool>(
    granules: &mut [[u8; GRANULE]],
    pixels: usize,
    mut k: usize,
    mut x: &[u8],
    mut sums: int32x4_t,
) -> int32x4_t {
    let ones = vdupq_n_u8(1);
    while !x.is_empty() {
        let granules = &mut granules[k / GRANULE * pixels..];
        let whole = x.len() / GRANULE;
        if whole > 0 && k.is_multiple_of(GRANULE) {
            let granules = granules[..(whole - 1) * pixels + 1].as_mut_ptr();
            for n in 0..whole {
                // SAFETY: `x` has so many times sixteen values, and every `pixels`th granule is there.
                unsafe {
                    let now = vld1q_u8(x.as_ptr().add(n * GRANULE));
                    vst1q_u8(granules.add(n * pixels).cast(), in_halves(now));
                    sums = add_bytes::<DOT>(sums, now, ones);
                }
            }
            (k, x) = (k + whole * GRANULE, &x[whole * GRANULE..]);
        } else if let (0, Some((now, later))) = (k % 4, x.split_first_chunk()) {
            let now = from_word(u32::from_le_bytes(*now));
            let place = &mut granules[0].as_chunks_mut::<4>().0[k % GRANULE / 4];
            *place = vgetq_lane_u32::<0>(vreinterpretq_u32_u8(in_halves(now))).to_le_bytes();
            sums = add_bytes::<DOT>(sums, now, ones);
            (k, x) = (k + 4, later);
        } else {
            granules[0][k % GRANULE / 4 * 4 + k % 2 * 2 + k % 4 / 2] = x[0];
            sums = add_bytes::<DOT>(sums, from_word(x[0].into()), ones);
            (k, x) = (k + 1, &x[1..]);
        }
    }
    sums
}

/// A word and zeros.
#[inline]
#[target_feature(enable = "neon")]
fn from_word(word: u32) -> uint8x16_t {
    vreinterpretq_u8_u32(vsetq_lane_u32::<0>(word, vdupq_n_u32(0)))
}

/// Values as a panel has them.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn in_halves(x: uint8x16_t) -> uint8x16_t {
    let order: [u8; GRANULE] = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15];
    // SAFETY: these are sixteen values.
    vqtbl1q_u8(x, unsafe { vld1q_u8(order.as_ptr()) })
}
