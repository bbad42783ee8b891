//! Kernels for x86-64 with AVX2, FMA and F16C: Haswell and Zen, and later.

use core::ops::Range;

use super::arch::avx2 as arch;
use super::float;
use super::float_tile::{FloatTile, Patches};
use super::packing::FLOAT_BLOCK;
use super::params::{ConvGeometry, FloatParams, FloatWeight, IntParams, Integer, Rows};
use super::portable::PortableTile;
use super::{Kernels, lower};

/// Kernels for x86-64 with AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

impl Avx2 {
    /// Whether this CPU can run them. [`Best`](super::Best) asks; nothing else leads here.
    #[inline]
    pub(super) fn is_available() -> bool {
        arch::is_available()
    }
}

impl Kernels for Avx2 {
    lower::lowered!(PortableTile);
    float::real!(Avx2Tile);
}

pub(super) struct Avx2Tile;

impl FloatTile for Avx2Tile {
    fn multiply<W: FloatWeight>(x: &Patches<'_>, weights: &[[W; FLOAT_BLOCK]], y: &mut [f32], step: usize) {
        arch::multiply(x, weights, y, step);
    }

    fn multiply_singles<W: FloatWeight>(x: &Patches<'_>, weights: &[W], y: &mut [f32], step: usize) {
        arch::multiply_singles(x, weights, y, step);
    }
}
