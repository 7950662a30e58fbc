//! Submit: how a runnable goroutine gets into a queue, and who is woken for it.
//!
//! Every submission is *push, fence, look*: whoever goes idle does *release the P, fence, look at all queues* (see
//! `idle`), so of the two fences one comes first, and either the submitter sees the idle P or the idler the work.

use crate::contract::List;
use crate::contract::{IdlePolicy, IdleView, RunQueue, SharedQueue, Slot, Sole, Spill, Thief};
use crate::ground::event::{Event, EventKind};
use crate::ground::sync::full_fence;
use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::P;
use crate::shared::sched::{Config, IdleOf, Sched};

impl<C: Config> Sched<C> {
    /// Puts a goroutine on the P that `m` holds.
    #[inline]
    pub(crate) fn push_local(&self, m: &M, g: Runnable, slot: Slot) {
        // SAFETY: the caller is on `m` and `m` holds a P; no other borrow of it is in use.
        let mut p = unsafe { self.p_of(m) };
        // SAFETY: the caller is on `m`, which holds a P and keeps it during this call.
        let sole = unsafe { self.sole() };
        let mut spill = ToShared { sched: self, sole, spilled: 0 };
        let policy = self.enter_policy(m);
        match sole {
            // SAFETY: the evidence is of the runtime whose queue this is.
            Some(sole) => unsafe { p.owner().queue.push_sole(g, slot, &mut spill, sole) },
            None => p.owner().queue.push(g, slot, &mut spill),
        }
        policy.leave();
        p.core.counters.book(1 - spill.spilled);
    }

    /// Readies a goroutine from `m`, on which the caller is: next on its P, if it has one. Go: `ready`.
    #[inline(always)]
    pub(crate) fn ready_beside(&self, m: &M, g: Runnable) {
        if m.in_policy.get() {
            crate::fatal!(
                "policies do not call the runtime",
                "policy {} readied a goroutine",
                m.rt().policy_name()
            );
        }
        if m.p.get().is_null() || g.g().is_inboxed() {
            return self.ready_from_outside(g);
        }
        self.ready_on(m, g);
    }

    /// Readies a goroutine that is not for the caller's P: it is pinned elsewhere, or the caller has no P of ours.
    #[cold]
    #[inline(never)]
    pub(crate) fn ready_from_outside(&self, g: Runnable) {
        self.observe_ready(g.g(), None);
        if g.g().is_inboxed() {
            return self.ready_pinned(g);
        }
        self.policy_from_anywhere(|| self.shared.push(g));
        self.wake_from_outside();
    }

    /// Readies a goroutine that is not pinned, on the P that `m` holds.
    #[inline]
    pub(crate) fn ready_on(&self, m: &M, g: Runnable) {
        self.queue_ready(m, g);
        self.wake_for_submission(m);
    }

    /// [`Sched::ready_on`] without the wake, which the caller makes after the last of several.
    #[inline]
    pub(crate) fn queue_ready(&self, m: &M, g: Runnable) {
        self.observe_ready(g.g(), Some(m));
        self.push_local(m, g, Slot::Next);
    }

    #[inline(always)]
    fn observe_ready(&self, g: &G, m: Option<&M>) {
        if self.header.events.is_on() {
            self.track(g);
            self.header.send_event(EventKind::GoUnblock, g.number.get(), m, 0);
        }
    }

    /// Wakes an M for work that a P's holder has just queued, if the policy thinks so. Go: `wakep`.
    #[doc(alias = "wakep")]
    #[inline]
    pub(crate) fn wake_for_submission(&self, m: &M) {
        self.wake_if(|idle, view| idle.wake_on_submit(view, || self.queued_at(m)));
    }

    /// Wakes the next M, on behalf of a spinner that has found work, if the policy thinks so. Go: `resetspinning`.
    #[doc(alias = "resetspinning")]
    #[inline]
    pub(crate) fn wake_the_next(&self, m: &M) {
        self.wake_if(|idle, view| idle.pass_on(view, || self.queued_at(m)));
    }

    #[inline]
    fn wake_if(&self, agree: impl Fn(&IdleOf<C>, IdleView) -> bool) {
        // The caller holds a P; if it is the only one, none is idle.
        if self.procs() > 1 {
            self.wake_if_fenced(agree);
        }
    }

    #[inline]
    fn wake_if_fenced(&self, agree: impl Fn(&IdleOf<C>, IdleView) -> bool) {
        full_fence();
        let view = self.view();
        if view.idle > 0 && self.opinion(|idle| agree(idle, view)) {
            self.wake_spinner(agree);
        }
    }

    /// Wakes an M for work queued by one who holds no P. If all Ps are idle, the policy is not asked.
    pub(crate) fn wake_from_outside(&self) {
        full_fence();
        let view = self.view();
        let agree = |idle: &IdleOf<C>, view| idle.wake_on_submit(view, || self.shared.len());
        if view.idle > 0 && (view.busy() == 0 || self.opinion(|idle| agree(idle, view))) {
            self.wake_spinner(agree);
        }
    }

    /// What an idle policy is told of the work that `m` sees: in the queue of its P, and in the shared one.
    fn queued_at(&self, m: &M) -> usize {
        // SAFETY: the callers hold a P, whose core is its first field, and Ps live as long as the runtime.
        let p = unsafe { &*m.p.get().cast::<P<C>>() };
        p.thief.len() + self.shared.len()
    }

    /// Whether a goroutine that waits for one on another P may do so by spinning: some other P runs goroutines. Go:
    /// `sync_runtime_canSpin`, which also wants nobody to queue for this P.
    pub(crate) fn may_spin_here(&self) -> bool {
        let view = self.view();
        view.procs > view.idle + view.spinning + 1
    }

    /// Tells the sink what happened to a goroutine, if there is one that listens.
    #[inline(always)]
    pub(crate) fn emit(&self, kind: EventKind, g: &G, m: Option<&M>, value: u64) {
        if self.header.events.is_on() {
            self.header.send_event(kind, g.number.get(), m, value);
        }
    }

    pub(crate) fn emit_proc(&self, kind: EventKind, m: Option<&M>, p: Option<u32>, value: u64) {
        self.header.events.emit(|| Event { kind, goroutine: 0, p, m: m.map(|m| m.id), value });
    }

    /// Starts the latency clock of one goroutine in eight. Go: `casgstatus` with `gTrackingPeriod`.
    #[inline]
    pub(crate) fn track_runnable(&self, g: &G) {
        if self.header.events.is_on() {
            self.track(g);
        }
    }

    #[cold]
    fn track(&self, g: &G) {
        let seq = g.tracking.get().wrapping_add(1);
        g.tracking.set(seq);
        if seq & TRACKING_MASK == 0 {
            g.since.set(self.header.now());
        }
    }
}

/// Where a local queue's overflow goes.
struct ToShared<'a, C: Config> {
    sched: &'a Sched<C>,
    sole: Option<Sole<'a>>,
    spilled: i64,
}

impl<C: Config> Spill<Runnable> for ToShared<'_, C> {
    fn spill(&mut self, batch: List<Runnable>) {
        self.spilled += batch.len() as i64;
        match self.sole {
            // SAFETY: the evidence is of the runtime whose queue this is.
            Some(sole) => batch.for_each(|token| unsafe { self.sched.shared.push_sole(token, sole) }),
            None => self.sched.shared.push_batch(batch),
        }
    }
}

/// One transition to runnable in eight is timed. Go: `gTrackingPeriod`.
pub(crate) const TRACKING_MASK: u8 = 7;
