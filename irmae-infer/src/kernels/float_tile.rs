//! What an instruction set supplies to the real-valued kernels: sums over the patches of neighbouring pixels.
//! [`float`](super::float) turns every layer into such sums.

use super::packing::FLOAT_BLOCK;
use super::params::FloatWeight;

/// Eight values, one for each output of a block.
pub(super) type Block = [f32; FLOAT_BLOCK];

/// A micro-kernel: sums over the patches of a few neighbouring pixels, `k` being the place of a value in its patch.
///
/// The bodies here are for every core: each product and each sum is rounded, in order, so they give the same bits everywhere.
pub(super) trait FloatTile {
    /// Blocks of outputs: `y[n * step + 8 b + v] += sum_k w[b][k][v] x[n][k]`.
    #[inline]
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        for (b, weights) in weights.chunks(x.inputs).enumerate() {
            let (mut n, y) = (0, &mut y[b * FLOAT_BLOCK..]);
            while n + 1 < x.pixels {
                multiply_two(x, n, weights, &mut y[n * step..], step);
                n += 2;
            }
            if n < x.pixels {
                multiply_one(x, n, weights, &mut y[n * step..]);
            }
        }
    }

    /// Outputs that belong to no block: `y[n * step + v] += sum_k w[v][k] x[n][k]`.
    #[inline]
    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        for (v, weights) in weights.chunks(x.inputs).enumerate() {
            let (mut n, y) = (0, &mut y[v..]);
            while n + 3 < x.pixels {
                multiply_single_four(x, n, weights, &mut y[n * step..], step);
                n += 4;
            }
            for n in n..x.pixels {
                for (k, [x]) in x.runs(n) {
                    let products = weights[k..].iter().zip(x);
                    y[n * step] = products.fold(y[n * step], |sum, (w, x)| sum + w.to_f32() * x);
                }
            }
        }
    }

    /// Whether there is a [`FloatTile::multiply_finish`].
    const FINISHES: bool = false;

    /// [`multiply`](FloatTile::multiply) with sums that start from biases instead of `y`, and what follows them.
    #[inline]
    fn multiply_finish<W: FloatWeight>(
        _x: &Patches<'_>,
        _weights: &[[W; FLOAT_BLOCK]],
        _ends: &Ends<'_>,
        _y: &mut [f32],
        _step: usize,
    ) {
    }

    /// [`multiply_singles`](FloatTile::multiply_singles) with some outputs beside the row: `y[at + n * step + v]`, where there is
    /// such a place. False, and nothing done, where a tile has no such thing.
    #[inline]
    fn multiply_singles_at<W: FloatWeight>(
        _x: &Patches<'_>,
        _weights: &[W],
        _y: &mut [f32],
        _at: isize,
        _step: usize,
    ) -> bool {
        false
    }
}

/// What sums start from, one an output, and the least that is made of them.
#[cfg_attr(not(irmae_avx2), allow(dead_code))]
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) bias: &'a [f32],
    pub(super) least: f32,
}

/// A block of outputs of pixel `n`.
fn multiply_one<W: FloatWeight>(x: &Patches<'_>, n: usize, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32]) {
    let mut acc = block(y, 0);
    for (k, [x]) in x.runs(n) {
        for (w, x) in weights[k..].iter().zip(x) {
            acc = add_scaled(acc, W::widen(w), *x);
        }
    }
    y[..FLOAT_BLOCK].copy_from_slice(&acc);
}

/// A block of outputs of two pixels from pixel `n` on: sixteen sums in registers.
fn multiply_two<W: FloatWeight>(x: &Patches<'_>, n: usize, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
    let (mut acc0, mut acc1) = (block(y, 0), block(y, step));
    for (k, [x0, x1]) in x.runs(n) {
        for ((w, x0), x1) in weights[k..].iter().zip(x0).zip(x1) {
            let w = W::widen(w);
            acc0 = add_scaled(acc0, w, *x0);
            acc1 = add_scaled(acc1, w, *x1);
        }
    }
    y[..FLOAT_BLOCK].copy_from_slice(&acc0);
    y[step..step + FLOAT_BLOCK].copy_from_slice(&acc1);
}

/// One output of four pixels from pixel `n` on.
fn multiply_single_four<W: FloatWeight>(x: &Patches<'_>, n: usize, weights: &[W], y: &mut [f32], step: usize) {
    let mut acc = [y[0], y[step], y[2 * step], y[3 * step]];
    for (k, [x0, x1, x2, x3]) in x.runs(n) {
        for ((((w, x0), x1), x2), x3) in weights[k..].iter().zip(x0).zip(x1).zip(x2).zip(x3) {
            let w = w.to_f32();
            acc = [acc[0] + w * x0, acc[1] + w * x1, acc[2] + w * x2, acc[3] + w * x3];
        }
    }
    [y[0], y[step], y[2 * step], y[3 * step]] = acc;
}

/// The block at `y[at..]`.
#[inline(always)]
pub(super) fn block(y: &[f32], at: usize) -> Block {
    y[at..].first_chunk().copied().unwrap_or_default()
}

/// `acc + w x`, written out so that it stays in registers where code is optimised for size too.
#[inline(always)]
fn add_scaled(acc: Block, w: Block, x: f32) -> Block {
    let [a, b, c, d, e, f, g, h] = acc;
    [a + w[0] * x, b + w[1] * x, c + w[2] * x, d + w[3] * x, e + w[4] * x, f + w[5] * x, g + w[6] * x, h + w[7] * x]
}

/// The patches of neighbouring pixels: a run of values in each of some input rows.
#[derive(Clone, Copy)]
pub(super) struct Patches<'a> {
    pub(super) values: &'a [f32],
    /// Values from one row to the next, and how many rows there are.
    pub(super) row_step: usize,
    pub(super) count: usize,
    /// Where the first pixel's values start in the first row, and how many there are in a row.
    pub(super) start: usize,
    pub(super) len: usize,
    /// Pixels, and values from one to the next.
    pub(super) pixels: usize,
    pub(super) step: usize,
    /// `k` of the first value.
    pub(super) k: usize,
    /// Values of a patch with the rows that are left out: weights from one output or block to the next.
    pub(super) inputs: usize,
}

impl<'a> Patches<'a> {
    /// Those of `pixels` pixels from pixel `n` on.
    pub(super) fn part(self, n: usize, pixels: usize) -> Self {
        Self { start: self.start + n * self.step, pixels, ..self }
    }

    /// All values of `pixels` pixels from pixel `n` on, from the first row to the last.
    #[cfg_attr(not(irmae_avx2), allow(dead_code))]
    #[inline]
    pub(super) fn values(&self, n: usize, pixels: usize) -> &'a [f32] {
        let Some(last_row) = self.count.checked_sub(1) else { return &[] };
        let len = last_row * self.row_step + (pixels - 1) * self.step + self.len;
        &self.values[self.start + n * self.step..][..len]
    }

    /// For each input row `k` and the values `k..` of each of `P` pixels from pixel `n` on, equally many.
    #[inline(always)]
    pub(super) fn runs<const P: usize>(&self, n: usize) -> impl Iterator<Item = (usize, [&'a [f32]; P])> {
        let Self { step, len, .. } = *self;
        let run = move |values: &'a [f32], n: usize| values.get(n * step..n * step + len).unwrap_or_default();
        self.spans(n, P).map(move |(k, values)| (k, core::array::from_fn(|n| run(values, n))))
    }

    /// For each input row `k` and the values from pixel `n`'s first to the last of the last of `pixels` pixels.
    #[inline(always)]
    pub(super) fn spans(&self, n: usize, pixels: usize) -> impl Iterator<Item = (usize, &'a [f32])> {
        let Self { values, row_step, k, len, step, .. } = *self;
        let start = self.start + n * step;
        let end = start + (pixels - 1) * step + len;
        (0..self.count).map(move |i| {
            let row = i * row_step;
            (k + i * len, values.get(row + start..row + end).unwrap_or_default())
        })
    }
}
