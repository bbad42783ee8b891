//! Integer kernels for Cortex-M0 and M0+, whose products have 32 bits and whose instructions reach eight registers: two products
//! of bytes by one multiplication.
//!
//! A word of two pixels `x0 + 65536 x1` times a byte `w` is `w x0 + 65536 w x1`, neither of which reaches into the other. The sum
//! of such words, modulo `2^32`, and the sum of their upper halves give both sums. It is one output at a time, as two do not
//! fit the registers; 128 is added to the weights of both outputs of a pair, that they have no sign.

use core::ops::Range;

use super::float;
use super::params::{FloatParams, FloatWeight, IntParams};
use super::portable::{PortableTile, store_pairs};
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, Rows};
use super::tile::{Panel, Runs, Tile, Weights};
use super::{Kernels, lower};

/// Kernels for Cortex-M0 and M0+.
#[derive(Debug, Clone, Copy)]
pub struct Paired;

impl Kernels for Paired {
    lower::lowered!(PairedTile);
    float::real!(PortableTile);
}

#[cfg(test)]
super::conformance::conformance!(Paired);

/// Panels of two pixels are of words, one for a value of both. A single pixel is left to [`PortableTile`].
pub(super) struct PairedTile;

impl Tile for PairedTile {
    const PIXELS: usize = 2;
    type Lanes = [i32; 2];
    const ZERO: [i32; 2] = [0; 2];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if pixels == 1 {
            return PortableTile::place(panel, pixels, pixel, k, x);
        }
        let cells: &mut [i16] = bytemuck::cast_slice_mut(panel);
        let mut sum = 0;
        for (k, &x) in (k..).zip(x) {
            // Of four values, the weights have the first and third before the second and fourth.
            let place = k / 4 * 4 + k % 2 * 2 + k % 4 / 2;
            cells[2 * place + pixel] = x.into();
            sum += x.to_i32();
        }
        sum
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut [i32; 2]) -> bool {
        let mut panel = panel.as_chunks_mut::<4>().0.iter_mut();
        for row in 0..runs.rows {
            let quads = |start: usize| runs.x[row * runs.row_step + start..][..runs.len].as_chunks::<4>().0;
            for ((x0, x1), cells) in quads(0).iter().zip(quads(runs.pixel_step)).zip(&mut panel) {
                let mut both = |n: usize| {
                    let (x0, x1) = (x0[n].to_i32(), x1[n].to_i32());
                    sums[0] += x0;
                    sums[1] += x1;
                    u32::from(x0 as u16) | (x1 as u32) << 16
                };
                *cells = [both(0), both(2), both(1), both(3)];
            }
        }
        true
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, start: &[[i32; 2]; 2], sums: &mut [[[i32; 2]; 2]]) {
        for (pair, sums) in sums.iter_mut().enumerate() {
            // What takes off what 128 adds to the weights of the first output does so for the second.
            *sums = [start[0]; 2];
            add_pair::<X>(panel, weights.pair(pair), sums);
        }
    }

    const ADDS_COLUMNS: bool = PortableTile::ADDS_COLUMNS;

    fn add_columns(x: &[u8], weights: &[u32], expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        PortableTile::add_columns(x, weights, expanded, sums);
    }

    fn multiply_store<X: Integer, Y: Integer>(
        panel: &Panel<'_>,
        starts: &[[i32; 2]; 2],
        params: &IntParams<'_>,
        y: &mut [Y],
    ) -> usize {
        store_pairs(panel, &[starts[0]; 2], params, y, add_pair::<X>)
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        PortableTile::multiply_pixel::<X>(panel, weights, sums);
    }
}

/// Adds the products of a panel and a pair of outputs.
#[inline(always)]
fn add_pair<X: Integer>(panel: &[u32], weights: &[u32], sums: &mut [[i32; 2]; 2]) {
    let weights: &[[u8; 2]] = bytemuck::cast_slice(weights);
    let [u, q] = if size_of::<X>() == 1 {
        [byte_sums(panel, weights, |w| w[0]), byte_sums(panel, weights, |w| w[1] ^ 128)]
    } else {
        [word_sums(panel, weights, |w| w[0]), word_sums(panel, weights, |w| w[1] ^ 128)]
    };
    sums[0] = [sums[0][0].wrapping_add(u[0]), sums[0][1].wrapping_add(u[1])];
    sums[1] = [sums[1][0].wrapping_add(q[0]), sums[1][1].wrapping_add(q[1])];
}

/// The sums of two pixels' bytes times weights.
#[inline(never)]
fn byte_sums(panel: &[u32], weights: &[[u8; 2]], weight: impl Fn(&[u8; 2]) -> u8) -> [i32; 2] {
    let [mut both, mut upper] = [0_u32; 2];
    for (w, x) in weights.iter().zip(panel) {
        let product = u32::from(weight(w)).wrapping_mul(*x);
        both = both.wrapping_add(product);
        upper = upper.wrapping_add(product >> 16);
    }
    [both.wrapping_sub(upper << 16) as i32, upper as i32]
}

/// The sums of two pixels' 16-bit values times weights.
#[inline(never)]
fn word_sums(panel: &[u32], weights: &[[u8; 2]], weight: impl Fn(&[u8; 2]) -> u8) -> [i32; 2] {
    let mut sums = [0_i32; 2];
    for (w, &x) in weights.iter().zip(panel) {
        let w = i32::from(weight(w));
        sums[0] = sums[0].wrapping_add(w.wrapping_mul((x as i16).into()));
        sums[1] = sums[1].wrapping_add(w.wrapping_mul(x as i32 >> 16));
    }
    sums
}
