//! The G word: a goroutine's status, and which life and which wait of its record it is in.
//!
//! ```text
//!            spawn                run                   exit
//!   Free ───────────► Runnable ─────────► Running ─────────────► Free (next generation)
//!                        ▲  ▲   yield       │ │ ▲
//!                        │  └───────────────┘ │ │ leave_blocking
//!                        │                    │ └──────────── Blocked
//!                  ready │       park         │ enter_blocking   │
//!                        └───── Waiting ◄─────┘                  │ requeue
//!                                  │ abandon                     ▼
//!                                  ▼                          Runnable
//!                               Free (next generation)
//! ```
//!
//! **Invariant.** One party may move a G on at any time: the holder of its `Runnable` while Runnable, the M that runs it
//! while Running or Blocked, and while Waiting whoever wins the compare-and-swap. So every transition but those out of
//! Waiting is a plain release store by the one owner, and every transition out of Waiting is a compare-and-swap that
//! names the wait: the word carries the record's *generation* (one more for each goroutine that lives in it) and the
//! *epoch* (one more for each park), so a token of an earlier wait, or of an earlier goroutine, can never match.
//!
//! The Scan bit freezes a Waiting G for a reader of its record; only Waiting Gs are scanned, so the owner's plain
//! stores never meet it. Go: `casgstatus`, `_Gidle` to `_Gdead` and `_Gscan` (runtime2.go, Go 1.27).

use crate::ground::sync::{AtomicU64, spin_loop};
use core::sync::atomic::Ordering;

const STATE_BITS: u32 = 8;
const STATE: u64 = 0x7f;
const SCAN: u64 = 0x80;
/// 2^28 parks of one goroutine pass before an epoch comes again. A token outlives its wait only while a waker that
/// lost a race against a time-out is still between two instructions.
const EPOCH_BITS: u32 = 28;
const EPOCH: u64 = ((1 << EPOCH_BITS) - 1) << STATE_BITS;
const GENERATION: u64 = !0 << (STATE_BITS + EPOCH_BITS);

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
    /// In a declared blocking call.
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

impl Wait {
    /// The wait with another word's tag in place of the status, for words that name waits.
    pub(crate) fn tagged(self, tag: u64) -> u64 {
        self.0 & !(STATE | SCAN) | tag
    }

    /// As a number, and back.
    #[inline]
    pub(crate) fn into_raw(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_raw(word: u64) -> Wait {
        Wait(word)
    }

    /// The wait named by a tagged word.
    pub(crate) fn untagged(word: u64) -> Wait {
        Wait(word & !(STATE | SCAN) | Status::Waiting as u64)
    }

    /// The generation in a tagged word.
    pub(crate) fn generation_of(word: u64) -> u64 {
        word & GENERATION
    }
}

/// The word.
#[derive(Debug)]
#[doc(alias = "atomicstatus")]
pub(crate) struct GWord(AtomicU64);

impl GWord {
    /// Of a record that holds no goroutine yet.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The status at this moment.
    #[doc(alias = "readgstatus")]
    #[inline]
    pub(crate) fn status(&self) -> Status {
        Status::of(self.0.load(Ordering::Relaxed))
    }

    /// Whether it is in a declared blocking call: the gate's question.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STATE == Status::Blocked as u64
    }

    /// Which goroutine of this record it is: compare two values for equality only.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & GENERATION
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

    /// Running to Blocked, by its own M.
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
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, Status::Running);
        let epoch = word.wrapping_add(1 << STATE_BITS) & EPOCH;
        let wait = (word & GENERATION) | epoch | Status::Waiting as u64;
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
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, Status::Running);
        // ORDER: owner-step. As in `step`.
        self.0.store(next_generation(word), Ordering::Release);
    }

    /// Runnable to Free, by the holder of the `Runnable`: it will never run, or never again.
    #[inline]
    pub(crate) fn to_discarded(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, Status::Runnable);
        // ORDER: owner-step. As in `step`.
        self.0.store(next_generation(word), Ordering::Release);
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

    #[inline]
    fn end_wait(&self, wait: Wait, to: Status) -> bool {
        let next = match to {
            Status::Free => next_generation(wait.0),
            _ => (wait.0 & !STATE) | to as u64,
        };
        loop {
            // ORDER: ready. Acquire pairs with the release of `to_waiting` (park) and of a scan's end; release hands
            // what the waker wrote before to the goroutine, through the queue that carries it.
            match self.0.compare_exchange(wait.0, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) if now == wait.0 | SCAN => spin_loop_briefly(),
                Err(_) => return false,
            }
        }
    }

    #[inline(always)]
    fn step(&self, from: Status, to: Status) {
        let word = self.0.load(Ordering::Relaxed);
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

fn next_generation(word: u64) -> u64 {
    (word & GENERATION).wrapping_add(1 << (STATE_BITS + EPOCH_BITS))
}

fn spin_loop_briefly() {
    spin_loop();
    #[cfg(loom)]
    crate::ground::sync::thread::yield_now();
}

impl Default for GWord {
    fn default() -> Self {
        Self::new()
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
mod tests {
    use super::*;

    fn waiting() -> (GWord, Wait) {
        let word = GWord::new();
        word.to_spawned();
        word.to_running();
        let wait = word.to_waiting();
        (word, wait)
    }

    #[test]
    fn masks_cover_the_word_once() {
        assert_eq!(STATE ^ SCAN ^ EPOCH ^ GENERATION, !0);
        assert_eq!((STATE | SCAN).count_ones() + EPOCH.count_ones() + GENERATION.count_ones(), 64);
    }

    #[test]
    fn a_wait_ends_once() {
        let (word, wait) = waiting();
        assert!(word.is_in(wait));
        assert!(word.to_ready(wait));
        assert!(!word.to_ready(wait));
        assert_eq!(word.status(), Status::Runnable);
    }

    #[test]
    fn an_earlier_wait_never_matches() {
        let (word, first) = waiting();
        assert!(word.to_ready(first));
        word.to_running();
        let second = word.to_waiting();
        assert_ne!(first, second);
        assert!(!word.to_ready(first));
        assert!(word.to_ready(second));
    }

    #[test]
    fn an_earlier_goroutine_never_matches() {
        let (word, wait) = waiting();
        let generation = word.generation();
        assert!(word.to_resumed(wait));
        word.to_running();
        word.to_exited();
        assert_ne!(word.generation(), generation);
        word.to_spawned();
        word.to_running();
        let _ = word.to_waiting();
        assert!(!word.to_ready(wait));
    }

    #[test]
    fn a_scan_holds_the_wait_and_lets_go() {
        let (word, wait) = waiting();
        let scan = word.scan().expect("it waits");
        assert!(word.scan().is_none(), "one reader at a time");
        assert!(word.is_in(wait));
        drop(scan);
        assert!(word.to_ready(wait));
        assert!(word.scan().is_none(), "not waiting");
    }

    #[test]
    fn abandoning_ends_the_wait_and_the_generation() {
        let (word, wait) = waiting();
        assert!(word.to_abandoned(wait));
        assert!(!word.to_abandoned(wait));
        assert!(!word.to_ready(wait));
        assert_eq!(word.status(), Status::Free);
    }
}
