//! Close: `run` is over. Unwind what is asked to, end the Ms, abandon the rest and count it.
//!
//! m0 does this, without a P. The order matters: goroutines unwind while Ms still run; then CLOSING ends every M at its
//! next look; then nobody is left to touch what is abandoned, except an M that a goroutine keeps in user code: it finds
//! `closed` when it comes back, and does the abandoning again for what it brings (`thread_ended`).

use crate::contract::Config;
use crate::g0::G0;
use crate::ground::clock::nanos;
use crate::ground::settings::AtMainReturn;
use crate::records::attention;
use crate::records::g::word::Status;
use crate::records::g::{Flags, Wake, registry};
use crate::records::m::M;
use crate::shared::lists::MRef;
use crate::shared::reports::Leftover;
use crate::shared::sched::Sched;
use core::ptr;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a closing runtime looks whether the others are done.
const CLOSING_PERIOD: Duration = Duration::from_micros(50);
/// How long it lets goroutines run that may be in their destructors: long against those, short for a program's end.
const GRACE: Duration = Duration::from_millis(100);
/// How long it waits for some of those that are runnable, or unwind already, to come to their ends: long against the
/// destructors of one, for which others may have to wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it goes on looking for runnable goroutines in queues: long against the moment between one and the other.
const GRACE_OF_KEPT: Duration = Duration::from_secs(1);

/// What is left of a runtime that unwinds.
#[derive(Default)]
pub(crate) struct StillThere {
    /// Waited, and was woken to unwind, or will be in the next round.
    woken: usize,
    /// Waits at the end of a scope, for the scope's goroutines.
    at_ends: usize,
    runnable: usize,
    /// Unwinds already, with a P or without one.
    unwinding: usize,
    /// Runs, and unwinds at its next suspension.
    running: usize,
    /// Blocks, or runs without a P. Only who waits at the end of a scope is kept by them.
    blocked: usize,
}

impl<C: Config> G0<'_, C> {
    /// Runs one goroutine that is pinned or locked to m0, while the rest unwinds and m0 is no M like any other any more:
    /// nobody else could. `false`: none can run now.
    fn serve_own(&self) -> bool {
        let locked = self.m.locked_g.get();
        let token = if locked.is_null() {
            let Some(token) = self.m.inbox.pop() else { return false };
            let Some(p) = self.sched.take_idle_p(&mut self.sched.lock()) else {
                self.m.inbox.push(token);
                return false;
            };
            self.acquire(p);
            token
        } else if self.take_next_p() {
            // SAFETY: as in `next_locked`: whoever gave us the P used the goroutine's only Runnable up for this.
            unsafe { crate::records::g::runnable::Runnable::new(&*locked) }
        } else {
            return false;
        };
        self.execute(token, false);
        if self.m.has_p() {
            let p = self.release();
            self.sched.hand_off(p);
        }
        true
    }
}

impl<C: Config> Sched<C> {
    /// Ends the runtime, on m0, which has no P any more. Without sysmon main has never run, and nothing unwinds.
    pub(crate) fn close(&self, g0: &G0<'_, C>, sysmon: Option<std::thread::JoinHandle<()>>) -> Leftover {
        let deadlocked = self.lock().deadlock.is_some();
        let mut in_time = true;
        if self.settings.at_main_return == AtMainReturn::Unwind && !deadlocked && sysmon.is_some() {
            in_time = self.unwind_the_rest(g0);
        }
        {
            // Under the lock: an M that sleeps for a P has seen this, or is seen by `wake_everyone`.
            let _lists = self.lock();
            let since = if in_time { self.header.now().max(1) } else { 1 };
            self.closing_since.store(since, Ordering::Relaxed);
            self.call_attention(attention::CLOSING);
        }
        self.wake_everyone();
        self.wait_for_ms(g0.m);
        // sysmon catches nothing and cannot panic; if it did, there is nothing left for it to do.
        let _ = sysmon.map(std::thread::JoinHandle::join);
        {
            // This comes before the rest is abandoned: an M that comes too late for that finds this and does it again.
            let _lists = self.lock();
            self.closed.store(true, Ordering::Relaxed);
        }
        crate::ground::sync::full_fence();
        self.abandon_the_rest();
        let left = self.settle_the_count(g0.m);
        self.give_records_back();
        self.join_ended();
        self.forget_m0(g0.m);
        left
    }

    /// Makes m0 a plain thread again.
    pub(crate) fn forget_m0(&self, m0: &M) {
        let mut lists = self.lock();
        lists.m0 = None;
        lists.forget_m(m0);
    }

    /// Ends a runtime that will never run, with what plain threads have started in it: whoever waits for that is told.
    /// Nothing to do if it has run.
    pub(crate) fn close_unrun(&self) {
        {
            // Under the lock, as in `close`; and only one of them comes here.
            let _lists = self.lock();
            if self.attention() & attention::CLOSING != 0 {
                return;
            }
            self.never_ran.store(true, Ordering::Relaxed);
            self.closed.store(true, Ordering::Relaxed);
            self.call_attention(attention::CLOSING);
        }
        crate::ground::sync::full_fence();
        self.abandon_the_rest();
        self.give_records_back();
    }

    fn wake_everyone(&self) {
        let lists = self.lock();
        for m in &lists.all_m {
            m.note.wake();
        }
        self.sysmon.note.wake();
    }

    /// Counts what is left behind, when no M is between user code and its end. Only then is what a policy has kept given
    /// up: an M in between has a runnable goroutine in hand that nothing tells from one that is kept, and it would be ended
    /// twice.
    fn settle_the_count(&self, m0: &M) -> Leftover {
        loop {
            self.wait_for_ms(m0);
            let before = self.lock().all_m.len();
            let (left, lost) = self.count_left();
            if self.has_any_come(m0, before) {
                continue;
            }
            if lost != Leftover::default() {
                // Whoever has the `Runnable` may still look at its runtime.
                core::mem::forget(self.arc());
                if left.running == 0 {
                    self.give_up_what_is_kept();
                }
            }
            return left;
        }
    }

    /// Whether an M came out of user code since there were so many: it has changed what was counted, or is about to.
    fn has_any_come(&self, m0: &M, before: usize) -> bool {
        // ORDER: count. Pairs with the release of a goroutine's step to Runnable: its M had cleared `running` before that.
        core::sync::atomic::fence(Ordering::Acquire);
        let lists = self.lock();
        let came = |m: &Arc<M>| !ptr::eq(&**m, m0) && m.running().is_null();
        lists.all_m.len() != before || lists.all_m.iter().any(came)
    }

    /// Waits until every M has ended or is in user code, where nobody can stop it. Whoever is there comes with the next
    /// call that suspends, even one that need not wait: sysmon, which would see to that, has ended or is about to. While
    /// they unwind, not at once: what is still in its destructors then is to come to their end.
    fn wait_for_ms(&self, m0: &M) {
        loop {
            let in_scheduler = |m: &Arc<M>| !ptr::eq(&**m, m0) && m.running().is_null();
            let lists = self.lock();
            if !self.unwinding() || self.has_closed_for_long() {
                self.preempt_all(&lists);
            }
            if !lists.all_m.iter().any(in_scheduler) {
                return;
            }
            drop(lists);
            std::thread::sleep(CLOSING_PERIOD);
            self.wake_everyone();
        }
    }

    /// Joins the threads of Ms that have ended.
    fn join_ended(&self) {
        let ended: Vec<_> = {
            let mut lists = self.lock();
            let alive: Vec<u64> = lists.all_m.iter().map(|m| m.id).collect();
            lists.threads.extract_if(.., |(id, _)| !alive.contains(id)).collect()
        };
        for (_, thread) in ended {
            // An M's thread catches every panic of its goroutines, and its own would have aborted.
            let _ = thread.join();
        }
    }

    /// Free records that Ps keep go back to the registry, for other runtimes.
    fn give_records_back(&self) {
        for p in &mut self.lock().idle_ps {
            // SAFETY: the right to an idle P is the list's, and we hold the lock.
            let free = unsafe { p.core.free() };
            registry::give_back(free, registry::FreeGs::CAPACITY);
        }
    }

    /// An M's thread is about to end.
    pub(crate) fn thread_ended(&self, m: &M) {
        let closing = self.attention() & attention::CLOSING != 0;
        let late = self.is_closed_for_good();
        if late {
            // What its goroutine left behind is nobody else's to end. While it does that `run` sees it and waits.
            self.abandon_the_rest();
        }
        let mut lists = self.lock();
        // From here on nobody finds the M to give it a P.
        lists.idle_ms.remove(MRef::new(m));
        lists.ms_wanting_p.retain(|&known| known != MRef::new(m));
        let ended = lists.forget_m(m);
        if closing {
            // A goroutine whose home it was may still be on somebody's hands.
            lists.ended_ms.extend(ended);
        } else {
            // Nobody would join the thread before the runtime closes.
            lists.threads.retain(|(id, _)| *id != m.id);
            self.replace_ended_thread(&mut lists);
            self.mind_ended_reserve(&mut lists);
        }
        self.check_dead(&mut lists);
    }

    /// Whether `run` has abandoned the rest, or is about to. Asked under the lock, so that whoever learns that it has
    /// not yet done so has left everything where it will be found.
    fn is_closed_for_good(&self) -> bool {
        let _lists = self.lock();
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether Ms have had their time for what still unwinds. There is always one more where goroutines spawn without end.
    pub(crate) fn has_closed_for_long(&self) -> bool {
        let since = self.closing_since.load(Ordering::Relaxed);
        since != 0 && self.header.now().saturating_sub(since) >= nanos(PATIENCE)
    }

    /// Wakes what waits, again and again, until the rest has only run for [`GRACE`]. It unwinds at its next suspension;
    /// what never started is dropped. One at the end of its scope is left to its children: for them this waits.
    ///
    /// Goroutines that never wait, but compute, or make blocking calls, may keep each other runnable, or keep all Ps, or
    /// the goroutine whose scope they belong to, or stay in a destructor, for as long as they like: so nor does it wait
    /// any longer once as many have been left for [`PATIENCE`]. `false`: then nobody is to take more time.
    fn unwind_the_rest(&self, g0: &G0<'_, C>) -> bool {
        debug_assert!(self.unwinding());
        let (mut settled, mut least) = (Instant::now(), usize::MAX);
        loop {
            let seen = self.wake_to_unwind();
            let left = seen.runnable + seen.at_ends + seen.unwinding;
            if seen.woken != 0 || left < least {
                settled = Instant::now();
                least = if seen.woken == 0 { left } else { usize::MAX };
            }
            let bound = match (left, seen.running) {
                (0, 0) if seen.woken == 0 => return true,
                (0, _) => GRACE,
                // A policy keeps them, or has dropped them: they would be waited for for ever.
                (_, 0) if seen.unwinding + seen.blocked == 0 && self.nothing_is_queued() => GRACE_OF_KEPT,
                _ => PATIENCE,
            };
            if settled.elapsed() >= bound {
                return bound != PATIENCE;
            }
            if !g0.serve_own() {
                std::thread::sleep(CLOSING_PERIOD);
            }
        }
    }

    /// Whether all Ps are idle and nobody is in any queue.
    fn nothing_is_queued(&self) -> bool {
        let lists = self.lock();
        lists.idle_ps.len() == self.procs()
            && lists.without_stack.is_empty()
            && lists.without_thread.is_empty()
            && lists.all_m.iter().all(|m| m.inbox.is_empty())
            && self.shared_is_empty()
            && !self.any_has_work(&lists.every_p)
    }

    /// Wakes all that waits, to unwind, except goroutines at the end of a scope.
    pub(crate) fn wake_to_unwind(&self) -> StillThere {
        let mut seen = StillThere::default();
        registry::for_each(|g| {
            let Some(status) = g.status_in(&self.header) else { return };
            match status {
                Status::Waiting => match self.settled_wait(g) {
                    Some(_) if crate::life::scope::waits_at_end(g) => seen.at_ends += 1,
                    wait => {
                        seen.woken += 1;
                        if let Some(wait) = wait {
                            crate::waiting::ready::ready(g, wait, Wake::Closing);
                        }
                    }
                },
                Status::Runnable => seen.runnable += 1,
                Status::Running | Status::Blocked if g.has(Flags::UNWINDS) => seen.unwinding += 1,
                Status::Running => seen.running += 1,
                Status::Blocked => seen.blocked += 1,
                Status::Free => {}
            }
        });
        seen
    }

    /// The wait that `g` is in, if its park is through: while an M makes the commit it reads the goroutine's stack, and
    /// a goroutine readied without its token would be using it. `None`, too, if `g` has ended meanwhile.
    pub(crate) fn settled_wait(&self, g: &crate::records::g::G) -> Option<crate::records::g::word::Wait> {
        let wait = g.wait_in(&self.header)?;
        let parks = self.lock().all_m.iter().any(|m| m.is_parking(g));
        (!parks).then_some(wait)
    }

    /// Whether goroutines are to unwind at their next suspension.
    pub(crate) fn unwinding(&self) -> bool {
        self.attention() & attention::UNWIND != 0
    }

    /// A goroutine that never started, in an unwinding runtime: its closure is dropped.
    pub(crate) fn drops_instead_of_running(&self, g: &crate::records::g::G) -> bool {
        self.unwinding() && !g.has(Flags::STARTED) && !g.has(Flags::ONLY_DROPS)
    }
}
