//! Integer kernels for cores with the Arm DSP extension.

use core::ops::Range;

use super::arch::dsp as arch;
use super::float;
#[cfg(irmae_fpu)]
use super::fpu::FpuTile as FloatTile;
use super::params::{FloatParams, FloatWeight, IntParams};
#[cfg(not(irmae_fpu))]
use super::portable::PortableTile as FloatTile;
use super::product::Product;
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};
use super::tile::{self, Tile, Weights};
use super::{Kernels, lower};

/// Kernels for Cortex-M4, M7 and M33.
#[derive(Debug, Clone, Copy)]
pub struct Dsp;

impl Kernels for Dsp {
    lower::lowered!(DspTile);
    float::real!(FloatTile);
}

/// Panels of 16-bit values, two of each pixel together.
pub(super) struct DspTile;

impl Tile for DspTile {
    const PIXELS: usize = 4;
    const SINGLE_PIXELS: bool = false;
    type Lanes = [i32; 4];
    const ZERO: [i32; 4] = [0; 4];

    #[inline(never)]
    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if size_of::<X>() == 1 {
            let quads = bytemuck::cast_slice::<X, u8>(x).as_chunks().0;
            let panel = panel.get_mut(k / 2 * pixels + pixel..).unwrap_or_default();
            return arch::place_quads(panel, pixels, quads);
        }
        tile::place::<X, i16, 1>(panel, pixels, pixel, k, x)
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, start: &[[i32; 4]; 2], sums: &mut [[[i32; 4]; 2]]) {
        let multiply = if size_of::<X>() == 1 { arch::multiply_u8 } else { arch::multiply_i16 };
        for (pair, sums) in sums.iter_mut().enumerate() {
            multiply(panel, weights.pair(pair), &start[0], sums);
        }
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        let Weights { words, pair_len, quads } = weights;
        if size_of::<X>() == 1 {
            arch::multiply_pixel::<false>(panel, words, pair_len, quads, sums);
        } else {
            arch::multiply_pixel::<true>(panel, words, pair_len, quads, sums);
        }
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        let expanded = &mut expanded[..2 * weights.len()];
        arch::expand_columns(weights, expanded);
        arch::add_columns(x, expanded, sums);
    }

    fn multiply_row(
        product: &Product<'_>,
        x: Ints<'_>,
        params: &IntParams<'_>,
        memory: [&mut [u32]; 2],
        y: &mut IntsMut<'_>,
    ) -> usize {
        arch::multiply_row(product, x, params, memory, y)
    }
}
