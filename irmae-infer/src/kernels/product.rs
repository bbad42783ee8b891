//! Panels of input values times packed weights, over all output pixels of a row.

use super::packing::{self, Matrix};
use super::params::IntParams;
use super::patches::{Patches, clear_rest, place_run};
use super::rows::{Ints, IntsMut};
use super::tile::{Panel, Place, Tile, Weights};

/// Pairs of outputs that are summed at a time for a panel.
const PAIRS: usize = 2;
/// The same for a single pixel.
const PIXEL_PAIRS: usize = 8;

/// What the sums of a pair of outputs start from, by the sum of the inputs.
pub(super) fn start<T: Tile>(x_sum: i32) -> [i32; 2] {
    let offset = -x_sum << 7;
    [offset, if T::OFFSETS_Q { offset } else { 0 }]
}

/// Patches times weights. Output `v` of pixel `n` goes to `y[out_base + n * out_step + v]`, if there is such a place; its channel
/// is `v % out_channels`.
pub(super) struct Product<'a> {
    pub(super) patches: Patches,
    pub(super) weights: Weights<'a>,
    pub(super) outputs: usize,
    pub(super) out_base: isize,
    pub(super) out_step: usize,
    pub(super) out_channels: usize,
}

impl Product<'_> {
    pub(super) fn run<T: Tile>(&self, x: Ints<'_>, params: &IntParams<'_>, scratch: &mut [u32], y: &mut IntsMut<'_>) {
        let panel_len = packing::panel_len(self.patches.inputs(), x.element_size()) / 4;
        let (panel, stage) = scratch.split_at_mut(panel_len.min(scratch.len()));
        let count = self.patches.count;
        let mut first = T::multiply_row(self, x, params, [panel, stage], y);
        while first < count {
            if T::SINGLE_PIXELS && 2 * (count - first) <= T::PIXELS {
                let sums = self.patches.gather::<T>(x, first, [1, 1], panel, stage);
                multiply_one::<T>(&self.panel(panel, first, [1, 1]), sums.as_ref()[0], x, params, y);
                first += 1;
                continue;
            }
            // Otherwise pixels that have been made already fill up the last panel.
            let start = if T::SINGLE_PIXELS { first } else { first.min(count.saturating_sub(T::PIXELS)) };
            let pixels = [T::PIXELS.min(count - start), T::PIXELS];
            let sums = self.patches.gather::<T>(x, start, pixels, panel, stage);
            multiply_all::<T>(&self.panel(panel, start, pixels), sums, x, params, y);
            first = start + pixels[0];
        }
    }

    /// A filled panel, of which `count` pixels from `first` on are asked for.
    fn panel<'a>(&'a self, cells: &'a [u32], first: usize, [count, lanes]: [usize; 2]) -> Panel<'a> {
        let at = self.out_base.wrapping_add_unsigned(first * self.out_step);
        let place = Place { at, step: self.out_step, lanes, count };
        Panel { cells, weights: self.weights, outputs: self.outputs, channels: self.out_channels, place }
    }
}

/// All outputs of a panel's pixels, of whose inputs the sums are given; `x` tells their type.
#[inline(never)]
fn multiply_all<T: Tile>(
    panel: &Panel<'_>,
    mut offsets: T::Lanes,
    x: Ints<'_>,
    params: &IntParams<'_>,
    y: &mut IntsMut<'_>,
) {
    for offset in offsets.as_mut() {
        *offset = -*offset << 7;
    }
    let starts = [offsets, if T::OFFSETS_Q { offsets } else { T::ZERO }];
    let mut channel = match (x, &mut *y) {
        (Ints::U8(_), IntsMut::U8(y)) => T::multiply_store::<u8, u8>(panel, &starts, params, y),
        (Ints::U8(_), IntsMut::I16(y)) => T::multiply_store::<u8, i16>(panel, &starts, params, y),
        (Ints::I16(_), IntsMut::U8(y)) => T::multiply_store::<i16, u8>(panel, &starts, params, y),
        (Ints::I16(_), IntsMut::I16(y)) => T::multiply_store::<i16, i16>(panel, &starts, params, y),
    };
    let mut sums = [[T::ZERO; 2]; PAIRS];
    for v in (channel..panel.outputs).step_by(2 * PAIRS) {
        let outputs = (panel.outputs - v).min(2 * PAIRS);
        let pairs = &mut sums[..outputs.div_ceil(2)];
        match x {
            Ints::U8(_) => T::multiply::<u8>(panel.cells, panel.weights.skip(v / 2), &starts, pairs),
            Ints::I16(_) => T::multiply::<i16>(panel.cells, panel.weights.skip(v / 2), &starts, pairs),
        }
        let sums = bytemuck::cast_slice(&sums.as_flattened()[..outputs]);
        channel = store::<T>(params, [channel, panel.channels], panel.place.skip(v), sums, y);
    }
}

/// The same for a panel of one pixel.
fn multiply_one<T: Tile>(panel: &Panel<'_>, x_sum: i32, x: Ints<'_>, params: &IntParams<'_>, y: &mut IntsMut<'_>) {
    let mut channel = 0;
    let mut sums = [[0; 2]; PIXEL_PAIRS];
    for v in (0..panel.outputs).step_by(2 * PIXEL_PAIRS) {
        let outputs = (panel.outputs - v).min(2 * PIXEL_PAIRS);
        sums.fill(start::<T>(x_sum));
        multiply_pixel::<T>(x, panel.cells, panel.weights.skip(v / 2), &mut sums[..outputs.div_ceil(2)]);
        let sums = &sums.as_flattened()[..outputs];
        channel = store::<T>(params, [channel, panel.channels], panel.place.skip(v), sums, y);
    }
}

/// See [`Kernels::dense_accumulate_int`](super::Kernels::dense_accumulate_int).
pub(super) fn dense_accumulate<T: Tile>(x: Ints<'_>, weights: &[u32], panel: &mut [u32], acc: &mut [i32]) {
    let weights = Weights::of(weights, Matrix { outputs: acc.len(), inputs: x.len() });
    let [p, q] = start::<T>(place_pixel::<T>(x, panel));
    let (pairs, last) = acc.as_chunks_mut();
    let whole = pairs.len();
    let mut half = [[last.first().copied().unwrap_or_default(), 0]];
    for (first, sums) in [(0, pairs), (whole, &mut half[..last.len()])] {
        for sums in sums.iter_mut() {
            *sums = [sums[0].wrapping_add(p), sums[1].wrapping_add(q)];
        }
        multiply_pixel::<T>(x, panel, weights.skip(first), sums);
    }
    if let [last] = last {
        *last = half[0][0];
    }
}

/// Fills a panel of one pixel with `x`, and zeros up to what a tile takes. Gives the sum.
fn place_pixel<T: Tile>(x: Ints<'_>, panel: &mut [u32]) -> i32 {
    clear_rest::<T>(x, x.len(), [0, 1], panel);
    let whole = x.len() / 4 * 4;
    let mut sum = place_run::<T>(x, 0, whole, [0, 1], 0, panel);
    if whole < x.len() {
        let mut last = [0; 2];
        let rest = x.bytes().get(whole * x.element_size()..).unwrap_or_default();
        bytemuck::bytes_of_mut(&mut last).iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        sum += place_run::<T>(x.like(&last), 0, 4, [0, 1], whole, panel);
    }
    sum
}

/// See [`Tile::multiply_pixel`]; `x` tells the type of the panel's values.
fn multiply_pixel<T: Tile>(x: Ints<'_>, panel: &[u32], weights: Weights<'_>, sums: &mut [[i32; 2]]) {
    match x {
        Ints::U8(_) => T::multiply_pixel::<u8>(panel, weights, sums),
        Ints::I16(_) => T::multiply_pixel::<i16>(panel, weights, sums),
    }
}

/// Outputs from their sums, in runs of consecutive channels from `channel` on. Gives the channel that is next.
pub(super) fn store<T: Tile>(
    params: &IntParams<'_>,
    [mut channel, channels]: [usize; 2],
    mut place: Place,
    mut sums: &[i32],
    y: &mut IntsMut<'_>,
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
