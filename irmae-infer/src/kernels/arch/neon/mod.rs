//! Inner loops for aarch64: NEON, which every such CPU has but for rare targets, and the dot-product extension, which
//! Cortex-A53 and A72 lack and later cores have.
//!
//! `DOT` says that the extension is used. The functions that other modules see are safe to call with it where
//! [`has_dot_products`]; kernels are chosen by that. Its intrinsics are not stable, so there is inline assembly.

pub(in crate::kernels) mod columns;
pub(in crate::kernels) mod float;
pub(in crate::kernels) mod int;
pub(in crate::kernels) mod place;
pub(in crate::kernels) mod store;

/// Whether this CPU has the instructions.
#[cfg(any(test, feature = "std"))]
pub(in crate::kernels) fn has_dot_products() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

/// Whether this program is for CPUs that have the instructions.
#[cfg(not(any(test, feature = "std")))]
pub(in crate::kernels) const fn has_dot_products() -> bool {
    cfg!(target_feature = "dotprod")
}
