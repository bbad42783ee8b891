//! Copies the input values that output pixels sum up into a panel.

use super::rows::Ints;
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

    /// How many values a run is placed as, and how many runs, if that is whole fours. Up to three values behind a patch come along:
    /// their weights are 0.
    #[inline(never)]
    fn layout(&self) -> Option<[usize; 2]> {
        if self.rows == 1 || self.len == self.row_step {
            Some([self.inputs().next_multiple_of(4), 1])
        } else {
            self.len.is_multiple_of(4).then_some([self.len, self.rows])
        }
    }

    /// Patches as they lie in `x`, if they can be placed like that.
    pub(super) fn runs<'a, X>(&self, x: &'a [X]) -> Option<Runs<'a, X>> {
        let Self { row_step, pixel_step, count, .. } = *self;
        let [len, rows] = self.layout()?;
        Some(Runs { x: x.get(self.at..).unwrap_or_default(), len, rows, row_step, pixel_step, pixels: count })
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
        let patches = Self { at: self.at + first * self.pixel_step, count, ..*self };
        let is_done = pixels > 1
            && match x {
                Ints::U8(x) => patches.runs(x).is_some_and(|runs| T::place_all(panel, &runs, &mut sums)),
                Ints::I16(x) => patches.runs(x).is_some_and(|runs| T::place_all(panel, &runs, &mut sums)),
            };
        if is_done {
            return sums;
        }
        let layout = self.layout();
        for (pixel, sum) in sums.as_mut()[..count].iter_mut().enumerate() {
            let at = patches.at + pixel * self.pixel_step;
            clear_rest::<T>(x, self.inputs(), [pixel, pixels], panel);
            let Some([len, rows]) = layout else {
                self.join_runs(x, at, bytemuck::cast_slice_mut(stage));
                *sum = place_run::<T>(x.like(stage), 0, self.inputs().next_multiple_of(4), [pixel, pixels], 0, panel);
                continue;
            };
            for row in 0..rows {
                *sum += place_run::<T>(x, at + row * self.row_step, len, [pixel, pixels], row * len, panel);
            }
        }
        sums
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

/// [`Tile::place`] of `len` values of `x` from `at` on.
pub(super) fn place_run<T: Tile>(
    x: Ints<'_>,
    at: usize,
    len: usize,
    [pixel, pixels]: [usize; 2],
    k: usize,
    panel: &mut [u32],
) -> i32 {
    match x {
        Ints::U8(x) => T::place(panel, pixels, pixel, k, x.get(at..at + len).unwrap_or_default()),
        Ints::I16(x) => T::place(panel, pixels, pixel, k, x.get(at..at + len).unwrap_or_default()),
    }
}

/// Zeros behind a patch of `inputs` values, for tiles that take more than four at a time.
pub(super) fn clear_rest<T: Tile>(x: Ints<'_>, inputs: usize, [pixel, pixels]: [usize; 2], panel: &mut [u32]) {
    if T::INPUTS > 4 && !inputs.is_multiple_of(T::INPUTS) {
        let rest = inputs / 4..inputs.next_multiple_of(T::INPUTS) / 4;
        match x {
            Ints::U8(_) => T::clear::<u8>(panel, pixels, pixel, rest),
            Ints::I16(_) => T::clear::<i16>(panel, pixels, pixel, rest),
        }
    }
}
