//! Submit: how a runnable goroutine gets into a queue, and who is woken for it.
//!
//! Every submission is *push, fence, look*: whoever goes idle does *release the P, fence, look at all queues* (see
//! `idle`), so of the two fences one comes first, and either the submitter sees the idle P or the idler the work.

use crate::contract::{Config, IdlePolicy, IdleView, List, Slot, Spill};
use crate::entering::foreign;
use crate::ground::event::EventKind;
use crate::ground::sync::full_fence;
use crate::records::attention;
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::M;
use crate::records::p::{P, PCore};
use crate::shared::lists::MRef;
use crate::shared::queues::Queues;
use crate::shared::sched::{IdleOf, Sched};

impl<C: Config> Sched<C> {
    /// Puts a goroutine on the P that `m` holds. Inlined, since the slot is a constant wherever it counts.
    #[inline(always)]
    pub(crate) fn push_local(&self, m: &M, g: Runnable, slot: Slot) {
        // SAFETY: the caller is on `m` and `m` holds a P; no other borrow of it is in use.
        let p = unsafe { self.p_of(m) };
        self.count_runnable(&p.core, g.g());
        self.push_uncounted(m, g, slot);
    }

    /// [`Sched::push_local`] of a goroutine that has been counted as runnable.
    #[inline(always)]
    pub(crate) fn push_uncounted(&self, m: &M, g: Runnable, slot: Slot) {
        // SAFETY: as in `push_local`.
        let mut p = unsafe { self.p_of(m) };
        // SAFETY: the caller is on `m`, which holds a P and keeps it during this call.
        let queues = unsafe { self.queues() };
        let mut spill = ToShared { queues, spilled: 0 };
        let policy = self.enter_policy(m);
        queues.push(&mut p.owner().queue, g, slot, &mut spill);
        policy.leave();
        p.core.counters.book(1 - spill.spilled);
    }

    /// Readies a goroutine from `m`, on which the caller is: next on its P, if it has one. Go: `ready`.
    #[inline(always)]
    pub(crate) fn ready(&self, m: &M, g: Runnable) {
        let hold = m.door.hold();
        // Foreign code is called where our own runs.
        let left = if hold.was_inside() { ready_inside(m, g) } else { Some(g) };
        let Some(g) = left else { return };
        if !hold.found_p() {
            return self.ready_outside(g);
        }
        if g.g().is_inboxed() {
            return self.ready_inboxed(m, g);
        }
        self.ready_unpinned(m, g);
    }

    /// Readies a goroutine that is for its own M's inbox, from `m`, which holds a P.
    #[cold]
    #[inline(never)]
    fn ready_inboxed(&self, m: &M, g: Runnable) {
        self.observe_ready(g.g(), Some(m));
        // SAFETY: the caller is on `m` and `m` holds a P; no other borrow of it is in use.
        let p = unsafe { self.p_of(m) };
        self.count_runnable(&p.core, g.g());
        self.ready_pinned(g);
    }

    /// Readies a goroutine from where there is no P of its runtime.
    #[cold]
    #[inline(never)]
    pub(crate) fn ready_outside(&self, g: Runnable) {
        self.observe_ready(g.g(), None);
        self.time_runnable(g.g());
        if g.g().is_inboxed() {
            return self.ready_pinned(g);
        }
        self.push_shared(g);
        self.wake_from_outside();
    }

    /// Readies a goroutine that is not pinned, on the P that `m` holds.
    #[inline]
    pub(crate) fn ready_unpinned(&self, m: &M, g: Runnable) {
        self.queue_ready(m, g);
        self.wake_for_submission(m);
    }

    /// Queues a pinned goroutine that has run: in its M's inbox, and sees to it that the M gets a P.
    pub(crate) fn ready_pinned(&self, g: Runnable) {
        debug_assert!(g.g().has(Flags::PINNED) || g.g().has(Flags::LOCKED));
        // SAFETY: an M lives as long as goroutines are pinned to it.
        let home = unsafe { &*g.g().home() };
        home.inbox.push(g);
        let mut lists = self.lock();
        if lists.post.is_held_by(MRef::new(home)) {
            return lists.rouse_watcher();
        }
        if !lists.idle_ms.remove(MRef::new(home)) {
            return;
        }
        match self.take_idle_p(&mut lists) {
            Some(p) => self.give_p(&mut lists, MRef::new(home), p),
            None => {
                lists.ms_wanting_p.push(MRef::new(home));
                self.call_attention(attention::WANTS_P);
            }
        }
    }

    /// [`Sched::ready_unpinned`] without the wake, which the caller makes after the last of several.
    #[inline]
    pub(crate) fn queue_ready(&self, m: &M, g: Runnable) {
        self.observe_ready(g.g(), Some(m));
        self.push_local(m, g, Slot::Next);
    }

    #[inline(always)]
    pub(crate) fn observe_ready(&self, g: &G, m: Option<&M>) {
        if self.header.events.is_on() {
            self.send_event(EventKind::GoUnblock, g, m, 0);
        }
    }

    /// Wakes an M for work that a P's holder has just queued, if the policy thinks so. Go: `wakep`.
    #[doc(alias = "wakep")]
    #[inline]
    pub(crate) fn wake_for_submission(&self, m: &M) {
        self.wake_if(|idle, view| idle.wake_on_submit(view, || self.queued_at(m)));
    }

    /// Wakes an M for a job that the goroutine on `m` has just offered, if the policy thinks so.
    pub(crate) fn wake_for_job_at(&self, m: &M) {
        let hold = m.door.hold();
        if hold.found_p() {
            self.wake_if(|idle, view| idle.wake_on_submit(view, || 1 + self.queued_at(m)));
        }
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
        let agree = |idle: &IdleOf<C>, view| idle.wake_on_submit(view, || self.shared_len());
        if view.idle > 0 && (view.busy() == 0 || self.opinion(|idle| agree(idle, view))) {
            self.wake_spinner(agree);
        }
    }

    /// What an idle policy is told of the work that `m` sees: in the queue of its P, and in the shared one.
    fn queued_at(&self, m: &M) -> usize {
        // SAFETY: the callers hold a P, whose core is its first field, and Ps live as long as the runtime.
        let p = unsafe { &*m.p().cast::<P<C>>() };
        // SAFETY: as above; it is the policy that asks, so its code is announced.
        unsafe { self.queues() }.len_at(p)
    }

    /// Whether a goroutine that waits for one on another P may do so by spinning: some other P runs goroutines. Go:
    /// `sync_runtime_canSpin`, which also wants nobody to queue for this P.
    pub(crate) fn may_spin_here(&self) -> bool {
        let view = self.view();
        view.procs > view.idle + view.spinning + 1
    }

    /// Counts a goroutine that becomes runnable, by the holder of `p`, and begins to time one in some. Go: `casgstatus`
    /// with `gTrackingPeriod`.
    #[inline(always)]
    pub(crate) fn count_runnable(&self, p: &PCore, g: &G) {
        if p.latency.counts_to_zero() {
            self.time_for_round(p, g);
        }
    }

    #[cold]
    #[inline(never)]
    fn time_for_round(&self, p: &PCore, g: &G) {
        let now = self.header.now();
        self.time(g, now, p.latency.begin_round(now, self.header.events.tells()));
    }

    /// Queues a goroutine just spawned on `m`, which holds no P.
    #[cold]
    pub(crate) fn submit_without_p(&self, m: &M, g: Runnable) {
        if let Some(stands_for) = m.without_p.count() {
            self.time(g.g(), self.header.now(), stands_for);
        }
        self.submit_untimed(g);
    }

    /// Queues a goroutine just spawned by one who holds no P.
    pub(crate) fn submit_untimed(&self, g: Runnable) {
        self.emit(EventKind::GoCreate, g.g(), None, 0);
        self.push_shared(g);
        self.wake_from_outside();
    }

    /// Begins to time a goroutine that becomes runnable by one who holds no P.
    pub(crate) fn time_runnable(&self, g: &G) {
        self.time(g, self.header.now(), 0);
    }

    /// From here on, until it runs, only g0 runs it.
    fn time(&self, g: &G, now: u64, stands_for: u8) {
        // One that only moves is timed already.
        if !g.has(Flags::TIMED) {
            g.since.set(now);
            g.stands_for.set(stands_for);
            g.set(Flags::TIMED);
            g.unset(Flags::AT_ONCE);
        }
    }
}

/// A goroutine is readied in the middle of our own code, or by foreign code that is called there. `Some`: the caller is to
/// queue it.
fn ready_inside(m: &M, g: Runnable) -> Option<Runnable> {
    if m.in_policy.get() {
        foreign::has_readied_on(m);
    }
    if g.g().is_inboxed() { Some(g) } else { m.gathered.add(g) }
}

/// Where a local queue's overflow goes.
struct ToShared<'a, C: Config> {
    queues: Queues<'a, C>,
    spilled: i64,
}

impl<C: Config> Spill<Runnable> for ToShared<'_, C> {
    fn spill(&mut self, batch: List<Runnable>) {
        self.spilled += batch.len() as i64;
        self.queues.spill(batch);
    }
}
