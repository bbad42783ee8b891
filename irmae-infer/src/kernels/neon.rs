//! Kernels for aarch64: Raspberry Pi, i.MX8, Jetson and others.

use core::ops::Range;

use super::arch::neon::{
    self as arch,
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

/// Kernels for every aarch64 CPU with NEON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon;

impl Kernels for Neon {
    lower::lowered!(NeonTile<false>);
    float::real!(NeonFloatTile);
}

/// Kernels for those that have the dot-product extension too.
#[derive(Debug, Clone, Copy)]
pub(super) struct NeonDot;

impl NeonDot {
    /// Whether this CPU can run them. [`Best`](super::Best) asks; nothing else leads here.
    #[inline]
    pub(super) fn is_available() -> bool {
        arch::has_dot_products()
    }
}

impl Kernels for NeonDot {
    lower::lowered!(NeonTile<true>);
    float::real!(NeonFloatTile);
}

/// Panels of four pixels keep sixteen values of a pixel together.
pub(super) struct NeonTile<const DOT: bool>;

/// Of two values each.
const HALVES: usize = 8;

impl<const DOT: bool> Tile for NeonTile<DOT> {
    const PIXELS: usize = PIXELS;
    const OFFSETS_Q: bool = true;
    type Lanes = Lanes;
    const ZERO: Lanes = [0; PIXELS];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if size_of::<X>() == 1 {
            return arch::place::place::<DOT>(
                bytemuck::cast_slice_mut(panel),
                pixels,
                pixel,
                k,
                bytemuck::cast_slice(x),
            );
        }
        tile::place::<X, X, HALVES>(panel, pixels, pixel, k, x)
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut Lanes) -> bool {
        if size_of::<X>() == 1 {
            arch::place::place_all::<DOT>(bytemuck::cast_slice_mut(panel), 0, &runs.cast(), sums);
        }
        size_of::<X>() == 1
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, starts: &[Lanes; 2], sums: &mut [[Lanes; 2]]) {
        if size_of::<X>() == 1 {
            arch::int::multiply::<DOT, false>(panel, weights, starts, sums);
        } else {
            arch::int::multiply::<DOT, true>(panel, weights, starts, sums);
        }
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        if size_of::<X>() == 1 {
            arch::int::multiply_pixel::<DOT, false>(panel, weights, sums);
        } else {
            arch::int::multiply_pixel::<DOT, true>(panel, weights, sums);
        }
    }

    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        linear::store(params, channel, sums, place, y, arch::store::finish);
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        // As many words as channels.
        if weights.len().is_multiple_of(16) {
            arch::columns::add_columns::<DOT>(x, weights, sums);
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
        if size_of::<X>() == 1 {
            arch::store::multiply_store::<DOT, false>(panel, starts, params, y)
        } else {
            arch::store::multiply_store::<DOT, true>(panel, starts, params, y)
        }
    }
}

/// Blocks of 16 outputs by four pixels.
pub(super) struct NeonFloatTile;

impl FloatTile for NeonFloatTile {
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        float_groups::multiply::<arch::float::Blocks, W>(x, weights, y, step);
    }

    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        float_groups::multiply::<arch::float::Singles, W>(x, weights, y, step);
    }
}

#[cfg(test)]
super::conformance::conformance!(Neon);
