//! Rows of one output channel of a transposed convolution.

use core::arch::x86_64::*;

use super::int::{horizontal_sums, load, to_array};
use super::is_available;
use super::place::in_halves;

/// Values in a vector of 16-bit lanes.
pub(in crate::kernels) const GRANULE: usize = 16;

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns), for whole granules of channels.
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
    debug_assert!(is_available());
    let expanded = &mut expanded[..2 * weights.len()];
    let (p, q) = expanded.split_at_mut(weights.len());
    // SAFETY: the CPU has the instructions, see the module.
    unsafe { add_windows(x, expand(weights, p, q), sums) };
}

/// Lanes `256 q + p + 128` as lanes `p` and lanes `q`.
#[target_feature(enable = "avx2")]
fn expand<'a>(weights: &[u32], p: &'a mut [u32], q: &'a mut [u32]) -> [&'a [[u32; 8]]; 2] {
    let (p, q) = (p.as_chunks_mut().0, q.as_chunks_mut().0);
    for ((weights, p), q) in weights.as_chunks::<8>().0.iter().zip(p.iter_mut()).zip(q.iter_mut()) {
        let lanes = load_words(weights);
        let u = _mm256_and_si256(lanes, _mm256_set1_epi16(0xff));
        *p = bytemuck::cast(to_array(_mm256_sub_epi16(u, _mm256_set1_epi16(128))));
        *q = bytemuck::cast(to_array(_mm256_srai_epi16::<8>(lanes)));
    }
    [p, q]
}

/// Adds the products of all windows of two columns, the first of which begins before the input, and the last of which ends
/// behind it.
#[target_feature(enable = "avx2")]
fn add_windows(x: &[u8], [p, q]: [&[[u32; 8]]; 2], sums: &mut [[i32; 2]]) {
    let (x, _) = x.as_chunks::<GRANULE>();
    let column = p.len() / 2;
    let last = sums.len() - 1;
    for (n, sums) in sums.chunks_mut(4).enumerate() {
        let mut all = [[_mm256_setzero_si256(); 2]; 4];
        for (window, acc) in (4 * n..=last).zip(&mut all) {
            let start = if window == 0 { column } else { 0 };
            let end = if window == last { column } else { p.len() };
            let x = &x[window * column + start - column..];
            for ((x, p), q) in x.iter().zip(&p[start..end]).zip(&q[start..end]) {
                // SAFETY: these are sixteen values; the load wants no alignment.
                let x = _mm256_cvtepu8_epi16(in_halves(unsafe { _mm_loadu_si128(x.as_ptr().cast()) }));
                acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(load_words(p), x));
                acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(load_words(q), x));
            }
        }
        let totals = to_array(horizontal_sums(all));
        for (sums, totals) in sums.iter_mut().zip(totals.as_chunks::<2>().0) {
            *sums = [sums[0].wrapping_add(totals[0]), sums[1].wrapping_add(totals[1])];
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_words(words: &[u32; 8]) -> __m256i {
    // SAFETY: these are eight words.
    unsafe { load(words.as_ptr()) }
}
