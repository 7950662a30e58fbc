//! Overruns: sysmon takes the P of a goroutine that computes for longer than its time slice without a call of the
//! runtime. Go: none; it stops such a goroutine by a signal (`preemptM`, proc.go, Go 1.27).
//!
//! ```text
//!   slice over ──► the goroutine calls: it makes room itself (`slice.rs`)
//!       │
//!       └─ another half millisecond, no call, and somebody wants the P ──► taken, handed off
//!                                                                               the goroutine computes on, without a P
//!                     its next call that suspends, or its end ◄────────────────────────────┘
//!                     back by the queue's rules, as after an undeclared call that blocked
//! ```
//!
//! Its thread has a longer slice of the CPU meanwhile ([`ThreadSlice`](crate::contract::ThreadSlice)), so that an M that
//! wakes for a P need not wait for it; its share is the same.
//!
//! Go suspends it between two instructions, which only its compiler makes possible: it knows where nothing is half
//! done. Here the system shares the CPUs out between those who overrun and the Ps, as it does among threads. With too
//! many of them the number of Ps would mean nothing, so how many may do so at once is bounded
//! (`Settings::max_overruns`). Beyond that a goroutine keeps its P until it calls, and a P that others are waiting for
//! is taken as soon as one of them has come back.
//!
//! **Busy machines.** All of this is counted in the CPU time of the M's thread. A goroutine whose thread waits for a
//! CPU has not overrun anything, however late it is. But while goroutines of this runtime overrun, it is they who take the
//! CPUs, and then the wall's time counts.

use crate::contract::Config;
use crate::entering::foreign::without_runtime;
use crate::entering::gate::on_g0;
use crate::ground::clock::nanos;
use crate::ground::fence::heavy_fence;
use crate::ground::frames::Stack;
use crate::ground::overrun::{Overrun, OverrunHook};
use crate::records::g::G;
use crate::records::m::M;
use crate::records::p::P;
use crate::records::sight::inspector;
use crate::shared::sched::Sched;
use crate::watching::retake::{Found, Why, cpu_time, is_unwanted};
use crate::watching::seen::{GRACE, Seen};
use core::sync::atomic::Ordering;
use std::time::Duration;

/// How many goroutines may overrun their slices beside each P, if the builder does not say. With one for each P, four
/// of them on two Ps would keep out all others for as long as they like.
const OVERRUNS_FOR_EACH_P: usize = 2;

/// How long a goroutine's thread is asked to show its stack, while sysmon waits.
const PATIENCE: Duration = Duration::from_millis(10);

impl Seen {
    /// Takes the P of a goroutine that has not heard that its slice is over, if anybody could use it.
    /// While others overrun, too, the wall's time counts, as for the slice itself.
    pub(super) fn take_if_overrun<C: Config>(
        &mut self,
        sched: &Sched<C>,
        p: &P<C>,
        now: u64,
        some_overrun: bool,
    ) -> Found {
        let Some((ended_at, ended)) = self.ended.filter(|_| self.is_same(p) && p.core.slice.is_over()) else {
            return Found::Nothing;
        };
        let Some(clock) = cpu_time::<C>(self.clock.0) else { return Found::Nothing };
        let used = if some_overrun { now.saturating_sub(ended_at) } else { clock.saturating_sub(ended) };
        if used < nanos(GRACE) {
            self.look_at = now + nanos(GRACE) - used;
            return Found::Nothing;
        }
        if is_unwanted(sched, p, now) {
            return Found::Nothing;
        }
        let (tick, since) = (self.tick, self.since);
        let outside = |_: &M| {
            heavy_fence();
            p.core.slice.is_over() && p.core.slice.tick() == tick
        };
        let found = sched.take_p_if(p, Why::Overruns { since }, outside);
        if found != Found::Taken {
            // It is in our code at this moment, or too many overrun already.
            self.look_at = now + nanos(GRACE);
        }
        found
    }
}

impl<C: Config> Sched<C> {
    pub(super) fn max_overruns(&self) -> usize {
        self.settings.max_overruns.unwrap_or(self.procs() * OVERRUNS_FOR_EACH_P)
    }

    /// Keeps the stack of the goroutine that ran on `m` when its P was taken, if it is still there and somebody will
    /// ask for it. Under no lock.
    pub(super) fn show_overrun(&self, m: &M, g: *const G, since: u64) {
        if self.settings.on_overrun.is_none() {
            return;
        }
        let thread = m.thread_id.load(Ordering::Relaxed);
        if let Some(stack) = inspector().and_then(|inspector| (inspector.capture)(thread, g.addr(), PATIENCE))
        {
            m.overrun.show(since, stack);
        }
    }

    /// The goroutine `g` of `m` has come back, which has computed since then.
    pub(super) fn tell_of_overrun(&self, hook: &OverrunHook, g: &'static G, m: &M, since: u64) {
        let lasted = Duration::from_nanos(self.header.now().saturating_sub(since));
        let stack = m.overrun.take_stack(since);
        // To find a way through unwind tables, and to name functions, takes more stack than a goroutine may have.
        on_g0(g, |_| {
            let overrun = Overrun {
                number: g.number.get(),
                name: g.extra().and_then(|extra| extra.name.clone()),
                created_at: g.created_at.get(),
                lasted,
                stack: stack.map_or_else(Stack::default, |stack| Stack::of_running(stack.addresses())),
            };
            without_runtime("an overrun hook", || hook(&overrun));
        });
    }
}
