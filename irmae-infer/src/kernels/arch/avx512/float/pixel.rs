//! Blocks of outputs of one pixel.

use core::arch::x86_64::*;

use super::load;
use crate::kernels::FloatWeight;
use crate::kernels::float_tile::{Ends, Patches};

/// Bytes between the weights that are multiplied and those that the cache is told to get: few pixels do not wait for the
/// arithmetic, but for the weights.
const AHEAD: usize = 2048;

/// `B` blocks of one pixel, two inputs at a time. Gives the number of blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
pub(super) fn multiply<W: FloatWeight, const B: usize>(
    x: &Patches<'_>,
    weights: &[[W; 8]],
    ends: Option<Ends<'_>>,
    y: &mut [f32],
) -> usize {
    // Pairs of inputs in turn, so that sums do not wait for each other.
    let mut acc = [[_mm512_setzero_ps(); B]; 4];
    for (k, span) in x.spans(0, 1) {
        let weights = weights[k..][..(B - 1) * x.inputs + x.len].as_ptr();
        let (eights, rest) = span.as_chunks::<8>();
        for (i, eight) in eights.iter().enumerate() {
            for (turn, (acc, pair)) in acc.iter_mut().zip(eight.as_chunks::<2>().0).enumerate() {
                let values = in_halves(*pair);
                for (b, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: the slice has as many weights of the last block as there are values. Nothing is wanted of what is ahead.
                    unsafe {
                        let w = weights.add(b * x.inputs + 8 * i + 2 * turn);
                        _mm_prefetch::<_MM_HINT_T0>(w.cast::<i8>().wrapping_add(AHEAD));
                        *acc = _mm512_fmadd_ps(load(w, w.add(1)), values, *acc);
                    }
                }
            }
        }
        for (i, value) in rest.iter().enumerate() {
            for (b, acc) in acc[0].iter_mut().enumerate() {
                // SAFETY: as above.
                let w = unsafe {
                    let w = weights.add(b * x.inputs + 8 * eights.len() + i);
                    load(w, w)
                };
                *acc = _mm512_fmadd_ps(w, in_halves([*value, 0.0]), *acc);
            }
        }
    }
    for b in 0..B {
        let sum = _mm512_add_ps(_mm512_add_ps(acc[0][b], acc[1][b]), _mm512_add_ps(acc[2][b], acc[3][b]));
        let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sum)));
        let sum = _mm256_add_ps(_mm512_castps512_ps256(sum), upper);
        let y = &mut y[8 * b..][..8];
        let (start, least) = match &ends {
            Some(ends) => (&ends.bias[8 * b..][..8], ends.least),
            None => (&*y, f32::NEG_INFINITY),
        };
        // SAFETY: there are eight values; neither wants an alignment.
        unsafe {
            let sum = _mm256_add_ps(_mm256_loadu_ps(start.as_ptr()), sum);
            _mm256_storeu_ps(y.as_mut_ptr(), _mm256_max_ps(_mm256_set1_ps(least), sum));
        }
    }
    B
}

/// The first value in the lower half, the second in the upper.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn in_halves(pair: [f32; 2]) -> __m512 {
    let order = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    _mm512_permutexvar_ps(order, _mm512_castpd_ps(_mm512_set1_pd(bytemuck::cast(pair))))
}
