//! Every integer layer as products of a panel of input values with packed weights.
//!
//! A panel holds, for a few neighbouring output pixels, all input values that one output sums up (their patches). The weights of
//! a [matrix](super::packing) go over it pair by pair. Values are copied once for all output channels, and the inner loop,
//! a [`Tile`], walks through memory in one direction whatever kernel, stride, padding and channels are.

use core::ops::Range;

use super::packing::{self, Matrix};
use super::params::{ConvGeometry, IntParams, Integer, Rows};
use super::patches::Patches;
use super::tile::{PanelOutputs, Tile};
use crate::quant;

/// The integer methods of [`Kernels`](super::Kernels), by way of a [`Tile`].
macro_rules! lowered {
    ($tile:ty) => {
        fn conv_rows_int<X: Integer, Y: Integer>(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<'_, X>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut [Y],
        ) {
            lower::conv_rows::<$tile, X, Y>(geometry, out_rows, x, params, scratch, y);
        }

        fn conv_transpose_rows_int<X: Integer, Y: Integer>(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<'_, X>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut [Y],
        ) {
            lower::conv_transpose_rows::<$tile, X, Y>(geometry, out_rows, x, params, scratch, y);
        }

        fn dense_accumulate_int<X: Integer>(x: &[X], weights: &[u32], scratch: &mut [u32], acc: &mut [i32]) {
            lower::dense_accumulate::<$tile, X>(x, weights, scratch, acc);
        }
    };
}
pub(super) use lowered;

/// Pairs of outputs that are summed at a time for a single pixel.
const PIXEL_PAIRS: usize = 8;

/// See [`Kernels::conv_rows_int`](super::Kernels::conv_rows_int).
pub(super) fn conv_rows<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    out_rows: Range<usize>,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = window.sizes();
    let channels = usize::from(output.channels);
    let weights = Weights::new(params.weights, packing::conv_matrix(window, input, output));
    let patches = Patches {
        first: [(out_rows.start * stride[0]) as isize - padding[0] as isize, -(padding[1] as isize)],
        size: kernel,
        step: [0, stride[1]],
        count: output.width.into(),
        width: input.width.into(),
        channels: input.channels.into(),
    };
    if output.width == 1 {
        // The pixels of a column are the rows.
        let patches = Patches { step: [stride[0], 0], count: out_rows.len(), ..patches };
        return Product { patches, weights, out_step: channels, out_base: 0, out_channels: channels }
            .run::<T, X, Y>(x, params, scratch, y);
    }
    for (row, y) in y.chunks_exact_mut(output.row_len()).enumerate() {
        let first = [patches.first[0] + (row * stride[0]) as isize, patches.first[1]];
        let patches = Patches { first, ..patches };
        Product { patches, weights, out_step: channels, out_base: 0, out_channels: channels }
            .run::<T, X, Y>(x, params, scratch, y);
    }
}

/// See [`Kernels::conv_transpose_rows_int`](super::Kernels::conv_transpose_rows_int).
pub(super) fn conv_transpose_rows<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    out_rows: Range<usize>,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) {
    let ConvGeometry { output, window, .. } = *geometry;
    let row_stride = usize::from(window.stride[0]);
    if output.width == 1 && window.stride[1] == 1 {
        // The pixels of a column are the rows, those of one phase a stride apart.
        for (row, start) in out_rows.clone().take(row_stride).enumerate() {
            let y = &mut y[row * output.row_len()..];
            let count = (out_rows.end - start).div_ceil(row_stride);
            transpose_row::<T, X, Y>(geometry, start, count, x, params, scratch, y);
        }
        return;
    }
    for (out_row, y) in out_rows.zip(y.chunks_exact_mut(output.row_len())) {
        transpose_row::<T, X, Y>(geometry, out_row, 1, x, params, scratch, y);
    }
}

/// Output row `out_row` of a transposed convolution, or, of a column, `count` pixels a stride apart from there on.
fn transpose_row<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    out_row: usize,
    count: usize,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = window.sizes();
    let channels = usize::from(output.channels);
    let (row, phase) = ((out_row + padding[0]) / stride[0], (out_row + padding[0]) % stride[0]);
    let row_taps = packing::phase_taps(kernel[0], stride[0], phase);
    let first_row = (row + 1) as isize - row_taps as isize;
    if add_columns::<T, X, Y>(geometry, phase, first_row, x, params, scratch, y) {
        return;
    }
    for (group, phases) in packing::phase_groups(kernel[1], stride[1]).into_iter().enumerate() {
        let start = packing::transpose_start(window, input, output, (phase, group), Matrix::int_len);
        let matrix = packing::transpose_matrix(window, input, output, phase, group);
        let weights = &params.weights[start..];
        // A phase by itself has no pixels beside the row; phases together need fewer panels. Pairs of outputs may join phases of
        // an odd number of channels.
        let together = if channels.is_multiple_of(2) { 1 } else { phases.count.max(1) };
        for phase in (0..phases.count).step_by(together) {
            let matrix = Matrix { outputs: together * channels, ..matrix };
            let weights = Weights::new(&weights[phase / together * matrix.int_len()..], matrix);
            let first_phase = phases.first + phase;
            // Output columns are `stride * t + phase - padding` for `t` from `first` to `last`.
            let last_column = usize::from(output.width) - 1 + padding[1];
            let first = padding[1].saturating_sub(first_phase + together - 1).div_ceil(stride[1]);
            let last = last_column.checked_sub(first_phase).map(|column| column / stride[1]);
            let patches = Patches {
                first: [first_row, (first + 1) as isize - phases.taps as isize],
                size: [row_taps, phases.taps],
                step: [0, 1],
                count: last.map_or(0, |last| (last + 1).saturating_sub(first)),
                width: input.width.into(),
                channels: input.channels.into(),
            };
            let is_column = output.width == 1 && stride[1] == 1;
            Product {
                patches: if is_column { Patches { step: [1, 0], count, ..patches } } else { patches },
                weights,
                out_step: if is_column { stride[0] } else { stride[1] } * channels,
                out_base: ((first * stride[1] + first_phase) as isize - padding[1] as isize) * channels as isize,
                out_channels: channels,
            }
            .run::<T, X, Y>(x, params, scratch, y);
        }
    }
}

/// A row of one output channel, kernel 4 and stride 2 across: a panel would be filled for two outputs only, so the input is taken
/// as it lies, column by column. False, and nothing done, where the row is none of those or `scratch` is too small.
fn add_columns<T: Tile, X: Integer, Y: Integer>(
    geometry: &ConvGeometry,
    phase: usize,
    first_row: isize,
    x: &Rows<'_, X>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [Y],
) -> bool {
    let ConvGeometry { input, output, window } = *geometry;
    let is_such =
        output.channels == 1 && window.kernel[1] == 4 && window.stride[1] == 2 && input.channels.is_multiple_of(4);
    if !T::ADDS_COLUMNS || !is_such || size_of::<X>() != 1 {
        return false;
    }
    // Of one row: two columns, each of a pair's words for all channels.
    let words = usize::from(input.channels);
    let columns = usize::from(input.width) + 1;
    let Some((expanded, sums)) = scratch.split_at_mut_checked(2 * words) else { return false };
    let Some(sums) = sums.get_mut(..2 * columns) else { return false };
    let sums: &mut [[i32; 2]] = bytemuck::cast_slice_mut(sums);
    sums.fill([params.bias[0]; 2]);
    // A matrix for each row phase, of one pair.
    let taps = |phase| packing::phase_taps(window.kernel[0].into(), window.stride[0].into(), phase);
    let start = (0..phase).map(taps).sum::<usize>() * words;
    for (row, weights) in (first_row..).zip(params.weights[start..].chunks_exact(words).take(taps(phase))) {
        if let Some(row) = x.row(row) {
            T::add_columns(bytemuck::cast_slice(row), weights, expanded, sums);
        }
    }
    // Sum `n` is output column `n - padding`.
    let sums = &sums.as_flattened()[usize::from(window.padding[1])..];
    if params.is_plain() && size_of::<Y>() == 1 {
        for (y, &sum) in y.iter_mut().zip(sums) {
            *y = Y::from_clamped(quant::requantize(sum, params.multiplier[0]).clamp(0, 255));
        }
    } else {
        for (y, &sum) in y.iter_mut().zip(sums) {
            *y = Y::from_clamped(params.finish(0, sum));
        }
    }
    true
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
        if patches.size[0] != self.patches.size[0] {
            self.weights = self.weights.narrow(skip, patches.size[0] * patches.run_len() / 4);
            self.patches = patches;
        }
        let count = self.patches.count;
        let inside = self.patches.inside(x.height);
        let mut first = 0;
        while first < count {
            let pixels = T::PIXELS.min(count - first);
            // For few pixels, one at a time costs less than a panel that is mostly empty.
            if 2 * pixels > T::PIXELS {
                self.multiply::<T, X, Y>(first..first + pixels, &inside, x, params, panel, y);
                first += pixels;
            } else {
                self.multiply_pixel::<T, X, Y>(first, &inside, x, params, panel, y);
                first += 1;
            }
        }
    }

    /// All outputs of a panel's pixels.
    fn multiply<T: Tile, X: Integer, Y: Integer>(
        &self,
        pixels: Range<usize>,
        inside: &Range<usize>,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        panel: &mut [u32],
        y: &mut [Y],
    ) {
        let mut offsets = self.patches.gather::<T, X>(x, pixels.clone(), inside, T::PIXELS, panel);
        let (first, count) = (pixels.start, pixels.len());
        for offset in offsets.as_mut() {
            *offset = -*offset << 7;
        }
        let panel = &panel[..];
        let stored = self.store_panel::<T, X, Y>(first, count, &offsets, params, panel, y);
        let mut channel = 2 * stored;
        for pair in stored..self.weights.outputs.div_ceil(2) {
            let next = if channel + 1 == self.out_channels { 0 } else { channel + 1 };
            let mut sums = [T::ZERO; 2];
            for (sum, offset) in sums[0].as_mut().iter_mut().zip(offsets.as_ref()) {
                *sum = params.bias[channel].wrapping_add(*offset);
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

    /// As many pairs of outputs of a panel as the tile can store by itself; their number.
    fn store_panel<T: Tile, X: Integer, Y: Integer>(
        &self,
        first: usize,
        count: usize,
        offsets: &T::Lanes,
        params: &IntParams<'_>,
        panel: &[u32],
        y: &mut [Y],
    ) -> usize {
        let pairs = self.weights.outputs / 2;
        let Ok(start) = usize::try_from(self.out_base.wrapping_add_unsigned(first * self.out_step)) else { return 0 };
        let end = start + (count - 1) * self.out_step + 2 * pairs;
        let is_whole = count == T::PIXELS && self.weights.outputs <= self.out_channels;
        if size_of::<Y>() != 1 || !is_whole || !params.is_plain() || end > y.len() {
            return 0;
        }
        let mut outputs = PanelOutputs {
            panel,
            weights: self.weights.words,
            pair_len: self.weights.pair_len,
            quads: self.weights.quads,
            pairs,
            bias: params.bias,
            multiplier: params.multiplier,
            y: bytemuck::cast_slice_mut(&mut y[start..end]),
            step: self.out_step,
        };
        if T::multiply_store::<X>(&mut outputs, offsets) { pairs } else { 0 }
    }

    /// All outputs of one pixel.
    fn multiply_pixel<T: Tile, X: Integer, Y: Integer>(
        &self,
        pixel: usize,
        inside: &Range<usize>,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        panel: &mut [u32],
        y: &mut [Y],
    ) {
        let offset = self.patches.gather::<T, X>(x, pixel..pixel + 1, inside, 1, panel).as_ref()[0] << 7;
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
