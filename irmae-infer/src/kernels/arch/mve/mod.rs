//! MVE (Helium) of Armv8.1-M: vectors of 128 bits, for bytes sixteen lanes.
//!
//! VMLADAV adds the products of two vectors to one of the even-numbered registers r0 to lr. With all eight for sums there is
//! none left for a loop that counts by itself, so loops are unrolled twice, and entered in the middle for an odd count. LLVM keeps
//! r6 and r7 from operands: loops save them and name all their registers.

mod columns;
mod panel;
mod pixel;
mod place;
mod store;

pub(in crate::kernels) use columns::add_columns;
pub(in crate::kernels) use panel::{multiply, multiply_store};
pub(in crate::kernels) use pixel::multiply_pixel;
pub(in crate::kernels) use place::{copy, place, place_four};
pub(in crate::kernels) use store::store_pixel;

use crate::kernels::tile::Weights;

/// Inputs that are multiplied at a time.
pub(in crate::kernels) const GRANULE: usize = 16;
/// Words of a pair's weights for as many.
const WEIGHT_WORDS: usize = 2 * GRANULE / 4;

/// How many pairs of outputs have weights that can be read in whole granules.
fn readable_pairs(weights: &Weights<'_>) -> usize {
    let beyond = weights.words.len().checked_sub(weights.quads.div_ceil(4) * WEIGHT_WORDS);
    beyond.and_then(|beyond| beyond.checked_div(weights.pair_len)).map_or(0, |pairs| pairs + 1)
}

/// Weights of a pair that end before a granule does, and what is behind them.
fn padded(weights: &[u32]) -> [u32; WEIGHT_WORDS] {
    let mut padded = [0; WEIGHT_WORDS];
    padded[..weights.len()].copy_from_slice(weights);
    padded
}
