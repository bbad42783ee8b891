//! In which order the weights of a layer lie in a model file, and how much scratch memory its kernels take.
//!
//! A layer is cut into matrices of outputs `v` by inputs `k`, one behind the other, each all that one panel of input
//! values is multiplied by:
//!
//! - a convolution is one matrix: `v` the output channel, `k` in the order kernel row, kernel column, channel;
//! - a transposed convolution of stride `s` is split by output phase, so that no tap meets a stuffed zero. For output row
//!   `p` with `p + pad = s r + phase`, tap `phase + s m` reads input row `r - m`; columns likewise. There is a matrix for
//!   each row phase and each of the two [groups](phase_groups) of column phases that have equally many taps:
//!   `v = (phase - first phase) * channels + channel`, `k` in the order input row, input column (both ascending), channel;
//! - a dense layer has a matrix for each input row and output row.
//!
//! `f32` and `f16`: eight outputs together, `[v / 8][k][v % 8]`, then the outputs that are left over, `[v][k]`.
//!
//! `i8`: outputs in pairs `(v, v + 1)` with weights `p` and `q`, inputs in fours; a missing weight is 0. Four inputs of a pair
//! are two words, for `h` = 0, 1 the bytes `[p(k + h) + 128, q(k + h), p(k + h + 2) + 128, q(k + h + 2)]`. As 16-bit lanes
//! such a word is `256 q + (p + 128)`: see [`Tile`](super::tile::Tile) for what that is good for.

use crate::format::Element;
use crate::layer::{DECODES, Op, Shape, Window};

/// Shape of a matrix of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrix {
    /// Outputs `v`.
    pub(crate) outputs: usize,
    /// Inputs `k`.
    pub(crate) inputs: usize,
}

/// Outputs of an `f32` or `f16` matrix whose weights lie together.
pub(crate) const FLOAT_BLOCK: usize = 8;

impl Matrix {
    /// Inputs in fours.
    pub(crate) const fn quads(self) -> usize {
        self.inputs.div_ceil(4)
    }

    /// Words of one pair of outputs.
    pub(crate) const fn pair_len(self) -> usize {
        2 * self.quads()
    }

    /// Words of an `i8` matrix.
    pub(crate) const fn int_len(self) -> usize {
        self.outputs.div_ceil(2) * self.pair_len()
    }

    /// [`Matrix::int_len`], `None` where it does not fit.
    fn checked_int_len(self) -> Option<usize> {
        self.outputs.div_ceil(2).checked_mul(self.pair_len())
    }

    /// Weights of an `f32` or `f16` matrix.
    pub(crate) const fn float_len(self) -> usize {
        self.outputs * self.inputs
    }

    /// Byte of weight `(v, k)` in an `i8` matrix.
    pub(super) const fn int_byte(self, v: usize, k: usize) -> usize {
        let word = v / 2 * self.pair_len() + k / 4 * 2 + k % 2;
        4 * word + k % 4 / 2 * 2 + v % 2
    }

    /// Place of weight `(v, k)` in an `f32` or `f16` matrix.
    pub(super) const fn float_index(self, v: usize, k: usize) -> usize {
        let block = v / FLOAT_BLOCK * FLOAT_BLOCK;
        if block + FLOAT_BLOCK <= self.outputs {
            block * self.inputs + k * FLOAT_BLOCK + v % FLOAT_BLOCK
        } else {
            v * self.inputs + k
        }
    }
}

/// Consecutive output phases of a transposed convolution that have equally many taps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phases {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) taps: usize,
}

/// The first `kernel % stride` phases have a tap more than the others. Either group may be empty.
pub(crate) const fn phase_groups(kernel: usize, stride: usize) -> [Phases; 2] {
    let (taps, rest) = (kernel / stride, kernel % stride);
    [Phases { first: 0, count: rest, taps: taps + 1 }, Phases { first: rest, count: stride - rest, taps }]
}

/// Taps of output phase `phase`.
pub(crate) const fn phase_taps(kernel: usize, stride: usize, phase: usize) -> usize {
    kernel.saturating_sub(phase).div_ceil(stride)
}

/// The only matrix of a convolution.
#[cfg_attr(irmae_avx2, inline)]
pub(crate) fn conv_matrix(window: Window, input: Shape, output: Shape) -> Matrix {
    Matrix { outputs: usize::from(output.channels), inputs: window.taps() * usize::from(input.channels) }
}

/// A transposed convolution's matrix for row phase `phase` and column group `group`.
#[cfg_attr(irmae_avx2, inline)]
pub(crate) fn transpose_matrix(window: Window, input: Shape, output: Shape, phase: usize, group: usize) -> Matrix {
    let [kernel, stride, _] = window.sizes();
    let columns = phase_groups(kernel[1], stride[1])[group];
    Matrix {
        outputs: columns.count * usize::from(output.channels),
        inputs: phase_taps(kernel[0], stride[0], phase) * columns.taps * usize::from(input.channels),
    }
}

/// Where the matrix for `phase` and `group` starts, if a matrix takes `len` of it.
#[cfg_attr(irmae_avx2, inline)]
pub(crate) fn transpose_start(
    window: Window,
    input: Shape,
    output: Shape,
    (phase, group): (usize, usize),
    len: impl Fn(Matrix) -> usize,
) -> usize {
    (0..2 * phase + group).map(|n| len(transpose_matrix(window, input, output, n / 2, n % 2))).sum()
}

/// A dense layer's matrix for each input row and output row.
#[cfg_attr(irmae_avx2, inline)]
pub(crate) fn dense_matrix(input: Shape, output: Shape) -> Matrix {
    Matrix { outputs: output.row_len(), inputs: input.row_len() }
}

/// Words that the weights of an `i8` layer take; `None` where the count does not fit 31 bits.
pub fn int_weights_len(op: Op, input: Shape, output: Shape) -> Option<usize> {
    let len = match op {
        Op::Dense => {
            let rows = usize::from(input.height).checked_mul(output.height.into())?;
            dense_matrix(input, output).checked_int_len()?.checked_mul(rows)?
        }
        Op::Conv(window) => conv_matrix(window, input, output).checked_int_len()?,
        Op::ConvTranspose(_) if !DECODES => return None,
        Op::ConvTranspose(window) => {
            let stride = usize::from(window.stride[0]);
            (0..2 * stride)
                .map(|n| transpose_matrix(window, input, output, n / 2, n % 2))
                .try_fold(0_usize, |sum, matrix| sum.checked_add(matrix.checked_int_len()?))?
        }
    };
    (len <= i32::MAX as usize / 4).then_some(len)
}

/// Bytes of scratch memory that a layer's kernels take, beside its input; what does not fit saturates.
///
/// Integer layers keep a panel of input values, and, where the runs of a patch may be no whole fours, a patch with four values more;
/// dense layers one pixel at 16 bits.
pub fn scratch_len(op: Op, input: Shape, element: Element) -> usize {
    if element == Element::F32 {
        return 0;
    }
    let channels = usize::from(input.channels);
    let inputs = match op {
        Op::Dense => return 2 * input.row_len().next_multiple_of(PANEL_GRANULE),
        Op::Conv(_) | Op::ConvTranspose(_) => op.span(0) * op.span(1) * channels,
    };
    let stage = if channels.is_multiple_of(4) { 0 } else { inputs.next_multiple_of(4) + 4 };
    panel_len(inputs, element.size()).saturating_add(stage * element.size())
}

/// Bytes of a panel: for `inputs` values that an output sums up, of eight pixels at the input's width, or of four at 16 bits.
pub(super) fn panel_len(inputs: usize, element_size: usize) -> usize {
    inputs.next_multiple_of(PANEL_GRANULE).saturating_mul(8 * element_size)
}

/// Inputs of one pixel in a panel are a multiple of this: the widest vector of bytes.
const PANEL_GRANULE: usize = 16;

/// Byte of weight `natural` (see [`Op::weights_len`]) of an `i8` layer.
pub(crate) fn int_byte(op: Op, input: Shape, output: Shape, natural: usize) -> usize {
    let (start, matrix, v, k) = locate(op, input, output, natural, Matrix::int_len);
    4 * start + matrix.int_byte(v, k)
}

/// Place of weight `natural` (see [`Op::weights_len`]) of an `f32` or `f16` layer.
pub(crate) fn float_index(op: Op, input: Shape, output: Shape, natural: usize) -> usize {
    let (start, matrix, v, k) = locate(op, input, output, natural, Matrix::float_len);
    start + matrix.float_index(v, k)
}

/// Start of the weight's matrix, its shape, and row and column in it.
fn locate(
    op: Op,
    input: Shape,
    output: Shape,
    natural: usize,
    len: impl Fn(Matrix) -> usize,
) -> (usize, Matrix, usize, usize) {
    let (out, within) = (natural / op.fan_in(input), natural % op.fan_in(input));
    match op {
        Op::Dense => {
            let matrix = dense_matrix(input, output);
            let (row, k) = (within / matrix.inputs, within % matrix.inputs);
            let (out_row, v) = (out / matrix.outputs, out % matrix.outputs);
            ((row * usize::from(output.height) + out_row) * len(matrix), matrix, v, k)
        }
        Op::Conv(window) => (0, conv_matrix(window, input, output), out, within),
        Op::ConvTranspose(window) => {
            let [kernel, stride, _] = window.sizes();
            let channels = usize::from(input.channels);
            let (tap, channel) = (within / channels, within % channels);
            let (i, j) = (tap / kernel[1], tap % kernel[1]);
            let (row_phase, column_phase) = (i % stride[0], j % stride[1]);
            let groups = phase_groups(kernel[1], stride[1]);
            let group = usize::from(column_phase >= groups[1].first);
            let columns = groups[group];
            let row = phase_taps(kernel[0], stride[0], row_phase) - 1 - i / stride[0];
            let column = columns.taps - 1 - j / stride[1];
            (
                transpose_start(window, input, output, (row_phase, group), len),
                transpose_matrix(window, input, output, row_phase, group),
                (column_phase - columns.first) * usize::from(output.channels) + out,
                (row * columns.taps + column) * channels + channel,
            )
        }
    }
}

/// Packs `i8` weights from their [natural order](Op::weights_len).
#[cfg(any(test, feature = "std", feature = "conformance"))]
pub fn pack_int(op: Op, input: Shape, output: Shape, weights: &[i8]) -> alloc::vec::Vec<u32> {
    let mut words =
        alloc::vec![u32::from_le_bytes([0x80, 0, 0x80, 0]); int_weights_len(op, input, output).unwrap_or(0)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    for (natural, &weight) in weights.iter().enumerate() {
        let at = int_byte(op, input, output, natural);
        bytes[at] = if at.is_multiple_of(2) { (weight as u8) ^ 0x80 } else { weight as u8 };
    }
    words
}

/// Packs `f32` or `f16` weights from their [natural order](Op::weights_len).
#[cfg(any(test, feature = "std", feature = "conformance"))]
pub fn pack_float<W: Copy>(op: Op, input: Shape, output: Shape, weights: &[W]) -> alloc::vec::Vec<W> {
    let mut packed = weights.to_vec();
    for (natural, &weight) in weights.iter().enumerate() {
        packed[float_index(op, input, output, natural)] = weight;
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_outputs_interleaves_its_inputs_by_halves() {
        let weights = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15];
        let words = pack_int(Op::Dense, Shape::flat(5), Shape::flat(2), &weights);
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        assert_eq!(bytes, [129, 11, 131, 13, 130, 12, 132, 14, 133, 15, 128, 0, 128, 0, 128, 0]);
    }

    #[test]
    fn a_third_output_is_paired_with_zeros() {
        let words = pack_int(Op::Dense, Shape::flat(1), Shape::flat(3), &[-127, 7, 127]);
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        assert_eq!(bytes[..4], [1, 7, 128, 0]);
        assert_eq!(bytes[8..12], [255, 0, 128, 0]);
    }

    #[test]
    fn eight_real_outputs_lie_together_and_the_rest_apart() {
        let weights: std::vec::Vec<usize> = (0..18).collect();
        let packed = pack_float(Op::Dense, Shape::flat(2), Shape::flat(9), &weights);
        assert_eq!(packed, [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 16, 17]);
    }

    #[test]
    fn phases_of_a_transposed_convolution_have_matrices_of_their_own() {
        // One channel each way, 1x3 kernel, stride 2: phase 0 has taps 2 and 0 (ascending columns), phase 1 has tap 1.
        let op = Op::ConvTranspose(Window { kernel: [1, 3], stride: [1, 2], padding: [0, 0] });
        let packed = pack_float(op, Shape::new(1, 4, 1), Shape::new(1, 9, 1), &[10, 11, 12]);
        assert_eq!(packed, [12, 10, 11]);
    }

    #[test]
    fn every_weight_has_a_place_of_its_own() {
        for (kernel, stride) in [([4, 4], [2, 2]), ([3, 5], [2, 3]), ([2, 2], [3, 1]), ([7, 1], [4, 1])] {
            let window = Window { kernel, stride, padding: [0, 0] };
            let (input, output) = (Shape::new(3, 3, 5), Shape::new(9, 9, 3));
            for op in [Op::Conv(window), Op::ConvTranspose(window), Op::Dense] {
                let count = op.weights_len(input, output);
                let mut places: std::vec::Vec<usize> = (0..count).map(|n| int_byte(op, input, output, n)).collect();
                places.sort_unstable();
                places.dedup();
                assert_eq!(places.len(), count, "{op:?}");
                assert!(places[count - 1] < 4 * int_weights_len(op, input, output).unwrap(), "{op:?}");
                let mut places: std::vec::Vec<usize> = (0..count).map(|n| float_index(op, input, output, n)).collect();
                places.sort_unstable();
                assert!(places.iter().enumerate().all(|(n, &place)| n == place), "{op:?}");
            }
        }
    }

    #[test]
    fn lengths_that_overflow_are_none() {
        let large = Shape::new(u16::MAX, 1, 30_000);
        assert_eq!(int_weights_len(Op::Dense, large, large), None);
        assert_eq!(int_weights_len(Op::Dense, Shape::flat(4), Shape::flat(3)), Some(4));
    }
}
