//! The tests that every implementation of [`Kernels`] must pass: `conformance!(Name)` declares them.
//!
//! Expected values come from the definitions, over whole maps in `i64` or `f64`: a convolution gathers, a transposed one
//! scatters as its definition says, so that an error of the reference shows as well.

mod definition;

use alloc::vec;
use alloc::vec::Vec;

use definition::{Random, geometries, sums};
use half::f16;

use super::{
    ConvGeometry, FloatParams, FloatWeight, IntOutput, IntParams, Integer, Ints, IntsMut, Kernels, Reference, Rows,
    packing, scratch_len,
};
use crate::format::Element;
use crate::layer::{Activation, Op, Shape};
use crate::quant;
use crate::reach::ROWS_SLACK;

#[cfg(test)]
macro_rules! conformance {
    ($kernels:ty) => {
        #[cfg(test)]
        mod conformance_tests {
            use super::*;
            use crate::kernels::conformance as suite;

            #[test]
            fn integers_equal_the_definition() {
                suite::check_integers::<$kernels>();
            }
            #[test]
            fn reals_agree_with_the_definition() {
                suite::check_reals::<$kernels>();
            }
            #[test]
            fn halves_are_widened_exactly() {
                suite::check_halves::<$kernels>();
            }
            #[test]
            fn dense_sums_equal_the_definition() {
                suite::check_dense::<$kernels>();
            }
        }
    };
}
#[cfg(test)]
pub(crate) use conformance;

/// Relative to the largest output: sums of up to a thousand terms in `f32`.
const REAL_TOLERANCE: f64 = 1e-5;

/// Panics unless the integer convolutions of `K` give what their definition does, to the bit.
pub fn check_integers<K: Kernels>() {
    for transposed in [false, true] {
        for (seed, g) in (1..).zip(geometries(transposed)) {
            check_int_types::<K, u8, u8>(&g, transposed, seed, [0, 255], [0, 255]);
            check_int_types::<K, u8, i16>(&g, transposed, seed, [0, 255], [-300, 1000]);
            check_int_types::<K, i16, u8>(&g, transposed, seed, [-2047, 2047], [0, 255]);
            check_int_types::<K, i16, i16>(&g, transposed, seed, [-2047, 2047], [-32_768, 32_767]);
        }
    }
}

fn check_int_types<K: Kernels, X: Integer, Y: Integer + PartialEq + core::fmt::Debug>(
    g: &ConvGeometry,
    transposed: bool,
    seed: u64,
    [x_least, x_largest]: [i32; 2],
    clamp: [i32; 2],
) {
    let mut random = Random::new(seed);
    let c_out = usize::from(g.output.channels);
    let fan_in = g.window.taps() * usize::from(g.input.channels);
    let x = random.ints(g.input.len(), x_least, x_largest);
    let weights = random.ints(c_out * fan_in, -127, 127);
    let bias = random.ints(c_out, -100_000, 100_000);
    // Outputs that use the range and overrun it a little.
    let gain = f64::from(clamp[1] - clamp[0]) / (f64::from(x_largest) * 127.0 * libm::sqrt(fan_in as f64) + 100_000.0);
    let multiplier: Vec<i32> =
        (0..c_out).map(|o| quant::multiplier(gain * (1.0 + o as f64 / 7.0) / 2.0).unwrap_or(1)).collect();
    let activation = [Activation::None, Activation::Tanh, Activation::Sigmoid][seed as usize % 3];
    let post = [random.ints(c_out, 1, 1 << 19), random.ints(c_out, -50, 50)];

    let wide = |values: &[i32]| -> Vec<i64> { values.iter().map(|&v| i64::from(v)).collect() };
    let narrow: Vec<i8> = weights.iter().map(|&w| w as i8).collect();
    let op = operation(g, transposed);
    let packed = packing::pack_int(op, g.input, g.output, &narrow);
    let mut scratch = vec![u32::MAX; scratch_len(op, g.input, element::<X>()).div_ceil(4)];
    let params = IntParams {
        weights: &packed,
        bias: &bias,
        acc_shift: seed as u8 % 2,
        multiplier: &multiplier,
        post: [&post[0], &post[1]],
        activation,
        clamp,
    };
    let expected: Vec<Y> = sums(g, transposed, &wide(&x), &wide(&weights), &wide(&bias))
        .iter()
        .enumerate()
        .map(|(at, &sum)| Y::from_clamped(params.finish(at % c_out, i32::try_from(sum).unwrap())))
        .collect();

    let x: Vec<X> = x.iter().map(|&v| X::from_clamped(v)).collect();
    let x = whole(op, g, &x, X::from_clamped(x_largest));
    let x = Rows::whole(X::ints(&x), &op.margins(g.input, g.output), g.input);
    let height = usize::from(g.output.height);
    let block_rows = op.block_rows(g.output);
    for (block, expected) in expected.chunks(block_rows * g.output.row_len()).enumerate() {
        let rows = block * block_rows..((block + 1) * block_rows).min(height);
        // Rows lie apart, with values between them that stay.
        let row_step = g.output.row_len() + 3;
        let mut y = vec![Y::from_clamped(1); rows.len() * row_step - 3];
        let mut output = IntOutput { values: Y::ints_mut(&mut y), row_step };
        if transposed {
            K::conv_transpose_rows_int(g, rows.clone(), &x, &params, &mut scratch, &mut output);
        } else {
            K::conv_rows_int(g, rows.clone(), &x, &params, &mut scratch, &mut output);
        }
        assert!(y.chunks(row_step).all(|row| row[g.output.row_len()..].iter().all(|&y| y == Y::from_clamped(1))));
        let y: Vec<Y> = y.chunks(row_step).flat_map(|row| &row[..g.output.row_len()]).copied().collect();
        assert_eq!(y, expected, "rows {rows:?} of {g:?}, transposed: {transposed}");
    }
}

/// Panics unless the real convolutions of `K` agree with their definition.
pub fn check_reals<K: Kernels>() {
    for_each_real_case(|g, transposed, seed| {
        check_real_type::<K, f32>(g, transposed, seed, |w| w);
        check_real_type::<K, f16>(g, transposed, seed, f16::from_f32);
    });
}

/// Panics unless the real convolutions of `K` give the bits of the reference: of kernels that round each product and each sum,
/// in order. Golden files hold those bits.
pub fn check_real_bits<K: Kernels>() {
    for_each_real_case(|g, transposed, seed| {
        let case = RealCase::<f32>::new(g, transposed, seed, |w| w);
        assert_eq!(case.rows::<K>(), case.rows::<Reference>(), "{g:?}, transposed: {transposed}");
        let case = RealCase::<f16>::new(g, transposed, seed, f16::from_f32);
        assert_eq!(case.rows::<K>(), case.rows::<Reference>(), "{g:?}, transposed: {transposed}, f16");
    });
}

fn for_each_real_case(check: impl Fn(&ConvGeometry, bool, u64)) {
    for transposed in [false, true] {
        (1..).zip(geometries(transposed)).for_each(|(seed, g)| check(&g, transposed, seed));
    }
}

fn check_real_type<K: Kernels, W: FloatWeight>(
    g: &ConvGeometry,
    transposed: bool,
    seed: u64,
    narrow: impl Fn(f32) -> W,
) {
    let case = RealCase::new(g, transposed, seed, narrow);
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let weights: Vec<f64> = case.weights.iter().map(|w| f64::from(w.to_f32())).collect();
    let sums = sums(g, transposed, &wide(&case.x), &weights, &wide(&case.bias));
    let scale = sums.iter().fold(1.0, |largest: f64, sum| largest.max(sum.abs()));
    for (at, (&y, &sum)) in case.rows::<K>().iter().zip(&sums).enumerate() {
        let error = (f64::from(y) - activate(case.activation, sum)).abs();
        assert!(error <= REAL_TOLERANCE * scale, "{y} for {sum} at {at} of {g:?}, transposed: {transposed}");
    }
}

/// A real-valued layer with its input.
struct RealCase<'g, W> {
    geometry: &'g ConvGeometry,
    transposed: bool,
    x: Vec<f32>,
    /// In natural order.
    weights: Vec<W>,
    bias: Vec<f32>,
    activation: Activation,
}

impl<'g, W: FloatWeight> RealCase<'g, W> {
    fn new(geometry: &'g ConvGeometry, transposed: bool, seed: u64, narrow: impl Fn(f32) -> W) -> Self {
        let mut random = Random::new(seed);
        let c_out = usize::from(geometry.output.channels);
        let fan_in = geometry.window.taps() * usize::from(geometry.input.channels);
        let x = random.reals(geometry.input.len());
        let weights = random.reals(c_out * fan_in).into_iter().map(narrow).collect();
        let bias = random.reals(c_out);
        let activation = [Activation::None, Activation::Relu, Activation::Tanh, Activation::Sigmoid][seed as usize % 4];
        Self { geometry, transposed, x, weights, bias, activation }
    }

    /// All output rows.
    fn rows<K: Kernels>(&self) -> Vec<f32> {
        let ConvGeometry { input, output, .. } = *self.geometry;
        let op = operation(self.geometry, self.transposed);
        let weights = packing::pack_float(op, input, output, &self.weights);
        let params = FloatParams { weights: &weights, bias: &self.bias, activation: self.activation };
        let x = whole(op, self.geometry, &self.x, f32::MAX);
        let x = Rows::whole(&*x, &op.margins(input, output), input);
        let mut y = vec![7.0; output.len()];
        for (row, y) in y.chunks_mut(output.row_len()).enumerate() {
            if self.transposed {
                K::conv_transpose_row_float(self.geometry, row, &x, &params, y);
            } else {
                K::conv_row_float(self.geometry, row, &x, &params, y);
            }
        }
        y
    }
}

fn activate(activation: Activation, sum: f64) -> f64 {
    match activation {
        Activation::None => sum,
        Activation::Relu => sum.max(0.0),
        Activation::Tanh => libm::tanh(sum),
        Activation::Sigmoid => 1.0 / (1.0 + libm::exp(-sum)),
    }
}

/// Panics unless the dense sums of `K` equal their definition.
pub fn check_dense<K: Kernels>() {
    for (seed, &n_in) in (1..).zip(&[1_usize, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 129, 600]) {
        for n_out in [1_usize, 2, 3, 5, 8, 17, 40] {
            let mut random = Random::new(seed);
            let (x, w, acc) = (
                random.ints(n_in, 0, 255),
                random.ints(n_in * n_out, -127, 127),
                random.ints(n_out, -1_000_000, 1_000_000),
            );
            let expected: Vec<i32> =
                (0..n_out).map(|o| acc[o] + x.iter().zip(&w[o * n_in..]).map(|(x, w)| x * w).sum::<i32>()).collect();
            let (input, output) = (Shape::flat(n_in as u16), Shape::flat(n_out as u16));
            let narrow: Vec<i8> = w.iter().map(|&w| w as i8).collect();
            let packed = packing::pack_int(Op::Dense, input, output, &narrow);
            let mut scratch = vec![u32::MAX; scratch_len(Op::Dense, input, Element::U8).div_ceil(4)];
            let mut sums = acc.clone();
            let bytes: Vec<u8> = x.iter().map(|&x| x as u8).collect();
            K::dense_accumulate_int(Ints::U8(&bytes), &packed, &mut scratch, &mut sums);
            assert_eq!(sums, expected, "{n_in} to {n_out}");
            let mut sums = acc.clone();
            let wide: Vec<i16> = x.iter().map(|&x| x as i16).collect();
            K::dense_accumulate_int(Ints::I16(&wide), &packed, &mut scratch, &mut sums);
            assert_eq!(sums, expected, "{n_in} to {n_out}, i16");

            let real = |values: &[i32]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
            let packed = packing::pack_float(Op::Dense, input, output, &real(&w));
            let mut sums = real(&acc);
            K::dense_accumulate_float(&real(&x), &packed, &mut sums);
            // These integers are exact in `f32`.
            assert_eq!(sums, real(&expected), "{n_in} to {n_out}, f32");
        }
    }
    for len in [1, 7, 16, 40, 48] {
        let mut random = Random::new(1);
        check_dense_outputs::<K>(&random.ints(len, -1_000_000, 1_000_000), &random.ints(len, -1000, 1000));
    }
}

/// Outputs of a dense layer, where `K` makes them, are those of [`IntParams::finish`].
fn check_dense_outputs<K: Kernels>(sums: &[i32], bias: &[i32]) {
    let multiplier: Vec<i32> = (1..=sums.len() as i32).map(|n| n << 16).collect();
    for channels in [1, sums.len()] {
        let params = IntParams {
            weights: &[],
            bias,
            acc_shift: 0,
            multiplier: &multiplier[..channels],
            post: [&[], &[]],
            activation: Activation::Relu,
            clamp: [0, 255],
        };
        let mut outputs = vec![0; sums.len()];
        if K::dense_finish_int(&params, sums, bias, &mut IntsMut::U8(&mut outputs)) {
            for (v, (&output, (sum, bias))) in outputs.iter().zip(sums.iter().zip(bias)).enumerate() {
                assert_eq!(
                    i32::from(output),
                    params.finish(v % channels, sum + bias),
                    "output {v} of {channels} channels"
                );
            }
        }
    }
}

/// Panics unless `K` widens every finite `f16` weight exactly, in a block of outputs and alone.
pub fn check_halves<K: Kernels>() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|half| half.is_finite()).collect();
    for weights in halves.chunks(16) {
        let mut sums = [0.0; 16];
        K::dense_accumulate_float(&[1.0], weights, &mut sums);
        for (weight, sum) in weights.iter().zip(&mut sums) {
            let mut alone = [0.0];
            K::dense_accumulate_float(&[1.0], &[*weight], &mut alone);
            assert_eq!([*sum, alone[0]], [weight.to_f32(); 2]);
        }
    }
}

fn operation(g: &ConvGeometry, transposed: bool) -> Op {
    if transposed { Op::ConvTranspose(g.window) } else { Op::Conv(g.window) }
}

fn element<X>() -> Element {
    if size_of::<X>() == 1 { Element::U8 } else { Element::I16 }
}

/// A whole input between zeros, and behind it values that must have no effect.
fn whole<X: bytemuck::Pod>(op: Op, g: &ConvGeometry, x: &[X], behind: X) -> Vec<X> {
    let margins = op.margins(g.input, g.output);
    let mut values = vec![X::zeroed(); margins.whole_len(g.input)];
    margins.surround(g.input, x, &mut values);
    values[margins.whole_len(g.input) - ROWS_SLACK..].fill(behind);
    values
}
