//! Copies the input values that output pixels sum up into a panel.

use super::params::Integer;
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
    pub(super) fn narrow<'a>(self, weights: Weights<'a>, first_row: isize, height: usize) -> (Self, Weights<'a>) {
        if !self.len.is_multiple_of(4) {
            return (self, weights);
        }
        let above = first_row.min(0).unsigned_abs().min(self.rows);
        let below = usize::try_from(first_row + self.rows as isize - height as isize).unwrap_or(0);
        let rows = self.rows.saturating_sub(above + below);
        let run_quads = self.len / 4;
        let narrowed = Self { at: self.at + above * self.row_step, rows, ..self };
        (narrowed, weights.narrow(above * run_quads, rows * run_quads))
    }

    /// Fills a panel for `pixels` pixels with the patches of `count` pixels from `first` on. Gives the sums of their values. `stage` is
    /// memory for one patch and four values more.
    pub(super) fn gather<T: Tile, X: Integer>(
        &self,
        x: &[X],
        first: usize,
        [count, pixels]: [usize; 2],
        panel: &mut [u32],
        stage: &mut [u32],
    ) -> T::Lanes {
        let Self { pixel_step, mut len, mut rows, row_step, .. } = *self;
        let x = x.get(self.at + first * pixel_step..).unwrap_or_default();
        let inputs = self.inputs();
        if T::INPUTS > 4 && !inputs.is_multiple_of(T::INPUTS) {
            let rest = inputs / 4..inputs.next_multiple_of(T::INPUTS) / 4;
            (0..count).for_each(|pixel| T::clear::<X>(panel, pixels, pixel, rest.clone()));
        }
        if len == row_step {
            (len, rows) = (inputs, 1);
        }
        let mut sums = T::ZERO;
        if rows > 1 && !len.is_multiple_of(4) {
            let stage = bytemuck::cast_slice_mut(stage);
            for (pixel, sum) in sums.as_mut()[..count].iter_mut().enumerate() {
                let x = x.get(pixel * pixel_step..).unwrap_or_default();
                let patch = join_runs(x, [len, rows, row_step], stage);
                *sum = T::place(panel, pixels, pixel, 0, patch);
            }
            return sums;
        }
        // Up to three values behind a patch come along: their weights are 0.
        let runs = Runs { x, len: len.next_multiple_of(4), rows, row_step, pixel_step, pixels: count };
        if pixels == 1 {
            for row in 0..rows {
                sums.as_mut()[0] += T::place(panel, 1, 0, row * runs.len, runs.run(row, 0));
            }
        } else {
            T::place_all(panel, &runs, &mut sums);
        }
        sums
    }
}

/// Runs of a patch that are no whole fours, put together in `stage` so that the patch is: all of it that is to be placed.
fn join_runs<'a, X: Integer>(x: &[X], [len, rows, row_step]: [usize; 3], stage: &'a mut [X]) -> &'a [X] {
    for row in 0..rows {
        // Fours overrun the run, and the next run overwrites that.
        let to = stage.get_mut(row * len..).unwrap_or_default().as_chunks_mut::<4>().0;
        let from = x.get(row * row_step..).unwrap_or_default().as_chunks::<4>().0;
        to.iter_mut().zip(from).take(len.div_ceil(4)).for_each(|(to, from)| *to = *from);
    }
    stage.get(..(rows * len).next_multiple_of(4)).unwrap_or_default()
}
