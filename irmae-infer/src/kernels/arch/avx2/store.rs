//! From sums to outputs.

use core::arch::x86_64::*;

use super::int::{Lanes, PIXELS, from_array, to_array};
use super::is_available;
use crate::kernels::tile::Place;

/// Eight outputs of consecutive channels, saturated to `clamp`, which lies within a byte. See
/// [`Tile::multiply_store`](crate::kernels::tile::Tile::multiply_store).
pub(in crate::kernels) fn store_panel(
    sums: &[[Lanes; 2]; 4],
    bias: &[i32; 8],
    multiplier: &[i32; 8],
    clamp: [i32; 2],
    place: Place,
    y: &mut [u8],
) {
    debug_assert!(is_available());
    // SAFETY: the CPU has the instructions, see the module.
    let outputs = unsafe { finish_panel(sums, bias, multiplier, clamp) };
    for (pixel, outputs) in outputs.iter().enumerate().take(place.count) {
        // Pixels beside the row have no outputs.
        if let Some(range) = place.range(pixel, 8, y.len()) {
            y[range].copy_from_slice(outputs);
        }
    }
}

/// One output of eight pixels, or eight outputs of one pixel, saturated to `clamp`, which lies within a byte.
pub(in crate::kernels) fn finish(sums: &[i32; 8], bias: &[i32; 8], multiplier: &[i32; 8], clamp: [i32; 2]) -> [u8; 8] {
    debug_assert!(is_available());
    // SAFETY: the CPU has the instructions, see the module.
    let outputs = unsafe { to_array(finished(sums, from_array(bias), from_array(multiplier), clamp)) };
    outputs.map(|output| output as u8)
}

/// [`finish`], as 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn finished(sums: &[i32; 8], bias: __m256i, multiplier: __m256i, [least, largest]: [i32; 2]) -> __m256i {
    let scaled = requantize(_mm256_add_epi32(from_array(sums), bias), multiplier);
    _mm256_min_epi32(_mm256_max_epi32(scaled, _mm256_set1_epi32(least)), _mm256_set1_epi32(largest))
}

/// The eight outputs of each pixel.
#[target_feature(enable = "avx2")]
fn finish_panel(sums: &[[Lanes; 2]; 4], bias: &[i32; 8], multiplier: &[i32; 8], clamp: [i32; 2]) -> [[u8; 8]; PIXELS] {
    let mut y = [_mm256_setzero_si256(); 8];
    for (v, (y, sums)) in y.iter_mut().zip(sums.as_flattened()).enumerate() {
        *y = finished(sums, _mm256_set1_epi32(bias[v]), _mm256_set1_epi32(multiplier[v]), clamp);
    }
    // Bytes: outputs 0 to 3, and 4 to 7, of four pixels in each half; then the outputs of a pixel together.
    let pack = |a, b, c, d| _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    let transpose = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    let first = _mm256_shuffle_epi8(pack(y[0], y[1], y[2], y[3]), transpose);
    let second = _mm256_shuffle_epi8(pack(y[4], y[5], y[6], y[7]), transpose);
    // Pixels 0, 1, 4, 5 and 2, 3, 6, 7.
    let [even, odd] = [_mm256_unpacklo_epi32(first, second), _mm256_unpackhi_epi32(first, second)];
    let lower: [[u8; 8]; 4] = bytemuck::cast(to_array(_mm256_permute2x128_si256::<0x20>(even, odd)));
    let upper: [[u8; 8]; 4] = bytemuck::cast(to_array(_mm256_permute2x128_si256::<0x31>(even, odd)));
    [lower[0], lower[1], lower[2], lower[3], upper[0], upper[1], upper[2], upper[3]]
}

/// [`quant::requantize`](crate::quant::requantize).
#[inline]
#[target_feature(enable = "avx2")]
fn requantize(sums: __m256i, multiplier: __m256i) -> __m256i {
    let half = _mm256_set1_epi64x(1 << 31);
    let even = _mm256_add_epi64(_mm256_mul_epi32(sums, multiplier), half);
    let [odd_sums, odd_multiplier] = [sums, multiplier].map(|vector| _mm256_srli_epi64::<32>(vector));
    let odd = _mm256_add_epi64(_mm256_mul_epi32(odd_sums, odd_multiplier), half);
    _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(even), odd)
}
