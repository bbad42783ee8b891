//! Panel after panel of a row, with what they have in common prepared once.

use super::MAX_HALVES_U8;
use super::panel::{PanelJob, multiply_u8};
use super::place::PlaceJob;
use crate::kernels::dsp::DspTile;
use crate::kernels::params::IntParams;
use crate::kernels::product::Product;
use crate::kernels::rows::{Ints, IntsMut};
use crate::kernels::tile::Place;

/// See [`Tile::multiply_row`](crate::kernels::tile::Tile::multiply_row): for bytes that become bytes, no more than requantised and
/// saturated.
pub(in crate::kernels) fn multiply_row(
    product: &Product<'_>,
    x: Ints<'_>,
    params: &IntParams<'_>,
    [panel, stage]: [&mut [u32]; 2],
    y: &mut IntsMut<'_>,
) -> usize {
    let &Product { patches, weights, outputs, out_step, .. } = product;
    let (Ints::U8(values), IntsMut::U8(_), Ok(out_base)) = (x, &*y, usize::try_from(product.out_base)) else {
        return 0;
    };
    let (halves, pairs) = (2 * weights.quads, outputs / 2);
    let is_such = params.is_plain() && outputs <= product.out_channels && (1..=MAX_HALVES_U8).contains(&halves);
    if !is_such || patches.count < 4 {
        return 0;
    }
    let last = patches.count - 1;
    assert!(
        panel.len() >= 4 * halves
            && weights.pair_len >= halves
            && weights.words.len() + weights.pair_len >= outputs.div_ceil(2) * weights.pair_len + halves
            && params.bias.len().min(params.multiplier.len()) >= outputs
            && y.len() >= out_base + last * out_step + outputs
    );
    let mut place = patches.runs(values).map(|runs| {
        assert!(runs.x.len() >= last * runs.pixel_step + (runs.rows - 1) * runs.row_step + runs.len);
        assert!(runs.rows * runs.len == 2 * halves);
        PlaceJob::new(&runs)
    });
    let mut job = PanelJob::new(&weights, halves, out_step);
    let mut done = 0;
    while done < patches.count {
        // Pixels that have been made already fill up the last panel.
        let first = done.min(patches.count - 4);
        let offsets = match &mut place {
            // SAFETY: lengths have been checked for all panels of four pixels, and there are at least as many.
            Some(job) => unsafe { job.run(first * patches.pixel_step, panel) },
            None => patches.gather::<DspTile>(x, first, [4, 4], panel, stage).map(|sum| -sum << 7),
        };
        let at = out_base + first * out_step;
        if let IntsMut::U8(y) = y
            && pairs > 0
        {
            // SAFETY: the same.
            unsafe { job.run(pairs, params, panel, y.as_mut_ptr().wrapping_add(at), offsets) };
        }
        if !outputs.is_multiple_of(2) {
            let mut sums = [[0; 4]; 2];
            multiply_u8(panel, weights.pair(pairs), &offsets, &mut sums);
            let place = Place { at: at as isize, step: out_step, lanes: 4, count: 4 };
            place.skip(2 * pairs).store(params, 2 * pairs, &sums[0], y);
        }
        done = first + 4;
    }
    done
}
