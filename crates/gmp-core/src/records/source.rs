//! `Source`: what the scheduler keeps of a file descriptor that goroutines wait for. Go: `pollDesc` (netpoll.go, Go 1.27).
//!
//! Descriptors are edge-triggered: a poller tells each change once. So nobody may sleep over a change that came after
//! its last try. Each side of a source counts its changes, the *edges*:
//!
//! ```text
//!   goroutine                                    whoever heard from the poller
//!   ─────────                                    ─────────────────────────────
//!   ticket = edges                               lock: edges + 1, take all sleepers
//!   try; it would block                          unlock; wake them: each tries again
//!   lock: is the ticket still the number of edges?
//!     yes: leave the token, sleep    no: try again
//! ```
//!
//! **Invariant.** Whoever sleeps has tried after the last edge. An edge before the ticket was drawn is one that the try
//! saw the effect of, since a poller tells only what is so already; a later one changes the number, or finds the
//! sleeper. Any number may sleep at one side; an edge wakes all of them, since it is told once and may be worth more
//! than one try. What changes the terms of a wait (a deadline, the end) is told as an edge as well.
//!
//! **Stale news.** A poller may tell of a descriptor that has been closed, whose source is another descriptor's by then.
//! Each use of a source has a *generation*, which is part of the tag; an edge of another generation is none. (Even if
//! one edge too many were counted, it would cost a try and no more.) Sources are never freed (`source/slab.rs`).
//!
//! **The end.** `close` marks both sides under their locks: those who sleep are woken, and those who come later do not
//! sleep.

pub(crate) mod slab;
pub(crate) mod task;

#[cfg(all(test, loom))]
mod loom_source;

use crate::contract::{Alarm, Poller, Side, Switch, Tag};
use crate::ground::sync::{AtomicU32, AtomicU64, SpinLock};
use crate::records::g::parked::Parked;
use core::sync::atomic::Ordering;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use task::Task;

/// The number of edges at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Set once an end, an error or the like was told, and for good: see [`Half::drained`].
const RESTLESS: u64 = 1;
/// One edge.
const EDGE: u64 = 2;

/// One that sleeps until the next edge.
pub(crate) enum Sleeper {
    Goroutine(Parked),
    Thread(Arc<dyn Alarm>),
    Task(Task),
}

impl Sleeper {
    /// Whether its wait is over, ended by something else.
    fn is_stale(&self) -> bool {
        matches!(self, Self::Goroutine(parked) if parked.is_stale())
    }

    /// It needs no waking.
    fn forget(self) {
        if let Self::Goroutine(parked) = self {
            let _ = parked.into_parts();
        }
    }
}

/// Those whom an edge has woken.
pub(crate) struct Woken {
    first: Option<Sleeper>,
    more: Vec<Sleeper>,
}

impl Woken {
    const NOBODY: Woken = Woken { first: None, more: Vec::new() };

    fn add(&mut self, sleeper: Sleeper) {
        match self.first {
            None => self.first = Some(sleeper),
            Some(_) => self.more.push(sleeper),
        }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    /// Asks for the memory that waking the first of them reads.
    #[inline]
    pub(crate) fn ask_ahead<S: Switch>(&self) {
        match &self.first {
            Some(Sleeper::Goroutine(parked)) => parked.g().ask_for_word::<S>(),
            Some(Sleeper::Task(task)) => task.ask_ahead::<S>(),
            Some(Sleeper::Thread(_)) | None => {}
        }
    }

    pub(crate) fn for_each(self, mut wake: impl FnMut(Sleeper)) {
        self.first.into_iter().chain(self.more).for_each(&mut wake);
    }
}

struct Sleepers {
    closed: bool,
    first: Option<Sleeper>,
    more: Vec<Sleeper>,
}

/// What became of an attempt to sleep.
pub(crate) enum ListOutcome {
    /// It is listed.
    Listed,
    /// There was an edge, or the end came: it is to try again.
    Edge(Sleeper),
    /// There is no room on the list: make some ([`Half::make_room`]) and come again.
    NoRoom(Sleeper),
}

/// One side of a source.
pub(crate) struct Half {
    edges: AtomicU64,
    /// The ticket of a read that got less than it asked for: there is nothing to read until the next edge.
    drained: AtomicU64,
    sleepers: SpinLock<Sleepers>,
}

impl Half {
    pub(crate) fn new() -> Self {
        let sleepers = Sleepers { closed: false, first: None, more: Vec::new() };
        // An edge is even, so no ticket says that the first try may be left out.
        Self { edges: AtomicU64::new(0), drained: AtomicU64::new(1), sleepers: SpinLock::new(sleepers) }
    }

    /// Draws a ticket, which is done before each try.
    #[inline]
    pub(crate) fn ticket(&self) -> Ticket {
        // ORDER: edge. Acquire pairs with the release in `edge`: the try comes after the edges that it counts.
        Ticket(self.edges.load(Ordering::Acquire))
    }

    /// Whether a try with this ticket would find nothing, as far as is known.
    #[inline]
    pub(crate) fn is_drained(&self, ticket: Ticket) -> bool {
        // Relaxed: it is compared with what the caller has seen, and being wrong in the one direction costs a try.
        self.drained.load(Ordering::Relaxed) == ticket.0
    }

    /// A read with this ticket got less than it asked for, so there is no more before the next edge. Not so at the end, in
    /// an error or with urgent data: those are told once, perhaps before the last bytes were read.
    #[inline]
    pub(crate) fn set_drained(&self, ticket: Ticket) {
        if ticket.0 & RESTLESS == 0 {
            self.drained.store(ticket.0, Ordering::Relaxed);
        }
    }

    /// Lists a sleeper, if nothing has happened since its ticket was drawn. Allocates nothing: it runs on the stack of
    /// whoever makes a park.
    pub(crate) fn list(&self, ticket: Ticket, sleeper: Sleeper) -> ListOutcome {
        self.sleepers.with(|sleepers| {
            if sleepers.closed || self.edges.load(Ordering::Relaxed) != ticket.0 {
                return ListOutcome::Edge(sleeper);
            }
            if sleepers.first.is_none() {
                sleepers.first = Some(sleeper);
            } else if sleepers.more.len() < sleepers.more.capacity() {
                sleepers.more.push(sleeper);
            } else {
                return ListOutcome::NoRoom(sleeper);
            }
            ListOutcome::Listed
        })
    }

    /// Makes room for one more sleeper than there are.
    pub(crate) fn make_room(&self) {
        self.sleepers.with(|sleepers| sleepers.more.reserve(1));
    }

    /// Takes those off the list whose waits something else has ended.
    pub(crate) fn unlist_stale(&self) {
        self.unlist(Sleeper::is_stale);
    }

    /// Takes a thread off the list, if it is still there.
    pub(crate) fn unlist_thread(&self, alarm: &Arc<dyn Alarm>) {
        self.unlist(|sleeper| matches!(sleeper, Sleeper::Thread(listed) if Arc::ptr_eq(listed, alarm)));
    }

    /// Takes the task with this key off the list, if it is still there.
    pub(crate) fn unlist_task(&self, key: u64) {
        self.unlist(|sleeper| matches!(sleeper, Sleeper::Task(task) if task.is(key)));
    }

    fn unlist(&self, which: impl Fn(&Sleeper) -> bool) {
        let mut gone = Woken::NOBODY;
        self.sleepers.with(|sleepers| {
            if let Some(first) = sleepers.first.take_if(|sleeper| which(sleeper)) {
                gone.add(first);
            }
            while let Some(at) = sleepers.more.iter().position(&which) {
                gone.add(sleepers.more.swap_remove(at));
            }
        });
        // Not under the lock: a task's waker is dropped.
        gone.for_each(Sleeper::forget);
    }

    /// Counts an edge, if `counts` agrees under the lock. Returns those whom it wakes.
    pub(crate) fn edge(&self, restless: bool, counts: impl FnOnce() -> bool) -> Woken {
        self.sleepers.with(|sleepers| if counts() { self.wake(restless, sleepers) } else { Woken::NOBODY })
    }

    fn wake(&self, restless: bool, sleepers: &mut Sleepers) -> Woken {
        let edges = self.edges.load(Ordering::Relaxed).wrapping_add(EDGE);
        // ORDER: edge. Release pairs with `ticket`.
        self.edges.store(if restless { edges | RESTLESS } else { edges }, Ordering::Release);
        Woken { first: sleepers.first.take(), more: core::mem::take(&mut sleepers.more) }
    }

    /// The end: nobody sleeps here any more.
    pub(crate) fn close(&self) -> Woken {
        self.sleepers.with(|sleepers| {
            sleepers.closed = true;
            self.wake(true, sleepers)
        })
    }

    /// Readies the side for the next descriptor; `renew` runs under the lock.
    fn renew(&self, renew: impl FnOnce()) {
        self.sleepers.with(|sleepers| {
            renew();
            sleepers.closed = false;
            self.edges.store(self.edges.load(Ordering::Relaxed) & !RESTLESS, Ordering::Relaxed);
            self.drained.store(1, Ordering::Relaxed);
        });
    }
}

/// A poller that watches a source's descriptor, and the serial number of the runtime that it belongs to.
type Home = (u64, Weak<dyn Poller>);

/// A source.
#[doc(alias = "pollDesc")]
pub(crate) struct Source {
    index: u32,
    #[doc(alias = "fdseq")]
    generation: AtomicU32,
    read: Half,
    write: Half,
    /// The serial number of the first runtime whose poller watches the descriptor; 0: none.
    home: AtomicU64,
    /// All of them: more than one if goroutines of several runtimes have waited.
    homes: Mutex<Vec<Home>>,
}

impl Source {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            generation: AtomicU32::new(0),
            read: Half::new(),
            write: Half::new(),
            home: AtomicU64::new(0),
            homes: Mutex::new(Vec::new()),
        }
    }

    /// One of its sides.
    #[inline]
    pub(crate) fn half(&self, side: Side) -> &Half {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    pub(crate) fn tag(&self) -> Tag {
        Tag::new(self.index, self.generation.load(Ordering::Relaxed))
    }

    /// A poller has told of an edge at one side. Returns those whom it wakes.
    pub(crate) fn edge(&self, tag: Tag, side: Side, restless: bool) -> Woken {
        // Relaxed: it changes under the side's lock, which is held.
        self.half(side).edge(restless, || self.generation.load(Ordering::Relaxed) == tag.generation())
    }

    fn homes(&self) -> MutexGuard<'_, Vec<Home>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the poller of the runtime with this serial number watches the descriptor.
    #[inline]
    pub(crate) fn settle(
        &self,
        serial: u64,
        fd: BorrowedFd<'_>,
        open: impl FnOnce() -> std::io::Result<Arc<dyn Poller>>,
    ) -> std::io::Result<()> {
        // Relaxed: whoever reads it has no need of anything else; the edges come under the locks.
        if self.home.load(Ordering::Relaxed) == serial { Ok(()) } else { self.settle_in(serial, fd, open) }
    }

    #[cold]
    fn settle_in(
        &self,
        serial: u64,
        fd: BorrowedFd<'_>,
        open: impl FnOnce() -> std::io::Result<Arc<dyn Poller>>,
    ) -> std::io::Result<()> {
        let mut homes = self.homes();
        if homes.iter().any(|(known, _)| *known == serial) {
            return Ok(());
        }
        let poller = open()?;
        poller.add(fd, self.tag())?;
        homes.push((serial, Arc::downgrade(&poller)));
        if homes.len() == 1 {
            self.home.store(serial, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has all pollers stop watching the descriptor.
    pub(crate) fn unsettle(&self, fd: BorrowedFd<'_>) {
        self.home.store(0, Ordering::Relaxed);
        for (_, poller) in self.homes().drain(..) {
            if let Some(poller) = poller.upgrade() {
                // It may be gone from there; then there is nothing to end.
                let _ = poller.remove(fd, self.tag());
            }
        }
    }

    /// Ends this use of the source: what pollers still tell of it is stale.
    pub(crate) fn renew(&self) {
        self.home.store(0, Ordering::Relaxed);
        self.homes().clear();
        // Nobody waits but tasks that will not be polled again. Their wakers are dropped under no lock.
        self.read.close().for_each(Sleeper::forget);
        self.write.close().for_each(Sleeper::forget);
        self.read.renew(|| {
            self.write.renew(|| {
                self.generation
                    .store(self.generation.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            });
        });
    }
}
