//! What an instruction set supplies to the integer kernels: how a panel of input values lies in memory, and its product with
//! weights. [`lower`](super::lower) turns every layer into such products.

use bytemuck::Pod;

use super::params::Integer;

/// A micro-kernel: products of a panel of input values with packed weights.
///
/// A pair of outputs with weights `p` and `q` is stored as 16-bit lanes `256 q + u`, `u = p + 128`. All arithmetic is modulo
/// `2^32`. What is wanted of a pair, for each pixel, is
///
/// - `sum_k u_k x_k`: the caller takes `128 sum_k x_k` off, which it has from filling the panel, and is left with `sum p x`;
/// - `sum_k q_k x_k`.
///
/// With multiplications of 16-bit lanes, `A = sum lane x` and `U = sum u x` give `sum q x = (A - U) / 256`, exact while that sum
/// is within `2^23`. So two weights of two outputs each cost one extraction and two dual multiplications.
pub(super) trait Tile {
    /// Pixels that one [`multiply`](Tile::multiply) serves.
    const PIXELS: usize;
    /// Sums of one output for all pixels: `[i32; PIXELS]`.
    type Lanes: Copy + AsRef<[i32]> + AsMut<[i32]>;
    /// Zeros.
    const ZERO: Self::Lanes;

    /// Writes `x` to the panel as values `k..` of pixel `pixel` of `pixels`, and returns their sum.
    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32;

    /// Whether there is a [`Tile::place_all`].
    const PLACES_ALL: bool = false;

    /// [`place`](Tile::place) for all pixels of a panel at once. Adds the sums of their values to `sums`.
    fn place_all<X: Integer>(_panel: &mut [u32], _k: usize, _runs: &Runs<'_, X>, _sums: &mut Self::Lanes) {}

    /// Sets the `quads * 4` values of pixel `pixel` of `pixels` to 0.
    fn clear<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, quads: usize);

    /// Adds the products of a panel of [`Tile::PIXELS`] pixels with a pair of outputs: `sums[0][px] += sum u x`,
    /// `sums[1][px] += sum q x`. `weights` are the pair's, two words for four values of each pixel.
    fn multiply<X: Integer>(panel: &[u32], weights: &[u32], sums: &mut [Self::Lanes; 2]);

    /// Adds the products of a panel of one pixel with many pairs of outputs, `sums[n][0] += sum u x` and `sums[n][1] += sum q x`.
    /// Pair `n` has the `2 * quads` words of weights from `n * pair_len`.
    fn multiply_pixel<X: Integer>(panel: &[u32], weights: &[u32], pair_len: usize, quads: usize, sums: &mut [[i32; 2]]);

    /// Whether there is a [`Tile::add_columns`].
    const ADDS_COLUMNS: bool = false;

    /// One input row's share of a row of a transposed convolution with one output channel, two column phases and two taps in each:
    /// for every input column `c`, with `channels` values of `x` and weights of the matrix's columns 0 and 1,
    /// `sums[c + 1] += w[0] x[c]` and `sums[c] += w[1] x[c]`, both phases of each.
    ///
    /// `weights` are the row's words for a pair of outputs, column 0 before column 1. `expanded` has room for twice as many.
    fn add_columns(_x: &[u8], _weights: &[u32], _expanded: &mut [u32], _sums: &mut [[i32; 2]]) {}

    /// Many pairs of outputs of a whole panel at once, down to the outputs, whose sums start from `offsets` and a bias. False, and
    /// nothing done, where that is not to be had.
    fn multiply_store<X: Integer>(_outputs: &mut PanelOutputs<'_>, _offsets: &Self::Lanes) -> bool {
        false
    }
}

/// What a panel is filled with: for each pixel `rows` runs of `len` values, a multiple of 4, the next run `row_step` values behind, the
/// next pixel's `pixel_step`.
#[cfg_attr(not(irmae_dsp), allow(dead_code))]
pub(super) struct Runs<'a, X> {
    pub(super) x: &'a [X],
    pub(super) len: usize,
    pub(super) rows: usize,
    pub(super) row_step: usize,
    pub(super) pixel_step: usize,
}

/// What [`Tile::multiply_store`] makes: `y[px * step + v] = clamp(requantize(sum, multiplier[v]), 0, 255)`.
#[cfg_attr(not(irmae_dsp), allow(dead_code))]
pub(super) struct PanelOutputs<'a> {
    pub(super) panel: &'a [u32],
    /// From the first pair on.
    pub(super) weights: &'a [u32],
    /// Words from one pair to the next.
    pub(super) pair_len: usize,
    /// Inputs in fours.
    pub(super) quads: usize,
    pub(super) pairs: usize,
    pub(super) bias: &'a [i32],
    pub(super) multiplier: &'a [i32],
    pub(super) y: &'a mut [u8],
    pub(super) step: usize,
}

/// Place of half `m` (two values, `k` and `k + 2`) of a pixel in a panel that keeps `HALVES` halves of a pixel together.
#[inline(always)]
const fn half_index<const HALVES: usize>(m: usize, pixels: usize, pixel: usize) -> usize {
    (m / HALVES * pixels + pixel) * HALVES + m % HALVES
}

/// [`Tile::place`] for panels with `HALVES` halves of a pixel together and cells of type `C`.
#[inline]
pub(super) fn place<X: Integer + Into<C>, C: Pod, const HALVES: usize>(
    panel: &mut [u32],
    pixels: usize,
    pixel: usize,
    k: usize,
    x: &[X],
) -> i32 {
    let cells: &mut [C] = bytemuck::cast_slice_mut(panel);
    let mut sum = 0_i32;
    for (k, &x) in (k..).zip(x) {
        let half = k / 4 * 2 + k % 2;
        cells[half_index::<HALVES>(half, pixels, pixel) * 2 + k % 4 / 2] = x.into();
        sum += x.to_i32();
    }
    sum
}

/// [`Tile::clear`], see [`place`].
#[inline]
pub(super) fn clear<C: Pod, const HALVES: usize>(panel: &mut [u32], pixels: usize, pixel: usize, quads: usize) {
    let cells: &mut [C] = bytemuck::cast_slice_mut(panel);
    for m in 0..(2 * quads).next_multiple_of(HALVES) {
        let at = half_index::<HALVES>(m, pixels, pixel) * 2;
        cells[at..at + 2].fill(C::zeroed());
    }
}
