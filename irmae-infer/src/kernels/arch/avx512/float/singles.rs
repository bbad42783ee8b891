//! Outputs that belong to no block.

use core::arch::x86_64::*;

use super::first_lanes;
use crate::kernels::FloatWeight;
use crate::kernels::arch::avx512::is_available;
use crate::kernels::float_tile::Patches;

/// See [`FloatTile::multiply_singles_at`](crate::kernels::float_tile::FloatTile::multiply_singles_at).
pub(in crate::kernels) fn multiply<W: FloatWeight>(
    x: &Patches<'_>,
    weights: &[W],
    y: &mut [f32],
    at: isize,
    step: usize,
) {
    debug_assert!(is_available());
    for (v, weights) in weights.chunks(2 * x.inputs).enumerate() {
        for first in (0..x.pixels).step_by(8) {
            let at = at + (first * step + 2 * v) as isize;
            // SAFETY: the CPU has the instructions, see the module.
            unsafe {
                if weights.len() > x.inputs {
                    add_rows::<W, 2>(x, first, weights, y, at, step)
                } else {
                    add_rows::<W, 1>(x, first, weights, y, at, step)
                }
            }
        }
    }
}

/// `V` outputs of up to eight pixels from pixel `first` on, sixteen inputs at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn add_rows<W: FloatWeight, const V: usize>(
    x: &Patches<'_>,
    first: usize,
    weights: &[W],
    y: &mut [f32],
    at: isize,
    step: usize,
) {
    let pixels = (x.pixels - first).min(8);
    let mut acc = [[_mm512_setzero_ps(); 8]; V];
    let values = x.values(first, pixels).as_ptr();
    let weights = weights[x.k..][..(V - 1) * x.inputs + x.count * x.len].as_ptr();
    for row in 0..x.count {
        for i in (0..x.len).step_by(16) {
            let mask = first_lanes(x.len - i);
            // SAFETY: the mask's lanes from `i` on are below `len`, and there are as many of the last row, output and pixel.
            unsafe {
                let (weights, values) = (weights.add(row * x.len), values.add(row * x.row_step));
                let mut w = [_mm512_setzero_ps(); V];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = load_first(mask, weights.add(v * x.inputs + i));
                }
                for n in 0..8 {
                    // Pixels that are not there repeat the last one.
                    let values = _mm512_maskz_loadu_ps(mask, values.add(n.min(pixels - 1) * x.step + i));
                    for (acc, w) in acc.iter_mut().zip(w) {
                        acc[n] = _mm512_fmadd_ps(w, values, acc[n]);
                    }
                }
            }
        }
    }
    let mut sums = [_mm512_setzero_ps(); 16];
    for (v, acc) in acc.iter().enumerate() {
        for (n, acc) in acc.iter().enumerate() {
            sums[n * V + v] = *acc;
        }
    }
    let sums = horizontal_sums(sums);
    if step == V {
        let before = at.min(0).unsigned_abs();
        let inside = (y.len() as isize - at).clamp(0, (pixels * V) as isize);
        let mask = first_lanes(inside as usize) & !first_lanes(before);
        let y = y.as_mut_ptr().wrapping_offset(at);
        // SAFETY: the mask's lanes are those that have a place in `y`.
        unsafe { _mm512_mask_storeu_ps(y, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sums)) };
        return;
    }
    let mut totals = [0.0; 16];
    // SAFETY: there is room for sixteen values; the store wants no alignment.
    unsafe { _mm512_storeu_ps(totals.as_mut_ptr(), sums) };
    for (n, totals) in totals.as_chunks::<V>().0.iter().enumerate().take(pixels) {
        for (v, total) in totals.iter().enumerate() {
            if let Some(y) = y.get_mut(at.wrapping_add_unsigned(n * step + v) as usize) {
                *y += total;
            }
        }
    }
}

/// The sum of the elements of each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn horizontal_sums(sums: [__m512; 16]) -> __m512 {
    let add_pairs = |a, b| _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let add_fours = |a, b, c, d| {
        let (first, second) = (_mm512_castps_pd(add_pairs(a, b)), _mm512_castps_pd(add_pairs(c, d)));
        let [lower, upper] = [_mm512_unpacklo_pd(first, second), _mm512_unpackhi_pd(first, second)];
        _mm512_add_ps(_mm512_castpd_ps(lower), _mm512_castpd_ps(upper))
    };
    let add_quarters = |a, b| _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = sums;
    add_quarters(
        add_quarters(add_fours(a, b, c, d), add_fours(e, f, g, h)),
        add_quarters(add_fours(i, j, k, l), add_fours(m, n, o, p)),
    )
}

/// Those of sixteen weights that `mask` has, widened.
///
/// # Safety
/// There must be as many.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
unsafe fn load_first<W: FloatWeight>(mask: __mmask16, from: *const W) -> __m512 {
    // SAFETY: there are as many. They are `f32`, or `f16`, which is half as long; these loads want no alignment.
    unsafe {
        if size_of::<W>() == 2 {
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from.cast()))
        } else {
            _mm512_maskz_loadu_ps(mask, from.cast())
        }
    }
}
