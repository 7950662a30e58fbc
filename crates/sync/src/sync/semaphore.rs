//! `Semaphore`: a number of permits, given out in the order in which they were asked for.
//!
//! ```text
//!   word: free permits | QUEUED
//!
//!   acquire n: not QUEUED and n are free? take them, by one compare-and-swap
//!              else, locked: the same, or set QUEUED in one step with that look ─► queue, sleep
//!   give back: free + n, in one step. If QUEUED was set, locked: as long as the first in the queue can be served,
//!              serve it; QUEUED goes with the last of them
//! ```
//!
//! **Invariant.** Only the lock's holder changes QUEUED, which is set whenever somebody is in the queue while the lock is
//! free. While it is set, only the lock's holder takes permits. So whoever adds some either does so before a waiter has
//! looked, and the waiter takes them, or finds QUEUED set, and serves the queue after that. Therefore, whenever the lock is
//! free, the first waiter asks for more permits than there are, or somebody is on the way to serve it: a waiter that asks
//! for many is not overtaken by those that ask for few, and nobody waits without need. Whoever leaves the queue serves
//! those behind. A waiter that a closed runtime has abandoned cannot do so; the next caller does it instead.
//!
//! Go's semaphores look and add without a lock, too: `cansemacquire`, `semrelease1` (sema.go, Go 1.27).

use crate::seam::{AtomicUsize, const_fn, give_way, step_aside};
use crate::wait::{Caller, Fired, Guard, Lock, Node, Queue, Unfired, WaitMode, Waiter, must_have, wait};
use core::fmt;
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::{WaitReason, Wake, foreign};
use std::time::{Duration, Instant};

/// A number of permits, for goroutines and for plain threads.
///
/// It is strictly first come, first served: a newcomer does not get even a free permit while others wait.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::Semaphore;
///
/// static AT_ONCE: Semaphore = Semaphore::new(3);
///
/// runtime.run(|| {
///     let all: Vec<_> = (0..10).map(|n| gmp::go(move || {
///         let _permit = AT_ONCE.acquire();
///         gmp::yield_now();
///         n
///     })).collect();
///     assert_eq!(all.into_iter().map(|one| one.join().unwrap()).sum::<i32>(), 45);
///     assert_eq!(AT_ONCE.available(), 3);
/// }).unwrap();
/// ```
#[doc(alias = "semaphore.Weighted")]
pub struct Semaphore {
    word: AtomicUsize,
    /// A node's content is the number of permits that it asks for.
    queue: Lock<Queue<usize>>,
}

/// The word's lowest bit: somebody waits, or is about to.
const QUEUED: usize = 1;
/// One permit in the word.
const ONE: usize = 2;

impl Semaphore {
    /// The most permits that may be free at a time: a quarter of what a `usize` counts.
    pub const MAX_PERMITS: usize = usize::MAX >> 2;

    const_fn! {
        /// A semaphore with this many permits. Never suspends.
        ///
        /// # Panics
        /// If there are more than [`Semaphore::MAX_PERMITS`].
        pub const fn new(permits: usize) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "Semaphore::new: more permits than Semaphore::MAX_PERMITS");
            Self { word: AtomicUsize::new(permits * ONE), queue: Lock::new(Queue::new()) }
        }
    }

    /// Takes one permit, waiting for it if there is none. **Suspends.**
    ///
    /// If the runtime closes meanwhile, it ends as [`Mutex::lock`](super::Mutex::lock) does.
    ///
    /// Shown at [`Semaphore`].
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "Acquire")]
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Takes `n` permits at once, waiting until there are that many. **Suspends.**
    ///
    /// ```
    /// let memory = gmp::sync::Semaphore::new(100);
    /// let much = memory.acquire_many(70);
    /// assert_eq!((much.count(), memory.available()), (70, 30));
    /// assert!(memory.try_acquire_many(40).is_none());
    /// drop(much);
    /// assert!(memory.try_acquire_many(40).is_some());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    #[inline]
    pub fn acquire_many(&self, n: usize) -> Permit<'_> {
        give_way();
        must_have(self.take(n, None));
        Permit { semaphore: self, n }
    }

    /// Takes one permit, if one is free and nobody waits. Never suspends.
    ///
    /// ```
    /// let seats = gmp::sync::Semaphore::new(1);
    /// let seat = seats.try_acquire().unwrap();
    /// assert!(seats.try_acquire().is_none());
    /// drop(seat);
    /// assert!(seats.try_acquire().is_some());
    /// ```
    #[doc(alias = "TryAcquire")]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits, if they are free and nobody waits. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_>> {
        step_aside();
        self.take_now(n).then(|| Permit { semaphore: self, n })
    }

    /// Like [`Semaphore::acquire`], but waits for at most `timeout`, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let seats = gmp::sync::Semaphore::new(0);
    /// assert!(seats.acquire_timeout(Duration::from_millis(1)).is_none());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_>> {
        self.acquire_many_until(1, crate::seam::after_now(timeout))
    }

    /// Like [`Semaphore::acquire`], but waits until `deadline` at most, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_deadline(&self, deadline: Instant) -> Option<Permit<'_>> {
        self.acquire_many_until(1, Some(deadline))
    }

    /// Like [`Semaphore::acquire_many`], but waits for at most `timeout`. **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many_timeout(&self, n: usize, timeout: Duration) -> Option<Permit<'_>> {
        self.acquire_many_until(n, crate::seam::after_now(timeout))
    }

    /// Like [`Semaphore::acquire_many`], but waits until `deadline` at most. **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many_deadline(&self, n: usize, deadline: Instant) -> Option<Permit<'_>> {
        self.acquire_many_until(n, Some(deadline))
    }

    #[track_caller]
    fn acquire_many_until(&self, n: usize, deadline: Option<Instant>) -> Option<Permit<'_>> {
        give_way();
        self.take(n, deadline).then(|| Permit { semaphore: self, n })
    }

    /// How many permits are free now. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    pub fn available(&self) -> usize {
        step_aside();
        foreign::refuse("sync");
        self.word.load(Relaxed) / ONE
    }

    /// Adds `n` permits. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::Semaphore;
    ///
    /// static LETTERS: Semaphore = Semaphore::new(0);
    ///
    /// runtime.run(|| {
    ///     // Permits that one side makes and the other uses up.
    ///     let reader = gmp::go(|| (0..3).for_each(|_| LETTERS.acquire().forget()));
    ///     LETTERS.add_permits(3);
    ///     reader.join().unwrap();
    ///     assert_eq!(LETTERS.available(), 0);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// If more than [`Semaphore::MAX_PERMITS`] would be free.
    #[doc(alias = "Release")]
    #[track_caller]
    #[inline]
    pub fn add_permits(&self, n: usize) {
        step_aside();
        foreign::refuse("sync");
        if self.add(n) {
            drop(self.serve(self.queue.lock()));
        }
    }

    /// Adds `n` permits, unless there would be too many: nobody may see such a number, not even for a moment, since permits
    /// that are taken from it cannot be taken back. Whether somebody waits.
    #[track_caller]
    #[inline]
    fn add(&self, n: usize) -> bool {
        let more = |word: usize| {
            let free = (word / ONE).checked_add(n).filter(|&free| free <= Self::MAX_PERMITS)?;
            Some((free * ONE) | (word & QUEUED))
        };
        // ORDER: semaphore. Pairs with `take_free` and `serve`: who gets the permits sees what was done before.
        let Ok(old) = self.word.fetch_update(Release, Relaxed, more) else { too_many(n) };
        old & QUEUED != 0
    }

    /// Serves the first waiter for as long as there are enough permits. Under the lock, which it gives back meanwhile.
    #[cold]
    #[inline(never)]
    fn serve<'a>(&'a self, mut queue: Guard<'a, Queue<usize>>) -> Guard<'a, Queue<usize>> {
        loop {
            // ORDER: semaphore. Acquire pairs with `add_permits`, by whomever the permits were added.
            let free = self.word.load(Acquire) / ONE;
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
        while word & QUEUED == 0 && word / ONE >= n {
            // ORDER: semaphore. Pairs with `add_permits`.
            match self.word.compare_exchange_weak(word, word - n * ONE, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes `n` permits, or else sets QUEUED. Under the lock.
    fn take_or_queue(&self, n: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & QUEUED == 0 {
            let enough = word / ONE >= n;
            let new = if enough { word - n * ONE } else { word | QUEUED };
            // ORDER: semaphore. Pairs with `add_permits`.
            match self.word.compare_exchange(word, new, Acquire, Relaxed) {
                Ok(_) => return enough,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes `n` permits unless somebody waits who can still come back.
    #[inline]
    fn take_now(&self, n: usize) -> bool {
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

    #[must_use]
    #[track_caller]
    #[inline]
    fn take(&self, n: usize, deadline: Option<Instant>) -> bool {
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
    pub(super) fn is_idle(&self) -> bool {
        self.queue.lock().is_empty() && self.word.load(Relaxed) & QUEUED == 0
    }
}

#[cold]
#[track_caller]
fn too_many(n: usize) -> ! {
    let most = Semaphore::MAX_PERMITS;
    panic!("Semaphore::add_permits({n}): at most {most} permits are free at a time (Semaphore::MAX_PERMITS)");
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish_non_exhaustive()
    }
}

/// Permits of a [`Semaphore`], given back when this is dropped. Dropping never suspends.
///
/// Shown at [`Semaphore`] and [`Semaphore::acquire_many`].
#[must_use = "the permits last as long as this"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    n: usize,
}

impl Permit<'_> {
    /// The number of permits. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    pub fn count(&self) -> usize {
        self.n
    }

    /// Uses the permits up: they are not given back. Never suspends.
    ///
    /// Shown at [`Semaphore::add_permits`].
    #[inline]
    pub fn forget(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        foreign::refuse("sync");
        // The permits were taken out of this number, so only absurd calls of `add_permits` make it overflow, and then
        // permits are lost.
        // ORDER: semaphore, as in `add_permits`.
        if self.semaphore.word.fetch_add(self.n * ONE, Release) & QUEUED != 0 {
            drop(self.semaphore.serve(self.semaphore.queue.lock()));
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.n).finish_non_exhaustive()
    }
}
