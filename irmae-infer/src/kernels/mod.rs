//! The arithmetic of the layers, an output row at a time.
//!
//! [`Kernels`] has a readable body for every operation: the [`Reference`], which is the specification. A faster
//! implementation overrides what it speeds up and nothing else; `conformance!(ItsName)` declares its tests.
//!
//! | operation | `f32` weights | `f16` weights | `i8` weights |
//! |---|---|---|---|
//! | convolution | reference | reference | reference |
//! | transposed convolution | reference | reference | reference |
//! | dense | reference | reference | reference |
//!
//! `i8` results are equal to the bit for every implementation and target; `f32` and `f16` results agree to rounding.

#[cfg(test)]
pub(crate) mod conformance;
mod params;
mod reference;

pub use params::{ConvGeometry, FloatParams, FloatWeight, IntParams, Integer, Rows};

/// Row kernels. `Rows` holds the input rows that are in memory; rows outside the input are padding.
///
/// Shapes: an input row is `[in_width][in_channels]`, an output row `[out_width][out_channels]`, weights
/// `[out_channels][kernel_height][kernel_width][in_channels]`, for a dense layer `[out][in]`.
/// All lengths have been checked when the model was loaded.
pub trait Kernels {
    /// Row `out_row` of a convolution in integers:
    /// `y[q, o] = requantize(b[o] + sum_ijc w[o, i, j, c] x[out_row s - pad + i, q s - pad + j, c])`.
    fn conv_row_int<X: Integer, Y: Integer>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        y: &mut [Y],
    ) {
        reference::conv_row(geometry, out_row, x, params.weights, &params.arithmetic(), y);
    }

    /// Row `out_row` of a convolution in real numbers; weights are brought to `f32` before they are multiplied.
    fn conv_row_float<W: FloatWeight>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<'_, f32>,
        params: &FloatParams<'_, W>,
        y: &mut [f32],
    ) {
        reference::conv_row(geometry, out_row, x, params.weights, &params.arithmetic(), y);
    }

    /// Row `out_row` of a transposed convolution in integers. Tap `(i, j)` reaches output `(p s - pad + i, q s - pad + j)`
    /// from input `(p, q)`; only the taps that do are visited.
    fn conv_transpose_row_int<X: Integer, Y: Integer>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<'_, X>,
        params: &IntParams<'_>,
        y: &mut [Y],
    ) {
        reference::conv_transpose_row(geometry, out_row, x, params.weights, &params.arithmetic(), y);
    }

    /// Row `out_row` of a transposed convolution in real numbers.
    fn conv_transpose_row_float<W: FloatWeight>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<'_, f32>,
        params: &FloatParams<'_, W>,
        y: &mut [f32],
    ) {
        reference::conv_transpose_row(geometry, out_row, x, params.weights, &params.arithmetic(), y);
    }

    /// One input row's share of a dense layer in integers: `acc[o] += sum_i w[o * stride + i] x[i]`.
    fn dense_accumulate_int<X: Integer>(x: &[X], weights: &[i8], stride: usize, acc: &mut [i32]) {
        reference::dense_accumulate(x, weights, stride, acc, |acc, x, w| acc + x.to_i32() * i32::from(w));
    }

    /// One input row's share of a dense layer in real numbers.
    fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], stride: usize, acc: &mut [f32]) {
        reference::dense_accumulate(x, weights, stride, acc, |acc, x, w: W| acc + x * w.to_f32());
    }
}

/// The readable kernels, by which all others are measured.
#[derive(Debug, Clone, Copy)]
pub struct Reference;

impl Kernels for Reference {}

#[cfg(test)]
conformance::conformance!(Reference);

/// The fastest kernels for this target.
pub type Best = Reference;
