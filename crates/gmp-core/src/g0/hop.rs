//! Hop: from a goroutine that parks straight to the next one, without a stop at g0.
//!
//! ```text
//!   goroutine A                          goroutine B, of the same P
//!   ───────────                          ──────────────────────────
//!   park: nothing but the queue to see to?
//!   pop B, B's word: Runnable → Running
//!   m.hopped = A ───────── switch ─────► set the slot
//!                                        A's word: Running → Waiting; A's commit gets a Parked
//!                                        m.running = B; goes on
//! ```
//!
//! **Invariant.** As in a park by way of g0: a goroutine's token exists only after it is off its stack. It is B that makes
//! A's park, before anything else, on its own stack. The order is g0's too: a hop is made only where g0 would do nothing
//! but pop this queue and run what comes out; whatever else is to be seen to, or may be, is left to g0. What was popped
//! and cannot be run from here (it has no stack yet, or a home) stays in the M's hand for g0.
//!
//! **The danger** is the moment between: A's word still says Running while B's does. Only this M may move either on, and to
//! those who look at it, it is in the scheduler until A's park is made (no goroutine in `m.running`): a closing runtime
//! waits for it, and then finds A waiting.
//!
//! Go goes by g0 each time: `park_m`, `schedule` (proc.go, Go 1.27).

use crate::contract::{Config, Policy, SharedQueue, Switch};
use crate::g0::{arrive, carry, leave_stack};
use crate::records::g::{Flags, G};
use crate::records::m::{Leave, M};
use crate::records::p::PCore;
use crate::records::p::timers::NEVER;
use crate::shared::sched::Sched;
use core::ptr;

impl<C: Config> Sched<C> {
    /// See [`AnyRuntime::hop`](crate::records::rt::AnyRuntime::hop).
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(crate) unsafe fn hop_from(&self, g: &'static G) {
        // SAFETY: the M that runs the caller lives.
        let m = unsafe { &*g.m() };
        m.set_running(ptr::null());
        let Some(next) = self.next_at_hand(m) else {
            m.set_running(g);
            m.leave.set(Leave::Park);
            // SAFETY: as the caller promises, and the reason is set.
            return unsafe { leave_stack::<C>(g) };
        };
        m.hopped.set(g);
        next.set_m(m);
        next.word.to_running();
        // SAFETY: C1: `next` was suspended by a switch, and we hold its only `Runnable`; our own context is saved in our
        // record.
        unsafe { C::Switch::switch(g.context.as_ptr(), next.context.get(), carry(m)) };
        // SAFETY: the switch has just come back.
        unsafe { arrive::<C>(g) };
    }

    /// The goroutine that g0 would run now, if it can be switched to from here.
    #[inline(always)]
    fn next_at_hand(&self, m: &M) -> Option<&'static G> {
        let p = m.p_core()?;
        // m0 gives its P away when its goroutine first suspends.
        if C::Switch::THREAD_EACH || m.id == 0 || !m.locked_g.get().is_null() || self.is_more_to_do(m, p) {
            return None;
        }
        // SAFETY: we are on this M's thread, and it holds a P.
        let popped = unsafe { self.pop_local(m) }?;
        let next = popped.token.g();
        let ours = next.is_of(&self.header);
        if !ours || !next.has(Flags::STARTED) || !next.home().is_null() {
            m.at_hand.set(Some(popped));
            return None;
        }
        if !popped.inherits {
            p.slice.begin();
        }
        Some(popped.token.into_g())
    }

    /// Whether g0 would see to anything before it looks into the P's own queue, or with what comes out of it.
    #[inline(always)]
    fn is_more_to_do(&self, m: &M, p: &PCore) -> bool {
        self.attention() != 0
            || self.header.events.is_on()
            || p.timers.next() != NEVER
            || p.slice.is_over()
            || !m.inbox.is_empty()
            || (p.slice.tick().is_multiple_of(<C::Policy as Policy>::RULES.shared_tick)
                && !self.shared.is_empty())
    }
}
