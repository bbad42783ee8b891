//! Integer kernels for every core, in plain Rust: two pixels by two outputs at a time in registers, no bounds checks in the
//! inner loop. On Cortex-M3 that is nine instructions for four products at `opt-level = "s"`.

use core::ops::Range;

use super::float;
use super::float_tile::FloatTile;
use super::params::{FloatParams, FloatWeight, IntParams};
use super::rows::{ConvGeometry, IntOutput, Integer, Ints, Rows};
use super::tile::{self, Panel, PanelOutputs, Runs, Tile, Weights};
use super::{Kernels, lower};
use crate::quant;

/// Kernels for cores without SIMD: Cortex-M3, RISC-V, and any other.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Kernels for Portable {
    lower::lowered!(PortableTile);
    float::real!(PortableTile);
}

#[cfg(test)]
super::conformance::conformance!(Portable);

#[cfg(test)]
#[test]
fn reals_equal_the_reference_to_the_bit() {
    super::conformance::check_real_bits::<Portable>();
}

/// Panels of two pixels are of words, the pixels of a value side by side, for loads of two words by one instruction. Panels of one
/// pixel are of 16 bits. Values lie in the order of the weights.
pub(super) struct PortableTile;

/// Values of which the sums of bytes and lanes can be taken apart.
const SUMMED: usize = 256;

impl Tile for PortableTile {
    const PIXELS: usize = 2;
    type Lanes = [i32; 2];
    const ZERO: [i32; 2] = [0; 2];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        if pixels == 1 {
            return tile::place::<X, i16, 1>(panel, pixels, pixel, k, x);
        }
        let mut sum = 0;
        for (k, x) in (k..).zip(x) {
            // Of four values, the weights have the first and third before the second and fourth.
            let place = k / 4 * 4 + k % 2 * 2 + k % 4 / 2;
            panel[2 * place + pixel] = x.to_i32() as u32;
            sum += x.to_i32();
        }
        sum
    }

    fn place_all<X: Integer>(panel: &mut [u32], runs: &Runs<'_, X>, sums: &mut [i32; 2]) -> bool {
        let mut panel = panel.as_chunks_mut::<8>().0.iter_mut();
        let [mut sum0, mut sum1] = *sums;
        for row in 0..runs.rows {
            let quads = |start: usize| runs.x[row * runs.row_step + start..][..runs.len].as_chunks::<4>().0;
            for ((x0, x1), cells) in quads(0).iter().zip(quads(runs.pixel_step)).zip(&mut panel) {
                // Written out, as loops of two and four were not unrolled.
                let (a0, b0, c0, d0) = (x0[0].to_i32(), x0[1].to_i32(), x0[2].to_i32(), x0[3].to_i32());
                let (a1, b1, c1, d1) = (x1[0].to_i32(), x1[1].to_i32(), x1[2].to_i32(), x1[3].to_i32());
                *cells = [a0, a1, c0, c1, b0, b1, d0, d1].map(|x| x as u32);
                sum0 += a0 + b0 + c0 + d0;
                sum1 += a1 + b1 + c1 + d1;
            }
        }
        *sums = [sum0, sum1];
        true
    }

    fn multiply<X: Integer>(panel: &[u32], weights: Weights<'_>, start: &[[i32; 2]; 2], sums: &mut [[[i32; 2]; 2]]) {
        let (x, _) = panel.as_chunks();
        for (pair, sums) in sums.iter_mut().enumerate() {
            *sums = *start;
            for (lanes, x) in lanes(weights.pair(pair)).chunks(SUMMED).zip(x.chunks(SUMMED)) {
                multiply::<X>(lanes, x, sums);
            }
        }
    }

    const ADDS_COLUMNS: bool = true;

    fn add_columns(x: &[u8], weights: &[u32], _expanded: &mut [u32], sums: &mut [[i32; 2]]) {
        let channels = weights.len();
        let (first, second) = lanes(weights).split_at(channels);
        for (column, x) in x.chunks_exact(channels).enumerate().take(sums.len().saturating_sub(1)) {
            for (weights, sums) in [second, first].into_iter().zip(&mut sums[column..]) {
                for (lanes, x) in weights.chunks(SUMMED).zip(x.chunks(SUMMED)) {
                    add_column(lanes, x, sums);
                }
            }
        }
    }

    fn multiply_store<X: Integer, Y: Integer>(
        panel: &Panel<'_>,
        starts: &[[i32; 2]; 2],
        params: &IntParams<'_>,
        y: &mut [Y],
    ) -> usize {
        if 4 * panel.weights.quads > SUMMED {
            return 0;
        }
        store_pairs(panel, starts, params, y, |cells, weights, sums| {
            multiply::<X>(lanes(weights), cells.as_chunks().0, sums);
        })
    }

    fn multiply_pixel<X: Integer>(panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
        for (pair, sums) in sums.iter_mut().enumerate() {
            let lanes = lanes(weights.pair(pair));
            for (lanes, x) in lanes.chunks(SUMMED).zip(bytemuck::cast_slice(panel).chunks(SUMMED)) {
                multiply_pixel::<X>(lanes, x, sums);
            }
        }
    }
}

/// [`Tile::multiply_store`] for two pixels, by what adds the products of cells and a pair's weights to its sums.
#[inline(always)]
pub(super) fn store_pairs<Y: Integer>(
    panel: &Panel<'_>,
    starts: &[[i32; 2]; 2],
    params: &IntParams<'_>,
    y: &mut [Y],
    add: impl Fn(&[u32], &[u32], &mut [[i32; 2]; 2]),
) -> usize {
    let Some(outputs) = panel.plain(params, y) else { return 0 };
    let PanelOutputs { panel, weights, pair_len, quads, pairs, bias, multiplier, y, step } = outputs;
    if pair_len == 0 || step >= y.len() {
        return 0;
    }
    let (bias, multiplier) = (bias.as_chunks::<2>().0, multiplier.as_chunks::<2>().0);
    let (y0, y1) = y.split_at_mut(step);
    let y = y0.as_chunks_mut::<2>().0.iter_mut().zip(y1.as_chunks_mut::<2>().0);
    let all = weights.chunks(pair_len).zip(bias).zip(multiplier).take(pairs);
    for (((weights, bias), multiplier), (y0, y1)) in all.zip(y) {
        let start = |output: usize, pixel: usize| bias[output].wrapping_add(starts[output][pixel]);
        let mut sums = [[start(0, 0), start(0, 1)], [start(1, 0), start(1, 1)]];
        add(panel, &weights[..2 * quads], &mut sums);
        let finish = |sum, multiplier| quant::requantize(sum, multiplier).clamp(0, 255) as u8;
        *y0 = [finish(sums[0][0], multiplier[0]), finish(sums[1][0], multiplier[1])];
        *y1 = [finish(sums[0][1], multiplier[0]), finish(sums[1][1], multiplier[1])];
    }
    2 * pairs
}

/// Weights as 16-bit lanes, a pair of outputs each.
fn lanes(weights: &[u32]) -> &[i16] {
    bytemuck::cast_slice(weights)
}

/// The factors of a lane `256 q + u` for two sums of products: `u`, and for bytes, whose sums stay small, the lane as it is.
#[inline(always)]
fn factors<X: Integer>(lane: i16) -> [i32; 2] {
    let lane = i32::from(lane);
    [lane & 255, if size_of::<X>() == 1 { lane } else { lane >> 8 }]
}

/// Adds the two sums of products to those wanted.
#[inline(always)]
fn add_sums<X: Integer>(u: i32, lane: i32, [u_sum, q_sum]: [&mut i32; 2]) {
    let q = if size_of::<X>() == 1 { lane.wrapping_sub(u) >> 8 } else { lane };
    *u_sum = u_sum.wrapping_add(u);
    *q_sum = q_sum.wrapping_add(q);
}

/// Calls `add` for all lanes and their inputs, of which there are whole fours.
#[inline(always)]
fn for_each<X: Copy>(lanes: &[i16], x: &[X], mut add: impl FnMut(i16, X)) {
    if cfg!(target_arch = "arm") {
        // As LLVM orders the instructions of a four, it takes more registers than there are.
        lanes.iter().zip(x).for_each(|(&lane, &x)| add(lane, x));
    } else {
        for (lanes, x) in lanes.as_chunks::<4>().0.iter().zip(x.as_chunks::<4>().0) {
            add(lanes[0], x[0]);
            add(lanes[1], x[1]);
            add(lanes[2], x[2]);
            add(lanes[3], x[3]);
        }
    }
}

/// [`Tile::multiply`] of [`SUMMED`] values or fewer.
fn multiply<X: Integer>(lanes: &[i16], x: &[[u32; 2]], [u, q]: &mut [[i32; 2]; 2]) {
    let [mut u0, mut u1, mut lane0, mut lane1] = [0_i32; 4];
    for_each(lanes, x, |lane, x| {
        let [u, lane] = factors::<X>(lane);
        // As one value of 64 bits, so that one instruction loads it and moves on.
        let [x0, x1]: [i32; 2] = bytemuck::cast(bytemuck::cast::<[u32; 2], u64>(x));
        u0 = u0.wrapping_add(u.wrapping_mul(x0));
        u1 = u1.wrapping_add(u.wrapping_mul(x1));
        lane0 = lane0.wrapping_add(lane.wrapping_mul(x0));
        lane1 = lane1.wrapping_add(lane.wrapping_mul(x1));
    });
    add_sums::<X>(u0, lane0, [&mut u[0], &mut q[0]]);
    add_sums::<X>(u1, lane1, [&mut u[1], &mut q[1]]);
}

/// [`Tile::multiply_pixel`] of [`SUMMED`] values or fewer, for one pair.
#[inline(never)]
fn multiply_pixel<X: Integer>(lanes: &[i16], x: &[i16], [u_sum, q_sum]: &mut [i32; 2]) {
    let [mut u, mut lane] = [0_i32; 2];
    for_each(lanes, x, |weights, x| {
        let (factors, x) = (factors::<X>(weights), i32::from(x));
        u = u.wrapping_add(factors[0].wrapping_mul(x));
        lane = lane.wrapping_add(factors[1].wrapping_mul(x));
    });
    add_sums::<X>(u, lane, [u_sum, q_sum]);
}

/// Adds the products of one column and a pair of outputs, [`SUMMED`] values or fewer.
#[inline(never)]
fn add_column(lanes: &[i16], x: &[u8], [p_sum, q_sum]: &mut [i32; 2]) {
    let [mut u, mut lane, mut sum] = [0_i32; 3];
    let mut add = |weights, x| {
        let (factors, x) = (factors::<u8>(weights), i32::from(x));
        u = u.wrapping_add(factors[0].wrapping_mul(x));
        lane = lane.wrapping_add(factors[1].wrapping_mul(x));
        sum += x;
    };
    for (lanes, x) in lanes.as_chunks::<4>().0.iter().zip(x.as_chunks::<4>().0) {
        // Written out, as a loop of four was not unrolled.
        add(lanes[0], x[0]);
        add(lanes[1], x[2]);
        add(lanes[2], x[1]);
        add(lanes[3], x[3]);
    }
    add_sums::<u8>(u, lane, [p_sum, q_sum]);
    *p_sum = p_sum.wrapping_sub(sum << 7);
}

impl FloatTile for PortableTile {}
