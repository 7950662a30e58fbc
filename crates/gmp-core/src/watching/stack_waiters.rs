//! Stack waiters: goroutines that have got no stack wait until another one ends and leaves its own. But the system may have
//! memory again though nobody ends: so sysmon has some of them ask again every 10 ms.

use crate::contract::Config;
use crate::ground::clock::nanos;
use crate::shared::sched::Sched;
use core::sync::atomic::Ordering;
use std::time::Duration;

/// How often they ask.
const PAUSE: Duration = Duration::from_millis(10);

/// What sysmon knows of them.
#[derive(Default)]
pub(super) struct StackWaiters {
    asked_at: u64,
    /// How many have asked, and how many were left then.
    asking: usize,
    left: usize,
}

impl StackWaiters {
    /// One asks, and twice as many each time if nobody had to come back: while there is no memory, each asking costs a call
    /// of the system's.
    pub(super) fn ask_again<C: Config>(&mut self, sched: &Sched<C>, now: u64) {
        let waiting = sched.waiting_for_stack.load(Ordering::Relaxed);
        if waiting == 0 {
            *self = Self::default();
            return;
        }
        if now.saturating_sub(self.asked_at) < nanos(PAUSE) {
            return;
        }
        let many = if self.asking != 0 && waiting <= self.left { self.asking * 2 } else { 1 };
        let mut lists = sched.lock();
        // One that was freed as they began to wait may be kept by a P.
        lists.idle_ps.iter_mut().for_each(|p| p.flush_stacks(&sched.stacks));
        let mut asking = 0;
        while asking < many
            && let Some(waiter) = lists.without_stack.pop_front()
        {
            sched.push_shared(waiter);
            asking += 1;
        }
        *self = Self { asked_at: now, asking, left: lists.without_stack.len() };
        sched.waiting_for_stack.store(self.left, Ordering::Relaxed);
        drop(lists);
        sched.wake_for_old_work();
    }
}
