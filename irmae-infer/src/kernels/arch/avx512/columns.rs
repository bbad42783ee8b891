//! Rows of transposed convolutions with one output channel, by VPDPBUSD: a vector has the quads of a window of two columns.

use core::arch::x86_64::*;

use super::is_available;
use super::pixel::{add_to_pairs, horizontal_sums, in_quads, twice};

/// Values of a column in a vector.
pub(in crate::kernels) const GRANULE: usize = 16;
/// Words of weights for as many.
const WORDS: usize = GRANULE / 2;

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns), for whole granules of channels.
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    debug_assert!(is_available());
    let last = sums.len() - 1;
    for (n, sums) in sums.chunks_mut(8).enumerate() {
        // SAFETY: the CPU has the instructions, see the module.
        unsafe { add_windows(x, weights, 8 * n, last, sums) };
    }
}

/// Adds the products of up to eight windows from window `first` on. Window 0 begins before the input, and window `last` ends
/// behind it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add_windows(x: &[u8], weights: &[u32], first: usize, last: usize, sums: &mut [[i32; 2]]) {
    let channels = weights.len();
    let x = x[..last * channels].as_chunks::<GRANULE>().0;
    let granules = channels / GRANULE;
    let (w0, w1) = weights.split_at(channels / 2);
    let mut acc = [_mm512_setzero_si512(); 8];
    for (granule, (w0, w1)) in w0.as_chunks::<WORDS>().0.iter().zip(w1.as_chunks::<WORDS>().0).enumerate() {
        // SAFETY: these are eight words each; the loads want no alignment.
        let (w0, w1) = unsafe { (_mm256_loadu_si256(w0.as_ptr().cast()), _mm256_loadu_si256(w1.as_ptr().cast())) };
        let w = in_quads(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(w0), w1));
        let load = |column: usize| match x.get(column.wrapping_mul(granules).wrapping_add(granule)) {
            // SAFETY: these are sixteen bytes; the load wants no alignment.
            Some(values) if column < last => unsafe { _mm_loadu_si128(values.as_ptr().cast()) },
            _ => _mm_setzero_si128(),
        };
        let mut before = load(first.wrapping_sub(1));
        for (column, acc) in (first..).zip(&mut acc) {
            let own = load(column);
            *acc = _mm512_dpbusd_epi32(*acc, twice(_mm256_set_m128i(own, before)), w);
            before = own;
        }
    }
    add_to_pairs(sums, horizontal_sums(acc));
}
