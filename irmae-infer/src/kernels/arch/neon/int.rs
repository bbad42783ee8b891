//! Sums of products of integers. A vector is of sixteen inputs of one pixel, and each pixel and output has a vector of sums.
//!
//! Bytes are multiplied by UDOT, or where there is none by UMULL and UADALP; 16-bit values by SMLAL.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array;

use super::has_dot_products;
use crate::kernels::tile::Weights;

/// Pixels of a panel.
pub(in crate::kernels) const PIXELS: usize = 4;

/// Sums of one output.
pub(in crate::kernels) type Lanes = [i32; PIXELS];

/// Inputs that a panel keeps together: those of a vector of bytes.
pub(super) const GRANULE: usize = 16;

/// Words of a pair's weights for as many inputs.
pub(super) const WORDS: usize = GRANULE / 2;

/// See [`Tile::multiply`](crate::kernels::tile::Tile::multiply). `WIDE`: 16-bit values.
pub(in crate::kernels) fn multiply<const DOT: bool, const WIDE: bool>(
    panel: &[u32],
    weights: Weights<'_>,
    starts: &[Lanes; 2],
    sums: &mut [[Lanes; 2]],
) {
    debug_assert!(!DOT || has_dot_products());
    let (twos, rest) = sums.as_chunks_mut();
    let first = 2 * twos.len();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        for (n, sums) in twos.iter_mut().enumerate() {
            multiply_pairs::<DOT, WIDE, 2>(panel, weights.skip(2 * n), starts, sums);
        }
        for (n, sums) in rest.iter_mut().enumerate() {
            multiply_pairs::<DOT, WIDE, 1>(panel, weights.skip(first + n), starts, array::from_mut(sums));
        }
    }
}

/// Sums of `N` pairs of outputs.
#[target_feature(enable = "neon")]
fn multiply_pairs<const DOT: bool, const WIDE: bool, const N: usize>(
    panel: &[u32],
    weights: Weights<'_>,
    starts: &[Lanes; 2],
    sums: &mut [[Lanes; 2]; N],
) {
    for (sums, products) in sums.iter_mut().zip(products::<DOT, WIDE, N, PIXELS>(panel, weights)) {
        for ((sums, products), start) in sums.iter_mut().zip(products).zip(starts) {
            *sums = to_array(vaddq_s32(horizontal_sums(products), from_array(start)));
        }
    }
}

/// See [`Tile::multiply_pixel`](crate::kernels::tile::Tile::multiply_pixel). `WIDE`: 16-bit values.
pub(in crate::kernels) fn multiply_pixel<const DOT: bool, const WIDE: bool>(
    panel: &[u32],
    weights: Weights<'_>,
    sums: &mut [[i32; 2]],
) {
    debug_assert!(!DOT || has_dot_products());
    let (fours, rest) = sums.as_chunks_mut();
    let first = 4 * fours.len();
    // SAFETY: the CPU has the instructions, see the module.
    unsafe {
        for (n, sums) in fours.iter_mut().enumerate() {
            multiply_pixel_pairs::<DOT, WIDE, 4>(panel, weights.skip(4 * n), sums);
        }
        for (n, sums) in rest.iter_mut().enumerate() {
            multiply_pixel_pairs::<DOT, WIDE, 1>(panel, weights.skip(first + n), array::from_mut(sums));
        }
    }
}

/// Adds the products of one pixel with `N` pairs of outputs.
#[target_feature(enable = "neon")]
fn multiply_pixel_pairs<const DOT: bool, const WIDE: bool, const N: usize>(
    panel: &[u32],
    weights: Weights<'_>,
    sums: &mut [[i32; 2]; N],
) {
    for (sums, [[p], [q]]) in sums.iter_mut().zip(products::<DOT, WIDE, N, 1>(panel, weights)) {
        *sums = [sums[0].wrapping_add(vaddvq_s32(p)), sums[1].wrapping_add(vaddvq_s32(q))];
    }
}

/// Products of `P` pixels, each spread over a vector.
pub(super) type Sums<const P: usize> = [int32x4_t; P];

/// Products of `P` pixels with `N` pairs of outputs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn products<const DOT: bool, const WIDE: bool, const N: usize, const P: usize>(
    panel: &[u32],
    weights: Weights<'_>,
) -> [[Sums<P>; 2]; N] {
    let mut sums = [[[zeros(); P]; 2]; N];
    let words = 2 * weights.quads;
    let weight_words = &weights.words[..(N - 1) * weights.pair_len + words];
    let (whole, x_len) = (words / WORDS, P * x_words::<WIDE>());
    let (panel, rest) = panel.split_at(whole * x_len);
    for (granule, x) in panel.chunks_exact(x_len).enumerate() {
        // SAFETY: these words are below `words`, and so many has the last pair.
        let words = |n| unsafe { &*weight_words.as_ptr().add(n * weights.pair_len + granule * WORDS).cast() };
        add_granule::<DOT, WIDE, N, P>(&mut sums, x, words);
    }
    if !words.is_multiple_of(WORDS) {
        // The last words, and such as make 0 of whatever values there are.
        let mut last = [[u32::from_le_bytes([0, 0x80, 0, 0x80]); WORDS]; N];
        for (n, last) in last.iter_mut().enumerate() {
            let rest = &weight_words[n * weights.pair_len..][whole * WORDS..words];
            last[..rest.len()].copy_from_slice(rest);
        }
        add_granule::<DOT, WIDE, N, P>(&mut sums, &rest[..x_len], |n| &last[n]);
    }
    sums
}

/// Adds the products of a granule of inputs with the weights of pair `n`, `words(n)`.
#[inline]
#[target_feature(enable = "neon")]
fn add_granule<'a, const DOT: bool, const WIDE: bool, const N: usize, const P: usize>(
    sums: &mut [[Sums<P>; 2]; N],
    x: &[u32],
    words: impl Fn(usize) -> &'a [u32; WORDS],
) {
    let weights: [[uint8x16_t; 2]; N] = array::from_fn(|n| load_weights(words(n)));
    for pixel in 0..P {
        let x = load_x::<WIDE>(&x[pixel * x_words::<WIDE>()..]);
        for (sums, weights) in sums.as_flattened_mut().iter_mut().zip(weights.as_flattened()) {
            sums[pixel] = add_products::<DOT, WIDE>(sums[pixel], *weights, x);
        }
    }
}

/// Words of a granule of values.
const fn x_words<const WIDE: bool>() -> usize {
    if WIDE { GRANULE / 2 } else { GRANULE / 4 }
}

/// A granule of values: bytes in the first vector, or 16-bit values in both.
#[inline]
#[target_feature(enable = "neon")]
fn load_x<const WIDE: bool>(x: &[u32]) -> [uint8x16_t; 2] {
    let x = &x[..x_words::<WIDE>()];
    // SAFETY: there are as many words; the loads want no alignment.
    unsafe {
        let first = vld1q_u8(x.as_ptr().cast());
        [first, if WIDE { vld1q_u8(x.as_ptr().add(GRANULE / 4).cast()) } else { first }]
    }
}

/// A granule of a pair's weights, 128 added to both.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_weights(weights: &[u32; WORDS]) -> [uint8x16_t; 2] {
    // SAFETY: these are 32 bytes; the load wants no alignment.
    let uint8x16x2_t(u, q) = unsafe { vld2q_u8(weights.as_ptr().cast()) };
    [u, veorq_u8(q, vdupq_n_u8(0x80))]
}

/// Adds the products of a granule of weights and values.
#[inline]
#[target_feature(enable = "neon")]
fn add_products<const DOT: bool, const WIDE: bool>(
    mut sums: int32x4_t,
    weights: uint8x16_t,
    x: [uint8x16_t; 2],
) -> int32x4_t {
    if !WIDE {
        return add_bytes::<DOT>(sums, weights, x[0]);
    }
    for (weights, x) in [vmovl_u8(vget_low_u8(weights)), vmovl_high_u8(weights)].into_iter().zip(x) {
        let (weights, x) = (vreinterpretq_s16_u16(weights), vreinterpretq_s16_u8(x));
        sums = vmlal_s16(sums, vget_low_s16(weights), vget_low_s16(x));
        sums = vmlal_high_s16(sums, weights, x);
    }
    sums
}

/// Adds the products of bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn add_bytes<const DOT: bool>(sums: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    if DOT {
        return dot(sums, a, b);
    }
    let sums = vpadalq_u16(vreinterpretq_u32_s32(sums), vmull_u8(vget_low_u8(a), vget_low_u8(b)));
    vreinterpretq_s32_u32(vpadalq_u16(sums, vmull_high_u8(a, b)))
}

/// UDOT, whose intrinsic is not stable: adds to each of four sums the products of four bytes.
#[inline]
#[target_feature(enable = "neon")]
fn dot(mut sums: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the CPU has the instruction, see the module, which reads and writes these registers alone.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "udot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn zeros() -> int32x4_t {
    vdupq_n_s32(0)
}

/// The sum of the elements of each.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn horizontal_sums([a, b, c, d]: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn from_array(array: &[i32; 4]) -> int32x4_t {
    // SAFETY: these are four values; the load wants no alignment.
    unsafe { vld1q_s32(array.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn to_array(vector: int32x4_t) -> [i32; 4] {
    let mut array = [0; 4];
    // SAFETY: there is room for four values; the store wants no alignment.
    unsafe { vst1q_s32(array.as_mut_ptr(), vector) };
    array
}
