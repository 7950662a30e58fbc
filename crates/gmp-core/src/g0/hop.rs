//! Hop: from a goroutine that parks or yields straight to the next one, without a stop at g0.
//!
//! ```text
//!   goroutine A                          goroutine B, of the same P
//!   ───────────                          ──────────────────────────
//!   park or yield: nothing but the queue to see to?
//!   pop B, B's word: Runnable → Running
//!   m.hopped = A ───────── switch ─────► set the slot
//!                                        park:  A's word: Running → Waiting; A's commit gets a Parked
//!                                        yield: A's word: Running → Runnable; A is queued
//!                                        m.running = B; goes on
//! ```
//!
//! **Invariant.** As on the way by g0, what lets others run a goroutine (its token, its place in a queue) exists only
//! after the goroutine is off its stack. B makes A's park, or queues A, before anything else, on B's own stack. The
//! order of goroutines is g0's, too: a hop is made only where g0 would do nothing but pop this queue and run what comes
//! out. Everything else that is to be seen to, or may be, is left to g0. What was popped and cannot be run from here
//! (it has a home, or it has no stack yet and the P no spare one) stays in the M's hand for g0.
//!
//! For a yield, g0 would first queue A and then look for B. So B is what the P's own queue gives; where that is empty,
//! the head of the shared queue, which the holder of the only P can foresee; and where that is empty too, A itself.
//! What comes behind B in the shared queue's batch goes to the P's own queue, and so does A if the batch would have
//! reached it.
//!
//! **The danger** is the moment between, when both words, A's and B's, say Running. Only this M may change either, and
//! to those who look at this M it is in the scheduler until B has arrived (no goroutine in `m.running`): a closing
//! runtime waits for that, and then finds A waiting or queued.
//!
//! Go goes by way of g0 each time: `park_m`, `gosched_m`, `schedule` (proc.go, Go 1.27).

use crate::contract::{Config, Policy, Popped, Switch};
use crate::g0::arrive::arrive;
use crate::g0::carry;
use crate::g0::switch::{leave_stack, next_context};
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::hopped::Errand;
use crate::records::m::{Leave, M};
use crate::records::p::PCore;
use crate::records::p::timers::NEVER;
use crate::records::recorder::kind;
use crate::shared::sched::Sched;
use core::ptr;

/// Which goroutine runs after a yield.
enum Next {
    /// Another goroutine, where the caller is to be queued, and how many were taken from the shared queue for this.
    Other(&'static G, Errand, usize),
    /// The caller itself: no other goroutine is queued anywhere.
    Itself,
    /// This side cannot tell: g0 has to find out.
    Unknown,
}

impl<C: Config> Sched<C> {
    /// See [`AnyRuntime::hop`](crate::records::rt::AnyRuntime::hop).
    ///
    /// # Safety
    /// The same as there.
    #[inline(always)]
    pub(crate) unsafe fn park_from(&self, g: &'static G) {
        // SAFETY: the M that runs the caller lives.
        let m = unsafe { &*g.m() };
        m.set_running(ptr::null());
        let by_g0 = self.header.events.is_on() && self.tells_sinks();
        let Some(next) = (if by_g0 { None } else { self.next_at_hand(m) }) else {
            m.set_running(g);
            m.leave.set(Leave::Park);
            // SAFETY: as the caller promises, and the reason is set.
            return unsafe { leave_stack::<C>(g) };
        };
        // SAFETY: as the caller promises; `next` was taken from the queue for this.
        unsafe { self.hop(m, g, next, Errand::Park) };
    }

    /// See [`AnyRuntime::hop_to_yield`](crate::records::rt::AnyRuntime::hop_to_yield).
    ///
    /// # Safety
    /// The same as there.
    #[inline(always)]
    pub(crate) unsafe fn yield_from(&self, g: &'static G) {
        if self.header.events.is_on() {
            // SAFETY: as the caller promises.
            return unsafe { self.yield_observed(g) };
        }
        // SAFETY: as the caller promises.
        unsafe { self.yield_as::<false>(g) };
    }

    /// [`Sched::yield_from`] where events are recorded, or told to a sink.
    ///
    /// # Safety
    /// The same as there.
    #[cold]
    #[inline(never)]
    unsafe fn yield_observed(&self, g: &'static G) {
        if self.tells_sinks() {
            // SAFETY: as the caller promises.
            return unsafe { leave_stack::<C>(g) };
        }
        // SAFETY: as the caller promises.
        unsafe { self.yield_as::<true>(g) };
    }

    /// # Safety
    /// As for [`Sched::yield_from`].
    #[inline(always)]
    unsafe fn yield_as<const RECORDED: bool>(&self, g: &'static G) {
        // SAFETY: the M that runs the caller lives.
        let m = unsafe { &*g.m() };
        m.set_running(ptr::null());
        match self.next_for_a_yield(m, g) {
            Next::Other(next, errand, took) => {
                if RECORDED {
                    self.record_hop(kind::HOP_YIELD, g.number.get(), next, m, took);
                }
                // SAFETY: as the caller promises; `next` was taken from a queue for this.
                unsafe { self.hop(m, g, next, errand) };
            }
            Next::Itself => m.set_running(g),
            Next::Unknown => {
                m.set_running(g);
                // SAFETY: as the caller promises.
                unsafe { leave_stack::<C>(g) };
            }
        }
    }

    /// Leaves the stack of `g` for `next`, which does the errand of `g`.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `m`; the caller had the only `Runnable` of `next`, which has run.
    #[inline(always)]
    unsafe fn hop(&self, m: &M, g: &'static G, next: &'static G, errand: Errand) {
        m.hopped.set(g, errand);
        next.set_m(m);
        next.word.to_running();
        // SAFETY: C1: `next` was suspended by a switch, and we hold its only `Runnable`; our own context is saved in our
        // record.
        unsafe { C::Switch::switch(g.context.as_ptr(), next.context.get(), carry(next)) };
        // SAFETY: the switch has just come back.
        unsafe { arrive::<C>(g) };
    }

    /// The goroutine that g0 would run now, if it can be switched to from here.
    #[inline(always)]
    fn next_at_hand(&self, m: &M) -> Option<&'static G> {
        let p = self.p_to_hop_on(m)?;
        // SAFETY: we are on this M's thread, and it holds a P.
        let popped = unsafe { self.pop_local(m) }?;
        self.keep_or_run(m, p, popped, |next| self.starts_on_a_spare(m, next))
    }

    /// The goroutine that runs if the calling goroutine `g` yields in the way that `m.leave` says.
    #[inline(always)]
    fn next_for_a_yield(&self, m: &M, g: &'static G) -> Next {
        if g.is_inboxed() {
            return Next::Unknown;
        }
        let Some(p) = self.p_to_hop_on(m) else { return Next::Unknown };
        let to_local = m.leave.get() == Leave::YieldLocal;
        if !to_local && p.slice.tick().is_multiple_of(<C::Policy as Policy>::RULES.shared_tick) {
            // The shared queue comes first in this slice, and the caller would be in it.
            return Next::Unknown;
        }
        // SAFETY: we are on this M's thread, and it holds a P.
        if let Some(popped) = unsafe { self.pop_local(m) } {
            let errand = if to_local { Errand::ToLocal } else { Errand::ToShared };
            return self.hop_to_popped(m, p, popped, errand, 0);
        }
        // SAFETY: as above.
        let queues = unsafe { self.queues() };
        if !queues.of_only_p() {
            return Next::Unknown;
        }
        if to_local || self.shared_is_empty_on(m) {
            p.slice.begin();
            return Next::Itself;
        }
        let (token, took) = self.take_batch(m, queues);
        let Some(token) = token else { return Next::Unknown };
        // The caller would have been the last of the queue.
        let reaches_caller = took < <C::Policy as Policy>::RULES.shared_batch.max(1);
        let errand = if reaches_caller { Errand::ToLocal } else { Errand::ToShared };
        if reaches_caller {
            // If g0 has to run the next one, it queues the caller in the same place.
            m.leave.set(Leave::YieldLocal);
        }
        let popped = Popped { token, inherits: false };
        self.hop_to_popped(m, p, popped, errand, took)
    }

    /// Which goroutine runs after a yield that has popped this one. If the caller is to be timed, g0 sees to it.
    #[inline(always)]
    fn hop_to_popped(&self, m: &M, p: &PCore, popped: Popped<Runnable>, errand: Errand, took: usize) -> Next {
        if p.latency.is_at_zero_with_this() {
            m.at_hand.set(Some(popped));
            return Next::Unknown;
        }
        let next = self.keep_or_run(m, p, popped, |next| self.starts_on_a_spare(m, next));
        next.map_or(Next::Unknown, |next| Next::Other(next, errand, took))
    }

    /// The M's P, if g0 would do nothing now but look for work.
    #[inline(always)]
    pub(super) fn p_to_hop_on<'m>(&self, m: &'m M) -> Option<&'m PCore> {
        let p = m.p_core()?;
        // m0 gives its P away when its goroutine first suspends.
        let for_g0 =
            C::Switch::THREAD_EACH || m.id == 0 || !m.locked_g.get().is_null() || self.is_more_to_do(m, p);
        (!for_g0).then_some(p)
    }

    /// The goroutine, if it can be switched to from here. One that has never run needs `may_start` to agree. Otherwise
    /// the M keeps it for g0.
    #[inline(always)]
    fn keep_or_run(
        &self,
        m: &M,
        p: &PCore,
        popped: Popped<Runnable>,
        may_start: impl FnOnce(&G) -> bool,
    ) -> Option<&'static G> {
        let next = popped.token.g();
        let at_home = next.is_of(&self.header) && next.home().is_null();
        if !at_home || !(next.has(Flags::AT_ONCE) || may_start(next)) {
            m.at_hand.set(Some(popped));
            return None;
        }
        if !popped.inherits {
            p.slice.begin();
        }
        Some(popped.token.into_g())
    }

    /// Gives a goroutine that is to run for the first time a spare stack, if there is one and the goroutine can do with
    /// it.
    #[inline]
    fn starts_on_a_spare(&self, m: &M, next: &G) -> bool {
        if next.has(Flags::BEGINS_BY_G0) {
            return false;
        }
        // SAFETY: we are on this M's thread, and it holds a P.
        let Some(spare) = unsafe { self.p_of(m) }.take_spare() else { return false };
        next.context.set(next_context::<C>(&spare));
        next.stack.set(Some(spare));
        next.set(Flags::BEGUN);
        true
    }

    /// The goroutine that g0 would run now, if the caller may switch to it. The caller's own stack is free, so this may
    /// also be a goroutine that has never run.
    #[inline]
    pub(super) fn take_next(&self, m: &M) -> Option<&'static G> {
        let p = self.p_to_hop_on(m)?;
        // SAFETY: we are on this M's thread, and it holds a P.
        let popped = unsafe { self.pop_local(m) }?;
        self.keep_or_run(m, p, popped, |next| !next.has(Flags::BEGINS_BY_G0))
    }

    /// Whether a sink is told of events: g0 does that, at each of its steps.
    #[cold]
    #[inline(never)]
    pub(super) fn tells_sinks(&self) -> bool {
        self.header.events.tells()
    }

    /// Whether g0 would do anything else before it looks into the P's own queue, or would do anything to the goroutine
    /// that comes out of it before it runs that.
    #[inline(always)]
    fn is_more_to_do(&self, m: &M, p: &PCore) -> bool {
        self.attention() != 0
            || p.timers.next() != NEVER
            || p.slice.is_over()
            || !m.inbox.is_empty()
            || (p.slice.tick().is_multiple_of(<C::Policy as Policy>::RULES.shared_tick)
                && !self.shared_is_empty_on(m))
    }
}
