//! Commit: the end of a park, when the goroutine is off its stack: its wait begins, and its token goes to the waker. g0
//! does it, or the goroutine to which the parked one hopped.

use crate::contract::Config;
use crate::ground::event::EventKind;
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Wait;
use crate::records::g::{G, Wake};
use crate::records::m::{M, ParkRequest};
use crate::shared::sched::Sched;
use core::ptr;

impl<C: Config> Sched<C> {
    /// Makes `g`, which left its stack on `m`, for `next` or for g0, wait. Returns the wait, and whether it stands; if it
    /// does not, the caller has to end it.
    ///
    /// # Safety
    /// Called on `m`'s thread, off the stack of `g`; `request` is what `g` left its stack with.
    #[inline(always)]
    pub(crate) unsafe fn commit_park(
        &self,
        m: &M,
        g: &'static G,
        next: Option<&G>,
        request: ParkRequest,
    ) -> (Wait, bool) {
        g.reason.set(request.reason);
        g.since.set(self.header.coarse_now());
        match next {
            Some(next) if self.header.events.is_on() => self.send_hop_of_parked(g, next, m),
            Some(_) => {}
            None => self.emit(EventKind::GoBlock, g, Some(m), 0),
        }
        m.set_parking(g);
        let wait = g.word.to_waiting();
        // SAFETY: `park_inside` made the request on the goroutine's stack, which nobody else uses before the token
        // that we hand over here.
        let called_off = unsafe { (request.commit)(request.data, Parked::new(g, wait)) };
        m.set_parking(ptr::null());
        let Some(parked) = called_off else { return (wait, true) };
        let (resumed, its_wait) = parked.into_parts();
        if !ptr::eq(resumed, g) || its_wait != wait {
            refuse_resume(g, resumed);
        }
        (wait, false)
    }
}

/// A commit gave back a token that is not the one it was given: of another goroutine, or of an earlier wait.
#[cold]
fn refuse_resume(g: &G, resumed: &G) -> ! {
    crate::fatal!(
        "a park is called off by its own token",
        "goroutine {} gave back a token of goroutine {}",
        g.title(),
        resumed.title()
    );
}

impl<C: Config> Sched<C> {
    /// Makes the park of `hopped`, which left its stack for `g`, the caller on `m`.
    ///
    /// # Safety
    /// Called on `m`'s thread, before anything else, by the goroutine that `m` is to run.
    #[inline(always)]
    pub(super) unsafe fn commit_for(&self, m: &M, g: &G, hopped: &'static G) {
        // SAFETY: it is off its stack, and has asked for this.
        let (wait, stays) = unsafe { self.commit_park(m, hopped, Some(g), m.park.get()) };
        m.set_running(g);
        if !stays && hopped.word.to_ready(wait) {
            // Another goroutine runs in its place already, so it comes next.
            hopped.wake.set(Wake::Woken);
            // SAFETY: the wait was ours to end, so this is the only Runnable for it.
            self.ready(m, unsafe { Runnable::new(hopped) });
        }
    }
}
