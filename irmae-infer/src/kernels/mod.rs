//! The arithmetic of the layers, a block of output rows at a time.
//!
//! [`Kernels`] has a readable body for every operation: the [`Reference`], which is the specification. A faster
//! implementation overrides what it speeds up and nothing else; `conformance!(ItsName)` declares its tests.
//!
//! | implementation | for | `i8` weights | `f32` and `f16` weights |
//! |---|---|---|---|
//! | [`Portable`] | any core | two pixels by two outputs | blocks of eight outputs |
//! | `Paired` | Cortex-M0, M0+ | two pixels by one multiplication | as `Portable` |
//! | `Mve` | Cortex-M52, M55, M85 | four pixels by two outputs, by VMLADAVA | as `Portable`, `f16` widened by the FPU |
//! | `Dsp` | Cortex-M4, M7, M33 | four pixels by two outputs, by SMLAD | as `Portable`, `f16` widened by the FPU where there is one |
//! | `Neon`, by [`Best`] | aarch64 | four pixels by four outputs, by UMULL and UADALP, or by UDOT where there is that | blocks of 16 outputs by four pixels |
//! | `Avx2`, by [`Best`] | x86-64 that has AVX2, FMA and F16C | eight pixels by eight outputs, by VPMADDWD | blocks of 16 outputs by four pixels |
//! | `Avx512`, by [`Best`] | those that have AVX-512 F, BW, VL and VNNI as well | eight pixels by 16 outputs, by VPDPBUSD, inputs read as they lie | blocks of 32 outputs by eight pixels |
//!
//! `i8` results are equal to the bit for every implementation and target. So are `f32` and `f16` results of kernels that round each
//! product and each sum, in order: the reference and all for microcontrollers. Those of AVX2, AVX-512 and NEON agree to rounding.

use core::ops::Range;

use crate::layer::Op;

#[cfg(any(irmae_dsp, irmae_mve, irmae_avx2, irmae_neon))]
mod arch;
#[cfg(irmae_avx2)]
mod avx2;
#[cfg(irmae_avx2)]
mod avx512;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(irmae_avx2, irmae_neon))]
mod dispatch;
#[cfg(all(irmae_dsp, not(irmae_mve)))]
mod dsp;
mod float;
#[cfg(any(irmae_avx2, irmae_neon))]
mod float_groups;
mod float_tile;
#[cfg(irmae_fpu)]
mod fpu;
#[cfg(any(irmae_avx2, irmae_neon))]
mod linear;
mod lower;
#[cfg(irmae_mve)]
mod mve;
#[cfg(irmae_neon)]
mod neon;
pub(crate) mod packing;
#[cfg(any(test, irmae_v6m))]
mod paired;
mod params;
mod patches;
mod portable;
mod product;
mod reference;
mod rows;
mod tile;

#[cfg(all(irmae_dsp, not(irmae_mve)))]
pub use dsp::Dsp;
#[cfg(irmae_mve)]
pub use mve::Mve;
pub use packing::{int_weights_len, scratch_len};
#[cfg(any(test, feature = "std", feature = "conformance"))]
pub use packing::{pack_float, pack_int};
#[cfg(any(test, irmae_v6m))]
pub use paired::Paired;
pub use params::{FloatParams, FloatWeight, IntParams};
pub use portable::Portable;
pub use rows::{ConvGeometry, IntOutput, Integer, Ints, IntsMut, Rows};

/// Row kernels. `Rows` holds the input rows that are in memory, between zeros.
///
/// Shapes: an input row is `[in_width][in_channels]`, an output row `[out_width][out_channels]`; weights lie in the order of
/// the [specification](crate::specification). `scratch` has [`scratch_len`] bytes. All lengths have been checked when the model
/// was loaded.
pub trait Kernels {
    /// Rows `out_rows` of a convolution in integers:
    /// `y[p, q, o] = requantize(b[o] + sum_ijc w[o, i, j, c] x[p s - pad + i, q s - pad + j, c])`.
    fn conv_rows_int(
        geometry: &ConvGeometry,
        out_rows: Range<usize>,
        x: &Rows<Ints<'_>>,
        params: &IntParams<'_>,
        _scratch: &mut [u32],
        y: &mut IntOutput<'_>,
    ) {
        reference::int_rows(Op::Conv(geometry.window), geometry, out_rows, x, params, y);
    }

    /// Row `out_row` of a convolution in real numbers; weights are brought to `f32` before they are multiplied.
    fn conv_row_float<W: FloatWeight>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<&[f32]>,
        params: &FloatParams<'_, W>,
        y: &mut [f32],
    ) {
        reference::float_row(Op::Conv(geometry.window), geometry, out_row, x, params, y);
    }

    /// Rows `out_rows` of a transposed convolution in integers. Tap `(i, j)` reaches output `(p s - pad + i, q s - pad + j)`
    /// from input `(p, q)`; only the taps that do are visited.
    fn conv_transpose_rows_int(
        geometry: &ConvGeometry,
        out_rows: Range<usize>,
        x: &Rows<Ints<'_>>,
        params: &IntParams<'_>,
        _scratch: &mut [u32],
        y: &mut IntOutput<'_>,
    ) {
        reference::int_rows(Op::ConvTranspose(geometry.window), geometry, out_rows, x, params, y);
    }

    /// Row `out_row` of a transposed convolution in real numbers.
    fn conv_transpose_row_float<W: FloatWeight>(
        geometry: &ConvGeometry,
        out_row: usize,
        x: &Rows<&[f32]>,
        params: &FloatParams<'_, W>,
        y: &mut [f32],
    ) {
        reference::float_row(Op::ConvTranspose(geometry.window), geometry, out_row, x, params, y);
    }

    /// One input row's share of one output row of a dense layer in integers: `acc[v] += sum_k w[v, k] x[k]`.
    fn dense_accumulate_int(x: Ints<'_>, weights: &[u32], _scratch: &mut [u32], acc: &mut [i32]) {
        match x {
            Ints::U8(x) => reference::dense_accumulate_int(x, weights, acc),
            Ints::I16(x) => reference::dense_accumulate_int(x, weights, acc),
        }
    }

    /// Outputs of one row of a dense layer from its sums, `y[v] = requantize(b[v] + acc[v])`, channels in turn. False, and nothing
    /// done, where that is left to the caller.
    fn dense_finish_int(_params: &IntParams<'_>, _sums: &[i32], _bias: &[i32], _y: &mut IntsMut<'_>) -> bool {
        false
    }

    /// One input row's share of one output row of a dense layer in real numbers.
    fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]) {
        reference::dense_accumulate_float(x, weights, acc);
    }
}

/// The readable kernels, by which all others are measured.
#[derive(Debug, Clone, Copy)]
pub struct Reference;

impl Kernels for Reference {}

#[cfg(test)]
conformance::conformance!(Reference);

/// The fastest kernels for this target.
#[cfg(irmae_mve)]
pub type Best = Mve;
/// The fastest kernels for this target.
#[cfg(all(irmae_dsp, not(irmae_mve)))]
pub type Best = Dsp;
/// The fastest kernels for this target.
#[cfg(irmae_v6m)]
pub type Best = Paired;
/// The fastest kernels for this target.
#[cfg(any(irmae_avx2, irmae_neon))]
pub use dispatch::Best;
/// The fastest kernels for this target.
#[cfg(not(any(irmae_dsp, irmae_mve, irmae_v6m, irmae_avx2, irmae_neon)))]
pub type Best = Portable;
