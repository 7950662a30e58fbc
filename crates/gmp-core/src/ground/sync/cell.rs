//! `UnsafeCell` with the interface of loom's, so that code behind the seam reads the same in both worlds.

/// A cell whose content is reached by closures, which is how loom sees where an access begins and ends.
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Lets `access` write through the pointer. Whether it may is the caller's protocol.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
