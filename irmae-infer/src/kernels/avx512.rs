//! Kernels for x86-64 with AVX-512 and VNNI: Cascade Lake, Ice Lake and Zen 4, and later.

use core::ops::Range;

use super::arch::avx512::{
    self as arch,
    columns::GRANULE,
    rows::{OUTPUTS, Outputs},
};
use super::avx2::Avx2Tile;
use super::float;
use super::float_tile::{Ends, FloatTile, Patches};
use super::packing::FLOAT_BLOCK;
use super::params::{FloatParams, FloatWeight, IntParams};
use super::product::Product;
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};
use super::tile::{self, Panel, Place, Runs, Tile, Weights};
use super::{Kernels, lower};

/// Kernels for x86-64 with AVX-512 and VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512;

impl Avx512 {
    /// Whether this CPU can run them. [`Best`](super::Best) asks; nothing else leads here.
    #[inline]
    pub(super) fn is_available() -> bool {
        arch::is_available()
    }
}

impl Kernels for Avx512 {
    fn dense_finish_int(params: &IntParams<'_>, sums: &[i32], bias: &[i32], y: &mut IntsMut<'_>) -> bool {
        finish_row(params, sums, bias, y)
    }

    lower::lowered!(Avx512Tile);
    float::real!(Avx512FloatTile);
}

/// Outputs from consecutive sums, their biases added where there are any. False, and nothing done, unless they are bytes of one
/// channel, or of channels that fill vectors.
fn finish_row(params: &IntParams<'_>, sums: &[i32], bias: &[i32], y: &mut IntsMut<'_>) -> bool {
    let channels = params.multiplier.len();
    let IntsMut::U8(y) = y else { return false };
    if !params.is_linear() || channels != 1 && !channels.is_multiple_of(OUTPUTS) {
        return false;
    }
    arch::store::finish_row(sums, bias, params.multiplier, params.clamp, y);
    true
}

/// Sixteen outputs by eight pixels, whose inputs are read as they lie. What does not suit that is left to [`Avx2Tile`].
pub(super) struct Avx512Tile;

impl Tile for Avx512Tile {
    const PIXELS: usize = Avx2Tile::PIXELS;
    type Lanes = <Avx2Tile as Tile>::Lanes;
    const ZERO: Self::Lanes = Avx2Tile::ZERO;

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if size_of::<X>() != 1 || pixels > 1 {
            return Avx2Tile::place(panel, pixels, pixel, k, x);
        }
        bytemuck::cast_slice_mut(panel)[k..k + x.len()].copy_from_slice(x);
        // Weights are brought to their signed values: there is nothing to be made up for.
        0
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut Self::Lanes) -> bool {
        Avx2Tile::place_all(panel, runs, sums)
    }

    fn clear<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, quads: Range<usize>) {
        Avx2Tile::clear::<X>(panel, pixels, pixel, quads);
    }

    fn multiply<X: Integer>(
        panel: &[u32],
        weights: Weights<'_>,
        starts: &[Self::Lanes; 2],
        sums: &mut [[Self::Lanes; 2]],
    ) {
        Avx2Tile::multiply::<X>(panel, weights, starts, sums);
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        if size_of::<X>() == 1 {
            arch::pixel::multiply(panel, weights, sums);
        } else {
            arch::pixel::multiply_wide(panel, weights, sums);
        }
    }

    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        Avx2Tile::store(params, channel, sums, place, y);
    }

    fn store_channel(params: &IntParams<'_>, sums: &[i32], y: &mut IntsMut<'_>) {
        if !finish_row(params, sums, &[], y) {
            tile::store_channel(params, sums, y);
        }
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        if weights.len().is_multiple_of(GRANULE) {
            arch::columns::add_columns(x, weights, sums);
        } else {
            Avx2Tile::add_columns(x, weights, expanded, sums);
        }
    }

    fn multiply_store<X: Integer, Y: Integer>(
        panel: &Panel<'_>,
        starts: &[Self::Lanes; 2],
        params: &IntParams<'_>,
        y: &mut [Y],
    ) -> usize {
        Avx2Tile::multiply_store::<X, Y>(panel, starts, params, y)
    }

    fn multiply_row(
        product: &Product<'_>,
        x: Ints<'_>,
        params: &IntParams<'_>,
        _memory: [&mut [u32]; 2],
        y: &mut IntsMut<'_>,
    ) -> usize {
        let &Product { ref patches, weights, outputs, out_base, out_step, out_channels } = product;
        let (Ints::U8(x), IntsMut::U8(y)) = (x, y) else { return 0 };
        let has_whole_pairs = outputs == out_channels || out_channels.is_multiple_of(2);
        if !params.is_linear() || !patches.len.is_multiple_of(4) || !has_whole_pairs {
            return 0;
        }
        let place = Place { at: out_base, step: out_step, lanes: 1, count: patches.count };
        let mut v = 0;
        while v < outputs {
            let channel = v % out_channels;
            let channels = channel..(channel + OUTPUTS).min(out_channels);
            let outputs = Outputs {
                weights: weights.skip(v / 2),
                bias: &params.bias[channels.clone()],
                multiplier: &params.multiplier[channels.clone()],
                clamp: params.clamp,
                place: place.skip(v),
            };
            arch::rows::multiply(x, patches, &outputs, y);
            v += channels.len();
        }
        patches.count
    }
}

/// Blocks of 32 outputs by eight pixels.
pub(super) struct Avx512FloatTile;

impl FloatTile for Avx512FloatTile {
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        arch::float::multiply(x, weights, None, y, step);
    }

    const FINISHES: bool = true;

    fn multiply_finish<W: FloatWeight>(
        x: &Patches<'_>,
        weights: &[[W; FLOAT_BLOCK]],
        ends: &Ends<'_>,
        y: &mut [f32],
        step: usize,
    ) {
        arch::float::multiply(x, weights, Some(*ends), y, step);
    }

    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        arch::float::multiply_singles(x, weights, y, 0, step);
    }

    fn multiply_singles_at<W: FloatWeight>(
        x: &Patches<'_>,
        weights: &[W],
        y: &mut [f32],
        at: isize,
        step: usize,
    ) -> bool {
        arch::float::multiply_singles(x, weights, y, at, step);
        true
    }
}

#[cfg(test)]
super::conformance::conformance!(Avx512);
