//! Sums of products of integers, by VPMADDWD. Where a vector is of eight pixels, they lie side by side in a panel, two values of
//! each.

use core::arch::x86_64::*;

use super::is_available;
use crate::kernels::tile::Weights;

/// Pixels of a panel.
pub(in crate::kernels) const PIXELS: usize = 8;

/// Sums of one output.
pub(in crate::kernels) type Lanes = [i32; PIXELS];

/// Words of weights, of two inputs each, for which sums of products with lanes and with bytes can be told apart.
const WORDS: usize = 128;

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply). `WIDE`: 16-bit values.
pub(in crate::kernels) fn multiply<const WIDE: bool>(
    panel: &[u32],
    weights: Weights<'_>,
    starts: &[Lanes; 2],
    sums: &mut [[Lanes; 2]],
) {
    debug_assert!(is_available());
    sums.fill(*starts);
    let (fours, rest) = sums.as_chunks_mut();
    let first = 4 * fours.len();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        for (n, sums) in fours.iter_mut().enumerate() {
            multiply_pairs::<WIDE, 4>(panel, weights.skip(4 * n), sums);
        }
        for (n, sums) in rest.iter_mut().enumerate() {
            multiply_pairs::<WIDE, 1>(panel, weights.skip(first + n), core::array::from_mut(sums));
        }
    }
}

/// Adds the products of a panel with `N` pairs of outputs.
#[target_feature(enable = "avx2")]
fn multiply_pairs<const WIDE: bool, const N: usize>(panel: &[u32], weights: Weights<'_>, sums: &mut [[Lanes; 2]; N]) {
    let words = 2 * weights.quads;
    let panel = &panel[..words * if WIDE { PIXELS } else { PIXELS / 2 }];
    let weight_words = &weights.words[..(N - 1) * weights.pair_len + words];
    for piece in (0..words).step_by(WORDS) {
        let mut acc = [[_mm256_setzero_si256(); 2]; N];
        for word in piece..words.min(piece + WORDS) {
            // SAFETY: `word` is below `words`, and so many has the panel and has the last pair.
            let x = unsafe { load_values::<WIDE>(panel.as_ptr(), word) };
            for (n, acc) in acc.iter_mut().enumerate() {
                // SAFETY: as above.
                let word = unsafe { *weight_words.as_ptr().add(n * weights.pair_len + word) };
                add_products::<WIDE>(acc, _mm256_set1_epi32(word as i32), x);
            }
        }
        for (sums, acc) in sums.iter_mut().zip(acc) {
            for (sums, acc) in sums.iter_mut().zip(told_apart::<WIDE>(acc)) {
                *sums = to_array(_mm256_add_epi32(from_array(sums), acc));
            }
        }
    }
}

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel). `WIDE`: 16-bit values.
pub(in crate::kernels) fn multiply_pixel<const WIDE: bool>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    debug_assert!(is_available());
    let (fours, rest) = sums.as_chunks_mut();
    let first = 4 * fours.len();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        for (n, sums) in fours.iter_mut().enumerate() {
            multiply_pixel_pairs::<WIDE, 4>(panel, weights.skip(4 * n), sums);
        }
        for (n, sums) in rest.iter_mut().enumerate() {
            multiply_pixel_pairs::<WIDE, 1>(panel, weights.skip(first + n), core::array::from_mut(sums));
        }
    }
}

/// Adds the products of one pixel with `N` pairs of outputs, four at most, eight words at a time.
#[target_feature(enable = "avx2")]
fn multiply_pixel_pairs<const WIDE: bool, const N: usize>(
    panel: &[u32],
    weights: Weights<'_>,
    sums: &mut [[i32; 2]; N],
) {
    let words = 2 * weights.quads;
    let panel = &panel[..if WIDE { words } else { words / 2 }];
    let weight_words = &weights.words[..(N - 1) * weights.pair_len + words];
    let whole = words / 8 * 8;
    let mut all = [[_mm256_setzero_si256(); 2]; 4];
    // Each lane of a vector has an eighth of the words.
    for piece in (0..words).step_by(8 * WORDS) {
        let mut acc = [[_mm256_setzero_si256(); 2]; N];
        for word in (piece..whole.min(piece + 8 * WORDS)).step_by(8) {
            // SAFETY: eight words from `word` on are below `words`, and so many has the panel and has the last pair.
            unsafe {
                let x = load_pixel::<WIDE>(panel.as_ptr(), word);
                for (n, acc) in acc.iter_mut().enumerate() {
                    let lanes = load(weight_words.as_ptr().add(n * weights.pair_len + word));
                    add_products::<WIDE>(acc, lanes, x);
                }
            }
        }
        if piece + 8 * WORDS >= words && whole < words {
            // The last words, and zeros.
            let x = rest(&panel[if WIDE { whole } else { whole / 2 }..]);
            for (n, acc) in acc.iter_mut().enumerate() {
                let lanes = rest(&weight_words[n * weights.pair_len + whole..][..words - whole]);
                // SAFETY: there are eight words of each.
                unsafe { add_products::<WIDE>(acc, load(lanes.as_ptr()), load_pixel::<WIDE>(x.as_ptr(), 0)) };
            }
        }
        for (all, acc) in all.iter_mut().zip(acc) {
            for (all, acc) in all.iter_mut().zip(told_apart::<WIDE>(acc)) {
                *all = _mm256_add_epi32(*all, acc);
            }
        }
    }
    let totals = to_array(horizontal_sums(all));
    for (sums, totals) in sums.iter_mut().zip(totals.as_chunks::<2>().0) {
        *sums = [sums[0].wrapping_add(totals[0]), sums[1].wrapping_add(totals[1])];
    }
}

/// Fewer than eight words, and zeros.
fn rest(words: &[u32]) -> [u32; 8] {
    let mut eight = [0; 8];
    eight[..words.len()].copy_from_slice(words);
    eight
}

/// Adds products of lanes `256 q + u` with values: of `u`, and of `q` or, where values are bytes and sums stay small, of the lane.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products<const WIDE: bool>(acc: &mut [__m256i; 2], lanes: __m256i, x: __m256i) {
    let u = _mm256_and_si256(lanes, _mm256_set1_epi16(0xff));
    let q = if WIDE { _mm256_srai_epi16::<8>(lanes) } else { lanes };
    acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(u, x));
    acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(q, x));
}

/// Sums of products with `u` and with `q`, from those that [`add_products`] made.
#[inline]
#[target_feature(enable = "avx2")]
fn told_apart<const WIDE: bool>([u, q]: [__m256i; 2]) -> [__m256i; 2] {
    [u, if WIDE { q } else { _mm256_srai_epi32::<8>(_mm256_sub_epi32(q, u)) }]
}

/// The two values of eight pixels for word `word`, as 16 bits.
///
/// # Safety
/// The panel must have as many.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_values<const WIDE: bool>(panel: *const u32, word: usize) -> __m256i {
    // SAFETY: the panel has as many; these loads want no alignment.
    unsafe {
        if WIDE { load(panel.add(8 * word)) } else { _mm256_cvtepu8_epi16(_mm_loadu_si128(panel.add(4 * word).cast())) }
    }
}

/// The values of one pixel for eight words from `word` on, as 16 bits.
///
/// # Safety
/// The panel must have as many.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_pixel<const WIDE: bool>(panel: *const u32, word: usize) -> __m256i {
    // SAFETY: the panel has as many; these loads want no alignment.
    unsafe {
        if WIDE { load(panel.add(word)) } else { _mm256_cvtepu8_epi16(_mm_loadu_si128(panel.add(word / 2).cast())) }
    }
}

/// Eight words.
///
/// # Safety
/// There must be eight.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load(words: *const u32) -> __m256i {
    // SAFETY: there are eight; the load wants no alignment.
    unsafe { _mm256_loadu_si256(words.cast()) }
}

/// The sum of the elements of each.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn horizontal_sums([[a, b], [c, d], [e, f], [g, h]]: [[__m256i; 2]; 4]) -> __m256i {
    // Of each half: a, b, c, d and e, f, g, h.
    let first = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let second = _mm256_hadd_epi32(_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
    let lower = _mm256_permute2x128_si256::<0x20>(first, second);
    let upper = _mm256_permute2x128_si256::<0x31>(first, second);
    _mm256_add_epi32(lower, upper)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn from_array(array: &[i32; 8]) -> __m256i {
    // SAFETY: these are eight values; the load wants no alignment.
    unsafe { _mm256_loadu_si256(array.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn to_array(vector: __m256i) -> [i32; 8] {
    let mut array = [0; 8];
    // SAFETY: there is room for eight values; the store wants no alignment.
    unsafe { _mm256_storeu_si256(array.as_mut_ptr().cast(), vector) };
    array
}
