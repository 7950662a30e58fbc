//! Timers of a P: deadlines of parked goroutines and users' timers, earliest first.
//!
//! ```text
//!            add                    due, or stale at the top
//!   (none) ───────► in the heap ────────────────────────────► in an M's hands ──► readied, fired, dropped if stale
//!                      ▲   │ sweep, closing runtime                │
//!                      │   └──────────────────► dropped            │ moved to later; next tick
//!                      └───────────────────────────────────────────┘
//! ```
//!
//! The P's own M runs them first thing in find-runnable; thieves run them in the last round of stealing; sysmon runs those
//! that are late on a P whose goroutine does not come to g0 (`watching/late_timers.rs`); an idle M sleeps no longer than
//! to the earliest that is not stale. So the heap may be used by any thread, at any time, under its lock.
//!
//! **Invariant.** `next` is the time of the earliest entry, changed under the lock. An entry does not know whether it is
//! still wanted: a goroutine may have been readied before its deadline, a timer stopped or moved. Such a *stale* entry
//! stays in the heap until it is due, comes to the top when an M wants to sleep, or a sweep finds it. A sweep comes when
//! the heap has doubled since the last one, and when a quarter of it belongs to stopped or moved timers; so stale entries
//! never outnumber live ones for long, and cost nothing at the wake or the stop. Go: `timers` (time.go, Go 1.27), with its
//! zombies; Go's heap is 4-ary, ours is the standard library's.
//!
//! The heap's lock comes before a timer's own (`records/p/plan.rs`), and neither is held while a goroutine is readied or a
//! callback called.

use super::plan::{Home, SWEEP_FLOOR};
use super::timer::AnyTimer;

pub(crate) use super::plan::NEVER;

use crate::records::g::G;
use crate::records::g::parked::Parked;
use core::cmp::Reverse;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many due entries are taken under one hold of the lock: what they ready is then readied from a few warm lines.
pub(crate) const BATCH: usize = 32;

/// What is to happen.
pub(crate) enum Target {
    /// This wait ends.
    Goroutine(Parked),
    /// This timer goes off.
    Timer(AnyTimer),
}

/// Something that is to happen at a certain time.
pub(crate) struct Entry {
    pub(crate) when: u64,
    pub(crate) target: Target,
}

const _: () = assert!(size_of::<Entry>() == 24, "a million timers take 24 MB");

impl Entry {
    /// Whether anything would come of it, in the heap that it lies in.
    fn is_live(&self, heap: &Timers) -> bool {
        match &self.target {
            Target::Goroutine(parked) => !parked.is_stale(),
            Target::Timer(timer) => timer.plan(|plan| plan.keeps(self.when, &heap.home)),
        }
    }

    /// Gives a stale entry up without readying anybody.
    fn bury(self, dead: &mut Dead) {
        match self.target {
            // A dropped token would try to ready its goroutine.
            Target::Goroutine(parked) => {
                let _ = parked.into_parts();
            }
            Target::Timer(timer) => dead.0.push(timer),
        }
    }
}

/// References to stale timers, kept until the heap's lock is given back: declare it before the lock's guard. The last
/// reference runs the callback's destructor, which is foreign code, and here we are in the middle of somebody's call or of
/// the scheduler: a goroutine is started for it.
#[derive(Default)]
struct Dead(Vec<AnyTimer>);

impl Drop for Dead {
    fn drop(&mut self) {
        self.0.drain(..).for_each(AnyTimer::let_go);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        Reverse(self.when).cmp(&Reverse(other.when))
    }
}

/// Due entries on their way from the heap to those whom they concern.
pub(crate) struct Batch {
    entries: [Option<Entry>; BATCH],
    len: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { entries: [const { None }; BATCH], len: 0 }
    }

    fn push(&mut self, entry: Entry) {
        self.entries[self.len] = Some(entry);
        self.len += 1;
    }

    /// Whose deadlines are among them.
    pub(crate) fn goroutines(&self) -> impl Iterator<Item = &'static G> {
        self.entries[..self.len].iter().flatten().filter_map(|entry| match &entry.target {
            Target::Goroutine(parked) => Some(parked.g()),
            Target::Timer(_) => None,
        })
    }

    /// The entries, earliest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Entry> {
        let len = core::mem::take(&mut self.len);
        self.entries[..len].iter_mut().filter_map(Option::take)
    }
}

#[derive(Default)]
struct Heap {
    /// Deadlines of parked goroutines.
    deadlines: BinaryHeap<Entry>,
    /// Users' timers. They are kept apart, because others than the P's holder may have to find those that are due.
    timers: BinaryHeap<Entry>,
    sweep_at: usize,
}

impl Heap {
    fn push(&mut self, entry: Entry) {
        match entry.target {
            Target::Goroutine(_) => self.deadlines.push(entry),
            Target::Timer(_) => self.timers.push(entry),
        }
    }

    /// The part with the earliest entry.
    fn first(&mut self) -> &mut BinaryHeap<Entry> {
        // The greater entry is the earlier one, and any is greater than none.
        if self.timers.peek() > self.deadlines.peek() { &mut self.timers } else { &mut self.deadlines }
    }

    fn peek(&mut self) -> Option<&Entry> {
        self.first().peek()
    }

    fn len(&self) -> usize {
        self.deadlines.len() + self.timers.len()
    }
}

/// The timers of a P.
#[doc(alias = "timers")]
pub(crate) struct Timers {
    /// What the plans of the timers in here know of it.
    pub(crate) home: Home,
    heap: Mutex<Heap>,
    /// When the earliest is due; [`NEVER`] for none. Changes under the lock.
    next: AtomicU64,
}

impl Timers {
    /// Those of a P of the runtime with this serial number.
    pub(crate) fn new(runtime: u64) -> Self {
        Self { home: Home::new(runtime), heap: Mutex::new(Heap::default()), next: AtomicU64::new(NEVER) }
    }

    /// When the earliest is due, without the lock. It may be stale.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// When the earliest is due that is not stale.
    pub(crate) fn next_live(&self) -> u64 {
        if self.next() == NEVER {
            return NEVER;
        }
        let mut dead = Dead::default();
        let mut heap = self.lock();
        while heap.peek().is_some_and(|entry| !entry.is_live(self)) {
            if let Some(entry) = heap.first().pop() {
                entry.bury(&mut dead);
            }
        }
        self.publish(&mut heap)
    }

    /// Adds a goroutine's deadline. `true`: it is the earliest now.
    pub(crate) fn add_deadline(&self, when: u64, parked: Parked) -> bool {
        self.add(Entry { when, target: Target::Goroutine(parked) })
    }

    /// Adds a timer. `true`: it is the earliest now.
    pub(crate) fn add_timer(&self, when: u64, timer: AnyTimer) -> bool {
        self.add(Entry { when, target: Target::Timer(timer) })
    }

    fn add(&self, entry: Entry) -> bool {
        let mut heap = self.lock();
        let earliest = entry.when < self.next();
        heap.push(entry);
        self.publish(&mut heap);
        let grown = heap.len() > heap.sweep_at.max(SWEEP_FLOOR);
        drop(heap);
        if grown {
            self.sweep();
        }
        earliest
    }

    /// Takes what is due by `now`, earliest first, as far as there is room, and no more than `most`.
    pub(crate) fn take_due(&self, now: u64, most: usize, due: &mut Batch) {
        let mut heap = self.lock();
        while due.len < most.min(BATCH) && heap.peek().is_some_and(|entry| entry.when <= now) {
            let Some(entry) = heap.first().pop() else { break };
            due.push(entry);
        }
        self.publish(&mut heap);
    }

    /// When the earliest is due that others than the P's holder may run: a timer, or a deadline, too.
    pub(crate) fn next_for_others(&self, deadlines: bool) -> u64 {
        if deadlines || self.next() == NEVER {
            return self.next();
        }
        self.lock().timers.peek().map_or(NEVER, |entry| entry.when)
    }

    /// [`Timers::take_due`] for others than the P's holder.
    pub(crate) fn take_late(&self, now: u64, deadlines: bool, due: &mut Batch) {
        if deadlines {
            return self.take_due(now, usize::MAX, due);
        }
        let mut heap = self.lock();
        while due.len < BATCH && heap.timers.peek().is_some_and(|entry| entry.when <= now) {
            let Some(entry) = heap.timers.pop() else { break };
            due.push(entry);
        }
        self.publish(&mut heap);
    }

    /// Drops all stale entries.
    #[cold]
    pub(crate) fn sweep(&self) {
        let mut dead = Dead::default();
        let mut heap = self.lock();
        self.home.begin_sweep();
        let Heap { deadlines, timers, .. } = &mut *heap;
        for part in [deadlines, timers] {
            let mut entries = core::mem::take(part).into_vec();
            for entry in entries.extract_if(.., |entry| !entry.is_live(self)) {
                entry.bury(&mut dead);
            }
            *part = entries.into();
        }
        heap.sweep_at = heap.len() * 2;
        self.home.end_sweep(heap.len());
        self.publish(&mut heap);
    }

    /// Moves all of them to `to`, from a P that is being removed. Nothing is swept on the way: a sweep drops what its
    /// users gave, and the world is stopped. Whoever next looks for timers that are due in `to` sees to it.
    pub(crate) fn move_to(&self, to: &Timers) {
        let mut entries = self.take_all();
        for entry in &entries {
            if let Target::Timer(timer) = &entry.target {
                timer.plan(|plan| plan.move_home(entry.when, &self.home, &to.home));
            }
        }
        let mut heap = to.lock();
        entries.drain(..).for_each(|entry| heap.push(entry));
        // After the last timer has been told of its new home: who stops one from then on counts it there.
        to.home.take_over(&self.home);
        to.publish(&mut heap);
    }

    /// Forgets all of them, in a closing runtime.
    pub(crate) fn clear(&self) {
        for Entry { when, target } in self.take_all() {
            match target {
                // A dropped token would ready its goroutine.
                Target::Goroutine(parked) => {
                    let _ = parked.into_parts();
                }
                Target::Timer(timer) => {
                    timer.plan(|plan| plan.forget(when, &self.home));
                    timer.drop_here();
                }
            }
        }
    }

    /// How many entries are not stale.
    pub(crate) fn live(&self) -> usize {
        let heap = self.lock();
        heap.deadlines.iter().chain(&heap.timers).filter(|entry| entry.is_live(self)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self) -> Vec<Entry> {
        let mut heap = self.lock();
        let mut entries = core::mem::take(&mut heap.deadlines).into_vec();
        entries.append(&mut core::mem::take(&mut heap.timers).into_vec());
        self.publish(&mut heap);
        entries
    }

    fn publish(&self, heap: &mut Heap) -> u64 {
        let next = heap.peek().map_or(NEVER, |entry| entry.when);
        self.next.store(next, Ordering::Relaxed);
        next
    }
}
