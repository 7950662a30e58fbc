//! Find a goroutine to run: the places to look into. `search.rs` has the order of the looks. Go: `findRunnable`
//! (proc.go, Go 1.27).

use super::G0;
use crate::contract::{Config, Policy, Popped, Rules, RunQueue};
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::recorder::kind;
use crate::search::{Sources, look_everywhere};
use crate::shared::queues::Queues;
use crate::shared::sched::Sched;

impl<C: Config> Sched<C> {
    /// Takes from the queue of the P that `m` holds.
    ///
    /// # Safety
    /// On `m`'s thread, and `m` holds a P; no other borrow of it is in use.
    #[inline(always)]
    pub(crate) unsafe fn pop_local(&self, m: &M) -> Option<Popped<Runnable>> {
        // SAFETY: as the caller promises.
        let (mut p, queues) = unsafe { (self.p_of(m), self.queues()) };
        let policy = self.enter_policy(m);
        let popped = queues.pop(&mut p.owner().queue);
        policy.leave();
        let popped = popped?;
        p.core.counters.book(-1);
        Some(popped)
    }
}

impl<C: Config> Sched<C> {
    /// Takes a share of the shared queue for `m`, which runs the caller and holds a P. Returns the first goroutine and
    /// how many were taken; the others go to the local queue.
    #[inline]
    pub(super) fn take_batch(&self, m: &M, queues: Queues<'_, C>) -> (Option<Runnable>, usize) {
        // With 0 an M would see work there for ever, and never take any.
        let limit = <C::Policy as Policy>::RULES.shared_batch.max(1);
        // SAFETY: as the caller promises; no other borrow of the P is in use.
        let mut p = unsafe { self.p_of(m) };
        self.policy(m, || {
            let mut batch = queues.pop_batch(limit);
            let took = batch.len();
            let first = batch.pop_front();
            let rest = batch.len();
            if rest != 0 {
                p.owner().queue.push_batch(&mut batch);
                p.core.counters.book((rest - batch.len()) as i64);
                if !batch.is_empty() {
                    queues.push_front(batch);
                }
            }
            (first, took)
        })
    }
}

impl<C: Config> G0<'_, C> {
    /// The next goroutine to run on this M; sleeps while there is none. `None`: the M's thread is to end.
    #[doc(alias = "findRunnable")]
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<Popped<Runnable>> {
        if let Some(popped) = self.m.at_hand.take() {
            return Some(popped);
        }
        if !self.m.locked_g.get().is_null() {
            return self.next_locked();
        }
        loop {
            if !self.m.has_p() && !self.stop_m() {
                return None;
            }
            let wanted = self.sched.attention();
            if wanted != 0 && !self.attend(wanted) {
                if !self.m.has_p() && self.is_over() {
                    return None;
                }
                continue;
            }
            let Some(popped) = look_everywhere(self) else { continue };
            if popped.inherits && self.slice_is_over() {
                self.end_slice(popped.token);
                continue;
            }
            self.stop_spinning();
            return Some(popped);
        }
    }

    /// Attends to what is more important than the next goroutine. `true`: it was not for this M, which goes on looking.
    #[cold]
    fn attend(&self, wanted: u32) -> bool {
        if self.is_over() {
            // Before the runtime closes, m0 leaves even if goroutines are left: it unwinds by itself what only it can
            // run (`close.rs`), and others need its P for the rest.
            let unwinds = wanted & attention::CLOSING != 0 && wanted & attention::UNWIND != 0;
            if unwinds && self.has_left_some_to_unwind() {
                return true;
            }
            self.leave_for_good();
            return false;
        }
        if wanted & attention::STOP != 0 {
            self.stop_for_world();
            return false;
        }
        // An M that was given a P runs something before it gives it away; otherwise the Ms that want one would only
        // pass it to each other.
        let just_given = self.m.just_given_p.replace(false);
        if wanted & attention::LIMIT != 0 && self.mind_the_limit(just_given) {
            return false;
        }
        wanted & attention::WANTS_P == 0
            || just_given
            || self.queues_come_first()
            || !self.give_p_to_one_that_wants_it()
    }

    /// Whether those in the queues run before any pinned goroutine.
    fn queues_come_first(&self) -> bool {
        let turns = &self.p_shared().core.turns;
        turns.queues_come_first(|| self.sched.header.now())
            && !(self.local_is_empty() && self.shared_is_empty())
    }

    /// Whether this M has to unwind goroutines before it leaves. The runtime closes, and whoever saw all goroutines
    /// settled may have missed one that was on its way into a queue or a park on this M, or that got there since: this
    /// M unwinds it now. Only what this M can run counts. It must not wait for a goroutine that itself waits for others
    /// on other Ms (at the end of its scope), since it would keep a P from them.
    fn has_left_some_to_unwind(&self) -> bool {
        if self.sched.has_closed_for_long() {
            return false;
        }
        self.sched.wake_to_unwind();
        !self.local_is_empty() || !self.sched.shared_is_empty_on(self.m) || !self.m.inbox.is_empty()
    }

    /// Pinned goroutines and the queues take turns.
    #[cold]
    fn take_inbox_or_queued(&self) -> Option<Popped<Runnable>> {
        let turns = &self.p_shared().core.turns;
        if turns.queues_are_next(|| self.sched.header.now()) {
            if let Some(popped) = self.take_local().or_else(|| self.take_shared_if_any()) {
                return Some(popped);
            }
            turns.queues_are_empty();
        }
        self.m.inbox.pop().map(|token| Popped { token, inherits: false })
    }

    fn take_shared_if_any(&self) -> Option<Popped<Runnable>> {
        if self.shared_is_empty() { None } else { self.take_shared() }
    }

    #[inline(always)]
    pub(super) fn take_local(&self) -> Option<Popped<Runnable>> {
        // SAFETY: we are on this M's thread, and it holds a P during the pop.
        unsafe { self.sched.pop_local(self.m) }
    }

    /// Whether sysmon has seen this P's slice last too long: then nobody may inherit the rest of it.
    #[inline]
    fn slice_is_over(&self) -> bool {
        self.p_shared().core.slice.is_over()
    }

    /// Queues a goroutine at the shared queue's tail, as if it had been preempted in its first instruction. Go:
    /// `gopreempt_m`.
    #[cold]
    fn end_slice(&self, token: Runnable) {
        self.p_shared().core.slice.forget();
        self.sched.emit(EventKind::GoPreempt, token.g(), Some(self.m), 0);
        self.sched.push_shared_on(self.m, token);
        self.sched.wake_for_submission(self.m);
    }

    /// A spinner that found work passes the right to spin on, which starts the chain reaction. Go: `resetspinning`.
    #[inline]
    fn stop_spinning(&self) {
        if self.m.spinning.replace(false) {
            self.sched.idle.give_up();
            self.sched.wake_the_next(self.m);
        }
    }

    /// The goroutine that this M is locked to, once another M has found it and given us its P. Go: `stoplockedm`.
    #[doc(alias = "stoplockedm")]
    #[cold]
    fn next_locked(&self) -> Option<Popped<Runnable>> {
        if self.m.has_p() {
            let p = self.release();
            self.sched.hand_off(p);
        }
        if !self.sleep_locked() {
            return None;
        }
        let g = self.m.locked_g.get();
        // SAFETY: whoever gave us the P had the goroutine's only Runnable and used it up for this.
        Some(Popped { token: unsafe { Runnable::new(&*g) }, inherits: self.m.next_inherits.get() })
    }

    pub(super) fn is_m0(&self) -> bool {
        self.m.id == 0
    }

    /// Whether something keeps this M from going idle.
    pub(super) fn is_wanted(&self) -> bool {
        self.sched.attention() & attention::URGENT != 0 || self.is_over()
    }

    /// Whether this M's thread has nothing more to do here.
    pub(super) fn is_over(&self) -> bool {
        let wanted = self.sched.attention();
        wanted & attention::CLOSING != 0 || (wanted & attention::FINISHED != 0 && self.is_m0())
    }

    /// Gives this M's P to one that needs it for its pinned goroutines. `false`: nobody needs it any more.
    ///
    /// A right to spin goes along: submitters have counted on this M to look, so the M that has the P now looks
    /// instead.
    #[cold]
    fn give_p_to_one_that_wants_it(&self) -> bool {
        let mut lists = self.sched.lock();
        let Some(&wanting) = lists.ms_wanting_p.first() else { return false };
        // SAFETY: it sleeps, and under the lock nobody else wakes it.
        unsafe { wanting.get() }.spinning.set(self.m.spinning.replace(false));
        let p = self.release();
        self.sched.give_p_if_wanted(&mut lists, p).is_none()
    }

    pub(super) fn drop_spinning(&self) {
        if self.m.spinning.replace(false) {
            self.sched.idle.give_up();
        }
    }
}

/// What this M looks into; `search.rs` has the order.
impl<C: Config> Sources for G0<'_, C> {
    type Token = Runnable;
    const RULES: Rules = <C::Policy as Policy>::RULES;

    #[inline(always)]
    fn run_own_timers(&self) {
        self.check_timers();
    }

    #[inline(always)]
    fn tick(&self) -> u32 {
        self.p_shared().core.slice.tick()
    }

    #[inline(always)]
    fn shared_is_empty(&self) -> bool {
        self.sched.shared_is_empty_on(self.m)
    }

    #[inline(never)]
    fn take_shared_by_tick(&self) -> Option<Popped<Runnable>> {
        // SAFETY: this M holds a P during the pop.
        let queues = unsafe { self.sched.queues() };
        let token = self.sched.policy(self.m, || queues.pop_shared())?;
        Some(Popped { token, inherits: false })
    }

    #[inline(always)]
    fn take_own(&self) -> Option<Popped<Runnable>> {
        if self.m.inbox.is_empty() { self.take_local() } else { self.take_inbox_or_queued() }
    }

    #[inline]
    fn take_shared(&self) -> Option<Popped<Runnable>> {
        // SAFETY: this M holds a P during all of this.
        let (token, took) = self.sched.take_batch(self.m, unsafe { self.sched.queues() });
        if took != 0 {
            self.sched.emit_decision(kind::FROM_SHARED, Some(self.m), took as u64);
        }
        Some(Popped { token: token?, inherits: false })
    }

    #[inline(always)]
    fn look_outside(&self) -> Option<Popped<Runnable>> {
        self.look_into_poller()
    }

    #[inline(always)]
    fn steal(&self) -> Option<Popped<Runnable>> {
        self.steal_work()
    }

    #[inline(always)]
    fn go_idle(&self) -> Option<Popped<Runnable>> {
        self.give_up_p()
    }
}
