//! [`FloatTile`](super::float_tile::FloatTile) for CPUs with wide vectors: blocks of outputs, or single outputs, in twos, and pixels
//! in groups of up to four.

use super::float_tile::Patches;
use super::params::FloatWeight;

/// What an instruction set supplies, for blocks of outputs or for single ones.
pub(super) trait Groups {
    /// Weights of one input.
    type Weights<W: FloatWeight>;
    /// Outputs that they belong to.
    const OUTPUTS: usize;

    /// Adds the products of `B` times as many outputs and the `P` pixels from pixel `first` on.
    fn add<W: FloatWeight, const B: usize, const P: usize>(
        x: &Patches<'_>,
        first: usize,
        weights: &[Self::Weights<W>],
        y: &mut [f32],
        step: usize,
    );
}

/// See [`FloatTile`](super::float_tile::FloatTile).
pub(super) fn multiply<T: Groups, W: FloatWeight>(
    x: &Patches<'_>,
    weights: &[T::Weights<W>],
    y: &mut [f32],
    step: usize,
) {
    // Of like size.
    let len = match x.pixels {
        5 | 6 | 9 => 3,
        _ => 4,
    };
    for (b, weights) in weights.chunks(2 * x.inputs).enumerate() {
        let y = &mut y[2 * T::OUTPUTS * b..];
        for n in (0..x.pixels).step_by(len) {
            match (weights.len() > x.inputs, len.min(x.pixels - n)) {
                (false, 1) => T::add::<W, 1, 1>(x, n, weights, y, step),
                (false, 2) => T::add::<W, 1, 2>(x, n, weights, y, step),
                (false, 3) => T::add::<W, 1, 3>(x, n, weights, y, step),
                (false, _) => T::add::<W, 1, 4>(x, n, weights, y, step),
                (true, 1) => T::add::<W, 2, 1>(x, n, weights, y, step),
                (true, 2) => T::add::<W, 2, 2>(x, n, weights, y, step),
                (true, 3) => T::add::<W, 2, 3>(x, n, weights, y, step),
                (true, _) => T::add::<W, 2, 4>(x, n, weights, y, step),
            }
        }
    }
}
