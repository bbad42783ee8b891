//! Every real-valued layer as products of input values with packed weights. Nothing is copied: the values of a patch are read
//! from the input rows that they lie in, a run for each kernel row.
//!
//! Sums start from the bias and take the inputs in the order of [`packing`].

use super::float_tile::{Ends, FloatTile, Patches};
use super::packing::{self, FLOAT_BLOCK, Matrix};
use super::params::{FloatParams, FloatWeight};
use super::rows::{ConvGeometry, Rows};
use crate::layer::Activation;

/// The real-valued methods of [`Kernels`](super::Kernels), by way of a [`FloatTile`].
macro_rules! real {
    ($tile:ty) => {
        fn conv_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<&[f32]>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        ) {
            float::conv_row::<$tile, W>(geometry, out_row, x, params, y);
        }

        fn conv_transpose_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<&[f32]>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        ) {
            float::conv_transpose_row::<$tile, W>(geometry, out_row, x, params, y);
        }

        fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]) {
            float::dense_accumulate::<$tile, W>(x, weights, acc);
        }
    };
}
pub(super) use real;

/// See [`Kernels::conv_row_float`](super::Kernels::conv_row_float).
pub(super) fn conv_row<T: FloatTile, W: FloatWeight>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<&[f32]>,
    params: &FloatParams<'_, W>,
    y: &mut [f32],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    let ends = ends::<T, W>(geometry, params);
    if ends.is_none() {
        fill(params.bias, y);
    }
    Product {
        first: [(out_row * stride[0]) as isize - padding[0] as isize, -(padding[1] as isize)],
        size: kernel,
        step: stride[1],
        count: output.width.into(),
        channels: input.channels.into(),
        out_base: 0,
        out_step: output.channels.into(),
        matrix: packing::conv_matrix(window, input, output),
        ends,
    }
    .run::<T, W>(x, params.weights, y);
    if ends.is_none() {
        params.activate(y);
    }
}

/// See [`Kernels::conv_transpose_row_float`](super::Kernels::conv_transpose_row_float).
pub(super) fn conv_transpose_row<T: FloatTile, W: FloatWeight>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<&[f32]>,
    params: &FloatParams<'_, W>,
    y: &mut [f32],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    let channels = usize::from(output.channels);
    let (row, phase) = ((out_row + padding[0]) / stride[0], (out_row + padding[0]) % stride[0]);
    let row_taps = packing::phase_taps(kernel[0], stride[0], phase);
    let ends = ends::<T, W>(geometry, params);
    if ends.is_none() {
        fill(params.bias, y);
    }
    for (group, phases) in packing::phase_groups(kernel[1], stride[1]).into_iter().enumerate() {
        if phases.count == 0 {
            continue;
        }
        let start = packing::transpose_start(window, input, output, (phase, group), Matrix::float_len);
        let matrix = packing::transpose_matrix(window, input, output, phase, group);
        // Phases of whole blocks can be told apart, and then no pixel lies partly beside the row.
        let together = if channels.is_multiple_of(FLOAT_BLOCK) { 1 } else { phases.count };
        let matrix = Matrix { outputs: together * channels, ..matrix };
        for phase in (0..phases.count).step_by(together) {
            let weights = &params.weights[start + phase * channels * matrix.inputs..];
            let phase = phases.first + phase;
            // Output columns are `stride * t + phase - padding` for `t` from `first` to `last`.
            let last_column = usize::from(output.width) - 1 + padding[1];
            let first = padding[1].saturating_sub(phase + together - 1).div_ceil(stride[1]);
            let count = last_column.checked_sub(phase).map_or(0, |last| (last / stride[1] + 1).saturating_sub(first));
            Product {
                first: [(row + 1) as isize - row_taps as isize, (first + 1) as isize - phases.taps as isize],
                size: [row_taps, phases.taps],
                step: 1,
                count,
                channels: input.channels.into(),
                out_base: ((first * stride[1] + phase) as isize - padding[1] as isize) * channels as isize,
                out_step: stride[1] * channels,
                matrix,
                ends,
            }
            .run::<T, W>(x, weights, y);
        }
    }
    if ends.is_none() {
        params.activate(y);
    }
}

/// See [`Kernels::dense_accumulate_float`](super::Kernels::dense_accumulate_float).
pub(super) fn dense_accumulate<T: FloatTile, W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]) {
    let matrix = Matrix { outputs: acc.len(), inputs: x.len() };
    let x = Rows { values: x, first: 0, row_step: x.len(), before: 0, row_len: x.len(), height: 1 };
    let (channels, out_step) = (matrix.inputs, matrix.outputs);
    Product { first: [0, 0], size: [1, 1], step: 1, count: 1, channels, out_base: 0, out_step, matrix, ends: None }
        .run::<T, W>(&x, weights, acc);
}

/// What a tile can see to itself: whole blocks, each of which some input reaches.
fn ends<'a, T: FloatTile, W: FloatWeight>(geometry: &ConvGeometry, params: &FloatParams<'a, W>) -> Option<Ends<'a>> {
    let [kernel, stride, _] = geometry.window.sizes();
    let is_reached = kernel[0] >= stride[0] && kernel[1] >= stride[1];
    let is_whole = usize::from(geometry.output.channels).is_multiple_of(FLOAT_BLOCK);
    let least = if params.activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY };
    let is_such = T::FINISHES && is_reached && is_whole && !params.activation.is_curved();
    is_such.then_some(Ends { bias: params.bias, least })
}

/// Every pixel starts from the biases of its channels.
fn fill(bias: &[f32], y: &mut [f32]) {
    if let [bias] = bias {
        return y.fill(*bias);
    }
    let (blocks, rest) = bias.as_chunks::<FLOAT_BLOCK>();
    for pixel in y.chunks_exact_mut(bias.len()) {
        let (y_blocks, y_rest) = pixel.as_chunks_mut();
        y_blocks.iter_mut().zip(blocks).for_each(|(y, bias)| *y = *bias);
        y_rest.iter_mut().zip(rest).for_each(|(y, bias)| *y = *bias);
    }
}

/// Patches times weights. Pixel `n`'s patch is `size` rows and columns of input pixels from `first` on, `n * step` columns to the
/// right. Its output `v` is added to `y[out_base + n * out_step + v]`, if there is such a place.
struct Product<'a> {
    first: [isize; 2],
    size: [usize; 2],
    step: usize,
    count: usize,
    /// Values in a pixel of the input.
    channels: usize,
    out_base: isize,
    out_step: usize,
    matrix: Matrix,
    ends: Option<Ends<'a>>,
}

impl Product<'_> {
    fn run<T: FloatTile, W: FloatWeight>(&self, x: &Rows<&[f32]>, weights: &[W], y: &mut [f32]) {
        let Matrix { outputs, inputs } = self.matrix;
        if inputs == 0 {
            return; // A stride beyond the kernel leaves outputs that no input reaches.
        }
        let in_blocks = outputs / FLOAT_BLOCK * FLOAT_BLOCK;
        let (blocks, singles) = weights[..self.matrix.float_len()].split_at(in_blocks * inputs);
        let (blocks, _) = blocks.as_chunks();
        let x = self.patches(x);
        if in_blocks == 0 && T::multiply_singles_at(&x, singles, y, self.out_base, self.out_step) {
            return;
        }
        let mut n = 0;
        while n < self.count {
            let pixels = self.whole(n, y.len());
            let at = self.out_base + (n * self.out_step) as isize;
            let x = x.part(n, pixels.max(1));
            if pixels == 0 {
                add_partly::<T, W>(&x, blocks, singles, at, y);
            } else {
                let y = &mut y[at as usize..];
                match &self.ends {
                    Some(ends) if T::FINISHES => T::multiply_finish(&x, blocks, ends, y, self.out_step),
                    _ => T::multiply(&x, blocks, y, self.out_step),
                }
                T::multiply_singles(&x, singles, &mut y[in_blocks..], self.out_step);
            }
            n += pixels.max(1);
        }
    }

    /// From pixel `n` on, the pixels whose outputs all lie in the row.
    fn whole(&self, n: usize, row_len: usize) -> usize {
        let at = self.out_base + (n * self.out_step) as isize;
        let all = (self.count - n - 1) * self.out_step + self.matrix.outputs;
        if at >= 0 && at as usize + all <= row_len {
            return self.count - n; // Without a division.
        }
        let places = usize::try_from(row_len as isize - self.matrix.outputs as isize - at);
        places.map_or(0, |places| if at < 0 { 0 } else { (self.count - n).min(places / self.out_step + 1) })
    }

    /// All pixels' patches, without the rows beside the input.
    fn patches<'a>(&self, x: &Rows<&'a [f32]>) -> Patches<'a> {
        let [row, column] = self.first;
        let above = row.min(0).unsigned_abs().min(self.size[0]);
        let below = usize::try_from(row + self.size[0] as isize - x.height as isize).unwrap_or(0);
        let len = self.size[1] * self.channels;
        Patches {
            values: x.values,
            row_step: x.row_step,
            count: self.size[0].saturating_sub(above + below),
            start: x.place(row + above as isize, column, self.channels),
            len,
            pixels: self.count,
            step: self.step * self.channels,
            k: above * len,
            inputs: self.matrix.inputs,
        }
    }
}

/// Outputs of one pixel, the first of them at `y[at]`, of which some are not in the row.
fn add_partly<T: FloatTile, W: FloatWeight>(
    x: &Patches<'_>,
    blocks: &[[W; FLOAT_BLOCK]],
    singles: &[W],
    at: isize,
    y: &mut [f32],
) {
    let place = |v: usize| at.wrapping_add_unsigned(v) as usize;
    let mut v = 0;
    for weights in blocks.chunks(x.inputs) {
        let mut sums = [0.0; FLOAT_BLOCK];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = y.get(place(v + i)).copied().unwrap_or_default();
        }
        T::multiply(x, weights, &mut sums, FLOAT_BLOCK);
        for (i, sum) in sums.into_iter().enumerate() {
            y.get_mut(place(v + i)).into_iter().for_each(|y| *y = sum);
        }
        v += FLOAT_BLOCK;
    }
    for weights in singles.chunks(x.inputs) {
        if let Some(y) = y.get_mut(place(v)) {
            T::multiply_singles(x, weights, core::slice::from_mut(y), 1);
        }
        v += 1;
    }
}
