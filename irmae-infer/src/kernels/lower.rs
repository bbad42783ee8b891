//! Every integer layer as products of a panel of input values with packed weights.
//!
//! A panel holds, for a few neighbouring output pixels, all input values that one output sums up (their patches). The weights of
//! a [matrix](super::packing) go over it pair by pair. Values are copied once for all output channels, and the inner loop,
//! a [`Tile`], walks through memory in one direction whatever kernel, stride, padding and channels are.

use super::packing::{self, Matrix};
use super::params::{ConvGeometry, IntParams, Integer, Rows};
use super::tile::Tile;

/// The integer methods of [`Kernels`](super::Kernels), by way of a [`Tile`].
macro_rules! lowered {
    ($tile:ty) => {
        fn conv_row_int<X: Integer, Y: Integer>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<'_, X>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut [Y],
        ) {
            lower::conv_row::<$tile, X, Y>(geometry, out_row, x, params, scratch, y);
        }

        fn conv_transpose_row_int<X: Integer, Y: Integer>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<'_, X>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut [Y],
        ) {
            lower::conv_transpose_row::<$tile, X, Y>(geometry, out_row, x, params, scratch, y);
        }

        fn dense_accumulate_int<X: Integer>(x: &[X], weights: &[u32], scratch: &mut [u32], acc: &mut [i32]) {
            lower::dense_accumulate::<$tile, X>(x, weights, scratch, acc);
        }
    };
}
pub(super) use lowered;

/// Pairs of outputs that are summed at a time where rows have one pixel.
const PIXEL_PAIRS: usize = 8;

/// See [`Kernels::conv_row_int`](super::Kernels::conv_row_int).
pub(super) fn conv_row<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    let channels = usize::from(output.channels);
    let patches = Patches {
        first_row: (out_row * stride[0]) as isize - padding[0] as isize,
        rows: kernel[0],
        first_column: -(padding[1] as isize),
        columns: kernel[1],
        step: stride[1],
        count: usize::from(output.width),
        channels: usize::from(input.channels),
    };
    let weights = Weights::new(params.weights, packing::conv_matrix(window, input, output));
    Product { patches, weights, out_step: channels, out_base: 0, out_channels: channels }
        .run::<T, X, Y>(x, params, scratch, y);
}

/// See [`Kernels::conv_transpose_row_int`](super::Kernels::conv_transpose_row_int).
pub(super) fn conv_transpose_row<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    out_row: usize,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(|pair| pair.map(usize::from));
    let channels = usize::from(output.channels);
    let (row, phase) = ((out_row + padding[0]) / stride[0], (out_row + padding[0]) % stride[0]);
    let row_taps = packing::phase_taps(kernel[0], stride[0], phase);
    for (group, phases) in packing::phase_groups(kernel[1], stride[1]).into_iter().enumerate() {
        // Output columns are `stride * t + phase - padding` for `t` from `first` to `last`.
        let last_column = usize::from(output.width) - 1 + padding[1];
        if phases.count == 0 || last_column < phases.first {
            continue;
        }
        let first = padding[1].saturating_sub(phases.first + phases.count - 1).div_ceil(stride[1]);
        let last = (last_column - phases.first) / stride[1];
        let patches = Patches {
            first_row: (row + 1) as isize - row_taps as isize,
            rows: row_taps,
            first_column: (first + 1) as isize - phases.taps as isize,
            columns: phases.taps,
            step: 1,
            count: (last + 1).saturating_sub(first),
            channels: usize::from(input.channels),
        };
        let start = packing::transpose_start(window, input, output, (phase, group), Matrix::int_len);
        let matrix = packing::transpose_matrix(window, input, output, phase, group);
        Product {
            patches,
            weights: Weights::new(&params.weights[start..], matrix),
            out_step: stride[1] * channels,
            out_base: ((first * stride[1] + phases.first) as isize - padding[1] as isize) * channels as isize,
            out_channels: channels,
        }
        .run::<T, X, Y>(x, params, scratch, y);
    }
}

/// See [`Kernels::dense_accumulate_int`](super::Kernels::dense_accumulate_int).
pub(super) fn dense_accumulate<T: Tile, X: Integer>(x: &[X], weights: &[u32], scratch: &mut [u32], acc: &mut [i32]) {
    let weights = Weights::new(weights, Matrix { outputs: acc.len(), inputs: x.len() });
    if !x.len().is_multiple_of(4) {
        T::clear::<X>(scratch, 1, 0, weights.quads);
    }
    let offset = -128 * T::place(scratch, 1, 0, 0, x);
    for (first, acc) in (0..).step_by(PIXEL_PAIRS).zip(acc.chunks_mut(2 * PIXEL_PAIRS)) {
        let mut sums = [[0; 2]; PIXEL_PAIRS];
        let pairs = acc.len().div_ceil(2);
        T::multiply_pixel::<X>(scratch, weights.pairs_from(first), weights.pair_len, weights.quads, &mut sums[..pairs]);
        for (acc, sums) in acc.chunks_mut(2).zip(sums) {
            acc[0] = acc[0].wrapping_add(sums[0]).wrapping_add(offset);
            if let Some(acc) = acc.get_mut(1) {
                *acc = acc.wrapping_add(sums[1]);
            }
        }
    }
}

/// Packed weights of a matrix, or of consecutive inputs of it.
#[derive(Clone, Copy)]
struct Weights<'a> {
    words: &'a [u32],
    outputs: usize,
    /// Words from one pair to the next.
    pair_len: usize,
    /// Inputs in fours.
    quads: usize,
}

impl<'a> Weights<'a> {
    fn new(words: &'a [u32], matrix: Matrix) -> Self {
        let words = &words[..matrix.int_len()];
        Self { words, outputs: matrix.outputs, pair_len: matrix.pair_len(), quads: matrix.quads() }
    }

    /// Only `quads` fours of inputs, from the `skip`th.
    fn narrow(self, skip: usize, quads: usize) -> Self {
        Self { words: self.words.get(2 * skip..).unwrap_or_default(), quads, ..self }
    }

    fn pairs_from(&self, pair: usize) -> &'a [u32] {
        self.words.get(pair * self.pair_len..).unwrap_or_default()
    }

    fn pair(&self, pair: usize) -> &'a [u32] {
        &self.words[pair * self.pair_len..][..2 * self.quads]
    }
}

/// Which input values the output pixels of a row sum up. Pixel `n`'s patch is `rows` by `columns` input pixels from
/// `(first_row, first_column + n * step)`; what lies outside the input is 0.
#[derive(Clone, Copy)]
struct Patches {
    first_row: isize,
    rows: usize,
    first_column: isize,
    columns: usize,
    step: usize,
    count: usize,
    channels: usize,
}

impl Patches {
    /// Values of a patch that lie together in an input row.
    fn run_len(&self) -> usize {
        self.columns * self.channels
    }

    /// Without rows outside the input, where whole fours of values can be left out; and how many fours come before.
    fn narrow(self, height: usize) -> (Self, usize) {
        if !self.run_len().is_multiple_of(4) {
            return (self, 0);
        }
        let above = self.first_row.min(0).unsigned_abs().min(self.rows);
        let below = usize::try_from(self.first_row + self.rows as isize - height as isize).unwrap_or(0);
        let rows = self.rows.saturating_sub(above + below);
        (Self { first_row: self.first_row + above as isize, rows, ..self }, above * self.run_len() / 4)
    }

    /// Copies the patches of `count` pixels from pixel `first` on into a panel for `pixels`. Gives the sums of their values.
    fn gather<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        first: usize,
        count: usize,
        pixels: usize,
        panel: &mut [u32],
    ) -> T::Lanes {
        let mut sums = T::ZERO;
        let width = (x.row_len / self.channels) as isize;
        let start = self.first_column + (first * self.step) as isize;
        let end = start + ((count - 1) * self.step + self.columns) as isize;
        let inside = start >= 0 && end <= width && self.first_row >= 0;
        if !inside || !(self.rows * self.run_len()).is_multiple_of(4) || self.first_row as usize + self.rows > x.height
        {
            for pixel in 0..count {
                T::clear::<X>(panel, pixels, pixel, (self.rows * self.run_len()).div_ceil(4));
            }
        }
        for i in 0..self.rows {
            let Some(row) = x.row(self.first_row + i as isize) else { continue };
            for (pixel, sum) in sums.as_mut()[..count].iter_mut().enumerate() {
                let column = start + (pixel * self.step) as isize;
                let before = column.min(0).unsigned_abs().min(self.columns);
                let behind = usize::try_from(column + self.columns as isize - width).unwrap_or(0).min(self.columns);
                let len = (self.columns - before).saturating_sub(behind) * self.channels;
                let from = (column + before as isize) as usize * self.channels;
                let k = i * self.run_len() + before * self.channels;
                // Nothing of a patch that lies beside the input altogether.
                let values = row.get(from..from + len).unwrap_or_default();
                *sum = sum.wrapping_add(T::place(panel, pixels, pixel, k, values));
            }
        }
        sums
    }
}

/// Patches times weights. Output `v` of pixel `n` goes to `y[out_base + n * out_step + v]`, if there is such a place; its channel
/// is `v % out_channels`.
struct Product<'a> {
    patches: Patches,
    weights: Weights<'a>,
    out_base: isize,
    out_step: usize,
    out_channels: usize,
}

impl Product<'_> {
    fn run<T: Tile, X: Integer, Y: Integer>(
        mut self,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        panel: &mut [u32],
        y: &mut [Y],
    ) {
        let (patches, skip) = self.patches.narrow(x.height);
        if patches.rows != self.patches.rows {
            self.weights = self.weights.narrow(skip, patches.rows * patches.run_len() / 4);
            self.patches = patches;
        }
        let count = self.patches.count;
        let mut first = 0;
        while first < count {
            let pixels = T::PIXELS.min(count - first);
            // For few pixels, one at a time costs less than a panel that is mostly empty.
            if 2 * pixels > T::PIXELS {
                self.multiply::<T, X, Y>(first, pixels, x, params, panel, y);
                first += pixels;
            } else {
                self.multiply_pixel::<T, X, Y>(first, x, params, panel, y);
                first += 1;
            }
        }
    }

    /// All outputs of `count` pixels.
    fn multiply<T: Tile, X: Integer, Y: Integer>(
        &self,
        first: usize,
        count: usize,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        panel: &mut [u32],
        y: &mut [Y],
    ) {
        let offsets = self.patches.gather::<T, X>(x, first, count, T::PIXELS, panel);
        let panel = &panel[..];
        let mut channel = 0;
        for pair in 0..self.weights.outputs.div_ceil(2) {
            let next = if channel + 1 == self.out_channels { 0 } else { channel + 1 };
            let mut sums = [T::ZERO; 2];
            for (sum, offset) in sums[0].as_mut().iter_mut().zip(offsets.as_ref()) {
                *sum = params.bias[channel].wrapping_sub(offset << 7);
            }
            sums[1].as_mut().fill(params.bias[next]);
            T::multiply::<X>(panel, self.weights.pair(pair), &mut sums);
            for (v, channel, sums) in [(2 * pair, channel, &sums[0]), (2 * pair + 1, next, &sums[1])] {
                if v < self.weights.outputs {
                    self.store(params, channel, v, first, &sums.as_ref()[..count], y);
                }
            }
            channel = if next + 1 == self.out_channels { 0 } else { next + 1 };
        }
    }

    /// All outputs of one pixel.
    fn multiply_pixel<T: Tile, X: Integer, Y: Integer>(
        &self,
        pixel: usize,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        panel: &mut [u32],
        y: &mut [Y],
    ) {
        let offset = self.patches.gather::<T, X>(x, pixel, 1, 1, panel).as_ref()[0] << 7;
        let panel = &panel[..];
        let mut channel = 0;
        for v in (0..self.weights.outputs).step_by(2 * PIXEL_PAIRS) {
            let outputs = (self.weights.outputs - v).min(2 * PIXEL_PAIRS);
            let pairs = outputs.div_ceil(2);
            let mut sums = [[0; 2]; PIXEL_PAIRS];
            let Weights { pair_len, quads, .. } = self.weights;
            T::multiply_pixel::<X>(panel, self.weights.pairs_from(v / 2), pair_len, quads, &mut sums[..pairs]);
            for (n, sum) in sums.as_flattened()[..outputs].iter().enumerate() {
                let offset = if n % 2 == 0 { offset } else { 0 };
                let sum = params.bias[channel].wrapping_add(*sum).wrapping_sub(offset);
                self.store(params, channel, v + n, pixel, &[sum], y);
                channel = if channel + 1 == self.out_channels { 0 } else { channel + 1 };
            }
        }
    }

    /// Output `v` of pixels `first..`, from their sums.
    #[inline]
    fn store<Y: Integer>(
        &self,
        params: &IntParams<'_>,
        channel: usize,
        v: usize,
        first: usize,
        sums: &[i32],
        y: &mut [Y],
    ) {
        let mut at = self.out_base.wrapping_add_unsigned(first * self.out_step + v);
        for &sum in sums {
            // Places before and behind the row belong to no output.
            if let Some(y) = y.get_mut(at as usize) {
                *y = Y::from_clamped(params.finish(channel, sum));
            }
            at = at.wrapping_add_unsigned(self.out_step);
        }
    }
}
