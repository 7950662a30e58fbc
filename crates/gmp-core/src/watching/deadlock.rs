//! Deadlock: all goroutines are asleep, and nobody is left to wake them. Go: `checkdead` (proc.go, Go 1.27).

use crate::contract::{Config, StackAllocator, Switch};
use crate::ground::settings::DeadlockRule;
use crate::records::attention;
use crate::records::g::word::Status;
use crate::records::g::{Flags, WaitReason, registry};
use crate::records::p::timers::NEVER;
use crate::records::sight::{ByStack, Stack, cycles, inspector};
use crate::records::waits_at::{self, At};
use crate::shared::lists::{Lists, MRef};
use crate::shared::reports::{DeadlockReport, WaitingGoroutine};
use crate::shared::sched::Sched;
use crate::shared::watch_post::Watcher;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// How often a suspected deadlock is looked at again.
pub(crate) const SUSPECT_PERIOD: Duration = Duration::from_millis(20);

/// How many of a deadlock's goroutines are shown with their stacks. The scheduler's lock is held meanwhile.
const MOST_STACKS: usize = 1000;

impl<C: Config> Sched<C> {
    /// Looks for a deadlock; under the lock, by an M that is about to sleep.
    #[doc(alias = "checkdead")]
    pub(crate) fn check_dead(&self, lists: &mut Lists<C>) {
        let stopping = attention::STOP | attention::CLOSING | attention::UNWIND;
        lists.deadlock_suspected = false;
        if lists.finished || lists.sysmon_fires || self.attention() & stopping != 0 {
            return;
        }
        if lists.busy_ms() > 0 {
            return self.rouse_idle_watcher(lists);
        }
        let timers =
            |p: &Arc<crate::records::p::P<C>>| p.core.timers.next() != NEVER && p.core.timers.live() > 0;
        if !self.shared_is_empty() || lists.every_p.iter().any(timers) || self.somebody_waits_outside(lists) {
            return self.rescue(lists);
        }
        if self.replace_ended_thread(lists) || self.revive_stack_waiters(lists) {
            return;
        }
        self.check_ledger(lists);
        if self.settings.deadlock == DeadlockRule::Never || !self.alone_in_process(lists) {
            return;
        }
        if self.settings.deadlock == DeadlockRule::Auto {
            self.check_nobody_is_kept();
        }
        let report = self.report_waiting();
        lists.deadlock = Some(report);
        self.finish(lists);
    }

    /// The only M awake waits in the poller, without a deadline, though no goroutine waits for a descriptor any more:
    /// it has nothing to hear, and is to see for itself that all are asleep.
    fn rouse_idle_watcher(&self, lists: &mut Lists<C>) {
        let waits_in_vain = |watcher: Watcher<MRef>| watcher.polls && watcher.until == NEVER;
        if lists.busy_ms() == 1
            && lists.post.watcher().is_some_and(waits_in_vain)
            && !self.somebody_waits_outside(lists)
        {
            lists.rouse_watcher();
        }
    }

    /// All queues are at rest, so what a policy was given it must have given back.
    fn check_ledger(&self, lists: &Lists<C>) {
        let held = self.sum(lists, |counters| i128::from(counters.ledger.load(Ordering::Relaxed)));
        if held == 0 {
            return;
        }
        self.blame(&self.given_to_policy(), held);
    }

    /// All queues are empty and no thread but ours exists that could be queueing somebody now, so a goroutine that is
    /// runnable all the same was kept by the shared queue, whose traffic no ledger counts.
    fn check_nobody_is_kept(&self) {
        let kept = self.given_to_policy();
        if !kept.is_empty() {
            self.blame(&kept, 0);
        }
    }

    /// The numbers of the goroutines that are runnable and that a policy has to give back. One that lies in the inbox
    /// of its M was not given to a policy: it waits for its thread (see [`WaitReason::LockedThread`]).
    fn given_to_policy(&self) -> Vec<String> {
        let mut numbers = Vec::new();
        registry::for_each(|g| {
            let runnable = g.status_in(&self.header) == Some(Status::Runnable);
            if runnable && !g.is_inboxed() && g.reason.get() != WaitReason::Thread {
                numbers.push(g.number.get().to_string());
            }
        });
        numbers
    }

    fn blame(&self, kept: &[String], held: i128) -> ! {
        crate::fatal!(
            "a policy gives back every goroutine it was given",
            "policy {} holds goroutine {} ({held} by the ledger)",
            self.header.policy,
            kept.join(", ")
        );
    }

    /// Whether goroutines wait for stacks, so that this is no deadlock. Nothing runs that could free one, but the system
    /// may have memory again: it is asked for a while before they are told that they cannot have any.
    fn revive_stack_waiters(&self, lists: &mut Lists<C>) -> bool {
        if lists.without_stack.is_empty() {
            return false;
        }
        // sysmon asks every 10 ms, and each time all are asleep again afterwards.
        if !lists.refused_stacks.again(self.header.now(), true) {
            return true;
        }
        let waiters = core::mem::take(&mut lists.without_stack);
        self.waiting_for_stack.store(0, Ordering::Relaxed);
        // One that was freed as they began to wait may be kept by a P.
        lists.idle_ps.iter_mut().for_each(|p| p.flush_stacks(&self.stacks));
        for waiter in waiters {
            waiter.g().set(Flags::STACKLESS);
            self.push_shared(waiter);
        }
        if let Some(p) = self.take_idle_p(lists) {
            self.start_m(lists, p, false);
        }
        true
    }

    /// Whether no thread but ours could still wake somebody. If one could, sysmon looks again.
    ///
    /// To count threads is to read a directory of the system's, which costs more than a thread switch: where plain
    /// threads submit a goroutine now and then, the Ms go to sleep after each. So an M that has found others does not
    /// count again for as long as sysmon would wait.
    fn alone_in_process(&self, lists: &mut Lists<C>) -> bool {
        if self.settings.deadlock == DeadlockRule::Always {
            return true;
        }
        let now = self.header.now();
        let found_lately =
            |found: u64| now.saturating_sub(found) < crate::ground::clock::nanos(SUSPECT_PERIOD);
        let alone = !lists.others_found_at.is_some_and(found_lately) && self.counts_as_alone(lists, now);
        if !alone && !lists.deadlock_suspected {
            lists.deadlock_suspected = true;
            self.rouse_sysmon(lists);
        }
        alone
    }

    /// Counts the threads of the process.
    fn counts_as_alone(&self, lists: &mut Lists<C>, now: u64) -> bool {
        // Where stacks are threads, those that Ps keep at hand are none: counting them would hide that many strangers.
        let spare = || self.sum(lists, |counters| i128::from(counters.spare_stacks.load(Ordering::Relaxed)));
        let held = || self.stacks.figures().in_use.saturating_sub(usize::try_from(spare()).unwrap_or(0));
        let stacks = if C::Switch::THREAD_EACH { held() } else { 0 };
        // The Ms, sysmon, and what else is ours.
        let ours = lists.all_m.len() + 1 + crate::ground::helpers::count() + stacks;
        let alone = threads_in_process().is_some_and(|all| all <= ours);
        lists.others_found_at = (!alone).then_some(now);
        alone
    }

    fn report_waiting(&self) -> DeadlockReport {
        let now = self.header.now();
        let mut report = DeadlockReport { main_exited: true, ..DeadlockReport::default() };
        let (mut stacks, mut stacks_of, mut waits) = (0, Vec::new(), Vec::new());
        let mut unwind = inspector().map(|inspector| (inspector.unwind)());
        registry::for_each(|g| {
            let Some(status) = g.status_in(&self.header) else { return };
            // Nobody but its own M, which sleeps, could run one that lies in an inbox.
            let runnable = status == Status::Runnable;
            let in_inbox = runnable && g.is_inboxed();
            let without_thread = runnable && g.reason.get() == WaitReason::Thread;
            // Of one that waits now its runtime is asked again: the record may have gone to another since.
            let scan = g.word.scan().filter(|_| g.is_of(&self.header));
            if scan.is_none() && !in_inbox && !without_thread {
                return;
            }
            report.main_exited &= g.number.get() != 1;
            stacks_of.push((g.stack.addresses(), g.number.get()));
            if scan.is_some() && !in_inbox {
                // SAFETY: it is frozen.
                waits.push((g.number.get(), unsafe { waits_at::of(g, g.reason.get()) }));
            }
            report.waiting.push(WaitingGoroutine {
                number: g.number.get(),
                name: g.extra().and_then(|extra| extra.name.clone()),
                labels: g.extra().map(|extra| extra.labels.clone()).unwrap_or_default(),
                reason: if in_inbox { WaitReason::LockedThread } else { g.reason.get() },
                age: Duration::from_nanos(now.saturating_sub(g.since.get())),
                created_at: g.created_at.get(),
                // Nobody runs, so nothing moves under the walk.
                stack: match (&mut unwind, C::Switch::SAVED) {
                    (Some(unwind), Some(saved)) if stacks < MOST_STACKS && g.has(Flags::STARTED) => {
                        stacks += 1;
                        Stack::of_suspended(unwind.unwind(g.context.get(), saved, g.stack.addresses()))
                    }
                    _ => Stack::default(),
                },
            });
        });
        let stacks = ByStack::new(stacks_of.into_iter());
        let next = |(number, at): (_, At)| Some((number, stacks.awaited(at.object(), at.held_from)?));
        report.cycles = cycles(&waits.into_iter().filter_map(next).collect());
        report.waiting.sort_by_key(|sleeper| sleeper.number);
        report
    }
}

/// How many threads the process has, where the system says so.
fn threads_in_process() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}
