//! Layers of all kinds, and what they give by their definitions.

use alloc::vec::Vec;

use crate::kernels::ConvGeometry;
use crate::layer::{Op, Shape, Window};

/// A small generator with a fixed seed: the same cases on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in `low..=high`.
    pub(super) fn int(&mut self, low: i32, high: i32) -> i32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + ((self.0 >> 33) % (high - low + 1) as u64) as i32
    }

    pub(super) fn ints(&mut self, n: usize, low: i32, high: i32) -> Vec<i32> {
        // Extremes first, so that they occur in every case.
        let ends = [low, high].into_iter().chain(core::iter::repeat_with(|| self.int(low, high)));
        ends.take(n).collect()
    }

    pub(super) fn reals(&mut self, n: usize) -> Vec<f32> {
        self.ints(n, -1000, 1000).into_iter().map(|v| v as f32 / 1000.0).collect()
    }
}

/// Input, channels out, window: odd sizes, single pixels, channels that fill no register.
pub(super) fn geometries(transposed: bool) -> Vec<ConvGeometry> {
    let windows = [
        ([1, 1], [1, 1], [0, 0]),
        ([3, 3], [1, 1], [1, 1]),
        ([4, 4], [2, 2], [1, 1]),
        ([4, 4], [2, 2], [0, 0]),
        ([5, 5], [1, 1], [2, 2]),
        ([2, 3], [3, 1], [0, 1]),
        ([4, 1], [2, 1], [1, 0]),
        ([7, 1], [4, 1], [3, 0]),
    ];
    let sizes = [(1, 1), (2, 5), (7, 3), (8, 8), (13, 1)];
    let channels = [(1, 1), (1, 16), (2, 3), (3, 21), (5, 2), (16, 17), (17, 1), (20, 1), (64, 2)];
    let mut geometries = Vec::new();
    for (kernel, stride, padding) in windows {
        let window = Window { kernel, stride, padding };
        for (height, width) in sizes {
            for (c_in, c_out) in channels {
                let input = Shape::new(height, width, c_in);
                let output = |[rows, columns]: [u16; 2]| -> Option<Shape> {
                    let size = |n: u16, i: usize| {
                        let (k, s, p) = (i32::from(kernel[i]), i32::from(stride[i]), i32::from(padding[i]));
                        let n = i32::from(n);
                        if transposed { (n - 1) * s - 2 * p + k } else { (n + 2 * p - k).div_euclid(s) + 1 }
                    };
                    let (h, w) = (size(height, 0), size(width, 1));
                    (h > 0 && w > 0).then(|| Shape::new(h as u16 + rows, w as u16 + columns, c_out))
                };
                let op = if transposed { Op::ConvTranspose(window) } else { Op::Conv(window) };
                // An extra row or column is an output padding, where the stride has room for it.
                let outputs = [[0, 0], [1, 0], [0, 1]].into_iter().filter_map(output);
                let fitting = outputs.filter(|&out| op.fits(input, out));
                geometries.extend(fitting.map(|output| ConvGeometry { input, output, window }));
            }
        }
    }
    assert!(geometries.len() > 100);
    geometries
}

/// All products of an output: calls `add(out pixel, in pixel, tap)`.
fn for_each_tap(g: &ConvGeometry, transposed: bool, mut add: impl FnMut([usize; 2], [usize; 2], [usize; 2])) {
    let [inner, outer] = if transposed { [g.output, g.input] } else { [g.input, g.output] };
    let pad = g.window.padding.map(isize::from);
    for p in 0..usize::from(outer.height) {
        for q in 0..usize::from(outer.width) {
            for i in 0..usize::from(g.window.kernel[0]) {
                for j in 0..usize::from(g.window.kernel[1]) {
                    let r = (p * usize::from(g.window.stride[0]) + i) as isize - pad[0];
                    let t = (q * usize::from(g.window.stride[1]) + j) as isize - pad[1];
                    if (0..inner.height as isize).contains(&r) && (0..inner.width as isize).contains(&t) {
                        let (large, small) = ([r as usize, t as usize], [p, q]);
                        if transposed { add(large, small, [i, j]) } else { add(small, large, [i, j]) }
                    }
                }
            }
        }
    }
}

/// The sums of a layer by definition.
pub(super) fn sums<T>(g: &ConvGeometry, transposed: bool, x: &[T], w: &[T], bias: &[T]) -> Vec<T>
where
    T: Copy + core::ops::Mul<Output = T> + core::ops::AddAssign,
{
    let (c_in, c_out) = (usize::from(g.input.channels), usize::from(g.output.channels));
    let mut y: Vec<T> = (0..g.output.len()).map(|at| bias[at % c_out]).collect();
    for_each_tap(g, transposed, |out, input, tap| {
        for o in 0..c_out {
            for c in 0..c_in {
                let [kh, kw] = g.window.kernel.map(usize::from);
                let weight = w[((o * kh + tap[0]) * kw + tap[1]) * c_in + c];
                let value = x[(input[0] * usize::from(g.input.width) + input[1]) * c_in + c];
                y[(out[0] * usize::from(g.output.width) + out[1]) * c_out + o] += value * weight;
            }
        }
    });
    y
}
