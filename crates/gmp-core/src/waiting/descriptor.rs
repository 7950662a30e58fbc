//! `Descriptor`: how goroutines and plain threads wait for a file descriptor. What stands behind it is a source; the
//! head of `records/source.rs` describes the protocol. Go: `internal/poll.pollDesc` over `poll_runtime_poll*`.

use crate::contract::{Alarm, Side};
use crate::entering::caller::{Caller, caller};
use crate::entering::foreign::wake_task;
use crate::entering::gate;
use crate::records::g::parked::Parked;
use crate::records::g::{WaitReason, Wake};
use crate::records::source::task::Task;
use crate::records::source::{ListOutcome, Sleeper, Source, Woken, slab};
use crate::waiting::park::{Commit, on_clock, park_inside};
use core::task::Waker;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

pub use crate::records::rt::MakePoller;
pub use crate::records::source::Ticket;

/// How a wait for a descriptor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// The caller is to try again: something may have changed.
    TryAgain,
    /// The deadline has passed.
    TimedOut,
    /// The caller's runtime closes.
    Closing,
    /// The caller is no goroutine, and has not slept: it may wait as a thread does, between [`Descriptor::list_thread`] and
    /// [`Descriptor::unlist_thread`].
    NoGoroutine,
}

/// What became of a task that was to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Its waker will be rung.
    Listed,
    /// The caller is to try again: something may have changed.
    TryAgain,
    /// The caller is no goroutine, so there is no runtime that would look for it.
    NoGoroutine,
}

/// One file descriptor that goroutines may wait for, seen from whoever owns it. Use it up when the descriptor is closed.
pub struct Descriptor {
    source: &'static Source,
}

impl core::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Descriptor").field(&self.source.tag()).finish()
    }
}

impl Descriptor {
    /// A new one. No poller watches it yet: that begins with the first wait. Never suspends.
    ///
    /// # Errors
    /// There are 4 billion already.
    pub fn new() -> io::Result<Self> {
        let source = slab::take().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { source })
    }

    /// Draws a ticket, which is done before each try that may have to wait.
    #[inline]
    pub fn ticket(&self, side: Side) -> Ticket {
        self.source.half(side).ticket()
    }

    /// Whether a try with this ticket would come to nothing, as far as is known. Never to a caller that is no goroutine:
    /// edges come by a poller, which is asked only while a goroutine waits, so a plain thread is to try.
    #[inline]
    pub fn is_drained(&self, side: Side, ticket: Ticket) -> bool {
        self.source.half(side).is_drained(ticket) && matches!(caller(), Caller::G(_))
    }

    /// Says that a try with this ticket has left nothing. Only for descriptors that tell anew of everything that comes
    /// later, and that give all they have when they are asked.
    #[inline]
    pub fn set_drained(&self, side: Side, ticket: Ticket) {
        self.source.half(side).set_drained(ticket);
    }

    /// Waits until a try is worth while again, after one with this `ticket` has found nothing. **Suspends.** `make` makes
    /// the caller's runtime a poller, if it has none.
    ///
    /// # Errors
    /// The descriptor cannot be watched.
    ///
    /// # Panics
    /// In the scheduler's place: in a policy, an event sink, a call on the system stack.
    #[doc(alias = "runtime_pollWait")]
    #[track_caller]
    pub fn wait(
        &self,
        fd: BorrowedFd<'_>,
        side: Side,
        ticket: Ticket,
        deadline: Option<Instant>,
        make: MakePoller,
    ) -> io::Result<Slept> {
        let Some(inside) = gate::enter_or_plain("net") else { return Ok(Slept::NoGoroutine) };
        let header = inside.g().header();
        if header.is_unwinding() {
            return Ok(Slept::Closing);
        }
        self.source.settle(header.serial, fd, || header.runtime().poller(make))?;
        let half = self.source.half(side);
        let no_room = core::cell::Cell::new(false);
        // SAFETY: the goroutine is the caller, so it has started and not ended.
        unsafe { inside.g().body.set_waits_at(fd.as_raw_fd() as usize) };
        count(&inside, 1);
        let wake = park_inside(&inside, WaitReason::Io, on_clock(&inside, deadline), |parked: Parked| {
            match half.list(ticket, Sleeper::Goroutine(parked)) {
                ListOutcome::Listed => Commit::Stay,
                ListOutcome::Edge(sleeper) => called_off(sleeper),
                ListOutcome::NoRoom(sleeper) => {
                    // The token is here, so the goroutine's frame is, too.
                    no_room.set(true);
                    called_off(sleeper)
                }
            }
        });
        count(&inside, -1);
        if no_room.get() {
            half.make_room();
        }
        if wake != Wake::Woken {
            half.unlist_stale();
        }
        Ok(match wake {
            Wake::Woken => Slept::TryAgain,
            Wake::TimedOut => Slept::TimedOut,
            Wake::Closing => Slept::Closing,
        })
    }

    /// Lists a plain thread, to be alarmed at the next edge after `ticket`. `false`: there was one, or the end has
    /// come. Never suspends.
    pub fn list_thread(&self, side: Side, ticket: Ticket, alarm: &Arc<dyn Alarm>) -> bool {
        let half = self.source.half(side);
        loop {
            match half.list(ticket, Sleeper::Thread(Arc::clone(alarm))) {
                ListOutcome::Listed => return true,
                ListOutcome::Edge(_) => return false,
                ListOutcome::NoRoom(_) => half.make_room(),
            }
        }
    }

    /// Lists a future's task, which the calling goroutine polls, instead of one with the same key: its waker is rung at
    /// the next edge after `ticket`. `make` as for [`Descriptor::wait`]. Never suspends.
    ///
    /// # Errors
    /// The descriptor cannot be watched.
    pub fn list_task(
        &self,
        fd: BorrowedFd<'_>,
        side: Side,
        ticket: Ticket,
        key: u64,
        waker: &Waker,
        make: MakePoller,
    ) -> io::Result<Listed> {
        let Caller::G(here) = caller() else { return Ok(Listed::NoGoroutine) };
        let (header, half) = (here.g().header(), self.source.half(side));
        self.source.settle(header.serial, fd, || header.runtime().poller(make))?;
        half.unlist_task(key);
        let p = here.m().p_core().map_or(0, |p| p.id);
        let mut sleeper =
            Sleeper::Task(Task::new(key, waker, header.runtime().tasks_at_descriptors().count(p)));
        loop {
            sleeper = match half.list(ticket, sleeper) {
                ListOutcome::Listed => return Ok(Listed::Listed),
                ListOutcome::Edge(_) => return Ok(Listed::TryAgain),
                ListOutcome::NoRoom(sleeper) => sleeper,
            };
            half.make_room();
        }
    }

    /// Takes a task off the list. Never suspends.
    pub fn unlist_task(&self, side: Side, key: u64) {
        self.source.half(side).unlist_task(key);
    }

    /// Takes the thread off the list. Never suspends.
    pub fn unlist_thread(&self, side: Side, alarm: &Arc<dyn Alarm>) {
        self.source.half(side).unlist_thread(alarm);
    }

    /// Has everybody who waits at a side try again, since the terms have changed. Never suspends.
    pub fn wake(&self, side: Side) {
        wake_all(self.source.half(side).edge(false, || true));
    }

    /// The end: everybody who waits tries again, and nobody waits any more. Never suspends.
    #[doc(alias = "runtime_pollUnblock")]
    pub fn close(&self) {
        wake_all(self.source.half(Side::Read).close());
        wake_all(self.source.half(Side::Write).close());
    }

    /// Has no poller watch `fd` any more: for a descriptor that has duplicates, before it is closed. Never suspends.
    pub fn unwatch(&self, fd: BorrowedFd<'_>) {
        self.source.unsettle(fd);
    }
}

impl Drop for Descriptor {
    /// Nobody waits: whoever does borrows the descriptor.
    fn drop(&mut self) {
        slab::give_back(self.source);
    }
}

fn count(inside: &gate::Inside, n: i64) {
    if let Some(p) = inside.m().p_core() {
        p.counters.count_at_descriptors(n);
    }
}

fn called_off(sleeper: Sleeper) -> Commit {
    match sleeper {
        Sleeper::Goroutine(parked) => Commit::Resume(parked),
        Sleeper::Thread(_) | Sleeper::Task(_) => {
            crate::fatal!("a park is called off by its own token", "not by a goroutine's")
        }
    }
}

fn wake_all(woken: Woken) {
    woken.for_each(|sleeper| match sleeper {
        Sleeper::Goroutine(parked) => _ = parked.ready(),
        Sleeper::Thread(alarm) => alarm.ring(),
        Sleeper::Task(task) => wake_task(task.into_waker()),
    });
}
