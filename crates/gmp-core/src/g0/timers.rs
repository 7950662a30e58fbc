//! Run the timers of a P that are due. Go: `timers.check`, `timers.run` (time.go, Go 1.27).
//!
//! Due entries are taken out of the heap in batches, under one hold of its lock, and dealt with one after another. What
//! they ready goes where a waker's goroutine goes: next on this P.

use super::G0;
use crate::contract::{Config, Policy, Thief};
use crate::records::g::Wake;
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::p::timers::{BATCH, Batch, NEVER, Target, Timers};

/// Woken goroutines on their way into the queue.
struct Awake {
    tokens: [Option<Runnable>; BATCH],
    len: usize,
}

impl<C: Config> G0<'_, C> {
    /// Runs those of this P's timers that are due.
    #[inline(always)]
    pub(super) fn check_timers(&self) {
        let timers = &self.p_shared().core.timers;
        if timers.next() != NEVER {
            self.check_own_timers(timers);
        }
    }

    #[inline(never)]
    fn check_own_timers(&self, timers: &Timers) {
        // The time that a goroutine read a moment ago is good enough: nothing runs early by it, and the next look reads
        // the clock.
        let now = match self.m.clock.replace(0) {
            0 => self.sched.header.now(),
            now => now,
        };
        self.run_due(timers, now);
        if timers.home.wants_sweep() {
            timers.sweep();
        }
    }

    /// Runs those timers that are due, of any P. `true`: there were some.
    pub(super) fn run_timers_of(&self, timers: &Timers) -> bool {
        timers.next() != NEVER && self.run_due(timers, self.sched.header.now())
    }

    fn run_due(&self, timers: &Timers, now: u64) -> bool {
        let enough = <C::Policy as Policy>::RULES.timers_wait_at;
        let mut ran = false;
        while timers.next() <= now {
            let queued = || self.sched.policy(self.m, || self.p_shared().thief.len());
            let full = enough != usize::MAX && queued() >= enough;
            let mut due = Batch::new();
            timers.take_due(now, if full { 1 } else { usize::MAX }, &mut due);
            ran |= self.run_batch(due, now, timers);
            if full {
                break;
            }
        }
        ran
    }

    /// Deals with due entries in their order. Goroutines that have slept for long are in no cache: their records are
    /// prefetched all at once, and their stacks as soon as the records say where they are, well before they run.
    fn run_batch(&self, mut due: Batch, now: u64, timers: &Timers) -> bool {
        for g in due.goroutines() {
            g.ask_for_word::<C::Switch>();
        }
        let mut ran = false;
        let mut awake = Awake { tokens: [const { None }; BATCH], len: 0 };
        for entry in due.drain() {
            match entry.target {
                Target::Goroutine(parked) => ran |= self.end_sleep(parked, &mut awake),
                Target::Timer(timer) => {
                    self.queue_awake(&mut awake);
                    ran |= self.sched.run_timer(self.m, timer, entry.when, now, timers);
                }
            }
        }
        self.queue_awake(&mut awake);
        ran
    }

    /// A goroutine's deadline has come.
    #[inline]
    fn end_sleep(&self, parked: Parked, awake: &mut Awake) -> bool {
        let (g, wait) = parked.into_parts();
        if !g.is_of(&self.sched.header) || g.is_inboxed() {
            return crate::waiting::ready::ready(g, wait, Wake::TimedOut);
        }
        if !g.word.to_ready(wait) {
            return false;
        }
        g.ask_for_rest::<C::Switch>();
        // SAFETY: the wait was ours to end, so this is the only Runnable for it.
        awake.tokens[awake.len] = Some(unsafe { Runnable::new(g) });
        awake.len += 1;
        true
    }

    /// Queues the goroutines that the deadlines of a batch have woken, and wakes an M for them.
    #[inline]
    fn queue_awake(&self, awake: &mut Awake) {
        let len = core::mem::take(&mut awake.len);
        for token in awake.tokens[..len].iter_mut().filter_map(Option::take) {
            token.g().wake.set(Wake::TimedOut);
            self.sched.queue_ready(self.m, token);
        }
        if len != 0 {
            self.sched.wake_for_submission(self.m);
        }
    }
}
