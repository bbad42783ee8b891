//! Real-valued kernels for Cortex-M cores with a floating-point unit: portable ones for `f32`, and the unit's own conversion of
//! half precision for `f16`. The bits are those of the portable ones.

use half::f16;

use super::arch::fpu as arch;
use super::float::{Block, FloatTile, Patches};
use super::packing::FLOAT_BLOCK;
use super::params::FloatWeight;
use super::portable::PortableTile;

pub(super) struct FpuTile;

impl FloatTile for FpuTile {
    fn multiply<W: FloatWeight, const P: usize>(
        x: &Patches<'_>,
        weights: &[[W; FLOAT_BLOCK]],
        sums: &mut [[Block; P]],
    ) {
        let Some(halves) =
            halves(weights.as_flattened()).map(|halves| halves.as_chunks().0).filter(|w| arch::is_aligned(w))
        else {
            return PortableTile::multiply(x, weights, sums);
        };
        for (weights, sums) in halves.chunks(x.inputs).zip(sums) {
            if let [first, second] = &mut sums[..] {
                x.runs(0).for_each(|(k, x)| arch::multiply_two(&weights[k..], x, [first, second]));
            } else {
                for (n, sums) in sums.iter_mut().enumerate() {
                    x.runs(n).for_each(|(k, [x])| arch::multiply_one(&weights[k..], x, sums));
                }
            }
        }
    }

    fn multiply_single<W: FloatWeight, const P: usize>(x: &Patches<'_>, weights: &[W], sums: &mut [f32; P]) {
        /// Weights that are widened at a time.
        const LEN: usize = 16;
        let Some(halves) = halves(weights) else {
            return PortableTile::multiply_single(x, weights, sums);
        };
        let mut widened = [0.0; LEN];
        for (k, x) in x.runs::<P>(0) {
            for (start, weights) in (0..x[0].len()).step_by(LEN).zip(halves[k..].chunks(LEN)) {
                arch::widen(weights, &mut widened);
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = x[start..].iter().zip(&widened).fold(*sum, |sum, (x, w)| sum + w * x);
                }
            }
        }
    }
}

/// The weights, if they are in half precision.
fn halves<W: FloatWeight>(weights: &[W]) -> Option<&[f16]> {
    bytemuck::try_cast_slice(weights).ok().filter(|_| size_of::<W>() == size_of::<f16>())
}
