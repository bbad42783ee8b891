//! Transposed convolutions of one output channel, of bytes, column by column.

use core::arch::aarch64::*;

use super::has_dot_products;
use super::int::{GRANULE, WORDS, add_bytes, horizontal_sums, load_weights, to_array, zeros};
use super::place::in_halves;

/// Both outputs' weights for a granule of channels of two columns.
type Weights = [[uint8x16_t; 2]; 2];

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns), for whole granules of channels.
pub(in crate::kernels) fn add_columns<const DOT: bool>(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    debug_assert!(!DOT || has_dot_products());
    // SAFETY: the CPU has the instructions, see the module.
    unsafe { add_windows::<DOT>(x, weights, sums) };
}

/// Adds the products of all windows of two columns, the first of which begins before the input, and the last of which ends
/// behind it.
#[target_feature(enable = "neon")]
fn add_windows<const DOT: bool>(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    let (first, second) = weights.as_chunks::<WORDS>().0.split_at(weights.len() / WORDS / 2);
    let column_len = first.len() * GRANULE;
    for (granule, (first, second)) in first.iter().zip(second).enumerate() {
        let weights = [load_weights(first), load_weights(second)];
        let column = |n: usize| load_column::<DOT>(x, (n * column_len + granule * GRANULE).wrapping_sub(column_len));
        let mut last = column(0);
        for (n, sums) in sums.chunks_mut(2).enumerate() {
            let (middle, next) = (column(2 * n + 1), column(2 * n + 2));
            let [a, b] = add_window::<DOT>(last, middle, weights);
            let [c, d] = add_window::<DOT>(middle, next, weights);
            last = next;
            let totals = to_array(horizontal_sums([a, b, c, d]));
            for (sums, totals) in sums.iter_mut().zip(totals.as_chunks::<2>().0) {
                *sums = [sums[0].wrapping_add(totals[0]), sums[1].wrapping_add(totals[1])];
            }
        }
    }
}

/// Values of a column, and -128 times their sum.
#[derive(Clone, Copy)]
struct Column {
    x: uint8x16_t,
    start: int32x4_t,
}

/// A granule of a column; beside the input there are zeros.
#[inline]
#[target_feature(enable = "neon")]
fn load_column<const DOT: bool>(x: &[u8], start: usize) -> Column {
    match x.get(start..).and_then(|x| x.first_chunk::<GRANULE>()) {
        Some(x) => {
            // SAFETY: these are sixteen values.
            let x = in_halves(unsafe { vld1q_u8(x.as_ptr()) });
            Column { x, start: vnegq_s32(add_bytes::<DOT>(zeros(), x, vdupq_n_u8(0x80))) }
        }
        None => Column { x: vdupq_n_u8(0), start: zeros() },
    }
}

/// Both outputs' products of two columns.
#[inline]
#[target_feature(enable = "neon")]
fn add_window<const DOT: bool>(a: Column, b: Column, [first, second]: Weights) -> [int32x4_t; 2] {
    let start = vaddq_s32(a.start, b.start);
    let p = add_bytes::<DOT>(add_bytes::<DOT>(start, first[0], a.x), second[0], b.x);
    let q = add_bytes::<DOT>(add_bytes::<DOT>(start, first[1], a.x), second[1], b.x);
    [p, q]
}
