//! sysmon: the thread without a P that watches the others. Go: `sysmon`, `retake` (proc.go, Go 1.27).
//!
//! It publishes the coarse clock, takes Ps from blocking calls that last, asks goroutines whose slice is over to make
//! room, keeps the bounded law (no work waits more than 10 ms while a P is idle), makes threads that must not be
//! cloned from locked ones, and looks again at deadlocks that other threads could have prevented.

use crate::contract::{Config, StackAllocator, Switch, ThreadSlice};
use crate::ground::clock::nanos;
use crate::ground::event::EventKind;
use crate::ground::threads;
use crate::records::attention;
use crate::records::m::M;
use crate::records::p::slice::SLICE;
use crate::records::p::timers::NEVER;
use crate::records::p::word::PStatus;
use crate::records::p::{OwnedP, P};
use crate::shared::lists::Lists;
use crate::shared::sched::{AllP, Sched};
use crate::watching::deadlock::SUSPECT_PERIOD;
use crate::watching::late_timers::{KEPT, Late, TimerM};
use crate::watching::retake::{Found, is_unwanted};
use crate::watching::seen::Seen;
use crate::watching::stack_waiters::StackWaiters;
use core::sync::atomic::Ordering;
use crossbeam_epoch::LocalHandle;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shortest pause between two rounds. Go: 20 us.
const SHORTEST: Duration = Duration::from_micros(20);
/// The longest pause of all, and how long work waits beside an idle P at most.
const LONGEST: Duration = SLICE;
/// The longest pause while some P is in use: a slice is seen no later than this after it began. Go: 10 ms.
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// Fruitless rounds before the pause doubles. Go: 50.
const PATIENCE: u32 = 50;
/// After this long with nothing to do, free stacks give back the memory they touched.
const LONG_IDLE: Duration = Duration::from_secs(1);

struct Sysmon<'a, C: Config> {
    sched: &'a Sched<C>,
    epoch: LocalHandle,
    seen: Vec<Seen>,
    /// Since when work has been seen waiting beside an idle P.
    waiting_since: Option<u64>,
    /// `Lists::awakenings` in the last round.
    awakenings: u64,
    timer_m: TimerM,
    /// Whether Ps are taken from goroutines that have not asked for it.
    retakes: bool,
    /// Whether some goroutine overran its slice at the beginning of this round.
    some_overrun: bool,
    stack_waiters: StackWaiters,
}

impl<C: Config> Sched<C> {
    /// Starts the thread.
    pub(crate) fn start_sysmon(self: &Arc<Self>) -> std::io::Result<std::thread::JoinHandle<()>> {
        let sched = Arc::clone(self);
        let name = format!("{}-sysmon", self.settings.thread_name);
        threads::spawn(name, move || {
            sched.sysmon.note.adopt();
            if let Some(thread) = C::Switch::thread_id() {
                C::Switch::ask_for_slice(thread, ThreadSlice::Short);
            }
            let epoch = sched.collector.register();
            let guard = Sched::<C>::no_unwind();
            let timer_m = TimerM::new(&*sched);
            Sysmon {
                sched: &sched,
                epoch,
                seen: Vec::new(),
                waiting_since: None,
                awakenings: 0,
                timer_m,
                retakes: sched.retakes(),
                some_overrun: false,
                stack_waiters: StackWaiters::default(),
            }
            .watch();
            core::mem::forget(guard);
        })
    }

    /// Gives the memory of free stacks back, those kept by idle Ps too.
    fn trim_stacks(&self) {
        let mut lists = self.lock();
        for p in &mut lists.idle_ps {
            p.flush_stacks(&self.stacks);
        }
        drop(lists);
        self.stacks.trim();
    }
}

impl<C: Config> Sysmon<'_, C> {
    fn watch(mut self) {
        let mut fruitless = 0;
        let mut pause = SHORTEST;
        // What comes in place of the next pause.
        let mut instead = None;
        let mut slept_lightly = false;
        while self.sched.attention() & attention::CLOSING == 0 {
            let nap = instead.take().unwrap_or(pause);
            self.sched.sysmon.set_looks_often(nap == SHORTEST);
            if self.sched.sysmon.note.sleep_until(Instant::now() + nap) {
                (fruitless, pause) = (0, SHORTEST);
            }
            self.sched.sysmon.set_looks_often(false);
            self.sched.sysmon.note.clear();
            let now = self.sched.header.now();
            self.sched.header.coarse.store(now, Ordering::Relaxed);
            self.make_threads();
            if self.may_sleep_lightly() {
                (instead, slept_lightly) = (Some(LONGEST), true);
                continue;
            }
            if core::mem::take(&mut slept_lightly) {
                self.sched.sysmon.set_lightly_asleep(false);
            }
            if let Some(slept) = self.deep_sleep() {
                // Whoever ended it may want something at once.
                instead = Some(SHORTEST);
                // After a short sleep the same work goes on: looks that were fruitless before it are so still.
                if slept >= LONGEST {
                    (fruitless, pause) = (0, SHORTEST);
                }
                continue;
            }
            match self.retake(now, pause > SHORTEST) {
                Found::Taken => (fruitless, pause) = (0, SHORTEST),
                Found::Asleep => pause = SHORTEST,
                Found::Nothing => {
                    fruitless += 1;
                    if fruitless > PATIENCE {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
            self.sched.look_if_late(now);
            self.stack_waiters.ask_again(self.sched, now);
            let until = self.keep_bounded_law(now).min(self.next_end_of_slice());
            let until = Duration::from_nanos(until.saturating_sub(now));
            pause = pause.min(until.max(SHORTEST));
        }
    }

    /// When a slice ends, or a goroutine has overrun its own, if that is soon.
    fn next_end_of_slice(&self) -> u64 {
        let looks = self.seen.iter().map(|seen| seen.look_at);
        looks.filter(|&at| at > self.sched.header.coarse.load(Ordering::Relaxed)).min().unwrap_or(NEVER)
    }

    /// Whether all Ps are idle, but were not all the time since the last round. Then sysmon sleeps lightly for its
    /// longest pause, and nobody wakes it but a declared blocking call, or a goroutine that comes back from another one:
    /// goroutines that wake for a moment every now and then need not each wake sysmon, too.
    fn may_sleep_lightly(&mut self) -> bool {
        let lists = self.sched.lock();
        let idle = self.all_is_idle(&lists);
        let active = core::mem::replace(&mut self.awakenings, lists.awakenings) != lists.awakenings;
        self.some_overrun = lists.overrunning != 0;
        let may = idle && active;
        if may {
            self.sched.sysmon.set_lightly_asleep(true);
        }
        may
    }

    /// Nothing runs, and nobody waits for what the system has refused.
    fn all_is_idle(&self, lists: &Lists<C>) -> bool {
        lists.idle_ps.len() == self.sched.procs()
            && self.sched.shared_is_empty()
            && lists.without_stack.is_empty()
    }

    /// Sleeps while all Ps are idle or the world is stopped. Returns for how long, if it did. While the world is being
    /// stopped it stays awake: a goroutine that lets the stopper wait lets timers wait, too.
    fn deep_sleep(&mut self) -> Option<Duration> {
        let mut lists = self.sched.lock();
        let idle = self.all_is_idle(&lists);
        let stopped = self.sched.attention() & attention::STOP != 0 && lists.stopper.is_none();
        let unwatched = !stopped && self.sched.wants_watcher(&lists);
        if !(idle || stopped) || unwatched || self.sched.attention() & attention::CLOSING != 0 {
            return None;
        }
        if idle && has_unwatched_timer(&lists) {
            let wakes = !lists.has_nobody_to_wake();
            drop(lists);
            if wakes {
                self.sched.wake_for_old_work();
            }
            // Else all Ms may be locked, or in the hands of goroutines that have stepped aside.
            return None;
        }
        lists.sysmon_asleep = true;
        let begun = Instant::now();
        let suspect = lists.deadlock_suspected;
        drop(lists);
        if suspect {
            self.sched.sysmon.note.sleep_until(Instant::now() + SUSPECT_PERIOD);
        } else if !self.sched.sysmon.note.sleep_until(Instant::now() + LONG_IDLE) {
            self.sched.trim_stacks();
            self.sched.sysmon.note.sleep();
        }
        self.sched.sysmon.note.clear();
        let mut lists = self.sched.lock();
        lists.sysmon_asleep = false;
        if lists.deadlock_suspected {
            self.sched.check_dead(&mut lists);
        }
        Some(begun.elapsed())
    }

    /// Takes Ps from goroutines that block, and ends slices; `slow`: the last look was long ago.
    fn retake(&mut self, now: u64, slow: bool) -> Found {
        let Self { sched, epoch, seen, retakes, some_overrun, .. } = self;
        sched.with_all_p(epoch, |all| {
            seen.resize(all.ps.len(), Seen::NOTHING);
            let mut found = Found::Nothing;
            for (p, seen) in all.ps.iter().zip(seen) {
                let status = p.core.word.status();
                if matches!(status, PStatus::Running | PStatus::Blocked) {
                    seen.end_slice(p, now, *some_overrun);
                }
                let this = match status {
                    PStatus::Running if *retakes => seen
                        .look
                        .again(sched, p, now, slow)
                        .max(seen.take_if_overrun(sched, p, now, *some_overrun)),
                    PStatus::Blocked if retake_one(sched, p, seen, now) => Found::Taken,
                    _ => Found::Nothing,
                };
                found = found.max(this);
            }
            found
        })
    }

    /// Wakes an M for work that has waited 10 ms beside an idle P, whatever the policy thinks. It does the same for a
    /// timer that is overdue by that long: the M that slept until then has taken up something else, and did not wake
    /// the next one. Go's sysmon starts an M for such a timer, too.
    ///
    /// Timers that are late beside no idle P are run here, and so are those that no M can be had for. Returns when
    /// sysmon is to look again for them.
    fn keep_bounded_law(&mut self, now: u64) -> u64 {
        let keeps =
            |at: usize, p: &P<C>| self.seen.get(at).is_some_and(|seen| seen.has_used(p, nanos(KEPT), now));
        let late = self.sched.with_all_p(&self.epoch, |all| Late::among(all, now, keeps));
        let mut until = self.timer_m.run_late(self.sched, late);
        let view = self.sched.view();
        if view.idle > 0 && self.sched.with_all_p(&self.epoch, |all| has_overdue_timer(all, now)) {
            if self.sched.lock().has_nobody_to_wake() {
                let late = self.sched.with_all_p(&self.epoch, |all| Late::among_idle(all, now));
                until = until.min(self.timer_m.run_late(self.sched, late));
            } else {
                self.sched.wake_for_old_work();
            }
        }
        let waiting = view.idle > 0
            && (!self.sched.shared_is_empty()
                || self.sched.with_all_p(&self.epoch, |all| self.sched.any_has_work(&all.ps)));
        if !waiting {
            self.waiting_since = None;
            return until;
        }
        let since = *self.waiting_since.get_or_insert(now);
        if now.saturating_sub(since) >= nanos(LONGEST) {
            self.waiting_since = None;
            self.sched.wake_for_old_work();
        }
        until
    }

    /// Starts the Ms that locked threads asked for. At the limit of threads one that has gone idle since must be taken,
    /// or there would be one too many. Go: the template thread.
    #[doc(alias = "templateThread")]
    fn make_threads(&self) {
        let mut lists = self.sched.lock();
        while let Some((p, spinning)) = lists.ms_to_make.pop() {
            self.sched.start_m(&mut lists, p, spinning);
        }
        self.sched.ask_again_if_refused(&mut lists);
    }
}

/// Whether a timer is due before the watcher wakes, if there is one. An M that gives up a P watches its timers, but a P
/// for which the system has refused a thread, or which was on its way to such a thread while the other Ms went to sleep,
/// is idle without anybody having given it up.
fn has_unwatched_timer<C: Config>(lists: &Lists<C>) -> bool {
    let until = lists.post.watcher().map_or(NEVER, |watcher| watcher.until);
    lists.every_p.iter().any(|p| p.core.timers.next() < until)
}

/// Whether some P has a timer that should have gone off 10 ms ago, or a stopped one that nobody has swept since.
fn has_overdue_timer<C: Config>(all: &AllP<C>, now: u64) -> bool {
    let slack = nanos(LONGEST);
    all.ps.iter().any(|p| p.core.timers.next().saturating_add(slack) <= now)
}

/// Takes a P from a call that was there in the last round already, if anybody could use it or 10 ms have passed.
fn retake_one<C: Config>(sched: &Sched<C>, p: &P<C>, seen: &mut Seen, now: u64) -> bool {
    let Some(call) = p.core.word.call() else { return false };
    // Whoever lent it because the slice is over has waited for nothing, and will not come back soon.
    let slice_over = p.core.slice.is_over();
    if seen.call != call && !slice_over {
        (seen.call, seen.call_since) = (call, now);
        return false;
    }
    let young = now.saturating_sub(seen.call_since) < nanos(LONGEST);
    if young && !slice_over && is_unwanted(sched, p, now) {
        return false;
    }
    let lists = sched.lock();
    let taken = M::take_lent(&p.core, call, PStatus::Idle);
    drop(lists);
    if !taken {
        return false;
    }
    sched.emit_proc(EventKind::ProcSteal, None, Some(p.core.id), 0);
    sched.count_handoff();
    // SAFETY: the word made us the one owner.
    sched.hand_off(unsafe { OwnedP::new(p) });
    true
}
