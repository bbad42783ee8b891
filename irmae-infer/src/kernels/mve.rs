//! Integer kernels for cores with MVE (Helium), Arm's vector extension for microcontrollers.

use core::ops::Range;

use super::arch::mve::{self as arch, GRANULE};
use super::fpu::FpuTile;
use super::params::{ConvGeometry, FloatParams, FloatWeight, IntOutput, IntParams, Integer, Ints, IntsMut, Rows};
use super::tile::{Panel, Place, Runs, Tile, Weights};
use super::{Kernels, float, lower};

/// Kernels for Cortex-M52, M55 and M85.
#[derive(Debug, Clone, Copy)]
pub struct Mve;

impl Kernels for Mve {
    lower::lowered!(MveTile);
    float::real!(FpuTile);
}

/// Panels keep sixteen values of a pixel together.
pub(super) struct MveTile;

impl Tile for MveTile {
    const PIXELS: usize = 4;
    const INPUTS: usize = GRANULE;
    const OFFSETS_Q: bool = true;
    type Lanes = [i32; 4];
    const ZERO: [i32; 4] = [0; 4];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if size_of::<X>() == 1 {
            let panel = &mut bytemuck::cast_slice_mut(panel)[pixel * GRANULE..];
            return arch::place(panel, pixels, k, bytemuck::cast_slice(x));
        }
        // In their own order.
        let cells: &mut [X] = bytemuck::cast_slice_mut(panel);
        let mut sum = 0;
        for (k, &x) in (k..).zip(x) {
            cells[(k / GRANULE * pixels + pixel) * GRANULE + k % GRANULE] = x;
            sum += x.to_i32();
        }
        sum
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut [i32; 4]) {
        if size_of::<X>() == 1 && runs.pixels == Self::PIXELS {
            return arch::place_four(bytemuck::cast_slice_mut(panel), 0, &runs.cast(), sums);
        }
        tile::place_runs::<Self, X>(panel, runs, sums);
    }

    fn clear<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, quads: Range<usize>) {
        let (granules, _) = bytemuck::cast_slice_mut::<u32, X>(panel).as_chunks_mut::<GRANULE>();
        let (first, end) = (quads.start / 4, quads.end.div_ceil(4));
        for granule in granules[first * pixels + pixel..].iter_mut().step_by(pixels).take(end - first) {
            *granule = [X::zeroed(); GRANULE];
        }
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, start: &[[i32; 4]; 2], sums: &mut [[[i32; 4]; 2]]) {
        if size_of::<X>() == 1 {
            arch::multiply::<false>(panel, weights, start, sums);
        } else {
            arch::multiply::<true>(panel, weights, start, sums);
        }
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        if size_of::<X>() == 1 {
            arch::multiply_pixel::<false>(panel, weights, sums);
        } else {
            arch::multiply_pixel::<true>(panel, weights, sums);
        }
    }

    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        if !params.is_linear() || place.lanes > 1 {
            return place.store(params, channel, sums, y);
        }
        if let Some(range) = place.range(0, sums.len(), y.len()) {
            let (bias, multiplier) = (&params.bias[channel..], &params.multiplier[channel..]);
            match y {
                IntsMut::U8(y) => arch::store_pixel(sums, bias, multiplier, params.clamp, &mut y[range]),
                IntsMut::I16(y) => arch::store_pixel(sums, bias, multiplier, params.clamp, &mut y[range]),
            }
        }
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        arch::add_columns(x, weights, expanded, sums);
    }

    fn multiply_store<X: Integer, Y: Integer>(
        panel: &Panel<'_>,
        starts: &[[i32; 4]; 2],
        params: &IntParams<'_>,
        y: &mut [Y],
    ) -> usize {
        if !params.is_linear() {
            return 0;
        }
        if size_of::<X>() == 1 {
            arch::multiply_store::<false, Y>(panel, starts, params, y);
        } else {
            arch::multiply_store::<true, Y>(panel, starts, params, y);
        }
        panel.outputs
    }
}
