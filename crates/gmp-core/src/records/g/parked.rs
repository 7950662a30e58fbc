//! `Parked`: the right to ready a parked goroutine, once.

use super::outsiders::Outsider;
use super::word::Wait;
use super::{G, Wake};
use crate::entering::current::{Current, Who, current};
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
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

    /// Makes the goroutine runnable: next on the caller's P if the caller is a goroutine of the same runtime, in the
    /// shared queue otherwise. Never suspends. `false`: the wait was over already.
    #[doc(alias = "goready")]
    #[inline]
    pub fn ready(self) -> bool {
        self.ready_as(Wake::Woken)
    }

    /// Whether the wait has ended without this token.
    #[inline]
    pub fn is_stale(&self) -> bool {
        !self.g.word.is_in(self.wait)
    }

    /// [`Parked::ready`] by a caller that has been looked up.
    #[inline]
    pub fn ready_by(self, who: Who) -> bool {
        let (g, wait) = self.into_parts();
        let Some(m) = who.goroutine().and_then(|caller| machine_of(caller, g)) else {
            return ready(g, wait, Wake::Woken);
        };
        let Some(runnable) = end(g, wait, Wake::Woken) else { return false };
        m.rt().ready_near(m, runnable);
        true
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

    pub(crate) fn ready_as(self, wake: Wake) -> bool {
        let (g, wait) = self.into_parts();
        ready(g, wait, wake)
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

impl Drop for Parked {
    fn drop(&mut self) {
        ready(self.g, self.wait, Wake::Woken);
    }
}

/// Ends `wait` and queues the goroutine. `false`: it was over already.
pub(crate) fn ready(g: &'static G, wait: Wait, wake: Wake) -> bool {
    // Asked before the wait is ended: until then the answer may be wrong, but then the wait is over.
    let Some(m) = machine_beside(g) else { return ready_from_afar(g, wait, wake) };
    let Some(runnable) = end(g, wait, wake) else { return false };
    g.header().runtime().ready_near(m, runnable);
    true
}

/// [`ready`] by a plain thread or out of another runtime.
#[cold]
fn ready_from_afar(g: &'static G, wait: Wait, wake: Wake) -> bool {
    let _outsider = Outsider::enter(g.rt.get());
    let Some(runnable) = end(g, wait, wake) else { return false };
    g.header().runtime().ready_far(runnable);
    true
}

#[inline(always)]
fn end(g: &'static G, wait: Wait, wake: Wake) -> Option<Runnable> {
    if !g.word.to_ready(wait) {
        return None;
    }
    g.wake.set(wake);
    // SAFETY: the wait was ours to end, so this is the only Runnable for it.
    Some(unsafe { Runnable::new(g) })
}

/// The calling thread's M, if it is one of the runtime that `g` lives in, and so keeps it alive.
#[inline(always)]
pub(crate) fn machine_beside<'a>(g: &G) -> Option<&'a M> {
    match current() {
        Current::G(caller) => machine_of(caller, g),
        Current::Scheduler(m) => {
            // SAFETY: as above.
            let m = unsafe { &*m };
            core::ptr::eq(m.rt().header(), g.rt.get()).then_some(m)
        }
        Current::Plain => None,
    }
}

#[inline(always)]
fn machine_of<'a>(caller: &G, g: &G) -> Option<&'a M> {
    // SAFETY: the M that runs the caller is our own thread's, and lives.
    core::ptr::eq(caller.rt.get(), g.rt.get()).then(|| unsafe { &*caller.m.get() })
}
