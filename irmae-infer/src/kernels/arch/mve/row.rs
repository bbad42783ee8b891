//! Panel after panel of a row: what they have in common is prepared once.

use core::arch::asm;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::panel::{self, Sums};
use super::place::Placing;
use super::store::{self, Row};
use super::{GRANULE, WEIGHT_WORDS, readable_pairs};
use crate::kernels::mve::MveTile;
use crate::kernels::params::IntParams;
use crate::kernels::patches::Patches;
use crate::kernels::product::{self, Product};
use crate::kernels::rows::{Ints, IntsMut};
use crate::kernels::tile::{Place, Runs, Tile, Weights};

/// Pairs of outputs that are summed before they are stored.
const PAIRS: usize = 8;

/// See [`Tile::multiply_row`](crate::kernels::tile::Tile::multiply_row).
#[inline(never)]
pub(in crate::kernels) fn multiply_row(
    product: &Product<'_>,
    x: Ints<'_>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut IntsMut<'_>,
) -> usize {
    let &Product { patches, ref weights, outputs, out_base, out_step, out_channels } = product;
    let count = patches.count;
    if count < 4 || outputs == 0 || patches.inputs() == 0 {
        return 0;
    }
    let mut panels = Panels::new(&patches, x, weights, outputs.div_ceil(2), scratch);
    let row = Row::of(y);
    let place = Place { at: out_base, step: out_step, lanes: 4, count };
    let direct = row.all_outputs(place, outputs).filter(|_| params.is_linear() && outputs <= out_channels);
    let mut sums = [const { MaybeUninit::<Sums>::uninit() }; PAIRS];
    let sums: *mut Sums = sums.as_mut_ptr().cast();
    let (y_start, step) = direct.unwrap_or((core::ptr::null_mut(), 0));
    let mut job = store::Job::new(params, 0, outputs.min(out_channels), sums.cast(), y_start, step);
    let (bias, multiplier) = (job.bias, job.multiplier);
    let mut start = [[0; 4]; 2];
    let mut done = 0;
    // As many pixels as are worth a panel. The last one may do some once more.
    while count - done >= 2 {
        let first = done.min(count - 4);
        // SAFETY: there are four pixels from `first` on.
        unsafe { panels.place(first, &mut start) };
        (job.y, job.bias, job.multiplier) = (y_start.wrapping_add(first * step), bias, multiplier);
        let (mut v, mut channel) = (0, 0);
        while v < outputs {
            // SAFETY: there are so many outputs, and room for the sums of `PAIRS` pairs.
            let some = unsafe { panels.multiply(v..outputs, &start, sums) };
            if direct.is_some() {
                job.outputs = some;
                // SAFETY: places of four pixels from `first` on lie in the row. All sums can be read.
                unsafe { job.run(row.size) };
            } else {
                // SAFETY: these sums have been written.
                let sums = unsafe { core::slice::from_raw_parts(sums.cast(), 4 * some) };
                let at = out_base.wrapping_add_unsigned(first * out_step + v);
                let place = Place { at, step: out_step, lanes: 4, count: 4 };
                channel = product::store::<MveTile>(params, [channel, out_channels], place, sums, y);
            }
            v += some;
        }
        done = first + 4;
    }
    done
}

/// Panels of a row, one after the other in the same memory, and the weights that they are multiplied by.
enum Panels<'a> {
    U8 {
        placing: Placing,
        job: panel::Job,
        weights: &'a Weights<'a>,
        /// Pairs of outputs whose weights can be read in whole granules, and a copy of the other weights, with room behind it.
        readable: usize,
        others: *const u32,
    },
    I16 {
        runs: Runs<'a, i16>,
        cells: &'a mut [u32],
        weights: &'a Weights<'a>,
    },
}

impl<'a> Panels<'a> {
    fn new(patches: &Patches, x: Ints<'a>, weights: &'a Weights<'a>, pairs: usize, scratch: &'a mut [u32]) -> Self {
        match x {
            Ints::U8(x) => {
                let runs = runs(patches, x);
                let (cells, room) = split_panel(scratch, &runs);
                let granules = cells.len() / GRANULE;
                let placing = Placing::new(bytemuck::cast_slice_mut(cells), &runs);
                let readable = readable_pairs(weights, pairs);
                if readable < pairs {
                    assert!(weights.words.len() >= (pairs - 1) * weights.pair_len + 2 * weights.quads);
                    let words = &weights.words[readable * weights.pair_len..];
                    let room = &mut room[..words.len() + WEIGHT_WORDS];
                    room.iter_mut().zip(words).for_each(|(to, from)| *to = *from);
                }
                let job = panel::Job::new(false, weights, granules, placing.panel().cast());
                Self::U8 { placing, job, weights, readable, others: room.as_ptr() }
            }
            Ints::I16(x) => {
                let runs = Runs { pixels: 4, ..runs(patches, x) };
                let (cells, _) = split_panel(scratch, &runs);
                Self::I16 { runs, cells, weights }
            }
        }
    }

    /// Fills the panel for pixels from `first` on. Sums start from `-128 sum_k x_k`.
    ///
    /// # Safety
    /// There are four pixels.
    unsafe fn place(&mut self, first: usize, start: &mut Sums) {
        let mut sums = [0; 4];
        match self {
            // SAFETY: as the caller says; the panel is still there.
            Self::U8 { placing, .. } => unsafe { placing.place(first, &mut sums) },
            Self::I16 { runs, cells, .. } => {
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    for row in 0..runs.rows {
                        let start = (first + pixel) * runs.pixel_step + row * runs.row_step;
                        let run = runs.x.get(start..start + runs.len).unwrap_or_default();
                        *sum += MveTile::place(cells, 4, pixel, row * runs.len, run);
                    }
                }
            }
        }
        // SAFETY: as much is read and written as there is.
        unsafe {
            asm!(
                "vldrw.u32 q0, [{sums}]",
                "vneg.s32 q0, q0",
                "vshl.i32 q0, q0, #7",
                "vstrw.32 q0, [{start}]",
                "vstrw.32 q0, [{start}, #16]",
                sums = in(reg) &sums,
                start = in(reg) start,
                out("d0") _, out("d1") _,
                options(nostack),
            );
        }
    }

    /// Sums of the products with the first of outputs `outputs`, which are called for in order. Gives how many: an even number, or all.
    ///
    /// # Safety
    /// There are so many outputs, and `sums` can be written [`PAIRS`] times.
    unsafe fn multiply(&mut self, outputs: Range<usize>, start: &Sums, sums: *mut Sums) -> usize {
        let some = outputs.len().min(2 * PAIRS);
        match self {
            Self::U8 { job, weights, readable, others, .. } => {
                let (first, pairs) = (outputs.start / 2, some.div_ceil(2));
                let direct = readable.saturating_sub(first).min(pairs);
                if first == 0 {
                    job.weights = weights.words.as_ptr();
                }
                (job.start, job.sums, job.pairs) = (start, sums, direct);
                // SAFETY: there are weights for so many pairs, and the panel is still there.
                unsafe { job.run() };
                if direct < pairs {
                    if first <= *readable {
                        job.weights = *others;
                    }
                    // SAFETY: as above.
                    unsafe {
                        (job.sums, job.pairs) = (sums.add(direct), pairs - direct);
                        job.run();
                    }
                }
            }
            Self::I16 { cells, weights, .. } => {
                let weights = weights.skip(outputs.start / 2);
                // SAFETY: as the caller says.
                unsafe { panel::multiply_to(true, cells, &weights, start, sums, some.div_ceil(2)) };
            }
        }
        some
    }
}

/// Patches as they lie in `x`, for all pixels.
fn runs<'a, X>(patches: &Patches, x: &'a [X]) -> Runs<'a, X> {
    let &Patches { at, len, rows, row_step, pixel_step, count: pixels } = patches;
    patches.runs(x).unwrap_or_else(|| Runs {
        x: x.get(at..).unwrap_or_default(),
        len,
        rows,
        row_step,
        pixel_step,
        pixels,
    })
}

/// The memory of a panel, with zeros for what the last granule has beside inputs, and the memory behind it.
fn split_panel<'a, X>(scratch: &'a mut [u32], runs: &Runs<'_, X>) -> (&'a mut [u32], &'a mut [u32]) {
    let inputs = runs.rows * runs.len;
    let granule = GRANULE * size_of::<X>();
    let (cells, room) = scratch.split_at_mut(inputs.div_ceil(GRANULE) * granule);
    if !inputs.is_multiple_of(GRANULE) {
        let rest = cells.len() - granule;
        cells[rest..].fill(0);
    }
    (cells, room)
}
