//! `AnyRuntime` for `Sched`: where the types are forgotten.

use crate::contract::{Config, IdlePolicy, Poller, StackAllocator};
use crate::ground::event::EventKind;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Status;
use crate::records::g::{G, registry};
use crate::records::latency::Latencies;
use crate::records::m::{AnyRuntime, Header, M};
use crate::records::p::timer::Remains;
use crate::records::p::word::PStatus;
use crate::records::p::{NUMBER_BATCH, PCore};
use crate::records::schedule::Schedule;
use crate::records::sight::Look;
use crate::records::source::task::Tasks;
use crate::records::stats::Stats;
use crate::records::trace::{self, Positions, Recorded};
use crate::records::{attention, rt};
use crate::shared::sched::{IdleOf, Sched};
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

impl<C: Config> rt::AnyRuntime<M> for Sched<C> {
    fn ready(&self, m: &M, g: Runnable) {
        self.ready(m, g);
    }

    fn ready_outside(&self, g: Runnable) {
        self.ready_outside(g);
    }

    #[inline(never)]
    fn submit(&self, m: &M, g: Runnable) {
        if !m.has_p() {
            return self.submit_without_p(m, g);
        }
        self.emit(EventKind::GoCreate, g.g(), Some(m), 0);
        self.push_local(m, g, crate::life::spawn::SPAWN_SLOT);
        self.wake_for_submission(m);
    }

    #[cold]
    fn submit_from_outside(&self, g: Runnable) {
        self.time_runnable(g.g());
        self.submit_untimed(g);
    }

    #[cold]
    fn promote_jobs(&self, g: &'static G) {
        crate::life::scope::promote(g);
    }

    #[cold]
    fn wake_for_job(&self, m: &M) {
        self.wake_for_job_at(m);
    }

    unsafe fn leave(&self, g: &G) {
        // SAFETY: the caller's promise.
        unsafe { crate::g0::leave_stack::<C>(g) };
    }

    unsafe fn hop(&self, g: &'static G) {
        // SAFETY: the caller's promise.
        unsafe { self.park_from(g) };
    }

    unsafe fn hop_to_yield(&self, g: &'static G) {
        // SAFETY: the caller's promise.
        unsafe { self.yield_from(g) };
    }

    fn begin_blocking(&self, g: &'static G) {
        self.begin_blocking_here(g);
    }

    fn enter_blocking(&self, g: &'static G) {
        self.enter_blocking_here(g);
    }

    #[cold]
    fn step_aside(&self, g: &'static G) {
        self.step_aside_here(g);
    }

    fn leave_blocking(&self, g: &'static G) {
        self.leave_blocking_here(g);
    }

    #[cold]
    fn come_back_at_once(&self, g: &'static G) {
        self.come_back_at_once_here(g);
    }

    fn number_batch(&self) -> u64 {
        self.numbers.fetch_add(NUMBER_BATCH, Relaxed)
    }

    fn one_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    fn count_outside_spawn(&self) {
        self.outside.spawned.fetch_add(1, Relaxed);
    }

    fn count_system(&self) {
        self.system.fetch_add(1, Relaxed);
    }

    #[cold]
    fn drop_elsewhere(&self, remains: Remains) {
        crate::life::timer::drop_in_a_goroutine(self, remains);
    }

    fn try_resize(&self, m: &M, procs: usize) -> bool {
        self.try_resize_here(m, procs)
    }

    fn procs(&self) -> usize {
        // Before `run` there are no Ps yet, but their number is known.
        match Sched::procs(self) {
            0 => self.settings.procs,
            procs => procs,
        }
    }

    fn poller(&self, make: rt::MakePoller) -> std::io::Result<Arc<dyn Poller>> {
        self.polling.open(make, self.settings.poller_shards)
    }

    fn tasks_at_descriptors(&self) -> &Tasks {
        &self.polling.tasks
    }

    fn may_spin(&self) -> bool {
        self.may_spin_here()
    }

    fn num_goroutines(&self) -> usize {
        self.count_goroutines(&self.lock())
    }

    fn stats(&self) -> Stats {
        let lists = self.lock();
        let mut stats = Stats {
            goroutines: self.count_goroutines(&lists),
            system_goroutines: self.system.load(Relaxed),
            spawned: to_u64(self.sum(&lists, |c| i128::from(c.spawned.load(Relaxed)))),
            steals: to_u64(self.sum(&lists, |c| i128::from(c.steals.load(Relaxed)))),
            stolen: to_u64(self.sum(&lists, |c| i128::from(c.stolen.load(Relaxed)))),
            procs: rt::AnyRuntime::procs(self),
            proc_time: std::time::Duration::from_nanos(self.p_time(&lists)),
            idle_rule: <IdleOf<C> as IdlePolicy>::NAME,
            seed: self.settings.seed,
            idle_procs: lists.idle_ps.len(),
            // sysmon counts, once it runs.
            threads: lists.all_m.len() + usize::from(!lists.all_m.is_empty()),
            idle_threads: lists.idle_ms.len() + usize::try_from(lists.locked_idle).unwrap_or(0),
            retired_threads: lists.retired,
            wakeups: self.wakeups.load(Relaxed),
            handoffs: self.handoffs.load(Relaxed),
            overruns: self.overruns.load(Relaxed),
            blocking_sites: lists.blockers.worst(),
            stacks: self.stacks.figures(),
            records: registry::count(),
            ..Stats::default()
        };
        let spare = self.sum(&lists, |c| i128::from(c.spare_stacks.load(Relaxed)));
        let spare = usize::try_from(spare).unwrap_or(0).min(stats.stacks.in_use);
        stats.stacks.in_use -= spare;
        stats.stacks.free += spare;
        drop(lists);
        registry::for_each(|g| match g.status_in(&self.header) {
            None | Some(Status::Free) => {}
            Some(Status::Runnable) => stats.runnable += 1,
            Some(Status::Running) => stats.running += 1,
            Some(Status::Blocked) => stats.blocked += 1,
            Some(Status::Waiting) => stats.waiting += 1,
        });
        stats
    }

    fn latencies(&self) -> Latencies {
        let mut sum = Latencies::default();
        self.lock().every_p.iter().for_each(|p| p.core.latency.add_to(&mut sum));
        sum
    }

    fn schedule(&self, detail: bool) -> Schedule {
        self.schedule_here(detail)
    }

    fn threads(&self) -> Vec<(u64, i32)> {
        let lists = self.lock();
        let threads = lists.all_m.iter().map(|m| (m.id, m.thread_id.load(Relaxed)));
        threads.filter(|&(_, thread)| thread != 0).collect()
    }

    fn look(&self, look: &mut dyn Look) {
        self.look_at_all(look);
    }

    fn record(&self, records: usize) {
        let lists = self.lock();
        self.header.events.open(records);
        lists.every_p.iter().for_each(|p| self.header.events.equip(&p.core));
        self.header.events.begin();
        drop(lists);
    }

    fn recorded(&self, from: &mut Positions) -> Recorded {
        let ps = self.lock().every_p.clone();
        let shared = self.header.events.shared_ring();
        let rings = core::iter::once(shared).chain(ps.iter().map(|p| p.core.ring.get()));
        let mut recorded = Recorded::default();
        for (at, ring) in rings.enumerate() {
            if from.0.len() <= at {
                from.0.push(0);
            }
            let Some(ring) = ring else {
                recorded.rings.push(Vec::new());
                continue;
            };
            let copied = ring.copy(from.0[at]);
            let lost = copied.first - from.0[at];
            recorded.lost += lost;
            from.0[at] = copied.first + copied.records.len() as u64;
            // SAFETY: just copied.
            recorded.rings.push(unsafe { trace::parse(&copied, at == 0, lost != 0) });
        }
        recorded.begun = self.header.events.begun();
        recorded
    }

    fn header(&self) -> &Header {
        &self.header
    }

    fn to_arc(&self) -> Arc<AnyRuntime> {
        self.arc()
    }

    fn policy_name(&self) -> &'static str {
        self.policy_name_here()
    }

    fn timer_added(&self, when: u64) {
        // The caller holds a P; if it is the only one, nobody else could run the timer.
        if Sched::procs(self) > 1 {
            Sched::timer_added(self, when);
        }
    }

    fn timer_added_to_lent(&self, p: &PCore, when: u64) {
        let lists = self.lock();
        if p.word.status() == PStatus::Dead {
            // The P was removed after it had been taken from the call, and may have been emptied before the timer came.
            p.timers.move_to(&lists.every_p[0].core.timers);
        }
        drop(lists);
        Sched::timer_added(self, when);
    }

    fn first_p(&self) -> Option<&PCore> {
        let first = self.lock().every_p.first().map(Arc::as_ptr)?;
        // SAFETY: a P lives as long as its runtime, which is borrowed for the answer.
        Some(unsafe { &(*first).core })
    }

    fn is_closed(&self) -> bool {
        self.attention() & attention::CLOSING != 0
    }

    fn never_ran(&self) -> bool {
        self.never_ran.load(Relaxed)
    }
}

fn to_u64(sum: i128) -> u64 {
    u64::try_from(sum).unwrap_or(0)
}
