//! Alignment for model bytes and buffers.

use core::ops::{Deref, DerefMut};

/// Holds `T` at an address that is a multiple of 16, as model bytes need.
///
/// ```
/// use irmae_infer::Aligned;
/// static BUFFER: Aligned<[u8; 64]> = Aligned([0; 64]);
/// assert_eq!(BUFFER.as_ptr() as usize % 16, 0);
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

impl<T> Deref for Aligned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The bytes of a model file, aligned: `include_bytes!` alone gives an alignment of 1.
///
/// ```ignore
/// static ENCODER: &[u8] = irmae_infer::include_model!("encoder.irmae");
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        static MODEL: $crate::Aligned<[u8; include_bytes!($path).len()]> = $crate::Aligned(*include_bytes!($path));
        &MODEL.0 as &[u8]
    }};
}
