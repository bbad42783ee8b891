//! Real-valued kernels for Cortex-M cores with a floating-point unit: portable ones for `f32`, and the unit's own conversion of
//! half precision for `f16`. The bits are those of the portable ones.

use half::f16;

use super::arch::fpu as arch;
use super::float_tile::{self, FloatTile, Patches};
use super::packing::FLOAT_BLOCK;
use super::params::FloatWeight;
use super::portable::PortableTile;

pub(super) struct FpuTile;

impl FloatTile for FpuTile {
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        let halves = halves(weights.as_flattened()).map(|halves| halves.as_chunks().0);
        let Some(weights) = halves.filter(|halves| arch::is_aligned(halves)) else {
            return PortableTile::multiply(x, weights, y, step);
        };
        for (b, weights) in weights.chunks(x.inputs).enumerate() {
            let (mut n, y) = (0, &mut y[b * FLOAT_BLOCK..]);
            while n + 1 < x.pixels {
                let at = [n * step, (n + 1) * step];
                let mut sums = at.map(|at| float_tile::block(y, at));
                x.runs(n).for_each(|(k, x)| arch::multiply_two(&weights[k..], x, &mut sums));
                at.iter().zip(&sums).for_each(|(&at, sums)| y[at..at + FLOAT_BLOCK].copy_from_slice(sums));
                n += 2;
            }
            if n < x.pixels {
                let mut sums = float_tile::block(y, n * step);
                x.runs(n).for_each(|(k, [x])| arch::multiply_one(&weights[k..], x, &mut sums));
                y[n * step..n * step + FLOAT_BLOCK].copy_from_slice(&sums);
            }
        }
    }

    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        /// Weights that are widened at a time.
        const LEN: usize = 16;
        let Some(halves) = halves(weights) else {
            return PortableTile::multiply_singles(x, weights, y, step);
        };
        let mut widened = [0.0; LEN];
        for (v, weights) in halves.chunks(x.inputs).enumerate() {
            for (k, span) in x.spans(0, x.pixels) {
                for start in (0..x.len).step_by(LEN) {
                    let len = LEN.min(x.len - start);
                    arch::widen(&weights[k + start..][..len], &mut widened);
                    for n in 0..x.pixels {
                        let products = widened[..len].iter().zip(&span[n * x.step + start..]);
                        y[n * step + v] = products.fold(y[n * step + v], |sum, (w, x)| sum + w * x);
                    }
                }
            }
        }
    }
}

/// The weights, if they are in half precision.
fn halves<W: FloatWeight>(weights: &[W]) -> Option<&[f16]> {
    bytemuck::try_cast_slice(weights).ok().filter(|_| size_of::<W>() == size_of::<f16>())
}
