//! Inner loops for x86-64 with AVX-512: F, BW, VL and VNNI.
//!
//! The functions that other modules see are safe to call where [`is_available`]; kernels are chosen by that.

pub(in crate::kernels) mod columns;
pub(in crate::kernels) mod float;
pub(in crate::kernels) mod pixel;
pub(in crate::kernels) mod rows;
pub(in crate::kernels) mod store;

use super::avx2;

/// Whether this CPU has the instructions.
#[cfg(any(test, feature = "std"))]
#[inline]
pub(in crate::kernels) fn is_available() -> bool {
    avx2::is_available()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

/// Whether this program is for CPUs that have the instructions.
#[cfg(not(any(test, feature = "std")))]
pub(in crate::kernels) const fn is_available() -> bool {
    avx2::is_available()
        && cfg!(all(
            target_feature = "avx512f",
            target_feature = "avx512bw",
            target_feature = "avx512vl",
            target_feature = "avx512vnni"
        ))
}
