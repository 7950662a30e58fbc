//! Sleepers: whoever comes back from a blocking call and finds no P idle takes one from a goroutine that sleeps.
//!
//! ```text
//!   back, no P idle ──► some P's goroutine is known for blocking, and its thread sleeps? ──► taken, by sysmon's protocol
//!                                                                                             │
//!                       others wait for that P: the comer queues behind them, and its M runs them ◄─┤
//!                       nobody does: the comer goes on ◄────────────────────────────────────────────┘
//! ```
//!
//! sysmon looks every 20 us at best, wakes a thread for what it takes, and the comer's thread goes to sleep meanwhile.
//! Where many goroutines block for a short time again and again that is most of the work. The comer's thread is awake,
//! and knows at once that a P is wanted. So it asks only about goroutines that were started where goroutines keep
//! blocking (`shared/blockers.rs`), and sysmon finds out about those.
//!
//! **Order.** To take a P is not to pass others by: they are queued already, so the comer goes behind them.
//!
//! Go: none; a goroutine whose P was taken during a system call gets an idle one, or queues (`exitsyscall`, proc.go,
//! Go 1.27).

use crate::contract::Config;
use crate::records::attention;
use crate::records::p::word::PStatus;
use crate::records::p::{OwnedP, P};
use crate::shared::lists::Lists;
use crate::shared::sched::Sched;
use crate::watching::retake::{Why, cpu_time, is_asleep};
use core::sync::atomic::Ordering;
use std::sync::Arc;

/// How many Ps are asked about. To ask takes some microseconds, and whoever finds nothing has lost them.
const TRIES: usize = 2;

impl<C: Config> Sched<C> {
    /// Takes a P from a goroutine that sleeps, for a caller that has none. On g0, since system calls are made.
    pub(crate) fn take_p_of_a_sleeper(&self) -> Option<OwnedP<C>> {
        let mut from = 0;
        for _ in 0..TRIES {
            let (at, p) = self.blocker_from(from)?;
            from = at + 1;
            let clock = p.core.cpu_clock.load(Ordering::Relaxed);
            let used = cpu_time::<C>(clock);
            let taken = self.seize_p_if(p, Why::Sleeps, |m| is_asleep::<C>(m, clock, used));
            if let Some((p, ..)) = taken {
                return Some(p);
            }
        }
        None
    }

    /// The first P from this place on that runs a goroutine that is known for blocking, and whose own code runs.
    fn blocker_from(&self, from: usize) -> Option<(usize, &P<C>)> {
        let lists = self.lock();
        if self.attention() & attention::STOP != 0 || !lists.blockers.know_any() || !self.retakes() {
            return None;
        }
        let ps = lists.every_p.get(from..)?;
        let at = ps.iter().position(|p| self.may_sleep(&lists, p))?;
        // SAFETY: Ps live as long as the runtime, whatever becomes of the list.
        Some((from + at, unsafe { &*Arc::as_ptr(&ps[at]) }))
    }

    fn may_sleep(&self, lists: &Lists<C>, p: &P<C>) -> bool {
        p.core.word.status() == PStatus::Running
            && self
                .holder_of(lists, p)
                .is_some_and(|m| !m.door.is_inside() && lists.is_known_for_blocking(&m))
    }
}
