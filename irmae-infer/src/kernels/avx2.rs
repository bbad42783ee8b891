//! Kernels for x86-64 with AVX2, FMA and F16C: Haswell and Zen, and later.

use core::ops::Range;

use super::arch::avx2::{
    self as arch,
    columns::GRANULE,
    int::{Lanes, PIXELS},
};
use super::float;
use super::float_groups;
use super::float_tile::{FloatTile, Patches};
use super::packing::FLOAT_BLOCK;
use super::params::{FloatParams, FloatWeight, IntParams};
use super::portable::PortableTile;
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};
use super::tile::{self, Panel, Place, Runs, Tile, Weights};
use super::{Kernels, linear, lower};

/// Kernels for x86-64 with AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

impl Avx2 {
    /// Whether this CPU can run them. [`Best`](super::Best) asks; nothing else leads here.
    #[inline]
    pub(super) fn is_available() -> bool {
        arch::is_available()
    }
}

impl Kernels for Avx2 {
    lower::lowered!(Avx2Tile);
    float::real!(Avx2FloatTile);
}

/// Panels of eight pixels, two values of each together, at the input's own width.
pub(super) struct Avx2Tile;

impl Tile for Avx2Tile {
    const PIXELS: usize = PIXELS;
    type Lanes = Lanes;
    const ZERO: Lanes = [0; PIXELS];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        tile::place::<X, X, 1>(panel, pixels, pixel, k, x)
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut Lanes) -> bool {
        if size_of::<X>() == 1 {
            arch::place::place(bytemuck::cast_slice_mut(panel), 0, &runs.cast(), sums);
        }
        size_of::<X>() == 1
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, starts: &[Lanes; 2], sums: &mut [[Lanes; 2]]) {
        if size_of::<X>() == 1 {
            arch::int::multiply::<false>(panel, weights, starts, sums);
        } else {
            arch::int::multiply::<true>(panel, weights, starts, sums);
        }
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        if size_of::<X>() == 1 {
            arch::int::multiply_pixel::<false>(panel, weights, sums);
        } else {
            arch::int::multiply_pixel::<true>(panel, weights, sums);
        }
    }

    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        linear::store(params, channel, sums, place, y, arch::store::finish);
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        if weights.len().is_multiple_of(GRANULE) {
            arch::columns::add_columns(x, weights, expanded, sums);
        } else {
            PortableTile::add_columns(x, weights, expanded, sums);
        }
    }

    fn multiply_store<X: Integer, Y: Integer>(
        panel: &Panel<'_>,
        starts: &[Lanes; 2],
        params: &IntParams<'_>,
        y: &mut [Y],
    ) -> usize {
        if size_of::<Y>() != 1 || !params.is_linear() || panel.outputs > panel.channels {
            return 0;
        }
        let y = bytemuck::cast_slice_mut(y);
        let eights = params.bias.as_chunks().0.iter().zip(params.multiplier.as_chunks().0);
        let mut sums = [[[0; PIXELS]; 2]; 4];
        for (n, (bias, multiplier)) in eights.enumerate().take(panel.outputs / 8) {
            Self::multiply::<X>(panel.cells, panel.weights.skip(4 * n), starts, &mut sums);
            arch::store::store_panel(&sums, bias, multiplier, params.clamp, panel.place.skip(8 * n), y);
        }
        panel.outputs / 8 * 8
    }
}

/// Blocks of 16 outputs by four pixels.
pub(super) struct Avx2FloatTile;

impl FloatTile for Avx2FloatTile {
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        float_groups::multiply::<arch::float::Blocks, W>(x, weights, y, step);
    }

    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        float_groups::multiply::<arch::float::Singles, W>(x, weights, y, step);
    }
}
