//! The scheduler as `schedtrace` shows it. Go: `schedtrace` (proc.go, Go 1.27).

use crate::contract::{Config, Thief};
use crate::records::g::word::Status;
use crate::records::g::{G, registry};
use crate::records::m::M;
use crate::records::p::P;
use crate::records::p::word::PStatus;
use crate::records::schedule::{Schedule, ScheduleG, ScheduleM, ScheduleP};
use crate::shared::sched::Sched;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

impl<C: Config> Sched<C> {
    /// The scheduler at this moment; with Ms and goroutines if asked for.
    pub(crate) fn schedule_here(&self, detail: bool) -> Schedule {
        let lists = self.lock();
        let ms: Vec<Arc<M>> = lists.all_m.clone();
        let ps: Vec<_> =
            lists.every_p.iter().filter(|p| p.core.word.status() != PStatus::Dead).cloned().collect();
        let mut schedule = Schedule {
            procs: self.procs(),
            idle_procs: lists.idle_ps.len(),
            threads: ms.len() + usize::from(!ms.is_empty()),
            spinning: self.view().spinning,
            idle_threads: lists.idle_ms.len(),
            idle_locked: usize::try_from(lists.locked_idle).unwrap_or(0),
            shared_queue: self.shared_len(),
            stop_wait: lists.stop_wait,
            sysmon_asleep: lists.sysmon_asleep,
            ..Schedule::default()
        };
        drop(lists);
        let holder = |p: &P<C>| ms.iter().find(|m| holds(m, p)).map(|m| m.id);
        schedule.ps = ps
            .iter()
            .map(|p| ScheduleP {
                id: p.core.id,
                status: p.core.word.status() as u8,
                tick: p.core.slice.tick(),
                calls: p.core.word.calls(),
                m: holder(p),
                queue: self.policy_from_anywhere(|| p.thief.len()),
                timers: if detail { p.core.timers.live() } else { 0 },
            })
            .collect();
        if detail {
            schedule.ms =
                ms.iter().map(|m| m_of(m, ps.iter().find(|p| holds(m, p)).map(|p| p.core.id))).collect();
            registry::for_each(|g| schedule.gs.extend(self.g_of(g, &ms)));
            schedule.gs.sort_unstable_by_key(|g| g.number);
        }
        schedule
    }

    fn g_of(&self, g: &'static G, ms: &[Arc<M>]) -> Option<ScheduleG> {
        let seen = g.word.glimpse();
        let status = match seen.status() {
            Status::Free => return None,
            Status::Runnable => 1,
            Status::Running => 2,
            Status::Blocked => 3,
            Status::Waiting => 4,
        };
        let reason = g.word.scan().map(|_frozen| g.reason.get());
        let m = ms.iter().find(|m| ptr::eq(m.running(), g)).map(|m| m.id);
        let number = g.number.get();
        (g.is_of(&self.header) && g.word.still(seen)).then_some(ScheduleG { number, status, reason, m })
    }
}

/// Whether this M took the P last and has not given it up, as far as can be told without asking it: the P knows its M by
/// the clock of its CPU time.
fn holds<C: Config>(m: &M, p: &P<C>) -> bool {
    let clock = m.cpu_clock.load(Relaxed);
    let used = matches!(p.core.word.status(), PStatus::Running | PStatus::Blocked);
    used && clock != 0 && p.core.cpu_clock.load(Relaxed) == clock
}

fn m_of(m: &M, p: Option<u32>) -> ScheduleM {
    let number = |g: *const G| {
        // SAFETY: records are never freed.
        unsafe { g.as_ref() }.map(|g| g.number.get())
    };
    ScheduleM {
        id: m.id,
        p,
        running: number(m.running()),
        spinning: m.spinning.get(),
        locked: number(m.locked_g.get()),
    }
}
