//! `Sema`: Go's semaphore, on which mutexes are built: a count of units, and a queue of those who wait for one.
//!
//! ```text
//!   acquire: a unit there? take it ─► queue (at the end, or at the front) ─► sleep ─► woken with a ticket? done
//!                 ▲                                                            │
//!                 └────────────── the unit may be gone again ◄────────────────┘
//!   release: somebody waits? ─► with hand-off: the first gets a ticket, which is the unit itself
//!                            ─► without: the count goes up and the first is woken to try for it
//! ```
//!
//! **Invariant.** Count and queue change under one lock, and nobody queues while the count is not zero. Without
//! hand-off a woken waiter competes with newcomers for its unit; a loser queues again. So at each moment there are as
//! many units, released and not yet taken or still owed, as there are callers that wait, are woken, or are on their
//! way. Whoever leaves early takes its share out of what is owed, under the same lock.
//!
//! Go keeps the queues of all semaphores in one table of trees by address, and the count outside its lock; here each
//! object has its own. Go: `semacquire1`, `semrelease1` (sema.go, Go 1.27).

use crate::seam::const_fn;
use crate::wait::{Caller, Fired, Lock, Node, Queue, Unfired, WaitMode, Waiter, WakeHandle, wait};
use core::cell::Cell;
use gmp_core::{Wake, contention};
use std::time::{Duration, Instant};

/// The semaphore.
#[doc(alias = "semaRoot")]
pub(crate) struct Sema(Lock<Units>);

/// What the lock protects.
struct Units {
    count: u32,
    /// Whether the one unit of `count` is a ticket, released before its receiver had queued.
    ticket: bool,
    queue: Queue<Waits>,
}

/// What a waiter's node says.
#[derive(Default)]
struct Waits {
    /// Whether it was woken with a ticket.
    ticket: Cell<bool>,
    /// Since when it waits, if unlocks are profiled.
    since: Option<Instant>,
}

/// How a caller got its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// It won the unit against others.
    Won,
    /// The unit was handed to it.
    Ticket,
}

/// What a release does with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Adds it, and wakes the first who waits to try for it.
    Count,
    /// Hands it to the first waiter, or to the first caller that comes.
    Ticket,
}

impl Sema {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(Lock::new(Units { count: 0, ticket: false, queue: Queue::new() }))
        }
    }

    /// Whether there is no unit and nobody waits for one.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let units = self.0.lock();
        units.count == 0 && units.queue.is_empty()
    }

    /// Takes a unit. If there is none it waits for one, at the front of the queue if `first`. **Suspends.**
    ///
    /// When the wait ends without a unit, `leave` is called under the lock, to take the caller's share out of what is
    /// owed. If it returns `false`, a unit is on its way, and this goes on waiting for that.
    ///
    /// # Errors
    /// How the wait ended without a unit.
    #[doc(alias = "semacquire1")]
    pub(crate) fn acquire(
        &self,
        caller: &Caller,
        mut first: bool,
        mut mode: WaitMode,
        leave: impl Fn() -> bool,
    ) -> Result<Unit, Wake> {
        let since = (contention::mutex_fraction() != 0).then(Instant::now);
        let mut units = self.0.lock();
        loop {
            if let Some(unit) = units.take() {
                return Ok(unit);
            }
            let waiter = Waiter::alone();
            let node = Node::new(&waiter, 0, Waits { since, ..Waits::default() });
            // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
            unsafe { if first { units.queue.push_front(&node) } else { units.queue.push_back(&node) } }
            // SAFETY: the node is queued, and the waiter's only one.
            match unsafe { wait(caller, units, |units| &units.queue, &waiter, &node, mode) } {
                Ok(_) if node.extra.ticket.get() => return Ok(Unit::Ticket),
                Ok(_) => units = self.0.lock(),
                Err(Unfired { wake, guard, queued }) => {
                    if !queued || leave() {
                        return Err(wake);
                    }
                    (mode, first) = (mode.uninterruptible(), true);
                    units = guard;
                }
            }
        }
    }

    /// Gives a unit, in the way that `grant` says; if that returns `None`, nothing is given. `gone` is called for
    /// each waiter that is found to be gone. Both are called under the lock. Returns whether a sleeping goroutine was
    /// handed a ticket, so that the caller may yield to it. Never suspends.
    #[doc(alias = "semrelease1")]
    pub(crate) fn release(&self, grant: impl FnOnce() -> Option<Grant>, mut gone: impl FnMut()) -> bool {
        let mut units = self.0.lock();
        // The waiters that are gone are removed first, so that `grant` sees what is owed to the others.
        let _ = units.queue.pop_if(|_| false, |_| gone());
        let Some(grant) = grant() else { return false };
        let drawn = contention::draws_unlock().map(|drawn| (units.held_up(), drawn));
        let handle = units.give(grant);
        drop(units);
        let handed = grant == Grant::Ticket && handle.as_ref().is_some_and(WakeHandle::is_goroutine);
        if let Some(handle) = handle {
            handle.wake();
        }
        if let Some((time, drawn)) = drawn {
            contention::held_up(time, drawn);
        }
        handed
    }

    /// Gives `owed` units, one after the other, to as many callers that wait or are on their way. Returns how many of
    /// them were gone; their units are withdrawn. Never suspends.
    ///
    /// The caller sees to it that nobody comes meanwhile who is not owed one of these units.
    pub(crate) fn release_to_all(&self, owed: u32) -> u32 {
        if let Some(drawn) = contention::draws_unlock() {
            let time = self.0.lock().held_up();
            contention::held_up(time, drawn);
        }
        let mut gone = 0;
        for given in 0..owed {
            let mut units = self.0.lock();
            // Waiters that are gone are removed here, before the first is popped.
            let _ = units.queue.pop_if(|_| false, |_| gone += 1);
            if units.queue.is_empty() {
                // The others are on their way.
                units.count += owed - given - gone;
                return gone;
            }
            let handle = units.give(Grant::Count);
            drop(units);
            if let Some(handle) = handle {
                handle.wake();
            }
        }
        gone
    }
}

impl Units {
    /// How long all have waited who wait now. Go charges the mean of the first and the last for those between.
    fn held_up(&self) -> Duration {
        let mut all = Duration::ZERO;
        self.queue.for_each(|waits| all += waits.since.map_or(Duration::ZERO, |since| since.elapsed()));
        all
    }

    #[inline]
    fn take(&mut self) -> Option<Unit> {
        self.count = self.count.checked_sub(1)?;
        Some(if core::mem::take(&mut self.ticket) { Unit::Ticket } else { Unit::Won })
    }

    /// Gives a unit to the first in the queue, or to the count.
    fn give(&mut self, grant: Grant) -> Option<WakeHandle> {
        match self.queue.first() {
            Some(node) => {
                self.queue.unlink(node);
                match grant {
                    Grant::Ticket => node.extra.ticket.set(true),
                    Grant::Count => self.count += 1,
                }
                Some(node.fire(Fired::Done))
            }
            None => {
                self.count += 1;
                self.ticket |= grant == Grant::Ticket;
                None
            }
        }
    }
}
