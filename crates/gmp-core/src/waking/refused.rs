//! Refused: threads that the operating system does not give. Go: `retryOnEAGAIN` (os_linux.go, Go 1.27), which asks 20
//! times.
//!
//! As long as any M can go on, goroutines share the threads that there are, and work that waits has sysmon ask for one
//! more every 10 ms (the bounded law). What follows is about the rest: every M sleeps, for its locked goroutine or as m0.
//!
//! ```text
//!   refused, and every M sleeps ──► asked again every 10 ms ──► made: all goes on
//!                                        │
//!                                        └─ nothing else for 200 ms ──► `run` returns with the refusal
//! ```
//!
//! A refusal may last for a moment only, while threads that have ended are still being cleared away.

use crate::contract::Config;
use crate::ground::clock::nanos;
use crate::ground::tell::tell;
use crate::records::m::M;
use crate::records::p::OwnedP;
use crate::shared::lists::Lists;
use crate::shared::refusals::PATIENCE;
use crate::shared::sched::Sched;
use core::ptr;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the pause between two such requests is.
const PAUSE: Duration = Duration::from_millis(10);

impl<C: Config> Sched<C> {
    /// Called when the operating system gave no thread for this new M, or not what its thread needs. The M's P is put
    /// aside; sysmon asks again as long as work waits.
    pub(crate) fn thread_refused(&self, lists: &mut Lists<C>, m: &Arc<M>, error: io::Error) {
        lists.forget_m(m);
        if !core::mem::replace(&mut lists.refusal_told, true) {
            tell(&format!(
                "runtime: the operating system refused {error}; there are {}\nwarning: goroutines wait for a thread that \
                 comes back, or for the system to give one (see ulimit -u and -v, and the cgroup's pids.max){}\n",
                lists.all_m.len() + 1,
                self.holders(lists)
            ));
        }
        lists.refused = Some(error);
        // SAFETY: the P was put there for the M's thread, which never took it.
        let p = unsafe { OwnedP::from_core(m.next_p.replace(ptr::null())) };
        self.no_thread(lists, p, m.spinning.get());
        let stuck = Self::is_stuck(lists);
        if lists.refused_threads.again(self.header.now(), stuck) {
            self.give_up_if_refused(lists);
        }
    }

    /// Whether the system has refused a thread, and every M there is sleeps.
    fn is_stuck(lists: &Lists<C>) -> bool {
        lists.refused.is_some() && !lists.finished && lists.busy_ms() <= 0 && lists.idle_ms.is_empty()
    }

    /// Called when nothing would ever run again: makes `run` return and say what was refused.
    pub(crate) fn give_up_if_refused(&self, lists: &mut Lists<C>) {
        if Self::is_stuck(lists)
            && let Some(error) = lists.refused.take()
        {
            lists.failure = Some(error);
            self.finish(lists);
        }
    }

    /// sysmon's part: asks again after a pause.
    pub(crate) fn ask_again_if_refused(&self, lists: &mut Lists<C>) {
        if Self::is_stuck(lists)
            && self.header.now().saturating_sub(lists.refused_threads.last()) >= nanos(PAUSE)
            && let Some(p) = self.take_idle_p(lists)
        {
            self.start_m(lists, p, false);
        }
    }

    /// m0's part, before it rests: while it is the only M, and the first thread beside it was refused, it asks itself.
    /// `false`: in vain.
    pub(crate) fn ask_for_first_thread(&self) -> bool {
        let began = self.header.now();
        loop {
            let mut lists = self.lock();
            let alone = lists.all_m.len() == 1 && lists.refused.is_some() && !lists.finished;
            if !alone {
                return true;
            }
            if self.header.now().saturating_sub(began) >= nanos(PATIENCE) {
                return false;
            }
            let Some(p) = self.take_idle_p(&mut lists) else { return true };
            self.start_m(&mut lists, p, false);
            let made = lists.refused.is_none();
            drop(lists);
            if !made {
                std::thread::sleep(PAUSE);
            }
        }
    }
}
