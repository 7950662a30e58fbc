//! `Runnable`: the one right to run a goroutine.

use super::G;
use crate::contract::{Link, Token};
use core::ptr::NonNull;

/// The one right to run a goroutine; exists exactly while the goroutine is Runnable. It cannot be copied or made by
/// safe code, and dropping one aborts the process with the goroutine's number and the policy's name: a policy can be
/// slow or unfair, it cannot lose a goroutine silently. One that is kept for longer than its runtime lives is worth
/// nothing: dropping it then does nothing, and queueing it in another runtime aborts likewise.
#[doc(alias = "guintptr")]
pub struct Runnable(NonNull<G>);

// SAFETY: the right may go to any thread; pinned goroutines never get into one that strays (see `pinned`).
unsafe impl Send for Runnable {}

impl Runnable {
    /// The right to run `g`.
    ///
    /// # Safety
    /// `g` has just become Runnable, and this is the only `Runnable` made for that.
    #[inline]
    pub(crate) unsafe fn new(g: &'static G) -> Self {
        Self(NonNull::from(g))
    }

    /// The goroutine.
    #[inline]
    pub(crate) fn g(&self) -> &'static G {
        // SAFETY: records are type-stable: never freed.
        unsafe { self.0.as_ref() }
    }

    /// Uses the right up.
    #[inline]
    pub(crate) fn into_g(self) -> &'static G {
        let g = self.g();
        core::mem::forget(self);
        g
    }
}

// SAFETY: T1: the link is the record's first field, so its address is the record's; T2: records are never freed, and
// the holder of a Runnable is the only one to use the link; T3: records are 64-aligned.
unsafe impl Token for Runnable {
    fn number(&self) -> u64 {
        self.g().number.get()
    }

    #[inline]
    fn into_raw(self) -> NonNull<Link> {
        NonNull::from(self.into_g()).cast()
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<Link>) -> Self {
        Self(raw.cast())
    }
}

impl core::fmt::Debug for Runnable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Runnable({})", self.number())
    }
}
