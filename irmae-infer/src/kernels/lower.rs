//! Every integer layer as products of a panel of input values with packed weights.
//!
//! A panel holds, for a few neighbouring output pixels, all input values that one output sums up (their patches). The weights of
//! a [matrix](super::packing) go over it pair by pair. Values are copied once for all output channels, and the inner loop,
//! a [`Tile`], walks through memory in one direction whatever kernel, stride, padding and channels are.

use core::ops::Range;

use super::packing::{self, Matrix};
use super::params::{ConvGeometry, IntParams, Integer, Rows};
use super::patches::Patches;
use super::tile::{Panel, Place, Tile, Weights};
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

/// Pairs of outputs that are summed at a time for a panel.
const PAIRS: usize = 2;
/// The same for a single pixel.
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
    let weights = weights_of(params.weights, packing::conv_matrix(window, input, output));
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
        return Product {
            patches,
            weights,
            outputs: channels,
            out_step: channels,
            out_base: 0,
            out_channels: channels,
        }
        .run::<T, X, Y>(x, params, scratch, y);
    }
    for (row, y) in y.chunks_exact_mut(output.row_len()).enumerate() {
        let first = [patches.first[0] + (row * stride[0]) as isize, patches.first[1]];
        let patches = Patches { first, ..patches };
        Product { patches, weights, outputs: channels, out_step: channels, out_base: 0, out_channels: channels }
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
            let weights = weights_of(&weights[phase / together * matrix.int_len()..], matrix);
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
                outputs: matrix.outputs,
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
    let weights = weights_of(weights, Matrix { outputs: acc.len(), inputs: x.len() });
    if !x.len().is_multiple_of(T::INPUTS) {
        T::clear::<X>(scratch, 1, 0, x.len() / 4..x.len().next_multiple_of(T::INPUTS) / 4);
    }
    let [p, q] = start::<T>(T::place(scratch, 1, 0, 0, x));
    let (pairs, last) = acc.as_chunks_mut();
    let whole = pairs.len();
    let mut half = [[last.first().copied().unwrap_or_default(), 0]];
    for (first, sums) in [(0, pairs), (whole, &mut half[..last.len()])] {
        for sums in sums.iter_mut() {
            *sums = [sums[0].wrapping_add(p), sums[1].wrapping_add(q)];
        }
        T::multiply_pixel::<X>(scratch, weights.skip(first), sums);
    }
    if let [last] = last {
        *last = half[0][0];
    }
}

fn weights_of(words: &[u32], matrix: Matrix) -> Weights<'_> {
    Weights { words: &words[..matrix.int_len()], pair_len: matrix.pair_len(), quads: matrix.quads() }
}

/// What the sums of a pair of outputs start from, by the sum of the inputs.
fn start<T: Tile>(x_sum: i32) -> [i32; 2] {
    let offset = -x_sum << 7;
    [offset, if T::OFFSETS_Q { offset } else { 0 }]
}

/// Patches times weights. Output `v` of pixel `n` goes to `y[out_base + n * out_step + v]`, if there is such a place; its channel
/// is `v % out_channels`.
struct Product<'a> {
    patches: Patches,
    weights: Weights<'a>,
    outputs: usize,
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
        let starts = [offsets, if T::OFFSETS_Q { offsets } else { T::ZERO }];
        let panel = Panel {
            cells: panel,
            weights: self.weights,
            outputs: self.outputs,
            channels: self.out_channels,
            place: self.place(first, T::PIXELS, count),
        };
        let stored = T::multiply_store::<X, Y>(&panel, &starts, params, y);
        if stored == panel.outputs {
            return;
        }
        let mut channel = stored;
        let mut sums = [[T::ZERO; 2]; PAIRS];
        for v in (stored..panel.outputs).step_by(2 * PAIRS) {
            let outputs = (panel.outputs - v).min(2 * PAIRS);
            T::multiply::<X>(panel.cells, panel.weights.skip(v / 2), &starts, &mut sums[..outputs.div_ceil(2)]);
            let sums = bytemuck::cast_slice(&sums.as_flattened()[..outputs]);
            channel = store::<T, Y>(params, [channel, panel.channels], panel.place.skip(v), sums, y);
        }
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
        let start = start::<T>(self.patches.gather::<T, X>(x, pixel..pixel + 1, inside, 1, panel).as_ref()[0]);
        let mut channel = 0;
        let mut sums = [[0; 2]; PIXEL_PAIRS];
        for v in (0..self.outputs).step_by(2 * PIXEL_PAIRS) {
            let outputs = (self.outputs - v).min(2 * PIXEL_PAIRS);
            sums.fill(start);
            T::multiply_pixel::<X>(panel, self.weights.skip(v / 2), &mut sums[..outputs.div_ceil(2)]);
            let sums = &sums.as_flattened()[..outputs];
            channel = store::<T, Y>(params, [channel, self.out_channels], self.place(pixel, 1, 1).skip(v), sums, y);
        }
    }

    /// Where the outputs of pixels from `first` on go.
    fn place(&self, first: usize, lanes: usize, count: usize) -> Place {
        let at = self.out_base.wrapping_add_unsigned(first * self.out_step);
        Place { at, step: self.out_step, lanes, count }
    }
}

/// Outputs from their sums, in runs of consecutive channels from `channel` on. Gives the channel that is next.
fn store<T: Tile, Y: Integer>(
    params: &IntParams<'_>,
    [mut channel, channels]: [usize; 2],
    mut place: Place,
    mut sums: &[i32],
    y: &mut [Y],
) -> usize {
    while !sums.is_empty() {
        let run = ((channels - channel) * place.lanes).min(sums.len());
        T::store(params, channel, &sums[..run], place, y);
        let outputs = run / place.lanes;
        channel = if channel + outputs == channels { 0 } else { channel + outputs };
        (sums, place) = (&sums[run..], place.skip(outputs));
    }
    channel
}
