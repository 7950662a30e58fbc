//! The G word: a goroutine's status, and a serial number that tells each wait of its record from all others.
//!
//! ```text
//!            spawn                run                   exit
//!   Free ───────────► Runnable ─────────► Running ─────────────► Free (next serial number)
//!                        ▲  ▲   yield       │ │ ▲
//!                        │  └───────────────┘ │ │ leave_blocking
//!                        │                    │ └──────────── Blocked
//!                  ready │       park         │ enter_blocking   │
//!                        └───── Waiting ◄─────┘                  │ requeue
//!                                  │ abandon                     ▼
//!                                  ▼                          Runnable
//!                               Free (next serial number)
//! ```
//!
//! **Invariant.** One party may move a G on at any time: the holder of its `Runnable` while Runnable, the M that runs it
//! while Running or Blocked, and while Waiting whoever wins the compare-and-swap. So every transition but those out of
//! Waiting is a plain release store by the one owner, and every transition out of Waiting is a compare-and-swap that
//! names the wait by its *serial number*. The word counts serial numbers up: one more for each park, and one more at
//! each goroutine's end. So a token of an earlier wait, or of an earlier goroutine, can never match.
//!
//! **No serial number comes back.** A stale token may be kept for any time: a deadline's lies in a heap until it is due.
//! The count has 60 bits, so a goroutine that parks every 10 ns, and never does anything else, needs 365 years for a
//! round (`docs/counters.md`).
//!
//! The Scan bit freezes a Waiting G for a reader of its record; only Waiting Gs are scanned, so the owner's plain
//! stores never meet it. Go: `casgstatus`, `_Gidle` to `_Gdead` and `_Gscan` (runtime2.go, Go 1.27).

use crate::ground::sync::{AtomicU64, spin_loop};
use core::sync::atomic::Ordering;

const STATE: u64 = 0x7;
const SCAN: u64 = 0x8;
/// The rest of the word. Before even one more bit is taken from it, `docs/counters.md` has to be looked at.
const SERIAL: u64 = !(STATE | SCAN);
/// One serial number.
const NEXT: u64 = 0x10;

/// What a goroutine is doing. Go's names as aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Status {
    /// The record holds no goroutine.
    #[doc(alias = "_Gidle")]
    #[doc(alias = "_Gdead")]
    Free = 0,
    /// On a queue, or on its way to one.
    #[doc(alias = "_Grunnable")]
    Runnable = 1,
    /// An M runs it.
    #[doc(alias = "_Grunning")]
    Running = 2,
    /// In a blocking call, or without a P for another reason, on its own thread.
    #[doc(alias = "_Gsyscall")]
    Blocked = 3,
    /// Parked until someone readies it.
    #[doc(alias = "_Gwaiting")]
    Waiting = 4,
}

impl Status {
    fn of(word: u64) -> Status {
        match word & STATE {
            0 => Status::Free,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Blocked,
            4 => Status::Waiting,
            other => crate::fatal!("the G word is well formed", "state {other} of word {word:#x}"),
        }
    }
}

/// One wait of one goroutine: the word's value, without Scan, during that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(u64);

/// A serial number, in its place in the word: the bits of [`TAG`] are free for those who keep it in words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

/// The bits of a [`Serial`] that are zero.
pub(crate) const TAG: u64 = !SERIAL;

impl Serial {
    /// The number with a tag in the free bits.
    #[inline]
    pub(crate) fn tagged(self, tag: u64) -> u64 {
        self.0 | tag
    }

    /// The serial number of a tagged word.
    #[inline]
    pub(crate) fn untagged(word: u64) -> Serial {
        Serial(word & SERIAL)
    }
}

impl Wait {
    /// Its serial number.
    #[inline]
    pub(crate) fn serial(self) -> Serial {
        Serial(self.0 & SERIAL)
    }

    /// The wait of this serial number.
    #[inline]
    pub(crate) fn numbered(serial: Serial) -> Wait {
        Wait(serial.0 | Status::Waiting as u64)
    }

    /// The wait as a number, and back.
    #[inline]
    pub(crate) fn into_raw(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_raw(word: u64) -> Wait {
        Wait(word)
    }
}

/// The word.
#[derive(Debug)]
#[doc(alias = "atomicstatus")]
pub(crate) struct GWord(AtomicU64);

impl GWord {
    /// The word of a record that holds no goroutine yet.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The status at this moment.
    #[doc(alias = "readgstatus")]
    #[inline]
    pub(crate) fn status(&self) -> Status {
        self.glimpse().status()
    }

    /// Whether it is in a blocking call, or runs without a P.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STATE == Status::Blocked as u64
    }

    /// The present serial number, for the goroutine itself: none of its waits to come has it, and none of an
    /// earlier goroutine's had one as high.
    #[inline]
    pub(crate) fn serial(&self) -> Serial {
        Serial(self.0.load(Ordering::Relaxed) & SERIAL)
    }

    /// Makes the word as it would be after this many more waits.
    #[cfg(test)]
    pub(crate) fn skip(&self, waits: u64) {
        self.0.fetch_add(waits * NEXT, Ordering::Relaxed);
    }

    /// Free to Runnable, by the spawner, who has the record to itself.
    #[inline]
    pub(crate) fn to_spawned(&self) {
        self.step(Status::Free, Status::Runnable);
    }

    /// Runnable to Running, by the M that holds the `Runnable`.
    #[inline]
    pub(crate) fn to_running(&self) {
        self.step(Status::Runnable, Status::Running);
    }

    /// Running to Runnable, by its own M: it yields or is preempted.
    #[inline]
    pub(crate) fn to_yielded(&self) {
        self.step(Status::Running, Status::Runnable);
    }

    /// Running to Blocked, by its own M, or by sysmon, which has taken the P (`door.rs`).
    #[inline]
    pub(crate) fn to_blocked(&self) {
        self.step(Status::Running, Status::Blocked);
    }

    /// Blocked to Running, by its own M.
    #[inline]
    pub(crate) fn to_unblocked(&self) {
        self.step(Status::Blocked, Status::Running);
    }

    /// Blocked to Runnable, by its own M, which found no P to come back with.
    #[inline]
    pub(crate) fn to_requeued(&self) {
        self.step(Status::Blocked, Status::Runnable);
    }

    /// Running to Waiting, by its own M, when the goroutine is off its stack. The wait that this begins is the right
    /// to ready it, once.
    #[inline]
    pub(crate) fn to_waiting(&self) -> Wait {
        let word = self.own();
        self.check(word, Status::Running);
        let wait = next_serial(word) | Status::Waiting as u64;
        // ORDER: park. Pairs with the acquire of `end_wait`: the saved context is seen by whoever readies the G.
        self.0.store(wait, Ordering::Release);
        Wait(wait)
    }

    /// Waiting to Runnable, by whoever holds the wait. `false`: that wait is over already.
    #[inline]
    #[must_use]
    pub(crate) fn to_ready(&self, wait: Wait) -> bool {
        self.end_wait(wait, Status::Runnable)
    }

    /// Waiting to Runnable, by the G's own M: its park was called off, and it runs on at once.
    #[inline]
    #[must_use]
    pub(crate) fn to_resumed(&self, wait: Wait) -> bool {
        self.end_wait(wait, Status::Runnable)
    }

    /// Waiting to Free, by a closing runtime: the goroutine will never run again. Its stack stays as it is.
    #[must_use]
    pub(crate) fn to_abandoned(&self, wait: Wait) -> bool {
        self.end_wait(wait, Status::Free)
    }

    /// Running to Free, by its own M.
    #[inline]
    pub(crate) fn to_exited(&self) {
        let word = self.own();
        self.check(word, Status::Running);
        // ORDER: owner-step. As in `step`.
        self.0.store(next_serial(word), Ordering::Release);
    }

    /// Runnable to Free, by the holder of the `Runnable`: it will never run, or never again.
    #[inline]
    pub(crate) fn to_discarded(&self) {
        let word = self.own();
        self.check(word, Status::Runnable);
        // ORDER: owner-step. As in `step`.
        self.0.store(next_serial(word), Ordering::Release);
    }

    /// The wait that is going on, if any.
    pub(crate) fn present_wait(&self) -> Option<Wait> {
        // ORDER: park. Acquire pairs with the release of `to_waiting`: which M parks it is seen.
        let word = self.0.load(Ordering::Acquire) & !SCAN;
        (Status::of(word) == Status::Waiting).then_some(Wait(word))
    }

    /// Whether this wait is still going on.
    #[inline]
    pub(crate) fn is_in(&self, wait: Wait) -> bool {
        self.0.load(Ordering::Relaxed) & !SCAN == wait.0
    }

    /// Freezes a Waiting goroutine so that its record can be read. `None`: it is not waiting, or being read already.
    #[doc(alias = "castogscanstatus")]
    pub(crate) fn scan(&self) -> Option<Scan<'_>> {
        let word = self.0.load(Ordering::Relaxed);
        if word & SCAN != 0 || Status::of(word) != Status::Waiting {
            return None;
        }
        // ORDER: scan. Acquire pairs with `to_waiting`: the record's plain fields are as the goroutine left them.
        self.0
            .compare_exchange(word, word | SCAN, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Scan { word: self, value: word })
    }

    /// The word at this moment, to be compared by [`GWord::still`].
    pub(crate) fn glimpse(&self) -> Glimpse {
        // ORDER: glimpse. Acquire pairs with the releases of `step` and its like: what the owner wrote before is read.
        Glimpse(self.0.load(Ordering::Acquire))
    }

    /// Whether what was read since then was of one and the same goroutine, in no wait but that which it was in.
    pub(crate) fn still(&self, then: Glimpse) -> bool {
        // What was read before is not read later than the word.
        crate::ground::sync::full_fence();
        self.0.load(Ordering::Relaxed) & SERIAL == then.0 & SERIAL
    }

    #[inline]
    fn end_wait(&self, wait: Wait, to: Status) -> bool {
        let next = match to {
            Status::Free => next_serial(wait.0),
            _ => (wait.0 & !STATE) | to as u64,
        };
        let mut spins = 0;
        loop {
            // ORDER: ready. Acquire pairs with the release of `to_waiting` (park) and of a scan's end; release hands
            // what the waker wrote before to the goroutine, through the queue that carries it.
            match self.0.compare_exchange(wait.0, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) if now == wait.0 | SCAN => wait_for_reader(&mut spins),
                Err(_) => return false,
            }
        }
    }

    /// The word, for the one party that may move the goroutine on now.
    #[inline(always)]
    fn own(&self) -> u64 {
        #[cfg(not(loom))]
        return self.0.load(Ordering::Relaxed);
        // loom takes a store for a rival of the latest load alone: if that is the owner's own, it does not try a reader's
        // load before and after the store.
        // SAFETY: nobody stores at the same time: the caller is the one party that may.
        #[cfg(loom)]
        return unsafe { self.0.unsync_load() };
    }

    #[inline(always)]
    fn step(&self, from: Status, to: Status) {
        let word = self.own();
        self.check(word, from);
        // ORDER: owner-step. Release for readers of the status (dumps); the owner itself needs none.
        self.0.store((word & !STATE) | to as u64, Ordering::Release);
    }

    #[inline(always)]
    fn check(&self, word: u64, from: Status) {
        if cfg!(debug_assertions) && (word & SCAN != 0 || Status::of(word) != from) {
            crate::fatal!("G transitions are legal", "expected {from:?}, word {word:#x}");
        }
    }
}

#[inline(always)]
fn next_serial(word: u64) -> u64 {
    (word & SERIAL).wrapping_add(NEXT)
}

/// A reader copies a stack of some KiB: a microsecond, unless the system has stopped its thread in the middle. Then it
/// needs our CPU more than we do.
#[cold]
fn wait_for_reader(spins: &mut u32) {
    *spins += 1;
    if *spins > 1000 || cfg!(loom) {
        crate::ground::sync::thread::yield_now();
    } else {
        spin_loop();
    }
}

impl Default for GWord {
    fn default() -> Self {
        Self::new()
    }
}

/// A word as it was seen by a reader that owns nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glimpse(u64);

impl Glimpse {
    pub(crate) fn status(self) -> Status {
        Status::of(self.0)
    }
}

/// A frozen Waiting goroutine; thaws on drop.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    word: &'a GWord,
    value: u64,
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        // ORDER: scan-end. Release pairs with `end_wait`: our reads are done before the goroutine goes on.
        self.word.0.store(self.value, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
