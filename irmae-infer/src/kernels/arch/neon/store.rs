//! Outputs from sums, saturated to a clamp that lies within a byte.

use core::arch::aarch64::*;

use super::has_dot_products;
use super::int::{Lanes, PIXELS, from_array, horizontal_sums, products};
use crate::kernels::IntParams;
use crate::kernels::tile::{Panel, Place};

/// See [`Tile::multiply_store`](crate::kernels::tile::Tile::multiply_store): outputs of consecutive channels, in fours.
pub(in crate::kernels) fn multiply_store<const DOT: bool, const WIDE: bool>(
    panel: &Panel<'_>,
    starts: &[Lanes; 2],
    params: &IntParams<'_>,
    y: &mut [u8],
) -> usize {
    debug_assert!(!DOT || has_dot_products());
    // SAFETY: the CPU has the instructions, see the module.
    unsafe { multiply_fours::<DOT, WIDE>(panel, starts, params, y) }
}

#[target_feature(enable = "neon")]
fn multiply_fours<const DOT: bool, const WIDE: bool>(
    panel: &Panel<'_>,
    starts: &[Lanes; 2],
    params: &IntParams<'_>,
    y: &mut [u8],
) -> usize {
    let fours = params.bias.as_chunks::<4>().0.iter().zip(params.multiplier.as_chunks::<4>().0);
    for (n, (bias, multiplier)) in fours.enumerate().take(panel.outputs / 4) {
        let [[a, b], [c, d]] = products::<DOT, WIDE, 2, PIXELS>(panel.cells, panel.weights.skip(2 * n));
        let (bias, multiplier) = (from_array(bias), from_array(multiplier));
        let mut outputs = [vdup_n_s16(0); PIXELS];
        for (pixel, outputs) in outputs.iter_mut().enumerate() {
            // Both of a pair start from the same.
            let start = vaddq_s32(bias, vdupq_n_s32(starts[0][pixel]));
            let sums = vaddq_s32(start, horizontal_sums([a[pixel], b[pixel], c[pixel], d[pixel]]));
            *outputs = vqmovn_s32(requantize(sums, multiplier));
        }
        let outputs = vreinterpretq_u32_u8(clamped(outputs, params.clamp));
        let place = panel.place.skip(4 * n);
        store_pixel::<0>(outputs, place, y);
        store_pixel::<1>(outputs, place, y);
        store_pixel::<2>(outputs, place, y);
        store_pixel::<3>(outputs, place, y);
    }
    panel.outputs / 4 * 4
}

/// Four outputs of pixel `PIXEL`, if they are asked for.
#[inline]
#[target_feature(enable = "neon")]
fn store_pixel<const PIXEL: i32>(outputs: uint32x4_t, place: Place, y: &mut [u8]) {
    let pixel = PIXEL as usize;
    // Pixels beside the row have no outputs.
    if let Some(range) = place.range(pixel, 4, y.len()).filter(|_| pixel < place.count) {
        y[range].copy_from_slice(&vgetq_lane_u32::<PIXEL>(outputs).to_le_bytes());
    }
}

/// One output of four pixels, or four outputs of one pixel.
pub(in crate::kernels) fn finish(sums: &[i32; 4], bias: &[i32; 4], multiplier: &[i32; 4], clamp: [i32; 2]) -> [u8; 4] {
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        let sums = vaddq_s32(from_array(sums), from_array(bias));
        let output = vqmovn_s32(requantize(sums, from_array(multiplier)));
        let bytes = clamped([output; 4], clamp);
        vgetq_lane_u32::<0>(vreinterpretq_u32_u8(bytes)).to_le_bytes()
    }
}

/// [`quant::requantize`](crate::quant::requantize).
#[inline]
#[target_feature(enable = "neon")]
fn requantize(sums: int32x4_t, multiplier: int32x4_t) -> int32x4_t {
    let low = vrshrn_n_s64::<32>(vmull_s32(vget_low_s32(sums), vget_low_s32(multiplier)));
    vrshrn_high_n_s64::<32>(low, vmull_high_s32(sums, multiplier))
}

/// Outputs as bytes, one behind the other.
#[inline]
#[target_feature(enable = "neon")]
fn clamped([a, b, c, d]: [int16x4_t; 4], [least, largest]: [i32; 2]) -> uint8x16_t {
    let bytes = vqmovun_high_s16(vqmovun_s16(vcombine_s16(a, b)), vcombine_s16(c, d));
    vminq_u8(vmaxq_u8(bytes, vdupq_n_u8(least as u8)), vdupq_n_u8(largest as u8))
}
