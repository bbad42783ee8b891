//! A memory-mapped register.

/// A register of type `T`.
#[derive(Clone, Copy)]
pub(super) struct Register<T>(*mut T);

impl<T: Copy> Register<T> {
    /// The register at `address`.
    ///
    /// # Safety
    /// There is one of this type, and reading and writing it has no effect on memory that Rust knows of.
    pub(super) const unsafe fn at(address: usize) -> Self {
        Self(address as *mut T)
    }

    /// Reads it.
    pub(super) fn read(&self) -> T {
        // SAFETY: promised by the caller of `at`.
        unsafe { self.0.read_volatile() }
    }

    /// Writes it.
    pub(super) fn write(&mut self, value: T) {
        // SAFETY: promised by the caller of `at`.
        unsafe { self.0.write_volatile(value) }
    }
}
