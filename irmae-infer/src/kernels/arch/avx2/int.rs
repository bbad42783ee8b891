//! Sums of products of integers, by VPMADDWD. Where a vector is of eight pixels, they lie side by side in a panel, two values of
//! each.

use core::arch::x86_64::*;

use super::is_available;
use crate::kernels::tile::{Place, Runs, Weights};

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
unsafe fn load(words: *const u32) -> __m256i {
    // SAFETY: there are eight; the load wants no alignment.
    unsafe { _mm256_loadu_si256(words.cast()) }
}

/// The sum of the elements of each.
#[inline]
#[target_feature(enable = "avx2")]
fn horizontal_sums([[a, b], [c, d], [e, f], [g, h]]: [[__m256i; 2]; 4]) -> __m256i {
    // Of each half: a, b, c, d and e, f, g, h.
    let first = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let second = _mm256_hadd_epi32(_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
    let lower = _mm256_permute2x128_si256::<0x20>(first, second);
    let upper = _mm256_permute2x128_si256::<0x31>(first, second);
    _mm256_add_epi32(lower, upper)
}

#[inline]
#[target_feature(enable = "avx2")]
fn from_array(array: &[i32; 8]) -> __m256i {
    // SAFETY: these are eight values; the load wants no alignment.
    unsafe { _mm256_loadu_si256(array.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn to_array(vector: __m256i) -> [i32; 8] {
    let mut array = [0; 8];
    // SAFETY: there is room for eight values; the store wants no alignment.
    unsafe { _mm256_storeu_si256(array.as_mut_ptr().cast(), vector) };
    array
}

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
fn in_halves(values: __m128i) -> __m128i {
    _mm_shuffle_epi8(values, _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15))
}
