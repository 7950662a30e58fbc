//! Late timers: what is due on a P whose goroutine does not come to g0 is run by sysmon.
//!
//! ```text
//!   due ──► the P's M comes to g0 ──► run there, in the P's order
//!    │
//!    └─ 9 ms late, and its goroutine computes ──► sysmon takes it out of the heap ──► run on sysmon's thread
//! ```
//!
//! The P's holder is always first to be asked, by the end of its slice: it alone runs timers in Go's order. But a goroutine
//! may compute without a call, and then nobody would come: a context's deadline would not end the very loop that asks for
//! it. So sysmon runs users' timers itself, on an M of its own that is on no list and never holds a P. To a callback that
//! is g0 of an M inside a blocking call: what it readies or spawns goes to the shared queue, and timers that it sets go to
//! the heap that it came from. Deadlines of parked goroutines are left alone where there is one P, since whoever they
//! ready needs that very P; otherwise they are taken, too.
//!
//! **Invariant.** While sysmon has entries in its hands they are in no heap, so a search for deadlocks could think that no
//! timer is pending: `Lists::sysmon_fires` says that there may be one, and sysmon searches again when it is through. A P
//! may be removed meanwhile; what is added to its heap after that is moved on (`timer_added_to_lent`).
//!
//! At the limit of threads an idle P may have timers that no M is left to sleep for: each is locked, or its goroutine has
//! stepped aside and runs on without a P. sysmon runs those, too, deadlines of parked goroutines included.
//!
//! Go needs none of this: it stops the goroutine, and the P runs its timers (`sysmon`, proc.go, Go 1.27).

use crate::contract::Config;
use crate::entering::caller::{set_plain, set_scheduler};
use crate::ground::clock::nanos;
use crate::records::g::Wake;
use crate::records::m::M;
use crate::records::m::jobs::Jobs;
use crate::records::p::P;
use crate::records::p::timers::{Batch, NEVER, Target};
use crate::records::p::word::{Call, PStatus};
use crate::records::rt::AnyRuntime;
use crate::shared::sched::{AllP, Sched, SlotOf};
use core::ptr;
use std::sync::Arc;
use std::time::Duration;

/// How late a timer is when sysmon runs it; with sysmon's own delay that is less than 10 ms. The slice of whoever
/// should have run it is that old at least.
pub(super) const LATE: Duration = Duration::from_millis(9);

/// How often sysmon looks while a P in use has timers: a slice is seen within this time after it began.
const OFTEN: Duration = Duration::from_micros(2500);
/// How long a goroutine must have had the CPU by then.
pub(super) const KEPT: Duration = Duration::from_millis(7);

/// An M for callbacks on sysmon's thread.
pub(super) struct TimerM(M);

impl TimerM {
    /// The number that events give for it.
    const ID: u64 = u64::MAX;

    pub(super) fn new<C: Config>(sched: &Sched<C>) -> Self {
        let rt: &dyn AnyRuntime<M> = sched;
        Self(M::new(Self::ID, ptr::from_ref(rt), sched.settings.seed, Arc::new(Jobs::new())))
    }

    /// Runs what is late on any P that has a holder. Returns when sysmon is to look again, at the latest.
    pub(super) fn run_late<C: Config>(&self, sched: &Sched<C>, late: Late<C>) -> u64 {
        for p in late.ps {
            sched.lock().sysmon_fires = true;
            set_scheduler::<SlotOf<C>>(&self.0);
            self.0.lent.set((&raw const p.core, Call::NONE));
            self.run_due(sched, &p, late.deadlines);
            self.0.lent.set((ptr::null(), Call::NONE));
            set_plain::<SlotOf<C>>();
            if p.core.timers.next() != NEVER {
                // What was put back may be on its way to nobody.
                sched.timer_added_to_lent(&p.core, p.core.timers.next());
            }
            let mut lists = sched.lock();
            lists.sysmon_fires = false;
            sched.check_dead(&mut lists);
        }
        late.look_again
    }

    fn run_due<C: Config>(&self, sched: &Sched<C>, p: &P<C>, deadlines: bool) {
        let now = sched.header.now();
        loop {
            let mut due = Batch::new();
            p.core.timers.take_late(now, deadlines, &mut due);
            let mut any = false;
            for entry in due.drain() {
                any = true;
                match entry.target {
                    Target::Goroutine(parked) => _ = parked.ready_with(Wake::TimedOut),
                    Target::Timer(timer) => {
                        _ = sched.run_timer(&self.0, timer, entry.when, now, &p.core.timers);
                    }
                }
            }
            if !any {
                return;
            }
        }
    }
}

/// The Ps whose holders let timers wait, or whose timers nobody can be had for.
pub(super) struct Late<C: Config> {
    ps: Vec<Arc<P<C>>>,
    /// Whether deadlines of parked goroutines are taken, too.
    deadlines: bool,
    look_again: u64,
}

impl<C: Config> Late<C> {
    /// Looks at all Ps, at `now`. `keeps` says whether the goroutine on a P has had the CPU for so long that it would have
    /// come to g0: what the system has kept from running is not passed over, since its P would keep Go's order.
    pub(super) fn among(all: &AllP<C>, now: u64, keeps: impl Fn(usize, &P<C>) -> bool) -> Self {
        let mut late = Self { ps: Vec::new(), deadlines: all.ps.len() > 1, look_again: NEVER };
        for (at, p) in all.ps.iter().enumerate() {
            // sysmon takes a Blocked one as a whole.
            if p.core.word.status() != PStatus::Running || p.core.timers.next() == NEVER {
                continue;
            }
            late.look_again = late.look_again.min(now + nanos(OFTEN));
            if !keeps(at, p) {
                continue;
            }
            let late_at = |due: u64| due.saturating_add(nanos(LATE));
            let mut at = late_at(p.core.timers.next());
            if at <= now {
                at = late_at(p.core.timers.next_for_others(late.deadlines));
            }
            if at <= now {
                late.ps.push(Arc::clone(p));
            } else {
                late.look_again = late.look_again.min(at);
            }
        }
        late
    }

    /// The idle Ps among all that have a timer which is late, at `now`.
    pub(super) fn among_idle(all: &AllP<C>, now: u64) -> Self {
        let is_late = |p: &&Arc<P<C>>| {
            p.core.word.status() == PStatus::Idle && p.core.timers.next().saturating_add(nanos(LATE)) <= now
        };
        let ps = all.ps.iter().filter(is_late).cloned().collect();
        Self { ps, deadlines: true, look_again: now + nanos(OFTEN) }
    }
}
