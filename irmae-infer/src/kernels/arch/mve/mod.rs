//! MVE (Helium) of Armv8.1-M: vectors of 128 bits, for bytes sixteen lanes.
//!
//! VMLADAV adds the products of two vectors to one of the even-numbered registers r0 to lr. With all eight for sums there is
//! none left for a loop that counts by itself, so loops are unrolled, and entered in the middle for counts that are no whole rounds.
//! Longer code is naked functions: LLVM would keep registers from it. Their assembler has to be told what the core can do.

/// Of a loop whose code is a round, `1 << $log` granules of `$bytes` of code each: from the granules in r2 to the rounds, and in r6
/// where the first one starts, behind label 2 by the granules that it lacks. Takes r8 and r10.
macro_rules! rounds {
    ($log:literal, $bytes:literal) => {
        concat!(
            "rsb r6, r2, #0\n",
            concat!("and r6, r6, #(1 << ", $log, ") - 1\n"),
            "add r2, r2, r6\n",
            concat!("lsr r2, r2, #", $log, "\n"),
            concat!("mov r8, #", $bytes, "\n"),
            "adr.w r10, 2f + 1\n",
            "mla r6, r6, r8, r10\n",
        )
    };
}

mod columns;
mod panel;
mod pixel;
mod place;
mod row;
mod store;

pub(in crate::kernels) use columns::add_columns;
pub(in crate::kernels) use panel::multiply;
pub(in crate::kernels) use pixel::multiply_pixel;
pub(in crate::kernels) use place::place;
pub(in crate::kernels) use row::multiply_row;
pub(in crate::kernels) use store::{Row, store_channel, store_panel, store_pixel};

use crate::kernels::tile::Weights;

/// Inputs that are multiplied at a time.
pub(in crate::kernels) const GRANULE: usize = 16;
/// Words of a pair's weights for as many.
const WEIGHT_WORDS: usize = 2 * GRANULE / 4;

/// How many of `pairs` pairs of outputs have weights that can be read in whole granules.
fn readable_pairs(weights: &Weights<'_>, mut pairs: usize) -> usize {
    let beyond = weights.quads.div_ceil(4) * WEIGHT_WORDS;
    while pairs > 0 && (pairs - 1) * weights.pair_len + beyond > weights.words.len() {
        pairs -= 1;
    }
    pairs
}

/// Weights of a pair that end before a granule does, and what is behind them.
fn padded(weights: &[u32]) -> [u32; WEIGHT_WORDS] {
    let mut padded = [0; WEIGHT_WORDS];
    // Few: a call to copy them would cost more.
    for (to, from) in padded.iter_mut().zip(weights) {
        *to = *from;
    }
    padded
}
