//! Inner loops for x86-64 with AVX2, FMA and F16C.
//!
//! The functions that other modules see are safe to call where [`is_available`]; kernels are chosen by that.

pub(in crate::kernels) mod columns;
pub(in crate::kernels) mod float;
pub(in crate::kernels) mod int;
pub(in crate::kernels) mod place;
pub(in crate::kernels) mod store;

/// Whether this CPU has the instructions.
#[cfg(any(test, feature = "std"))]
pub(in crate::kernels) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// Whether this program is for CPUs that have the instructions.
#[cfg(not(any(test, feature = "std")))]
pub(in crate::kernels) const fn is_available() -> bool {
    cfg!(all(target_feature = "avx2", target_feature = "fma", target_feature = "f16c"))
}
