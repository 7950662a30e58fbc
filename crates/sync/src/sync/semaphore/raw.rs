//! `RawSemaphore`: a number of permits, given out in the order in which they were asked for.
//!
//! ```text
//!   word: OVER | free permits | QUEUED
//!
//!   acquire n: not QUEUED and n are free? take them, by one compare-and-swap
//!              else, locked: the same, or set QUEUED in one step with that look ─► queue, sleep
//!   give back: free + n, by one addition. If QUEUED was set, locked: as long as the first in the queue can be served,
//!              serve it; QUEUED goes with the last of them
//!              too many? OVER is set by the addition itself: take them back, and add them by compare-and-swap, if they fit
//! ```
//!
//! **Invariant.** Only the lock's holder changes QUEUED, which is set whenever somebody is in the queue while the lock is
//! free. While it is set, only the lock's holder takes permits. So whoever adds some either does so before a waiter has
//! looked, and the waiter takes them, or finds QUEUED set, and serves the queue after that. Therefore, whenever the lock is
//! free, the first waiter asks for more permits than there are, or somebody is on the way to serve it: a waiter that asks
//! for many is not overtaken by those that ask for few, and nobody waits without need. Whoever leaves the queue serves
//! those behind. A waiter that a closed runtime has abandoned cannot do so; the next caller does it instead.
//!
//! More than [`MOST`] are there for a moment only, before they are taken back. Whoever sees OVER waits for that: permits
//! that somebody has taken cannot be taken back.
//!
//! Go's semaphores look and add without a lock, too: `cansemacquire`, `semrelease1` (sema.go, Go 1.27).

use crate::seam::{AtomicUsize, const_fn, spin_loop};
use crate::wait::{Caller, Fired, Guard, Lock, Node, Queue, Unfired, WaitMode, Waiter, wait};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::{WaitReason, Wake, foreign};
use std::time::Instant;

/// The most permits that may be free at a time.
pub(crate) const MOST: usize = usize::MAX >> 2;
/// The word's lowest bit: somebody waits, or is about to.
const QUEUED: usize = 1;
/// One permit in the word.
const ONE: usize = 2;
/// The word's highest bit: there are more permits than [`MOST`].
const OVER: usize = (MOST + 1) * ONE;
/// Up to so many permits are added first and looked at then. The word has room for as many again as may be free, so 2^42
/// such calls would have to be under way at once before it overflowed.
const AT_ONCE: usize = 1 << 20;

/// The semaphore.
pub(crate) struct RawSemaphore {
    word: AtomicUsize,
    /// A node's content is the number of permits that it asks for.
    queue: Lock<Queue<usize>>,
}

impl RawSemaphore {
    const_fn! {
        /// With so many permits, at most [`MOST`].
        pub(crate) const fn new(permits: usize) -> Self {
            Self { word: AtomicUsize::new(permits * ONE), queue: Lock::new(Queue::new()) }
        }
    }

    /// How many permits are free now.
    pub(crate) fn available(&self) -> usize {
        self.settled() / ONE
    }

    /// Adds `n` permits, and serves those who wait. `false`: there would be too many. Never suspends.
    #[inline]
    pub(crate) fn add(&self, n: usize) -> bool {
        if n <= AT_ONCE { self.give_back(n) } else { self.add_exactly(n) }
    }

    /// [`RawSemaphore::add`] for permits that were taken, or for few.
    #[inline]
    pub(crate) fn give_back(&self, n: usize) -> bool {
        // ORDER: semaphore. Pairs with `take_free` and `serve`: who gets the permits sees what was done before.
        let now = self.word.fetch_add(n * ONE, Release).wrapping_add(n * ONE);
        now & (QUEUED | OVER) == 0 || self.has_given(n, now)
    }

    /// The rest of [`RawSemaphore::give_back`] where somebody waits, or where there are too many, perhaps others'.
    #[cold]
    #[inline(never)]
    fn has_given(&self, n: usize, now: usize) -> bool {
        if now & OVER != 0 {
            self.word.fetch_sub(n * ONE, Relaxed);
            return self.add_exactly(n);
        }
        drop(self.serve(self.queue.lock()));
        true
    }

    /// [`RawSemaphore::add`], but nobody ever sees too many.
    #[cold]
    #[inline(never)]
    fn add_exactly(&self, n: usize) -> bool {
        loop {
            let word = self.settled();
            let free = (word / ONE).checked_add(n).filter(|&free| free <= MOST);
            let Some(free) = free else { return false };
            // ORDER: semaphore, as in `give_back`.
            if self.word.compare_exchange(word, (free * ONE) | (word & QUEUED), Release, Relaxed).is_ok() {
                if word & QUEUED != 0 {
                    drop(self.serve(self.queue.lock()));
                }
                return true;
            }
        }
    }

    /// The word, once nobody has too many permits to take back.
    #[inline]
    fn settled(&self) -> usize {
        loop {
            // ORDER: semaphore. Acquire pairs with `give_back`, for `serve`, by whomever the permits were added.
            let word = self.word.load(Acquire);
            if word & OVER == 0 {
                return word;
            }
            spin_loop();
        }
    }

    /// Serves the first waiter for as long as there are enough permits. Under the lock, which it gives back meanwhile.
    #[cold]
    #[inline(never)]
    fn serve<'a>(&'a self, mut queue: Guard<'a, Queue<usize>>) -> Guard<'a, Queue<usize>> {
        loop {
            let free = self.settled() / ONE;
            let node = queue.pop_if(|&n| n <= free, |_| ()).map(|node| (node.extra, node.fire(Fired::Done)));
            if let Some((n, _)) = &node {
                self.word.fetch_sub(n * ONE, Relaxed);
            }
            if queue.is_empty() {
                self.word.fetch_and(!QUEUED, Relaxed);
            }
            let Some((_, handle)) = node else { return queue };
            drop(queue);
            handle.wake();
            queue = self.queue.lock();
        }
    }

    /// Takes `n` permits unless somebody waits.
    #[inline]
    fn take_free(&self, n: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        loop {
            while word & (QUEUED | OVER) == 0 && word / ONE >= n {
                // ORDER: semaphore. Pairs with `give_back`.
                match self.word.compare_exchange_weak(word, word - n * ONE, Acquire, Relaxed) {
                    Ok(_) => return true,
                    Err(now) => word = now,
                }
            }
            if word & OVER == 0 {
                return false;
            }
            word = self.settled();
        }
    }

    /// Takes `n` permits, or else sets QUEUED. Under the lock.
    fn take_or_queue(&self, n: usize) -> bool {
        loop {
            let word = self.settled();
            if word & QUEUED != 0 {
                return false;
            }
            let enough = word / ONE >= n;
            let new = if enough { word - n * ONE } else { word | QUEUED };
            // ORDER: semaphore. Pairs with `give_back`.
            if self.word.compare_exchange(word, new, Acquire, Relaxed).is_ok() {
                return enough;
            }
        }
    }

    /// Takes `n` permits unless somebody waits who can still come back. Never suspends.
    #[inline]
    pub(crate) fn take_now(&self, n: usize) -> bool {
        foreign::refuse("sync");
        self.take_free(n) || (self.word.load(Relaxed) & QUEUED != 0 && self.take_past_the_abandoned(n))
    }

    /// The first waiter may have been abandoned by its runtime, which nobody has told us; those behind it come before us.
    #[cold]
    #[inline(never)]
    fn take_past_the_abandoned(&self, n: usize) -> bool {
        let _queue = self.serve(self.queue.lock());
        self.take_free(n)
    }

    /// Takes `n` permits. `false`: the deadline came first. **Suspends.**
    #[must_use]
    #[track_caller]
    #[inline]
    pub(crate) fn take(&self, n: usize, deadline: Option<Instant>) -> bool {
        self.take_now(n) || self.wait_for(n, deadline)
    }

    #[track_caller]
    fn wait_for(&self, n: usize, deadline: Option<Instant>) -> bool {
        let caller = Caller::enter("Semaphore::acquire");
        let mut mode = WaitMode::new(WaitReason::Semaphore, deadline);
        loop {
            let queue = self.queue.lock();
            if self.take_or_queue(n) {
                return true;
            }
            let waiter = Waiter::alone();
            let node = Node::new(&waiter, 0, n);
            // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
            unsafe { queue.push_back(&node) };
            // SAFETY: the node is queued, and the waiter's only one.
            match unsafe { wait(&caller, queue, |queue| queue, &waiter, &node, mode) } {
                Ok(_) => return true,
                Err(Unfired { wake, guard, .. }) => {
                    // Those behind us may ask for less.
                    drop(self.serve(guard));
                    if wake != Wake::Closing {
                        return false;
                    }
                    mode = mode.retry_after_closing();
                }
            }
        }
    }

    /// Whether nobody waits, by its own account.
    #[cfg(all(test, loom))]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.lock().is_empty() && self.word.load(Relaxed) & QUEUED == 0
    }
}
