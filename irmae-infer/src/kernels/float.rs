//! Every real-valued layer as products of input values with packed weights. Nothing is copied: the values of a patch are read
//! from the input rows that they lie in, a run for each kernel row.
//!
//! Sums start from the bias and take the inputs in the order of [`packing`](super::packing).

use super::packing::{self, FLOAT_BLOCK, Matrix};
use super::params::{ConvGeometry, FloatParams, FloatWeight, Rows};

/// The real-valued methods of [`Kernels`](super::Kernels), by way of a [`FloatTile`] for so many blocks by so many pixels,
/// or so many pixels where outputs belong to no block.
macro_rules! real {
    ($tile:ty, $blocks:literal, $pixels:literal, $single_pixels:literal) => {
        fn conv_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<'_, f32>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        ) {
            float::conv_row::<$tile, W, $blocks, $pixels, $single_pixels>(geometry, out_row, x, params, y);
        }

        fn conv_transpose_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<'_, f32>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        ) {
            float::conv_transpose_row::<$tile, W, $blocks, $pixels, $single_pixels>(geometry, out_row, x, params, y);
        }

        fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]) {
            float::dense_accumulate::<$tile, W, $blocks>(x, weights, acc);
        }
    };
}
pub(super) use real;

/// Eight values, one for each output of a block.
pub(super) type Block = [f32; FLOAT_BLOCK];

/// What an instruction set supplies: sums over the patches of `P` pixels. The bodies here are for every core: each product and
/// each sum is rounded, so they give the same bits everywhere.
pub(super) trait FloatTile {
    /// Consecutive blocks of outputs: `sums[b][n][v] += sum_k w[b][k][v] x[n][k]`.
    #[inline]
    fn multiply<W: FloatWeight, const P: usize>(
        x: &Patches<'_>,
        weights: &[[W; FLOAT_BLOCK]],
        sums: &mut [[Block; P]],
    ) {
        for (weights, sums) in weights.chunks(x.inputs).zip(sums) {
            if let [first, second] = &mut sums[..] {
                multiply_two(x, weights, first, second);
            } else {
                for (n, sums) in sums.iter_mut().enumerate() {
                    multiply_one(x, n, weights, sums);
                }
            }
        }
    }

    /// An output that belongs to no block: `sums[n] += sum_k w[k] x[n][k]`.
    #[inline]
    fn multiply_single<W: FloatWeight, const P: usize>(x: &Patches<'_>, weights: &[W], sums: &mut [f32; P]) {
        if let [first, second, third, fourth] = &mut sums[..] {
            let mut acc = [*first, *second, *third, *fourth];
            for (k, [x0, x1, x2, x3]) in x.runs(0) {
                for ((((w, x0), x1), x2), x3) in weights[k..].iter().zip(x0).zip(x1).zip(x2).zip(x3) {
                    let w = w.to_f32();
                    acc = [acc[0] + w * x0, acc[1] + w * x1, acc[2] + w * x2, acc[3] + w * x3];
                }
            }
            [*first, *second, *third, *fourth] = acc;
        } else {
            for (n, sum) in sums.iter_mut().enumerate() {
                for (k, [x]) in x.runs(n) {
                    *sum = weights[k..].iter().zip(x).fold(*sum, |sum, (w, x)| sum + w.to_f32() * x);
                }
            }
        }
    }
}

/// A block of outputs of pixel `n`.
fn multiply_one<W: FloatWeight>(x: &Patches<'_>, n: usize, weights: &[[W; FLOAT_BLOCK]], sums: &mut Block) {
    let mut acc = *sums;
    for (k, [x]) in x.runs(n) {
        for (w, x) in weights[k..].iter().zip(x) {
            acc = add_scaled(acc, W::widen(w), *x);
        }
    }
    *sums = acc;
}

/// A block of outputs of two pixels: sixteen sums in registers.
fn multiply_two<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], first: &mut Block, second: &mut Block) {
    let (mut acc0, mut acc1) = (*first, *second);
    for (k, [x0, x1]) in x.runs(0) {
        for ((w, x0), x1) in weights[k..].iter().zip(x0).zip(x1) {
            let w = W::widen(w);
            acc0 = add_scaled(acc0, w, *x0);
            acc1 = add_scaled(acc1, w, *x1);
        }
    }
    (*first, *second) = (acc0, acc1);
}

/// `acc + w x`, written out so that it stays in registers where code is optimised for size too.
#[inline(always)]
fn add_scaled(acc: Block, w: Block, x: f32) -> Block {
    let [a, b, c, d, e, f, g, h] = acc;
    [a + w[0] * x, b + w[1] * x, c + w[2] * x, d + w[3] * x, e + w[4] * x, f + w[5] * x, g + w[6] * x, h + w[7] * x]
}

/// The patches of neighbouring pixels, as far as they lie within the input.
#[derive(Clone, Copy)]
pub(super) struct Patches<'a> {
    rows: Rows<'a, f32>,
    /// First input row, and how many.
    row: usize,
    count: usize,
    /// Where the first pixel's values start in an input row, and how many there are.
    start: usize,
    len: usize,
    /// Values from a pixel to the next.
    step: usize,
    /// `k` of the first value, and its increment from row to row.
    k: usize,
    k_step: usize,
    /// Values of a patch with what lies outside the input: weights from one output or block to the next.
    pub(super) inputs: usize,
}

impl<'a> Patches<'a> {
    /// For each input row `k` and the values `k..` of each of `P` pixels from pixel `n` on, equally many.
    #[inline(always)]
    pub(super) fn runs<const P: usize>(&self, n: usize) -> impl Iterator<Item = (usize, [&'a [f32]; P])> {
        let Self { rows, start, len, step, k, k_step, .. } = *self;
        let start = start + n * step;
        let mut slot = self.row % rows.ring_rows;
        (0..self.count).map(move |i| {
            let row = rows.ring.get(slot * rows.row_len + start..).unwrap_or_default();
            slot = if slot + 1 == rows.ring_rows { 0 } else { slot + 1 };
            (k + i * k_step, core::array::from_fn(|n| row.get(n * step..n * step + len).unwrap_or_default()))
        })
    }
}

/// See [`Kernels::conv_row_float`](super::Kernels::conv_row_float).
pub(super) fn conv_row<T: FloatTile, W: FloatWeight, const B: usize, const P: usize, const S: usize>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<'_, f32>,
    params: &FloatParams<'_, W>,
    y: &mut [f32],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    fill(params.bias, y);
    Product {
        first: [(out_row * stride[0]) as isize - padding[0] as isize, -(padding[1] as isize)],
        size: kernel,
        step: stride[1],
        count: output.width.into(),
        channels: input.channels.into(),
        out_base: 0,
        out_step: output.channels.into(),
        matrix: packing::conv_matrix(window, input, output),
    }
    .run::<T, W, B, P, S>(x, params.weights, y);
    params.activate(y);
}

/// See [`Kernels::conv_transpose_row_float`](super::Kernels::conv_transpose_row_float).
pub(super) fn conv_transpose_row<T: FloatTile, W: FloatWeight, const B: usize, const P: usize, const S: usize>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<'_, f32>,
    params: &FloatParams<'_, W>,
    y: &mut [f32],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    let channels = usize::from(output.channels);
    let (row, phase) = ((out_row + padding[0]) / stride[0], (out_row + padding[0]) % stride[0]);
    let row_taps = packing::phase_taps(kernel[0], stride[0], phase);
    fill(params.bias, y);
    for (group, phases) in packing::phase_groups(kernel[1], stride[1]).into_iter().enumerate() {
        // Output columns are `stride * t + phase - padding` for `t` from `first` to `last`.
        let last_column = usize::from(output.width) - 1 + padding[1];
        if phases.count == 0 || last_column < phases.first {
            continue;
        }
        let first = padding[1].saturating_sub(phases.first + phases.count - 1).div_ceil(stride[1]);
        let last = (last_column - phases.first) / stride[1];
        let start = packing::transpose_start(window, input, output, (phase, group), Matrix::float_len);
        Product {
            first: [(row + 1) as isize - row_taps as isize, (first + 1) as isize - phases.taps as isize],
            size: [row_taps, phases.taps],
            step: 1,
            count: (last + 1).saturating_sub(first),
            channels: input.channels.into(),
            out_base: ((first * stride[1] + phases.first) as isize - padding[1] as isize) * channels as isize,
            out_step: stride[1] * channels,
            matrix: packing::transpose_matrix(window, input, output, phase, group),
        }
        .run::<T, W, B, P, S>(x, &params.weights[start..], y);
    }
    params.activate(y);
}

/// See [`Kernels::dense_accumulate_float`](super::Kernels::dense_accumulate_float).
pub(super) fn dense_accumulate<T: FloatTile, W: FloatWeight, const B: usize>(
    x: &[f32],
    weights: &[W],
    acc: &mut [f32],
) {
    let matrix = Matrix { outputs: acc.len(), inputs: x.len() };
    let x = Rows { ring: x, ring_rows: 1, row_len: x.len(), height: 1 };
    let channels = x.row_len;
    Product { first: [0, 0], size: [1, 1], step: 1, count: 1, channels, out_base: 0, out_step: 0, matrix }
        .run::<T, W, B, 1, 1>(&x, weights, acc);
}

/// Every pixel starts from the biases of its channels.
fn fill(bias: &[f32], y: &mut [f32]) {
    for pixel in y.chunks_exact_mut(bias.len()) {
        pixel.copy_from_slice(bias);
    }
}

/// Patches times weights. Pixel `n`'s patch is `size` rows and columns of input pixels from `first` on, `n * step` columns to the
/// right. Its output `v` is added to `y[out_base + n * out_step + v]`, if there is such a place.
struct Product {
    first: [isize; 2],
    size: [usize; 2],
    step: usize,
    count: usize,
    channels: usize,
    out_base: isize,
    out_step: usize,
    matrix: Matrix,
}

impl Product {
    fn run<T: FloatTile, W: FloatWeight, const B: usize, const P: usize, const S: usize>(
        &self,
        x: &Rows<'_, f32>,
        weights: &[W],
        y: &mut [f32],
    ) {
        let Matrix { outputs, inputs } = self.matrix;
        if inputs == 0 {
            return; // A stride beyond the kernel leaves outputs that no input reaches.
        }
        let in_blocks = outputs / FLOAT_BLOCK * FLOAT_BLOCK;
        let (blocks, singles) = weights[..self.matrix.float_len()].split_at(in_blocks * inputs);
        let (blocks, _) = blocks.as_chunks();
        for (v, weights) in (0..).step_by(B * FLOAT_BLOCK).zip(blocks.chunks(B * inputs)) {
            self.for_each_pixel::<P>(x, |n, x, together| {
                let at = self.out_base + (n * self.out_step + v) as isize;
                if together {
                    self.add_blocks::<T, W, B, P>(&x, weights, at, y);
                } else {
                    self.add_blocks::<T, W, B, 1>(&x, weights, at, y);
                }
            });
        }
        for (v, weights) in (in_blocks..).zip(singles.chunks(inputs)) {
            self.for_each_pixel::<S>(x, |n, x, together| {
                let at = self.out_base + (n * self.out_step + v) as isize;
                if together {
                    self.add_single::<T, W, S>(&x, weights, at, y);
                } else {
                    self.add_single::<T, W, 1>(&x, weights, at, y);
                }
            });
        }
    }

    /// Calls `f(n, patches, whether there are P)` for every `P` pixels whose patches lie between the sides of the input, and
    /// for every pixel else.
    #[inline(always)]
    fn for_each_pixel<const P: usize>(&self, x: &Rows<'_, f32>, mut f: impl FnMut(usize, Patches<'_>, bool)) {
        let outside = |start: isize, size: usize, end: usize| {
            let before = start.min(0).unsigned_abs().min(size);
            (before, usize::try_from(start + size as isize - end as isize).unwrap_or(0).min(size - before))
        };
        let (above, below) = outside(self.first[0], self.size[0], x.height);
        let width = x.row_len / self.channels;
        let mut n = 0;
        while n < self.count {
            let column = self.first[1] + (n * self.step) as isize;
            let end = column + ((P - 1) * self.step + self.size[1]) as isize;
            let together = P > 1 && n + P <= self.count && column >= 0 && end <= width as isize;
            let (before, behind) = if together { (0, 0) } else { outside(column, self.size[1], width) };
            let run_len = self.size[1] * self.channels;
            let patches = Patches {
                rows: *x,
                row: (self.first[0] + above as isize) as usize,
                count: self.size[0] - above - below,
                start: (column + before as isize) as usize * self.channels,
                len: (self.size[1] - before - behind) * self.channels,
                step: self.step * self.channels,
                k: above * run_len + before * self.channels,
                k_step: run_len,
                inputs: self.matrix.inputs,
            };
            f(n, patches, together);
            n += if together { P } else { 1 };
        }
    }

    /// Blocks of outputs of `P` pixels, the first at `y[at..]`.
    fn add_blocks<T: FloatTile, W: FloatWeight, const B: usize, const P: usize>(
        &self,
        x: &Patches<'_>,
        weights: &[[W; FLOAT_BLOCK]],
        at: isize,
        y: &mut [f32],
    ) {
        let mut sums = [[[0.0; FLOAT_BLOCK]; P]; B];
        let sums = &mut sums[..weights.len() / self.matrix.inputs];
        for (b, sums) in sums.iter_mut().enumerate() {
            for (n, sums) in sums.iter_mut().enumerate() {
                copy(y, at + (n * self.out_step + b * FLOAT_BLOCK) as isize, |y, v| sums[v] = *y);
            }
        }
        T::multiply(x, weights, sums);
        for (b, sums) in sums.iter().enumerate() {
            for (n, sums) in sums.iter().enumerate() {
                copy(y, at + (n * self.out_step + b * FLOAT_BLOCK) as isize, |y, v| *y = sums[v]);
            }
        }
    }

    /// One output of `P` pixels, the first at `y[at]`.
    fn add_single<T: FloatTile, W: FloatWeight, const P: usize>(
        &self,
        x: &Patches<'_>,
        weights: &[W],
        at: isize,
        y: &mut [f32],
    ) {
        let places: [usize; P] = core::array::from_fn(|n| at.wrapping_add_unsigned(n * self.out_step) as usize);
        let mut sums = places.map(|at| y.get(at).copied().unwrap_or_default());
        T::multiply_single(x, weights, &mut sums);
        for (at, sum) in places.into_iter().zip(sums) {
            if let Some(y) = y.get_mut(at) {
                *y = sum;
            }
        }
    }
}

/// Calls `f(y[at + v], v)` for each output of a block. Places before and behind the row belong to no output.
#[inline(always)]
fn copy(y: &mut [f32], at: isize, mut f: impl FnMut(&mut f32, usize)) {
    if let Some(y) = y.get_mut(at as usize..(at as usize).wrapping_add(FLOAT_BLOCK)) {
        y.iter_mut().zip(0..FLOAT_BLOCK).for_each(|(y, v)| f(y, v));
    } else {
        let places = (0..FLOAT_BLOCK).map(|v| (at.wrapping_add_unsigned(v) as usize, v));
        places.for_each(|(at, v)| y.get_mut(at).into_iter().for_each(|y| f(y, v)));
    }
}
