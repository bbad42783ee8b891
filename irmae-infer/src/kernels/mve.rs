//! Integer kernels for cores with MVE (Helium), Arm's vector extension for microcontrollers.

use core::ops::Range;

use super::arch::mve::{self as arch, GRANULE, Row};
use super::fpu::FpuTile;
use super::params::{FloatParams, FloatWeight, IntParams};
use super::product::Product;
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};
use super::tile::{self, Place, Tile, Weights};
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
            let panel = bytemuck::cast_slice_mut(panel).get_mut(pixel * GRANULE..).unwrap_or_default();
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

    fn clear<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, quads: Range<usize>) {
        let (granules, _) = bytemuck::cast_slice_mut::<u32, X>(panel).as_chunks_mut::<GRANULE>();
        let (first, end) = (quads.start / 4, quads.end.div_ceil(4));
        for granule in granules[first * pixels + pixel..].iter_mut().step_by(pixels).take(end - first) {
            *granule = [X::zeroed(); GRANULE];
        }
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, start: &[[i32; 4]; 2], sums: &mut [[[i32; 4]; 2]]) {
        arch::multiply(size_of::<X>() > 1, panel, &weights, start, sums);
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        arch::multiply_pixel(size_of::<X>() > 1, panel, &weights, sums);
    }

    fn store(params: &IntParams<'_>, channel: usize, sums: &[i32], place: Place, y: &mut IntsMut<'_>) {
        if !params.is_linear() {
            return place.store(params, channel, sums, y);
        }
        if place.lanes > 1 {
            return arch::store_panel(sums.as_chunks().0, params, channel, place, Row::of(y));
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

    fn add_columns(x: &[u8], weights: &[u32], _expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        arch::add_columns(x, weights, sums);
    }

    fn store_channel(params: &IntParams<'_>, sums: &[i32], y: &mut IntsMut<'_>) {
        if !params.is_linear() {
            return tile::store_channel(params, sums, y);
        }
        arch::store_channel(sums, params.multiplier[0], params.clamp, Row::of(y));
    }

    fn multiply_row(
        product: &Product<'_>,
        x: Ints<'_>,
        params: &IntParams<'_>,
        [panel, _]: [&mut [u32]; 2],
        y: &mut IntsMut<'_>,
    ) -> usize {
        arch::multiply_row(product, x, params, panel, y)
    }
}
