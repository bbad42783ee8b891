//! Integer kernels for every core, in plain Rust: two pixels by two outputs at a time in registers, no bounds checks in the
//! inner loop.

use core::ops::Range;

use super::float;
use super::params::{ConvGeometry, FloatParams, FloatWeight, IntParams, Integer, Rows};
use super::tile::{self, Tile};
use super::{Kernels, lower};

/// Kernels for cores without SIMD: Cortex-M0+, M3, RISC-V, and any other.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Kernels for Portable {
    lower::lowered!(PortableTile);
    float::real!(PortableTile, 1, 2, 4);
}

#[cfg(test)]
super::conformance::conformance!(Portable);

#[cfg(test)]
#[test]
fn reals_equal_the_reference_to_the_bit() {
    super::conformance::check_real_bits::<Portable>();
}

/// Panels keep four values of a pixel together.
pub(super) struct PortableTile;

const HALVES: usize = 2;

impl Tile for PortableTile {
    const PIXELS: usize = 2;
    type Lanes = [i32; 2];
    const ZERO: [i32; 2] = [0; 2];

    fn place<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, k: usize, x: &[X]) -> i32 {
        tile::place::<X, X, HALVES>(panel, pixels, pixel, k, x)
    }

    fn clear<X: Integer>(panel: &mut [u32], pixels: usize, pixel: usize, quads: usize) {
        tile::clear::<X, HALVES>(panel, pixels, pixel, quads);
    }

    fn multiply<X: Integer>(panel: &[u32], weights: &[u32], sums: &mut [[i32; 2]; 2]) {
        let cells: &[X] = bytemuck::cast_slice(panel);
        let (x, _) = cells.as_chunks::<8>();
        let [[mut u0, mut u1], [mut q0, mut q1]] = *sums;
        for (w, x) in bytes(weights).iter().zip(x) {
            for n in 0..4 {
                let (u, q) = (i32::from(w[2 * n]), i32::from(w[2 * n + 1] as i8));
                let (x0, x1) = (x[n].to_i32(), x[4 + n].to_i32());
                u0 = u0.wrapping_add(u.wrapping_mul(x0));
                u1 = u1.wrapping_add(u.wrapping_mul(x1));
                q0 = q0.wrapping_add(q.wrapping_mul(x0));
                q1 = q1.wrapping_add(q.wrapping_mul(x1));
            }
        }
        *sums = [[u0, u1], [q0, q1]];
    }

    fn multiply_pixel<X: Integer>(
        panel: &[u32],
        weights: &[u32],
        pair_len: usize,
        quads: usize,
        sums: &mut [[i32; 2]],
    ) {
        let cells: &[X] = bytemuck::cast_slice(panel);
        let (x, _) = cells.as_chunks::<4>();
        for (pair, sums) in sums.iter_mut().enumerate() {
            let [mut u_sum, mut q_sum] = *sums;
            for (w, x) in bytes(&weights[pair * pair_len..][..2 * quads]).iter().zip(x) {
                for n in 0..4 {
                    let x = x[n].to_i32();
                    u_sum = u_sum.wrapping_add(i32::from(w[2 * n]).wrapping_mul(x));
                    q_sum = q_sum.wrapping_add(i32::from(w[2 * n + 1] as i8).wrapping_mul(x));
                }
            }
            *sums = [u_sum, q_sum];
        }
    }
}

/// The weights of four inputs: `[u, q]` for the inputs in a panel's order.
fn bytes(weights: &[u32]) -> &[[u8; 8]] {
    bytemuck::cast_slice::<u32, u8>(weights).as_chunks().0
}

impl float::FloatTile for PortableTile {}
