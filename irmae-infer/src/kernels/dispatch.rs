//! The choice of kernels on CPUs of which some have more instructions than others.

use core::ops::Range;

use super::Kernels;
#[cfg(irmae_neon)]
use super::neon::{Neon as Plain, NeonDot as Fast};
use super::params::{FloatParams, FloatWeight, IntParams};
use super::rows::{ConvGeometry, IntOutput, Ints, IntsMut, Rows};
#[cfg(irmae_avx2)]
use super::{Portable as Plain, avx2::Avx2 as Fast, avx512::Avx512 as Faster};

/// The fastest kernels for the CPU that the program runs on: with the feature `std` it asks the CPU, else the target's features
/// decide.
#[derive(Debug, Clone, Copy)]
pub struct Best;

/// Methods that go to the fastest kernels that the CPU can run.
macro_rules! dispatch {
    ($(fn $name:ident$(<$generic:ident: $bound:ident>)?($($argument:ident: $type:ty),+ $(,)?) $(-> $output:ty)?;)+) => {$(
        #[inline]
        fn $name$(<$generic: $bound>)?($($argument: $type),+) $(-> $output)? {
            #[cfg(irmae_avx2)]
            if Faster::is_available() {
                return Faster::$name($($argument),+);
            }
            if Fast::is_available() { Fast::$name($($argument),+) } else { Plain::$name($($argument),+) }
        }
    )+};
}

impl Kernels for Best {
    dispatch! {
        fn conv_rows_int(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<Ints<'_>>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut IntOutput<'_>,
        );
        fn conv_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<&[f32]>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        );
        fn conv_transpose_rows_int(
            geometry: &ConvGeometry,
            out_rows: Range<usize>,
            x: &Rows<Ints<'_>>,
            params: &IntParams<'_>,
            scratch: &mut [u32],
            y: &mut IntOutput<'_>,
        );
        fn conv_transpose_row_float<W: FloatWeight>(
            geometry: &ConvGeometry,
            out_row: usize,
            x: &Rows<&[f32]>,
            params: &FloatParams<'_, W>,
            y: &mut [f32],
        );
        fn dense_accumulate_int(x: Ints<'_>, weights: &[u32], scratch: &mut [u32], acc: &mut [i32]);
        fn dense_finish_int(params: &IntParams<'_>, sums: &[i32], bias: &[i32], y: &mut IntsMut<'_>) -> bool;
        fn dense_accumulate_float<W: FloatWeight>(x: &[f32], weights: &[W], acc: &mut [f32]);
    }
}

#[cfg(test)]
super::conformance::conformance!(Best);
