//! `Parked`: the right to ready a parked goroutine, once. `waiting/ready.rs` says what readying does.

use super::G;
use super::join::Joiner;
use super::word::Wait;
use core::ptr::NonNull;

/// The right to ready one goroutine out of one wait. Given to a park's commit, to be put where the waker will find it.
///
/// It may be used from any thread, also after the wait has ended by its deadline: then it does nothing. Dropping it
/// readies the goroutine too: a lost token is a spurious wake, never a goroutine that sleeps for ever.
#[derive(Debug)]
#[doc(alias = "sudog")]
pub struct Parked {
    g: &'static G,
    wait: Wait,
}

impl Parked {
    #[inline]
    pub(crate) fn new(g: &'static G, wait: Wait) -> Self {
        Self { g, wait }
    }

    /// Whether the wait has ended without this token.
    #[inline]
    pub fn is_stale(&self) -> bool {
        !self.g.word.is_in(self.wait)
    }

    /// The token in two words, to be kept where they are not read as one.
    #[inline]
    pub fn into_raw(self) -> (NonNull<()>, u64) {
        let (g, wait) = self.into_parts();
        (NonNull::from(g).cast(), wait.into_raw())
    }

    /// The token out of its two words.
    ///
    /// # Safety
    /// [`Parked::into_raw`] gave them, and of what is made of them one is used or dropped at most.
    #[inline]
    pub unsafe fn from_raw(g: NonNull<()>, wait: u64) -> Self {
        // SAFETY: the caller says so, and records are never freed.
        Self { g: unsafe { g.cast().as_ref() }, wait: Wait::from_raw(wait) }
    }

    /// The token as a joiner that a goroutine's end tells.
    #[inline]
    pub(crate) fn into_joiner(self) -> Joiner {
        let (g, wait) = self.into_raw();
        Joiner::G(g, wait)
    }

    pub(crate) fn wait(&self) -> Wait {
        self.wait
    }

    pub(crate) fn g(&self) -> &'static G {
        self.g
    }

    #[inline]
    pub(crate) fn into_parts(self) -> (&'static G, Wait) {
        let parts = (self.g, self.wait);
        core::mem::forget(self);
        parts
    }
}
