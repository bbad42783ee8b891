//! From sums to outputs, sixteen at a time.

use core::arch::x86_64::*;

use super::is_available;

/// Outputs from consecutive sums, their biases added where there are any. There is one multiplier, or as many as there are
/// channels, whole vectors of them.
pub(in crate::kernels) fn finish_row(sums: &[i32], bias: &[i32], multiplier: &[i32], clamp: [i32; 2], y: &mut [u8]) {
    debug_assert!(is_available());
    // SAFETY: the CPU has the instructions, see the module.
    unsafe { finish_each(sums, bias, multiplier, clamp, y) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn finish_each(sums: &[i32], bias: &[i32], multiplier: &[i32], clamp: [i32; 2], y: &mut [u8]) {
    let len = sums.len().min(y.len());
    let (multiplier_count, mut channel) = (multiplier.len(), 0);
    for v in (0..len).step_by(16) {
        let multiplier = if let &[multiplier] = multiplier {
            _mm512_set1_epi32(multiplier)
        } else {
            load_first(&multiplier[channel..])
        };
        channel = if channel + 16 < multiplier_count { channel + 16 } else { 0 };
        let sums = _mm512_add_epi32(load_first(&sums[v..]), load_first(bias.get(v..).unwrap_or_default()));
        store(finished(sums, multiplier, clamp), &mut y[v..len]);
    }
}

/// Up to sixteen values, and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn load_first(values: &[i32]) -> __m512i {
    let mask = (u32::MAX >> 16 >> (16 - values.len().min(16))) as u16;
    // SAFETY: the mask's lanes are there; the load wants no alignment.
    unsafe { _mm512_maskz_loadu_epi32(mask, values.as_ptr()) }
}

/// Requantised and saturated to `clamp`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn finished(sums: __m512i, multiplier: __m512i, [least, largest]: [i32; 2]) -> __m512i {
    let scaled = requantize(sums, multiplier);
    _mm512_min_epi32(_mm512_max_epi32(scaled, _mm512_set1_epi32(least)), _mm512_set1_epi32(largest))
}

/// [`quant::requantize`](crate::quant::requantize).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn requantize(sums: __m512i, multiplier: __m512i) -> __m512i {
    let half = _mm512_set1_epi64(1 << 31);
    let even = _mm512_add_epi64(_mm512_mul_epi32(sums, multiplier), half);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), _mm512_srli_epi64::<32>(multiplier));
    let odd = _mm512_add_epi64(odd, half);
    _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd)
}

/// Up to sixteen outputs, which are bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
pub(super) fn store(outputs: __m512i, y: &mut [u8]) {
    let bytes = _mm512_cvtepi32_epi8(outputs);
    if let Some(y) = y.first_chunk_mut::<16>() {
        // SAFETY: there is room for sixteen; the store wants no alignment.
        unsafe { _mm_storeu_si128(y.as_mut_ptr().cast(), bytes) };
    } else {
        let mut all = [0; 16];
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), bytes) };
        y.copy_from_slice(&all[..y.len()]);
    }
}
