//! The only unsafe code of the crate: instructions that Rust has no safe function for. Each function has a portable twin in
//! another [`Tile`](super::tile::Tile), and conformance compares the two.
#![allow(unsafe_code)]

#[cfg(irmae_avx2)]
pub(super) mod avx2;
#[cfg(irmae_avx2)]
pub(super) mod avx512;
#[cfg(all(irmae_dsp, not(irmae_mve)))]
pub(super) mod dsp;
#[cfg(irmae_fpu)]
pub(super) mod fpu;
#[cfg(irmae_mve)]
pub(super) mod mve;
#[cfg(irmae_neon)]
pub(super) mod neon;
