//! Every integer layer as products of a panel of input values with packed weights.
//!
//! A panel holds, for a few neighbouring output pixels, all input values that one output sums up (their patches). The weights of
//! a [matrix](super::packing) go over it pair by pair. Values are copied once for all output channels, and the inner loop,
//! a [`Tile`], walks through memory in one direction whatever kernel, stride, padding and channels are.

use core::ops::Range;

use super::packing::{self, Matrix};
use super::params::IntParams;
use super::patches::Patches;
use super::product::Product;
use super::rows::{ConvGeometry, IntOutput, Ints, IntsMut, Rows};
use super::tile::{Tile, Weights};

/// The integer methods of [`Kernels`](super::Kernels), by way of a [`Tile`].
macro_rules! lowered {
    ($tile:ty) => {
        fn conv_rows_int(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<Ints<'_>>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut IntOutput<'_>,
        ) {
            lower::conv_rows::<$tile>(geometry, out_rows, x, params, scratch, y);
        }

        fn conv_transpose_rows_int(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<Ints<'_>>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut IntOutput<'_>,
        ) {
            lower::conv_transpose_rows::<$tile>(geometry, out_rows, x, params, scratch, y);
        }

        fn dense_accumulate_int(x: Ints<'_>, weights: &[u32], scratch: &mut [u32], acc: &mut [i32]) {
            super::product::dense_accumulate::<$tile>(x, weights, scratch, acc);
        }
    };
}
pub(super) use lowered;

/// See [`Kernels::conv_rows_int`](super::Kernels::conv_rows_int).
pub(super) fn conv_rows<T: Tile>(
    geometry: &ConvGeometry,
    out_rows: Range<usize>,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut IntOutput<'_>,
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = window.sizes();
    let [in_channels, channels] = [input.channels, output.channels].map(usize::from);
    let weights = Weights::of(params.weights, packing::conv_matrix(window, input, output));
    // The pixels of a column are the rows.
    let is_column = output.width == 1;
    let count = if is_column { out_rows.len() } else { output.width.into() };
    let rows = if is_column { 1 } else { out_rows.len() };
    for (n, row) in out_rows.enumerate().take(rows) {
        let first_row = (row * stride[0]) as isize - padding[0] as isize;
        let mut patches = Patches {
            at: x.place(first_row, -(padding[1] as isize), in_channels),
            pixel_step: if is_column { stride[0] * x.row_step } else { stride[1] * in_channels },
            len: kernel[1] * in_channels,
            rows: kernel[0],
            row_step: x.row_step,
            count,
        };
        let mut weights = weights;
        if !is_column {
            patches.narrow(&mut weights, first_row, x.height);
        }
        let out_step = if is_column { y.row_step } else { channels };
        Product { patches, weights, outputs: channels, out_step, out_base: 0, out_channels: channels }.run::<T>(
            x.values,
            params,
            scratch,
            &mut y.row(n, if is_column { usize::MAX } else { output.row_len() }),
        );
    }
}

/// See [`Kernels::conv_transpose_rows_int`](super::Kernels::conv_transpose_rows_int).
pub(super) fn conv_transpose_rows<T: Tile>(
    geometry: &ConvGeometry,
    out_rows: Range<usize>,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut IntOutput<'_>,
) {
    let ConvGeometry { output, window, .. } = *geometry;
    let row_stride = usize::from(window.stride[0]);
    // The pixels of a column are the rows, those of one phase a stride apart.
    let is_column = output.width == 1 && window.stride[1] == 1;
    let rows = if is_column { row_stride } else { out_rows.len() };
    for (n, out_row) in out_rows.clone().enumerate().take(rows) {
        let (column, row_len) = if is_column {
            let count = (out_rows.end - out_row).div_ceil(row_stride);
            (Some(Column { count, out_step: row_stride * y.row_step }), usize::MAX)
        } else {
            (None, output.row_len())
        };
        transpose_row::<T>(geometry, out_row, column, x, params, scratch, &mut y.row(n, row_len));
    }
}

/// Output pixels of a column, `out_step` values apart.
#[derive(Clone, Copy)]
struct Column {
    count: usize,
    out_step: usize,
}

/// Output row `out_row` of a transposed convolution, or pixels of a column from there on.
fn transpose_row<T: Tile>(
    geometry: &ConvGeometry,
    out_row: usize,
    column: Option<Column>,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut IntsMut<'_>,
) {
    let ConvGeometry { input, output, window } = *geometry;
    let [kernel, stride, padding] = window.sizes();
    let channels = usize::from(output.channels);
    let (row, phase) = ((out_row + padding[0]) / stride[0], (out_row + padding[0]) % stride[0]);
    let row_taps = packing::phase_taps(kernel[0], stride[0], phase);
    let first_row = (row + 1) as isize - row_taps as isize;
    if add_columns::<T>(geometry, phase, first_row, x, params, scratch, y) {
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
            let mut weights = Weights::of(&weights[phase / together * matrix.int_len()..], matrix);
            let first_phase = phases.first + phase;
            // Output columns are `stride * t + phase - padding` for `t` from `first` to `last`.
            let last_column = usize::from(output.width) - 1 + padding[1];
            let first = padding[1].saturating_sub(first_phase + together - 1).div_ceil(stride[1]);
            let last = last_column.checked_sub(first_phase).map(|column| column / stride[1]);
            let in_channels = usize::from(input.channels);
            let mut patches = Patches {
                at: x.place(first_row, (first + 1) as isize - phases.taps as isize, in_channels),
                pixel_step: in_channels,
                len: phases.taps * in_channels,
                rows: row_taps,
                row_step: x.row_step,
                count: last.map_or(0, |last| (last + 1).saturating_sub(first)),
            };
            let out_step = if let Some(column) = column {
                (patches.pixel_step, patches.count) = (x.row_step, column.count);
                column.out_step
            } else {
                patches.narrow(&mut weights, first_row, x.height);
                stride[1] * channels
            };
            Product {
                patches,
                weights,
                outputs: matrix.outputs,
                out_step,
                out_base: ((first * stride[1] + first_phase) as isize - padding[1] as isize) * channels as isize,
                out_channels: channels,
            }
            .run::<T>(x.values, params, scratch, y);
        }
    }
}

/// A row of one output channel, kernel 4 and stride 2 across: a panel would be filled for two outputs only, so the input is taken
/// as it lies, column by column. False, and nothing done, where the row is none of those or `scratch` is too small.
fn add_columns<T: Tile>(
    geometry: &ConvGeometry,
    phase: usize,
    first_row: isize,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut IntsMut<'_>,
) -> bool {
    let ConvGeometry { input, output, window } = *geometry;
    let is_such =
        output.channels == 1 && window.kernel[1] == 4 && window.stride[1] == 2 && input.channels.is_multiple_of(4);
    let Ints::U8(values) = x.values else { return false };
    if !T::ADDS_COLUMNS || !is_such {
        return false;
    }
    // Of one row: two columns, each of a pair's words for all channels.
    let words = usize::from(input.channels);
    let columns = usize::from(input.width) + 1;
    // An output padding may reach beyond all columns.
    if usize::from(output.width) + usize::from(window.padding[1]) > 2 * columns {
        return false;
    }
    let Some((expanded, sums)) = scratch.split_at_mut_checked(2 * words) else { return false };
    let Some(sums) = sums.get_mut(..2 * columns) else { return false };
    let sums: &mut [[i32; 2]] = bytemuck::cast_slice_mut(sums);
    sums.fill([params.bias[0]; 2]);
    // A matrix for each row phase, of one pair.
    let taps = |phase| packing::phase_taps(window.kernel[0].into(), window.stride[0].into(), phase);
    let start = (0..phase).map(taps).sum::<usize>() * words;
    let x = x.with(values);
    for (row, weights) in (first_row..).zip(params.weights[start..].chunks_exact(words).take(taps(phase))) {
        if let Some(row) = x.row(row) {
            T::add_columns(row, weights, expanded, sums);
        }
    }
    // Sum `n` is output column `n - padding`.
    T::store_channel(params, &sums.as_flattened()[usize::from(window.padding[1])..], y);
    true
}
