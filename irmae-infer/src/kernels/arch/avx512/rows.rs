//! Products of patches, read as they lie, with weights, by VPDPBUSD: a vector has sixteen outputs of one pixel.

use core::arch::x86_64::*;

use super::pixel::in_quads;
use super::{is_available, store};
use crate::kernels::patches::Patches;
use crate::kernels::tile::{Place, Weights};

/// Outputs of a vector.
pub(in crate::kernels) const OUTPUTS: usize = 16;

/// What is made of up to [`OUTPUTS`] outputs, which have biases and multipliers.
pub(in crate::kernels) struct Outputs<'a> {
    pub(in crate::kernels) weights: Weights<'a>,
    pub(in crate::kernels) bias: &'a [i32],
    pub(in crate::kernels) multiplier: &'a [i32],
    pub(in crate::kernels) clamp: [i32; 2],
    /// Where those of the first pixel go.
    pub(in crate::kernels) place: Place,
}

/// The outputs of all pixels. Runs of the patches are whole fours.
pub(in crate::kernels) fn multiply(x: &[u8], patches: &Patches, outputs: &Outputs<'_>, y: &mut [u8]) {
    debug_assert!(is_available());
    let groups = patches.count.div_ceil(8).max(1);
    let len = patches.count.div_ceil(groups).max(1);
    for first in (0..patches.count).step_by(len) {
        // SAFETY: the CPU has the instructions, see the module.
        unsafe {
            match len.min(patches.count - first) {
                1 => multiply_pixels::<1>(x, patches, first, outputs, y),
                2 => multiply_pixels::<2>(x, patches, first, outputs, y),
                3 => multiply_pixels::<3>(x, patches, first, outputs, y),
                4 => multiply_pixels::<4>(x, patches, first, outputs, y),
                5 => multiply_pixels::<5>(x, patches, first, outputs, y),
                6 => multiply_pixels::<6>(x, patches, first, outputs, y),
                7 => multiply_pixels::<7>(x, patches, first, outputs, y),
                _ => multiply_pixels::<8>(x, patches, first, outputs, y),
            }
        }
    }
}

/// Of `P` pixels from pixel `first` on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn multiply_pixels<const P: usize>(x: &[u8], patches: &Patches, first: usize, outputs: &Outputs<'_>, y: &mut [u8]) {
    let count = outputs.bias.len();
    let mut sums = [store::load_first(outputs.bias); P];
    add_products(x, patches, first, outputs.weights, count.div_ceil(2), &mut sums);
    let multiplier = store::load_first(outputs.multiplier);
    for (n, sums) in sums.into_iter().enumerate() {
        // Pixels beside the row have no outputs.
        if let Some(range) = outputs.place.range(first + n, count, y.len()) {
            store::store(store::finished(sums, multiplier, outputs.clamp), &mut y[range]);
        }
    }
}

/// Adds the products of `pairs` pairs of outputs, eight at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
fn add_products<const P: usize>(
    x: &[u8],
    patches: &Patches,
    first: usize,
    weights: Weights<'_>,
    pairs: usize,
    sums: &mut [__m512i; P],
) {
    let &Patches { at, pixel_step, len, rows, row_step, .. } = patches;
    let run_quads = len / 4;
    let quads = rows * run_quads;
    if quads == 0 {
        return;
    }
    let x = &x[at + first * pixel_step..][..(P - 1) * pixel_step + (rows - 1) * row_step + len];
    // Pairs that are not there repeat the last one.
    let mut words = [weights.words.as_ptr(); 8];
    for (n, words) in words.iter_mut().enumerate() {
        *words = weights.pair(n.min(pairs - 1))[..2 * quads].as_ptr();
    }
    let (mut row, mut quad_of_row) = (x.as_ptr(), 0);
    for quad in (0..quads).step_by(4) {
        let count = (quads - quad).min(4);
        // SAFETY: `quad` and the next ones are below `quads`, so many quads has each pair, and so many has each pixel in its rows.
        unsafe {
            let w = load_weights(words, quad, count);
            if quad_of_row + 4 <= run_quads {
                let quads: *const i32 = row.add(4 * quad_of_row).cast();
                add_quads(sums, [quads, quads.add(1), quads.add(2), quads.add(3)], pixel_step, w);
                quad_of_row += 4;
            } else {
                for w in w.into_iter().take(count) {
                    if quad_of_row == run_quads {
                        (row, quad_of_row) = (row.add(row_step), 0);
                    }
                    add_quads(sums, [row.add(4 * quad_of_row).cast()], pixel_step, [w]);
                    quad_of_row += 1;
                }
            }
            if quad_of_row == run_quads {
                (row, quad_of_row) = (row.wrapping_add(row_step), 0);
            }
        }
    }
}

/// Adds the products of the first pixel's quads, and those of the others `pixel_step` bytes apart, with the weights of each.
///
/// # Safety
/// All pixels must have the quads.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
unsafe fn add_quads<const P: usize, const Q: usize>(
    sums: &mut [__m512i; P],
    quads: [*const i32; Q],
    pixel_step: usize,
    weights: [__m512i; Q],
) {
    for (n, sums) in sums.iter_mut().enumerate() {
        for (quad, w) in quads.into_iter().zip(weights) {
            // SAFETY: the pixel has the quad.
            let quad = unsafe { quad.byte_add(n * pixel_step).read_unaligned() };
            *sums = _mm512_dpbusd_epi32(*sums, _mm512_set1_epi32(quad), w);
        }
    }
}

/// Four quads of weights of eight pairs from quad `quad` on: of each quad the four weights of every output.
///
/// # Safety
/// There must be `count` such quads of each pair.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
unsafe fn load_weights(pairs: [*const u32; 8], quad: usize, count: usize) -> [__m512i; 4] {
    let mut quads = [_mm256_setzero_si256(); 8];
    for (quads, words) in quads.iter_mut().zip(pairs) {
        // SAFETY: there are four, or as many as the mask has; these loads want no alignment.
        unsafe {
            let words = words.add(2 * quad);
            *quads = if count == 4 {
                _mm256_loadu_si256(words.cast())
            } else {
                _mm256_maskz_loadu_epi64((1 << count) - 1, words.cast())
            };
        }
    }
    let [a, b, c, d, e, f, g, h] = quads;
    let join = |lower, upper| in_quads(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(lower), upper));
    // In both halves, with `e` to `h` in the upper: a0, b0, a2, b2, and so on.
    let [a, b, c, d] = [join(a, e), join(b, f), join(c, g), join(d, h)];
    let (ab02, ab13) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let (cd02, cd13) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
    let first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    let second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    [
        _mm512_permutex2var_epi64(ab02, first, cd02),
        _mm512_permutex2var_epi64(ab13, first, cd13),
        _mm512_permutex2var_epi64(ab02, second, cd02),
        _mm512_permutex2var_epi64(ab13, second, cd13),
    ]
}
