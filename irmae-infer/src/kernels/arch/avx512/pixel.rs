//! Products of one pixel with weights: a vector has eight quads of a pair of outputs.

use core::arch::x86_64::*;

use super::is_available;
use crate::kernels::tile::Weights;

/// Pairs that are summed at a time.
const PAIRS: usize = 8;

/// Bytes between the weights that are multiplied and those that the cache is told to get.
const AHEAD: usize = 2048;

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel), for bytes in their natural order.
pub(in crate::kernels) fn multiply(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    debug_assert!(is_available());
    for (n, sums) in sums.chunks_mut(PAIRS).enumerate() {
        let weights = weights.skip(n * PAIRS);
        // SAFETY: the CPU has the instructions, see the module.
        unsafe { if sums.len() == PAIRS { add::<PAIRS>(panel, weights, sums) } else { add_each(panel, weights, sums) } }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add_each(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    for (n, sums) in sums.chunks_mut(1).enumerate() {
        add::<1>(panel, weights.skip(n), sums);
    }
}

/// Adds the products of `N` pairs, eight at most, with a pixel's quads.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add<const N: usize>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    let Weights { words, pair_len, quads } = weights;
    let panel = panel[..quads].as_ptr();
    let words = words[..(N - 1) * pair_len + 2 * quads].as_ptr();
    let mut all = [_mm512_setzero_si512(); PAIRS];
    let (acc, _) = all.split_at_mut(N);
    for quad in (0..quads).step_by(8) {
        let mask = u8::MAX >> (8 - (quads - quad).min(8));
        // SAFETY: the mask's quads from `quad` on are below `quads`, and so many has the panel and has the last pair. Nothing is
        // wanted of what is ahead.
        unsafe {
            let x = twice(_mm256_maskz_loadu_epi32(mask, panel.add(quad).cast()));
            for (n, acc) in acc.iter_mut().enumerate() {
                let words = words.add(n * pair_len + 2 * quad);
                _mm_prefetch::<_MM_HINT_T0>(words.cast::<i8>().wrapping_add(AHEAD));
                *acc = _mm512_dpbusd_epi32(*acc, x, in_quads(_mm512_maskz_loadu_epi64(mask, words.cast())));
            }
        }
    }
    add_to_pairs(&mut sums[..N], horizontal_sums(all));
}

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel), for values of 16 bits in the order of the weights.
pub(in crate::kernels) fn multiply_wide(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    debug_assert!(is_available());
    for (n, sums) in sums.chunks_mut(PAIRS).enumerate() {
        let weights = weights.skip(n * PAIRS);
        // SAFETY: the CPU has the instructions, see the module.
        unsafe {
            if sums.len() == PAIRS {
                add_wide::<PAIRS>(panel, weights, sums)
            } else {
                add_wide_each(panel, weights, sums)
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add_wide_each(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    for (n, sums) in sums.chunks_mut(1).enumerate() {
        add_wide::<1>(panel, weights.skip(n), sums);
    }
}

/// As [`add`], sixteen words at a time: of lanes `256 q + u` the products of `u` and of `q`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add_wide<const N: usize>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    let Weights { words: weight_words, pair_len, quads } = weights;
    let words = 2 * quads;
    let panel = panel[..words].as_ptr();
    let weight_words = weight_words[..(N - 1) * pair_len + words].as_ptr();
    let mut all = [[_mm512_setzero_si512(); 2]; PAIRS];
    let (acc, _) = all.split_at_mut(N);
    for word in (0..words).step_by(16) {
        let mask = u16::MAX >> (16 - (words - word).min(16));
        // SAFETY: the mask's words from `word` on are below `words`, and so many has the panel and has the last pair. Nothing is wanted
        // of what is ahead.
        unsafe {
            let x = _mm512_maskz_loadu_epi32(mask, panel.add(word).cast());
            for (n, acc) in acc.iter_mut().enumerate() {
                let words = weight_words.add(n * pair_len + word);
                _mm_prefetch::<_MM_HINT_T0>(words.cast::<i8>().wrapping_add(AHEAD));
                let lanes = _mm512_maskz_loadu_epi32(mask, words.cast());
                acc[0] = _mm512_dpwssd_epi32(acc[0], _mm512_and_si512(lanes, _mm512_set1_epi16(0xff)), x);
                acc[1] = _mm512_dpwssd_epi32(acc[1], _mm512_srai_epi16::<8>(lanes), x);
            }
        }
    }
    // Sums of both, side by side.
    let mut pairs = [_mm512_setzero_si512(); PAIRS];
    for (pairs, [u, q]) in pairs.iter_mut().zip(all) {
        *pairs = _mm512_add_epi32(_mm512_unpacklo_epi32(u, q), _mm512_unpackhi_epi32(u, q));
    }
    add_to_pairs(&mut sums[..N], horizontal_sums(pairs));
}

/// The words of quads of a pair as signed weights: four of the first output, four of the second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn in_quads(words: __m512i) -> __m512i {
    let order = _mm_setr_epi8(0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15);
    let ordered = _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
    // The first output's have 128 added.
    _mm512_xor_si512(ordered, _mm512_set1_epi64(0x8080_8080))
}

/// Every quad twice: for both outputs of a pair.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn twice(quads: __m256i) -> __m512i {
    let order = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    _mm512_permutexvar_epi32(order, _mm512_castsi256_si512(quads))
}

/// The sum of the pairs in each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn horizontal_sums([a, b, c, d, e, f, g, h]: [__m512i; PAIRS]) -> __m512i {
    let add_two = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let add_quarters = |a, b| _mm512_add_epi32(_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b));
    add_quarters(add_quarters(add_two(a, b), add_two(c, d)), add_quarters(add_two(e, f), add_two(g, h)))
}

/// Adds the first of `totals` to as many sums, eight at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn add_to_pairs(sums: &mut [[i32; 2]], totals: __m512i) {
    let mask = u8::MAX >> (8 - sums.len().min(8));
    let sums = sums.as_mut_ptr().cast::<i64>();
    // SAFETY: the mask's pairs are there; neither wants an alignment.
    unsafe { _mm512_mask_storeu_epi64(sums, mask, _mm512_add_epi32(_mm512_maskz_loadu_epi64(mask, sums), totals)) };
}
