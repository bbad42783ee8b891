//! Copies the input values that output pixels sum up into a panel.

use core::ops::Range;

use super::params::{Integer, Rows};
use super::tile::{Runs, Tile};

/// Values of a patch, or of a panel's patches in one row, that can be put together in a buffer on the stack.
const BUFFER_LEN: usize = if cfg!(irmae_avx2) { 1024 } else { 160 };

/// Which input values the output pixels of a row sum up. Pixel `n`'s patch is `size` rows and columns of input pixels from
/// `first + n * step` on; what lies outside the input is 0.
#[derive(Clone, Copy)]
pub(super) struct Patches {
    pub(super) first: [isize; 2],
    pub(super) size: [usize; 2],
    pub(super) step: [usize; 2],
    pub(super) count: usize,
    /// Pixels in a row of the input, and values in a pixel.
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Patches {
    /// Values of a patch that lie together in an input row.
    pub(super) fn run_len(&self) -> usize {
        self.size[1] * self.channels
    }

    /// Without the rows that lie outside the input, and how many fours of values come before. Only where all pixels have the
    /// same rows, of whole fours.
    pub(super) fn narrow(self, height: usize) -> (Self, usize) {
        if self.step[0] > 0 || !self.run_len().is_multiple_of(4) {
            return (self, 0);
        }
        let above = self.first[0].min(0).unsigned_abs().min(self.size[0]);
        let below = usize::try_from(self.first[0] + self.size[0] as isize - height as isize).unwrap_or(0);
        let rows = self.size[0].saturating_sub(above + below);
        let narrowed =
            Self { first: [self.first[0] + above as isize, self.first[1]], size: [rows, self.size[1]], ..self };
        (narrowed, above * self.run_len() / 4)
    }

    /// The first row and column of pixel `pixel`'s patch.
    fn origin(&self, pixel: usize) -> [isize; 2] {
        let [row, column] = self.first;
        [row + (pixel * self.step[0]) as isize, column + (pixel * self.step[1]) as isize]
    }

    /// The pixels whose patches lie within the input. All of them, or none, by their rows, unless rows step.
    pub(super) fn inside(&self, height: usize) -> Range<usize> {
        let [row, column] = self.first;
        let last = [height as isize - self.size[0] as isize, self.width as isize - self.size[1] as isize];
        let (mut start, mut end) = (0, self.count);
        for (first, last, step) in [(row, last[0], self.step[0]), (column, last[1], self.step[1])] {
            if last < first || step == 0 && first < 0 {
                return 0..0;
            }
            if step > 0 {
                start = start.max(first.min(0).unsigned_abs().div_ceil(step));
                end = end.min((last - first) as usize / step + 1);
            }
        }
        start..end
    }

    /// Fills a panel for `pixels` pixels with the patches of pixels `own`; those of `inside` are within the input. Gives the sums of
    /// their values.
    pub(super) fn gather<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        own: Range<usize>,
        inside: &Range<usize>,
        pixels: usize,
        panel: &mut [u32],
    ) -> T::Lanes {
        let (first, count) = (own.start, own.len());
        let mut sums = T::ZERO;
        let len = self.size[0] * self.run_len();
        let are_inside = inside.start <= first && first + count <= inside.end;
        if !T::WHOLE_FOURS && !len.is_multiple_of(T::INPUTS) {
            let rest = len / 4..len.next_multiple_of(T::INPUTS) / 4;
            (0..count).for_each(|pixel| T::clear::<X>(panel, pixels, pixel, rest.clone()));
        }
        let is_panel = T::PLACES_ALL && (count == T::PIXELS || T::PLACES_FEWER && pixels > 1);
        if is_panel && self.place_panel::<T, X>(x, own, are_inside, panel, &mut sums) {
            return sums;
        }
        for (pixel, sum) in sums.as_mut()[..count].iter_mut().enumerate() {
            let origin = self.origin(first + pixel);
            let is_inside = inside.contains(&(first + pixel));
            *sum = if is_inside && self.suits::<T>() {
                self.place_inside::<T, X>(x, origin, pixels, pixel, panel)
            } else if T::WHOLE_FOURS && len <= BUFFER_LEN {
                self.place_buffered::<T, X>(x, origin, pixels, pixel, panel)
            } else {
                self.place_clipped::<T, X>(x, origin, pixels, pixel, panel)
            };
        }
        sums
    }

    /// Whether runs are such as a tile places well.
    fn suits<T: Tile>(&self) -> bool {
        !T::WHOLE_FOURS || self.run_len().is_multiple_of(4)
    }

    /// All pixels of a panel at once, if that is possible.
    fn place_panel<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        own: Range<usize>,
        are_inside: bool,
        panel: &mut [u32],
        sums: &mut T::Lanes,
    ) -> bool {
        let (first, pixels, run_len) = (own.start, panel_pixels::<T>(&own), self.run_len());
        let [row, _] = self.origin(first);
        if self.step[0] == 0 {
            // Whole fours have been narrowed to the rows within the input.
            let are_rows_inside = T::WHOLE_FOURS || row >= 0 && row + self.size[0] as isize <= x.height as isize;
            let columns = (pixels - 1) * self.step[1] + self.size[1];
            if !self.suits::<T>() || !are_rows_inside {
                return false;
            } else if are_inside {
                self.place_rows::<T, X>(x, own, panel, sums);
            } else if columns * self.channels <= BUFFER_LEN {
                self.place_padded_rows::<T, X>(x, own, panel, sums);
            } else {
                return false;
            }
            return true;
        }
        // Pixels below each other: a patch of whole rows is one run.
        let slot = row as usize % x.ring_rows;
        let is_one_run = slot + (pixels - 1) * self.step[0] + self.size[0] <= x.ring_rows;
        let len = self.size[0] * run_len;
        let is_such = are_inside && is_one_run && run_len == x.row_len && (!T::WHOLE_FOURS || len.is_multiple_of(4));
        if is_such {
            let x = x.ring.get(slot * run_len..).unwrap_or_default();
            T::place_all(
                panel,
                0,
                &Runs { x, len, rows: 1, row_step: 0, pixel_step: self.step[0] * run_len, pixels },
                sums,
            );
        }
        is_such
    }

    /// A whole panel of patches side by side, within the input. Rows lie together, but where the ring ends.
    fn place_rows<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        own: Range<usize>,
        panel: &mut [u32],
        sums: &mut T::Lanes,
    ) {
        let ([row, column], pixels) = (self.origin(own.start), panel_pixels::<T>(&own));
        let (start, pixel_step, len) = (column as usize * self.channels, self.step[1] * self.channels, self.run_len());
        let mut slot = row as usize % x.ring_rows;
        let mut done = 0;
        while done < self.size[0] {
            let rows = (x.ring_rows - slot).min(self.size[0] - done);
            let x_from = x.ring.get(slot * x.row_len + start..).unwrap_or_default();
            T::place_all(
                panel,
                done * len,
                &Runs { x: x_from, len, rows, row_step: x.row_len, pixel_step, pixels },
                sums,
            );
            (done, slot) = (done + rows, 0);
        }
    }

    /// As [`Patches::place_rows`], partly beside the input: what a row has is put between zeros first.
    #[inline(never)]
    fn place_padded_rows<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        own: Range<usize>,
        panel: &mut [u32],
        sums: &mut T::Lanes,
    ) {
        let (first, pixels) = (own.start, panel_pixels::<T>(&own));
        let (pixel_step, len) = (self.step[1] * self.channels, self.run_len());
        let columns = (pixels - 1) * self.step[1] + self.size[1];
        let row_step = columns * self.channels;
        let most = BUFFER_LEN / row_step;
        let mut buffer = [X::zeroed(); BUFFER_LEN];
        for done in (0..self.size[0]).step_by(most) {
            let rows = most.min(self.size[0] - done);
            let part = Self { first: [self.first[0] + done as isize, self.first[1]], size: [rows, columns], ..*self };
            part.for_each_run(x, part.origin(first), |i, at, run| {
                let start = i * row_step + at;
                T::copy(&mut buffer[start..start + run.len()], run);
            });
            T::place_all(panel, done * len, &Runs { x: &buffer, len, rows, row_step, pixel_step, pixels }, sums);
        }
    }

    /// A patch within the input. Whole rows lie together, but where the ring ends.
    fn place_inside<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        [row, column]: [isize; 2],
        pixels: usize,
        pixel: usize,
        panel: &mut [u32],
    ) -> i32 {
        let run_len = self.run_len();
        if run_len == x.row_len {
            let slot = row as usize % x.ring_rows;
            let len = self.size[0] * run_len;
            let first_len = (x.ring_rows - slot).min(self.size[0]) * run_len;
            let run = x.ring.get(slot * run_len..).and_then(|run| run.get(..first_len)).unwrap_or_default();
            let mut sum = T::place(panel, pixels, pixel, 0, run);
            if first_len < len {
                sum += T::place(panel, pixels, pixel, first_len, x.ring.get(..len - first_len).unwrap_or_default());
            }
            return sum;
        }
        let start = column as usize * self.channels;
        let mut sum = 0;
        for i in 0..self.size[0] {
            let run = x.row(row + i as isize).and_then(|row| row.get(start..start + run_len)).unwrap_or_default();
            sum += T::place(panel, pixels, pixel, i * run_len, run);
        }
        sum
    }

    /// A patch that lies partly beside the input, or whose rows are no whole fours: put together first, so that it is placed as one.
    #[inline(never)]
    fn place_buffered<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        origin: [isize; 2],
        pixels: usize,
        pixel: usize,
        panel: &mut [u32],
    ) -> i32 {
        let mut buffer = [X::zeroed(); BUFFER_LEN];
        self.for_each_run(x, origin, |i, at, run| {
            let k = i * self.run_len() + at;
            for (to, from) in buffer[k..].iter_mut().zip(run) {
                *to = *from;
            }
        });
        let len = (self.size[0] * self.run_len()).next_multiple_of(4);
        T::place(panel, pixels, pixel, 0, &buffer[..len])
    }

    /// Any patch, run by run.
    #[inline(never)]
    fn place_clipped<T: Tile, X: Integer>(
        &self,
        x: &Rows<'_, X>,
        origin: [isize; 2],
        pixels: usize,
        pixel: usize,
        panel: &mut [u32],
    ) -> i32 {
        T::clear::<X>(panel, pixels, pixel, 0..(self.size[0] * self.run_len()).div_ceil(4));
        let mut sum = 0;
        self.for_each_run(x, origin, |i, at, run| {
            sum += T::place(panel, pixels, pixel, i * self.run_len() + at, run);
        });
        sum
    }

    /// Calls `place(i, at, values)` for each row `i` of a patch that lies within the input: the values that do, which start
    /// `at` values behind the patch.
    #[inline(always)]
    fn for_each_run<X: Integer>(
        &self,
        x: &Rows<'_, X>,
        [row, column]: [isize; 2],
        mut place: impl FnMut(usize, usize, &[X]),
    ) {
        let before = column.min(0).unsigned_abs().min(self.size[1]);
        let behind = usize::try_from(column + self.size[1] as isize - self.width as isize).unwrap_or(0);
        let len = self.size[1].saturating_sub(before + behind) * self.channels;
        let start = (column + before as isize) as usize * self.channels;
        for i in 0..self.size[0] {
            if let Some(run) = x.row(row + i as isize).and_then(|row| row.get(start..start + len)) {
                place(i, before * self.channels, run);
            }
        }
    }
}

/// How many pixels of a panel are placed at once: known to the compiler, where that is all.
fn panel_pixels<T: Tile>(own: &Range<usize>) -> usize {
    if T::PLACES_FEWER { own.len() } else { T::PIXELS }
}
