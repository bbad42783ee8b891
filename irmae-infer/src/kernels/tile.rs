//! What an instruction set supplies to the integer kernels: how a panel of input values lies in memory, and its product with
//! weights. [`lower`](super::lower) turns every layer into such products.

use core::ops::Range;

use bytemuck::Pod;

use super::packing::Matrix;
use super::params::IntParams;
use super::product::Product;
use super::rows::{Integer, Ints, IntsMut};
use crate::quant;

/// A micro-kernel: products of a panel of input values with packed weights.
///
/// A pair of outputs with weights `p` and `q` is stored as 16-bit lanes `256 q + u`, `u = p + 128`. All arithmetic is modulo
/// `2^32`. A tile multiplies `u`, and `q` or, where it says so by [`OFFSETS_Q`](Tile::OFFSETS_Q), `q + 128`. For every 128 that is
/// added, sums start from `-128 sum_k x_k`, which is known from filling the panel, and end as `sum p x` and `sum q x`.
///
/// With multiplications of 16-bit lanes, `A = sum lane x` and `U = sum u x` give `sum q x = (A - U) / 256`, exact while that sum
/// is within `2^23`. So two weights of two outputs each cost one extraction and two dual multiplications.
pub(super) trait Tile: Sized {
    /// Pixels that one [`multiply`](Tile::multiply) serves.
    const PIXELS: usize;
    /// Whether a few pixels cost less one at a time than in a panel that is mostly empty.
    const SINGLE_PIXELS: bool = true;
    /// Values of a pixel in a panel are a multiple of this, those behind the last one 0.
    const INPUTS: usize = 4;
    /// Whether 128 is added to `q` as well as to `p`.
    const OFFSETS_Q: bool = false;
    /// Sums of one output for all pixels: `[i32; PIXELS]`.
    type Lanes: Pod + AsRef<[i32]> + AsMut<[i32]>;
    /// Zeros.
    const ZERO: Self::Lanes;

    /// Writes `x` to the panel as values `k..` of pixel `pixel` of `pixels`, and returns their sum. Both are whole fours.
    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32;

    /// [`place`](Tile::place) for all pixels of a panel, or fewer, where a tile has a way to it; else false. Adds the sums of their values
    /// to `sums`.
    fn place_all<X: Integer>(_panel: &mut [u32], _runs: &Runs<'_, X>, _sums: &mut Self::Lanes) -> bool {
        false
    }

    /// Sets fours of values of pixel `pixel` of `pixels` to 0, before others are placed, and may set all of a multiple of
    /// [`Tile::INPUTS`] that they are part of. Of tiles that take values in fours nothing is asked.
    fn clear<X: Integer>(_panel: &mut [u32], _pixels: usize, _pixel: usize, _quads: Range<usize>) {}

    /// Products of a panel of [`Tile::PIXELS`] pixels with pairs of outputs: `sums[n][i][px] = start[i][px] + sum_k w_k x_k`, `w` being
    /// the weights of output `i` of pair `n` as they are multiplied.
    fn multiply<X: Integer>(
        panel: &[u32],
        weights: Weights<'_>,
        start: &[Self::Lanes; 2],
        sums: &mut [[Self::Lanes; 2]],
    );

    /// Adds the products of a panel of one pixel with pairs of outputs: `sums[n][i] += sum_k w_k x_k`.
    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]);

    /// Outputs of consecutive channels from their sums.
    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        place.store(params, channel, sums, y);
    }

    /// Whether there is a [`Tile::add_columns`].
    const ADDS_COLUMNS: bool = false;

    /// One input row's share of a row of a transposed convolution with one output channel, two column phases and two taps in each:
    /// for every input column `c`, with `channels` values of `x` and weights of the matrix's columns 0 and 1,
    /// `sums[c + 1] += w[0] x[c]` and `sums[c] += w[1] x[c]`, both phases of each.
    ///
    /// `weights` are the row's words for a pair of outputs, column 0 before column 1. `expanded` has room for twice as many.
    fn add_columns(_x: &[u8], _weights: &[u32], _expanded: &mut [u32], _sums: &mut [[i32; 2]]) {}

    /// Outputs of channel 0 of consecutive pixels, from their sums, which have the bias.
    fn store_channel(params: &IntParams<'_>, sums: &[i32], y: &mut IntsMut<'_>) {
        store_channel(params, sums, y);
    }

    /// All outputs of pixels from the first on, where a tile does that faster than panel by panel. Gives how many pixels are done.
    /// Memory is that of a panel and of [a patch](super::patches::Patches::gather).
    fn multiply_row(
        _product: &Product<'_>,
        _x: Ints<'_>,
        _params: &IntParams<'_>,
        _memory: [&mut [u32]; 2],
        _y: &mut IntsMut<'_>,
    ) -> usize {
        0
    }

    /// [`multiply`](Tile::multiply) and [`store`](Tile::store) at once. Gives how many outputs, from the first on, have been stored: an
    /// even number, or all.
    fn multiply_store<X: Integer, Y: Integer>(
        _panel: &Panel<'_>,
        _starts: &[Self::Lanes; 2],
        _params: &IntParams<'_>,
        _y: &mut [Y],
    ) -> usize {
        0
    }
}

/// What a panel is filled with: for each of `pixels` pixels `rows` runs of `len` values, a multiple of 4, the next run `row_step`
/// values behind, the next pixel's `pixel_step`.
#[cfg_attr(not(any(irmae_avx2, irmae_neon)), allow(dead_code))]
pub(super) struct Runs<'a, X> {
    pub(super) x: &'a [X],
    pub(super) len: usize,
    pub(super) rows: usize,
    pub(super) row_step: usize,
    pub(super) pixel_step: usize,
    pub(super) pixels: usize,
}

#[cfg(any(irmae_avx2, irmae_neon))]
impl<'a, X: Integer> Runs<'a, X> {
    /// With values of another type that is as long.
    pub(super) fn cast<C: Pod>(&self) -> Runs<'a, C> {
        let Self { len, rows, row_step, pixel_step, pixels, .. } = *self;
        Runs { x: bytemuck::cast_slice(self.x), len, rows, row_step, pixel_step, pixels }
    }
}

/// A panel of [`Tile::PIXELS`] pixels and what is to be made of it.
pub(super) struct Panel<'a> {
    pub(super) cells: &'a [u32],
    pub(super) weights: Weights<'a>,
    /// Outputs of a pixel; output `v` has channel `v % channels`.
    pub(super) outputs: usize,
    pub(super) channels: usize,
    pub(super) place: Place,
}

impl Panel<'_> {
    /// What is to be made, where that is plain: outputs of consecutive channels for all pixels, saturated to `u8`, all in their places.
    pub(super) fn plain<'a, Y: Integer>(&'a self, params: &IntParams<'a>, y: &'a mut [Y]) -> Option<PanelOutputs<'a>> {
        let Place { step, lanes, count, .. } = self.place;
        if size_of::<Y>() != 1 || count != lanes || self.outputs > self.channels || !params.is_plain() {
            return None;
        }
        let pairs = self.outputs / 2;
        let start = self.place.range(0, 2 * pairs, y.len())?.start;
        let end = self.place.range(lanes - 1, 2 * pairs, y.len())?.end;
        let Weights { words: weights, pair_len, quads } = self.weights;
        let IntParams { bias, multiplier, .. } = *params;
        let y = bytemuck::cast_slice_mut(&mut y[start..end]);
        Some(PanelOutputs { panel: self.cells, weights, pair_len, quads, pairs, bias, multiplier, y, step })
    }
}

/// What [`Panel::plain`] wants: `y[px * step + v] = clamp(requantize(sum, multiplier[v]), 0, 255)`.
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

/// Packed weights of a matrix from some pair of outputs on, or of consecutive inputs of it.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) words: &'a [u32],
    /// Words from one pair to the next.
    pub(super) pair_len: usize,
    /// Inputs in fours, two words each.
    pub(super) quads: usize,
}

impl<'a> Weights<'a> {
    /// Those of a matrix.
    pub(super) fn of(words: &'a [u32], matrix: Matrix) -> Self {
        let words = words.get(..matrix.int_len()).unwrap_or_default();
        Self { words, pair_len: matrix.pair_len(), quads: matrix.quads() }
    }

    /// Those from pair `pair` on.
    pub(super) fn skip(self, pair: usize) -> Self {
        Self { words: self.words.get(pair * self.pair_len..).unwrap_or_default(), ..self }
    }

    /// Only `quads` fours of inputs, from the `skip`th.
    pub(super) fn narrow(self, skip: usize, quads: usize) -> Self {
        Self { words: self.words.get(2 * skip..).unwrap_or_default(), quads, ..self }
    }

    /// Of one pair.
    pub(super) fn pair(&self, pair: usize) -> &'a [u32] {
        let start = pair * self.pair_len;
        self.words.get(start..start + 2 * self.quads).unwrap_or_default()
    }
}

/// Where outputs go: output `n` of pixel `px` to `at + px * step + n`, if there is such a place. An output has sums for `lanes`
/// pixels, of which `count` are asked for.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: isize,
    pub(super) step: usize,
    pub(super) lanes: usize,
    pub(super) count: usize,
}

impl Place {
    /// From output `v` on.
    #[inline]
    pub(super) fn skip(self, v: usize) -> Self {
        Self { at: self.at.wrapping_add_unsigned(v), ..self }
    }

    /// The places of pixel `pixel`'s first `outputs` outputs, unless they lie outside `len` places.
    #[inline]
    pub(super) fn range(&self, pixel: usize, outputs: usize, len: usize) -> Option<Range<usize>> {
        let start = self.at.wrapping_add_unsigned(pixel * self.step) as usize;
        let end = start.checked_add(outputs).filter(|&end| end <= len)?;
        Some(start..end)
    }

    /// [`Tile::store`].
    pub(super) fn store(self, params: &IntParams<'_>, channel: usize, sums: &[i32], y: &mut IntsMut<'_>) {
        let (outputs, is_linear) = (sums.len() / self.lanes, params.is_linear());
        for pixel in 0..self.count {
            // Pixels beside the row have no outputs.
            let Some(range) = self.range(pixel, outputs, y.len()) else { continue };
            for ((n, at), sums) in range.enumerate().zip(sums.chunks_exact(self.lanes)) {
                let sum = params.bias[channel + n].wrapping_add(sums[pixel]);
                y.set(at, params.finish_known(is_linear, channel + n, sum));
            }
        }
    }
}

/// [`Tile::store_channel`].
pub(super) fn store_channel(params: &IntParams<'_>, sums: &[i32], y: &mut IntsMut<'_>) {
    match y {
        IntsMut::U8(y) if params.is_plain() => {
            for (y, &sum) in y.iter_mut().zip(sums) {
                *y = quant::requantize(sum, params.multiplier[0]).clamp(0, 255) as u8;
            }
        }
        IntsMut::U8(y) => y.iter_mut().zip(sums).for_each(|(y, &sum)| *y = params.finish(0, sum) as u8),
        IntsMut::I16(y) => y.iter_mut().zip(sums).for_each(|(y, &sum)| *y = params.finish(0, sum) as i16),
    }
}

/// [`Tile::place`] for panels with cells of type `C`, in halves of two values, of which `HALVES` of a pixel lie together.
#[inline]
pub(super) fn place<X: Integer + Into<C>, C: Pod, const HALVES: usize>(
    panel: &mut [u32],
    pixels: usize,
    pixel: usize,
    k: usize,
    x: &[X],
) -> i32 {
    let halves: &mut [[C; 2]] = bytemuck::cast_slice_mut(panel);
    let at = |half: usize| (half / HALVES * pixels + pixel) * HALVES + half % HALVES;
    let mut sum = 0;
    for (quad, &[a, b, c, d]) in (k / 4..).zip(x.as_chunks().0) {
        halves[at(2 * quad)] = [a.into(), c.into()];
        halves[at(2 * quad + 1)] = [b.into(), d.into()];
        sum += a.to_i32() + b.to_i32() + c.to_i32() + d.to_i32();
    }
    sum
}
