//! Outputs of bytes that are no more than requantised and clamped, `N` at a time: what tiles of CPUs with wide vectors share.

use super::params::IntParams;
use super::rows::IntsMut;
use super::tile::Place;

/// [`Tile::store`](super::tile::Tile::store) by `finish(sums, bias, multiplier, clamp)`, where that suffices. Sums are of one pixel,
/// or of `N`.
#[inline(always)]
pub(super) fn store<const N: usize>(
    params: &IntParams<'_>,
    channel: usize,
    sums: &[i32],
    place: Place,
    y: &mut IntsMut<'_>,
    finish: impl Fn(&[i32; N], &[i32; N], &[i32; N], [i32; 2]) -> [u8; N],
) {
    let bytes = match y {
        IntsMut::U8(bytes) if params.is_linear() => &mut **bytes,
        _ => return place.store(params, channel, sums, y),
    };
    let (bias, multiplier) = (&params.bias[channel..], &params.multiplier[channel..]);
    let (whole, rest) = sums.as_chunks();
    if place.lanes == N {
        // One output at a time.
        for (n, sums) in whole.iter().enumerate() {
            let outputs = finish(sums, &[bias[n]; N], &[multiplier[n]; N], params.clamp);
            for (pixel, &output) in outputs.iter().enumerate().take(place.count) {
                // Pixels beside the row have no outputs.
                if let Some(range) = place.skip(n).range(pixel, 1, bytes.len()) {
                    bytes[range.start] = output;
                }
            }
        }
        return;
    }
    for (n, sums) in whole.iter().enumerate() {
        let (bias, multiplier) = (&bias.as_chunks().0[n], &multiplier.as_chunks().0[n]);
        let outputs = finish(sums, bias, multiplier, params.clamp);
        if let Some(range) = place.skip(N * n).range(0, N, bytes.len()) {
            bytes[range].copy_from_slice(&outputs);
        }
    }
    let done = sums.len() - rest.len();
    place.skip(done).store(params, channel + done, rest, y);
}
