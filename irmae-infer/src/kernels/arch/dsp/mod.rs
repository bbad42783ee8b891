//! Inner loops for cores with the Arm DSP extension (Cortex-M4, M7, M33): SMLAD multiplies two pairs of 16-bit lanes and adds.
//!
//! Loops are naked functions: they need 14 registers, and `asm!` gives out 12, since the compiler keeps r6 and r7 to itself.
//! Counted in executed instructions, for a half (two input values) of four pixels and two outputs, 16 multiplications: 12, of
//! which 8 multiply. A multiple load is one instruction, and on Cortex-M4 takes a cycle more than it loads words.

/// Functions that are all assembly do not get the instructions that `target-cpu` brings.
#[cfg(irmae_v8m)]
macro_rules! cpu {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(irmae_v8m))]
macro_rules! cpu {
    () => {
        ""
    };
}

mod columns;
mod panel;
mod pixel;
mod place;
mod row;

pub(in crate::kernels) use columns::{add_columns, expand_columns};
pub(in crate::kernels) use panel::{multiply_i16, multiply_u8};
pub(in crate::kernels) use pixel::multiply_pixel;
pub(in crate::kernels) use place::place_quads;
pub(in crate::kernels) use row::multiply_row;

/// Halves that can be summed before a sum of `q x` may leave 24 bits: `2 * 128 * 128 * 255 < 2^23`.
const MAX_HALVES_U8: usize = 128;
