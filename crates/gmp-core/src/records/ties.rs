//! Ties: what a goroutine's record points up to. The record keeps addresses, since M and runtime stand above it and point
//! down to it; here they get their types back.

use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::{Status, Wait};
use crate::records::m::{Header, M};
use crate::records::outsiders::Outsider;

impl G {
    /// The M that runs it, or ran it last.
    #[inline(always)]
    pub(crate) fn m(&self) -> *const M {
        self.m.get().cast()
    }

    #[inline(always)]
    pub(crate) fn set_m(&self, m: *const M) {
        self.m.set(m.cast());
    }

    /// The M that this goroutine is locked or pinned to; null for none.
    #[inline(always)]
    pub(crate) fn home(&self) -> *const M {
        self.home.get().cast()
    }

    #[inline(always)]
    pub(crate) fn set_home(&self, m: *const M) {
        self.home.set(m.cast());
    }

    /// Whether it lives in the runtime of this header.
    #[inline(always)]
    pub(crate) fn is_of(&self, header: &Header) -> bool {
        core::ptr::eq(self.rt.get(), core::ptr::from_ref(header).cast())
    }

    /// What it is doing, for a look at all records; `None` if it does not live in the runtime of this header.
    pub(crate) fn status_in(&self, header: &Header) -> Option<Status> {
        self.rt.status(&self.word, core::ptr::from_ref(header).cast())
    }

    /// The wait that it is in, for a look at all records; `None` if it does not live in the runtime of this header.
    pub(crate) fn wait_in(&self, header: &Header) -> Option<Wait> {
        self.rt.wait(&self.word, core::ptr::from_ref(header).cast())
    }

    /// Whether it lives in the runtime of another goroutine.
    #[inline(always)]
    pub(crate) fn is_beside(&self, other: &G) -> bool {
        core::ptr::eq(self.rt.get(), other.rt.get())
    }

    #[inline(always)]
    pub(crate) fn set_header(&self, header: &Header) {
        self.rt.set(core::ptr::from_ref(header).cast());
    }

    /// Where its runtime is, or was.
    #[inline]
    pub(crate) fn runtime_address(&self) -> *const () {
        self.rt.get()
    }

    /// Its runtime goes, and the record stays with whoever has its `Runnable`.
    pub(crate) fn outlive_runtime(&self) {
        self.rt.set(core::ptr::null());
    }

    /// The runtime this goroutine lives in.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: set at spawn, and a runtime outlives every goroutine that has not ended (see `rt`).
        unsafe { &*self.rt.get().cast() }
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        let g = self.g();
        let runtime = g.rt.get();
        let _outsider = Outsider::enter(runtime);
        // Asked anew: a runtime that goes takes itself out of the record, and then waits for outsiders.
        if runtime.is_null() || !core::ptr::eq(g.rt.get(), runtime) {
            // It was kept for longer than its runtime lived, and abandoned with that (`disown_what_is_kept`).
            return;
        }
        if g.header().is_closing() {
            // Nothing would run it any more: leaked, and counted by `abandon_the_rest`.
            return;
        }
        crate::fatal!(
            "a policy gives back every goroutine it was given",
            "policy {} dropped goroutine {} (created at {})",
            g.header().policy,
            g.title(),
            g.created_at.get()
        );
    }
}
