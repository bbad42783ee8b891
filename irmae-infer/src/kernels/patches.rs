//! Copies the input values that output pixels sum up into a panel.

use super::params::{Integer, Ints};
use super::tile::{Runs, Tile, Weights};

/// Which input values the output pixels of a row sum up. Pixel `n`'s patch is `rows` runs of `len` values, the first run at
/// `at + n * pixel_step`, each `row_step` behind the last.
#[derive(Clone, Copy)]
pub(super) struct Patches {
    pub(super) at: usize,
    pub(super) pixel_step: usize,
    pub(super) len: usize,
    pub(super) rows: usize,
    pub(super) row_step: usize,
    pub(super) count: usize,
}

impl Patches {
    /// Values of a patch.
    pub(super) fn inputs(&self) -> usize {
        self.rows * self.len
    }

    /// Without the rows that lie beside `height` rows of input, if the first one is `first_row`; their weights are left out too.
    /// Only where runs are whole fours.
    pub(super) fn narrow(&mut self, weights: &mut Weights<'_>, first_row: isize, height: usize) {
        if !self.len.is_multiple_of(4) {
            return;
        }
        let above = first_row.min(0).unsigned_abs().min(self.rows);
        let below = usize::try_from(first_row + self.rows as isize - height as isize).unwrap_or(0);
        let run_quads = self.len / 4;
        self.at += above * self.row_step;
        self.rows = self.rows.saturating_sub(above + below);
        *weights = weights.narrow(above * run_quads, self.rows * run_quads);
    }

    /// Fills a panel for `pixels` pixels, one or [`Tile::PIXELS`], with the patches of `count` pixels from `first` on. Gives the sums of
    /// their values. `stage` is memory for one patch and four values more.
    #[inline(never)]
    pub(super) fn gather<T: Tile>(
        &self,
        x: Ints<'_>,
        first: usize,
        [count, pixels]: [usize; 2],
        panel: &mut [u32],
        stage: &mut [u32],
    ) -> T::Lanes {
        let mut sums = T::ZERO;
        if self.inputs() == 0 {
            return sums; // A stride beyond the kernel leaves outputs that no input reaches.
        }
        let at = self.at + first * self.pixel_step;
        if self.rows == 1 || self.len == self.row_step || self.len.is_multiple_of(4) {
            match x {
                Ints::U8(x) => self.place::<T, u8>(x, at, [count, pixels], panel, &mut sums),
                Ints::I16(x) => self.place::<T, i16>(x, at, [count, pixels], panel, &mut sums),
            }
            return sums;
        }
        for (pixel, sum) in sums.as_mut()[..count].iter_mut().enumerate() {
            self.join_runs(x, at + pixel * self.pixel_step, bytemuck::cast_slice_mut(stage));
            *sum = match x {
                Ints::U8(_) => place_patch::<T, u8>(stage, self.inputs(), [pixel, pixels], panel),
                Ints::I16(_) => place_patch::<T, i16>(stage, self.inputs(), [pixel, pixels], panel),
            };
        }
        sums
    }

    /// Patches as they lie, from `at` on. Up to three values behind one come along: their weights are 0.
    fn place<T: Tile, X: Integer>(
        &self,
        x: &[X],
        at: usize,
        [count, pixels]: [usize; 2],
        panel: &mut [u32],
        sums: &mut T::Lanes,
    ) {
        let Self { row_step, pixel_step, .. } = *self;
        let (len, rows) = if self.len == row_step { (self.inputs(), 1) } else { (self.len, self.rows) };
        (0..count).for_each(|pixel| clear_rest::<T, X>(self.inputs(), [pixel, pixels], panel));
        let x = x.get(at..).unwrap_or_default();
        let runs = Runs { x, len: len.next_multiple_of(4), rows, row_step, pixel_step, pixels: count };
        if T::SINGLE_PIXELS && pixels == 1 {
            for row in 0..rows {
                sums.as_mut()[0] += T::place(panel, 1, 0, row * runs.len, runs.run(row, 0));
            }
        } else {
            T::place_all(panel, &runs, sums);
        }
    }

    /// The runs of the patch at `at`, one behind the other. Bytes are taken in fours, which overrun a run; the next run overwrites
    /// that.
    #[inline(never)]
    fn join_runs(&self, x: Ints<'_>, at: usize, stage: &mut [u8]) {
        let (x, size) = (x.bytes(), x.element_size());
        let run_bytes = self.len * size;
        for row in 0..self.rows {
            let from = x.get((at + row * self.row_step) * size..).unwrap_or_default();
            let to = stage.get_mut(row * run_bytes..).unwrap_or_default();
            for (to, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(4)).take(run_bytes.div_ceil(4)) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// A patch of `inputs` values.
fn place_patch<T: Tile, X: Integer>(
    patch: &[u32],
    inputs: usize,
    [pixel, pixels]: [usize; 2],
    panel: &mut [u32],
) -> i32 {
    clear_rest::<T, X>(inputs, [pixel, pixels], panel);
    let patch = bytemuck::cast_slice(patch).get(..inputs.next_multiple_of(4)).unwrap_or_default();
    T::place::<X>(panel, pixels, pixel, 0, patch)
}

/// Zeros behind a patch of `inputs` values, for tiles that take more than four at a time.
fn clear_rest<T: Tile, X: Integer>(inputs: usize, [pixel, pixels]: [usize; 2], panel: &mut [u32]) {
    if T::INPUTS > 4 && !inputs.is_multiple_of(T::INPUTS) {
        T::clear::<X>(panel, pixels, pixel, inputs / 4..inputs.next_multiple_of(T::INPUTS) / 4);
    }
}
