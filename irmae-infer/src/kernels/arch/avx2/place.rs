//! Bytes to a panel, and their sums.

use core::arch::x86_64::*;

use super::int::{Lanes, PIXELS, from_array, to_array};
use super::is_available;
use crate::kernels::tile::Runs;

/// See [`Tile::place_all`](crate::kernels::tile::Tile::place_all).
pub(in crate::kernels) fn place(panel: &mut [u8], k: usize, runs: &Runs<'_, u8>, sums: &mut Lanes) {
    debug_assert!(is_available());
    let panel = &mut panel[k * PIXELS..][..runs.rows * runs.len * PIXELS];
    for (row, panel) in panel.chunks_exact_mut((runs.len * PIXELS).max(1)).enumerate() {
        let x = &runs.x[row * runs.row_step..][..(runs.pixels - 1) * runs.pixel_step + runs.len];
        // Pixels that are not asked for repeat the last one.
        let starts = core::array::from_fn(|pixel| pixel.min(runs.pixels - 1) * runs.pixel_step);
        // SAFETY: the CPU has the instructions, see the module; `x` has `len` values of the last pixel too, and the panel of all.
        unsafe { place_row(panel, x, starts, runs.len, sums) };
    }
}

/// The pixels' runs of one row, which start at `starts`.
///
/// # Safety
/// `x` must have `len` values from each start on, and `panel` room for as many of each pixel.
#[target_feature(enable = "avx2")]
unsafe fn place_row(panel: &mut [u8], x: &[u8], starts: [usize; PIXELS], len: usize, sums: &mut Lanes) {
    let mut total = from_array(sums);
    let (x, panel) = (x.as_ptr(), panel.as_mut_ptr());
    let whole = len / 16 * 16;
    for k in (0..whole).step_by(16) {
        // SAFETY: sixteen values from `k` on are below `len`.
        let sixteen = starts.map(|start| unsafe { _mm_loadu_si128(x.add(start + k).cast()) });
        let mut sums_of_two = _mm_setzero_si128();
        for (n, half) in transposed(sixteen).into_iter().enumerate() {
            sums_of_two = _mm_add_epi16(sums_of_two, _mm_maddubs_epi16(half, _mm_set1_epi8(1)));
            // SAFETY: the panel has room for eight halves from `k` on.
            unsafe { _mm_storeu_si128(panel.add(8 * k + 16 * n).cast(), half) };
        }
        total = _mm256_add_epi32(total, _mm256_cvtepu16_epi32(sums_of_two));
    }
    // Of each four values the first and third, then the second and fourth.
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    for k in (whole..len / 4 * 4).step_by(4) {
        // SAFETY: four values from `k` on are below `len`, and the panel has room for them.
        unsafe {
            let [a, b, c, d, e, f, g, h] = starts.map(|start| x.add(start + k).cast::<i32>().read_unaligned());
            let four = _mm256_setr_epi32(a, b, c, d, e, f, g, h);
            let sums_of_two = _mm256_maddubs_epi16(four, _mm256_set1_epi8(1));
            total = _mm256_add_epi32(total, _mm256_madd_epi16(sums_of_two, _mm256_set1_epi16(1)));
            let halves = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(four, order));
            _mm256_storeu_si256(panel.add(8 * k).cast(), halves);
        }
    }
    *sums = to_array(total);
}

/// Of sixteen values of eight pixels each, the eight halves, each with two values of all pixels.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(pixels: [__m128i; 8]) -> [__m128i; 8] {
    let [a, b, c, d, e, f, g, h] = pixels.map(|values| in_halves(values));
    let (ab, cd, ef, gh) = (zip16(a, b), zip16(c, d), zip16(e, f), zip16(g, h));
    let [(abcd0, efgh0), (abcd1, efgh1)] = [0, 1].map(|n| (zip32(ab[n], cd[n]), zip32(ef[n], gh[n])));
    let [[i0, i1], [i2, i3]] = [0, 1].map(|n| zip64(abcd0[n], efgh0[n]));
    let [[i4, i5], [i6, i7]] = [0, 1].map(|n| zip64(abcd1[n], efgh1[n]));
    [i0, i1, i2, i3, i4, i5, i6, i7]
}

#[inline]
#[target_feature(enable = "avx2")]
fn zip16(a: __m128i, b: __m128i) -> [__m128i; 2] {
    [_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn zip32(a: __m128i, b: __m128i) -> [__m128i; 2] {
    [_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn zip64(a: __m128i, b: __m128i) -> [__m128i; 2] {
    [_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b)]
}

/// Values in the order of the weights: of each four the first and third, then the second and fourth.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn in_halves(values: __m128i) -> __m128i {
    _mm_shuffle_epi8(values, _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15))
}
