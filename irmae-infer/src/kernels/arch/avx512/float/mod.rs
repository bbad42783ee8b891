//! Sums of products of real numbers, by FMA on 16 lanes; `f16` weights are widened by their own instruction.

mod blocks;
mod pixel;
mod singles;

use core::arch::x86_64::*;

use super::is_available;
use crate::kernels::FloatWeight;
use crate::kernels::float_tile::{Ends, Patches};

pub(in crate::kernels) use singles::multiply as multiply_singles;

/// See [`FloatTile::multiply`](crate::kernels::float_tile::FloatTile::multiply), and with ends
/// [`FloatTile::multiply_finish`](crate::kernels::float_tile::FloatTile::multiply_finish).
pub(in crate::kernels) fn multiply<W: FloatWeight>(
    x: &Patches<'_>,
    weights: &[[W; 8]],
    ends: Option<Ends<'_>>,
    y: &mut [f32],
    step: usize,
) {
    debug_assert!(is_available());
    let mut blocks = weights.len() / x.inputs;
    let mut v = 0;
    while blocks > 0 {
        let weights = &weights[v / 8 * x.inputs..];
        let ends = ends.map(|ends| Ends { bias: &ends.bias[v..], ..ends });
        let y = &mut y[v..];
        // SAFETY: the CPU has the instructions, see the module.
        let done = unsafe {
            match blocks {
                1 if x.pixels == 1 => pixel::multiply::<W, 1>(x, weights, ends, y),
                _ if x.pixels == 1 => pixel::multiply::<W, 2>(x, weights, ends, y),
                1 => blocks::multiply::<W, 1, 8>(x, weights, ends, y, step),
                2 | 3 => blocks::multiply::<W, 1, 16>(x, weights, ends, y, step),
                _ => blocks::multiply::<W, 2, 16>(x, weights, ends, y, step),
            }
        };
        v += 8 * done;
        blocks -= done;
    }
}

/// The first `n` of sixteen lanes, or all.
#[inline]
fn first_lanes(n: usize) -> __mmask16 {
    (u32::MAX >> 16 >> (16 - n.min(16))) as u16
}

/// The weights of two blocks, widened.
///
/// # Safety
/// There must be two.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
unsafe fn load<W: FloatWeight>(lower: *const [W; 8], upper: *const [W; 8]) -> __m512 {
    // SAFETY: each has eight. They are `f32`, or `f16`, which is half as long; these loads want no alignment.
    unsafe {
        if size_of::<W>() == 2 {
            let halves = _mm256_castsi128_si256(_mm_loadu_si128(lower.cast()));
            _mm512_cvtph_ps(_mm256_inserti128_si256::<1>(halves, _mm_loadu_si128(upper.cast())))
        } else {
            let lower = _mm512_castpd256_pd512(_mm256_loadu_pd(lower.cast()));
            _mm512_castpd_ps(_mm512_insertf64x4::<1>(lower, _mm256_loadu_pd(upper.cast())))
        }
    }
}
