//! `RawLock`: a spin lock without a value, so that a select can order and take the locks of channels of any type.
//!
//! ```text
//!   plain:   free ── compare-and-swap, Acquire ──► held ── store(false), Release ──► free
//!
//!   biased to runtime R, which has one P:
//!            R's goroutines:  inside = true; still biased? ── yes: in ──► inside = false, Release
//!                                                          └─ no: inside = false; plain
//!            anybody else:    bias R → Revoking; heavy fence; wait until not inside; Revoking → none; plain from now on
//! ```
//!
//! It protects queues of waiters and a few words beside them; a critical section moves a value or links a node, and
//! never runs code of the caller's. A goroutine that parks under the lock gives it back from the park's commit, so
//! "queued" and "off its stack" are one step for everybody else. Go: the channel's and the semaphore root's `mutex`,
//! given back by `gopark`'s unlock function.
//!
//! **Invariant.** At most one holder. While the lock is plain, `held` decides. While it is biased, only the holder of
//! R's only P enters, one at a time ([`gmp_core::only_p`]), with plain stores. A bias is given when the lock is made,
//! and taken once. When it is taken, after the heavy fence, every `inside = true` that was stored before is seen, and
//! every later look at the bias sees that it is gone; so whoever is seen inside is waited for, and nobody else gets
//! in that way any more.

use crate::seam::{AtomicBool, AtomicU32, const_fn, spin_loop, thread};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::park::Who;

/// How many pauses (of some 10 ns) a waiter makes before its first look, twice as many before each next one. Some
/// hundred nanoseconds to begin with: by then the holder's thread has had the cache line for ten operations of its own.
/// A waiter that looks all the time takes the line away for each of them, and both go at the line's pace (160 ns a
/// message from four senders to four receivers, against 25).
#[cfg(not(loom))]
const FIRST_PAUSES: u32 = 32;
/// Past this many, some five microseconds, the holder may have lost the CPU: the waiter gives its own up.
#[cfg(not(loom))]
const MOST_PAUSES: u32 = 512;

/// No bias: the lock is plain.
const NONE: u32 = 0;
/// The bias is being taken. No runtime has this serial number.
const REVOKING: u32 = u32::MAX;

/// How a lock was taken, and so how it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenBy {
    /// By its flag.
    Flag,
    /// By its bias.
    Bias,
}

/// Who is calling, looked up at the first question. It must not be kept where the caller may suspend.
#[derive(Default)]
pub(crate) struct Me(Option<Who>);

impl Me {
    #[inline(always)]
    pub(crate) fn who(&mut self) -> Who {
        // SAFETY: nobody keeps a `Me` where it may suspend.
        *self.0.get_or_insert_with(|| unsafe { Who::calls() })
    }

    /// The serial number of the runtime whose only P the caller holds.
    #[inline(always)]
    fn serial(&mut self) -> u32 {
        fences::serial(self.who())
    }
}

/// The lock.
pub(crate) struct RawLock {
    bias: AtomicU32,
    held: AtomicBool,
    inside: AtomicBool,
    /// What loom watches in place of the values under the lock, which it cannot see.
    #[cfg(loom)]
    watched: loom::cell::UnsafeCell<()>,
    /// Where a model's threads wait: two threads that spin would give the CPU to each other for ever.
    #[cfg(loom)]
    changed: (loom::sync::Mutex<()>, loom::sync::Condvar),
    #[cfg(loom)]
    rank: usize,
}

impl RawLock {
    const_fn! {
        /// A plain lock.
        #[inline]
        pub(crate) const fn new() -> Self {
            Self::biased_to(NONE)
        }
    }

    /// A lock biased to the caller's runtime, if the caller holds the only P of one.
    #[inline]
    pub(crate) fn biased() -> Self {
        match Me::default().serial() {
            REVOKING => Self::new(),
            serial => Self::biased_to(serial),
        }
    }

    const_fn! {
        #[inline]
        const fn biased_to(serial: u32) -> Self {
            Self {
                bias: AtomicU32::new(serial),
                held: AtomicBool::new(false),
                inside: AtomicBool::new(false),
                #[cfg(loom)]
                watched: loom::cell::UnsafeCell::new(()),
                #[cfg(loom)]
                changed: (loom::sync::Mutex::new(()), loom::sync::Condvar::new()),
                #[cfg(loom)]
                rank: next_rank(),
            }
        }
    }

    /// The lock's place in the order in which several locks are waited for: its address.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn rank(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// In a model, its place in the order in which locks were made, since addresses differ from run to run.
    #[cfg(loom)]
    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    /// Takes the lock.
    #[inline]
    pub(crate) fn lock(&self) -> TakenBy {
        self.lock_as(&mut Me::default())
    }

    /// [`RawLock::lock`] by a caller that takes several.
    #[inline]
    pub(crate) fn lock_as(&self, me: &mut Me) -> TakenBy {
        // ORDER: bias. Acquire pairs with the release in `revoke`: whoever sees the lock plain sees what its owners
        // did.
        let bias = self.bias.load(Acquire);
        if bias != NONE {
            return self.lock_biased(bias, me.serial());
        }
        self.lock_plain()
    }

    /// Takes the lock if that needs no wait. `None` also if the lock is biased to others, or is being made plain.
    #[inline]
    pub(crate) fn try_lock_as(&self, me: &mut Me) -> Option<TakenBy> {
        // ORDER: bias. As in `lock_as`.
        let bias = self.bias.load(Acquire);
        if bias != NONE {
            return self.try_biased(bias, me.serial());
        }
        self.try_plain().then_some(TakenBy::Flag)
    }

    /// Takes a plain lock if it is free.
    #[inline]
    fn try_plain(&self) -> bool {
        // ORDER: lock. Pairs with the store in `unlock`: the next holder sees all that this one did.
        let taken = self.held.compare_exchange(false, true, Acquire, Relaxed).is_ok();
        #[cfg(loom)]
        if taken {
            self.watched.with_mut(|_| ());
        }
        taken
    }

    #[inline]
    fn lock_plain(&self) -> TakenBy {
        if !self.try_plain() {
            self.wait();
        }
        TakenBy::Flag
    }

    /// Takes a lock that was biased a moment ago by that bias; `me` is the runtime whose only P the caller holds.
    /// `None` if the bias is another's or is being taken, and if the caller is inside already.
    #[inline]
    fn try_biased(&self, bias: u32, me: u32) -> Option<TakenBy> {
        if bias != me || self.inside.load(Relaxed) {
            return None;
        }
        self.inside.store(true, Relaxed);
        fences::fence();
        if self.bias.load(Relaxed) != me {
            // ORDER: inside. As in `unlock`.
            self.inside.store(false, Release);
            self.tell_model();
            return None;
        }
        #[cfg(loom)]
        self.watched.with_mut(|_| ());
        Some(TakenBy::Bias)
    }

    #[inline]
    fn lock_biased(&self, bias: u32, me: u32) -> TakenBy {
        self.try_biased(bias, me).unwrap_or_else(|| {
            self.revoke();
            self.lock_plain()
        })
    }

    /// Makes the lock plain.
    #[cold]
    #[inline(never)]
    fn revoke(&self) {
        #[cfg(not(loom))]
        gmp_core::foreign::refuse_all("sync");
        loop {
            // ORDER: bias. Acquire pairs with the release below: the revoker saw the last one leave, and so do we.
            match self.bias.load(Acquire) {
                NONE => return,
                // ORDER: bias. Acquire, as above.
                REVOKING => self.yield_until(|| self.bias.load(Acquire) != REVOKING),
                bias => {
                    if self.bias.compare_exchange(bias, REVOKING, Relaxed, Relaxed).is_err() {
                        continue;
                    }
                    fences::heavy_fence();
                    // ORDER: inside. Acquire pairs with `unlock`: what the last owner did is seen.
                    self.yield_until(|| !self.inside.load(Acquire));
                    // ORDER: bias. Release pairs with the acquire above and in `lock`.
                    self.bias.store(NONE, Release);
                    self.tell_model();
                    return;
                }
            }
        }
    }

    #[cfg(not(loom))]
    #[cold]
    #[inline(never)]
    fn wait(&self) {
        // The holder may be this very thread, in the middle of the scheduler that has called a policy.
        gmp_core::foreign::refuse_all("sync");
        let mut pauses = FIRST_PAUSES;
        loop {
            if pauses > MOST_PAUSES {
                thread::yield_now();
            } else {
                (0..pauses).for_each(|_| spin_loop());
                pauses *= 2;
            }
            // Looks with a plain load, which leaves the cache line with its holder.
            if !self.held.load(Relaxed) && self.try_plain() {
                return;
            }
        }
    }

    #[cfg(not(loom))]
    fn yield_until(&self, over: impl Fn() -> bool) {
        while !over() {
            thread::yield_now();
        }
    }

    #[cfg(loom)]
    fn wait(&self) {
        self.yield_until(|| self.try_plain());
    }

    #[cfg(loom)]
    fn yield_until(&self, over: impl Fn() -> bool) {
        let mut waiting = self.changed.0.lock().unwrap();
        while !over() {
            waiting = self.changed.1.wait(waiting).unwrap();
        }
    }

    /// Tells a model's waiting threads of a change. It is called after the change, so that a thread that does not
    /// wait gets no ordering from here.
    #[inline(always)]
    fn tell_model(&self) {
        #[cfg(loom)]
        {
            drop(self.changed.0.lock().unwrap());
            self.changed.1.notify_all();
        }
    }

    /// Gives the lock back, and touches nothing after that.
    ///
    /// # Safety
    /// The caller took the lock in this way, or was handed it, and gives it back once.
    #[inline]
    pub(crate) unsafe fn unlock(&self, by: TakenBy) {
        #[cfg(loom)]
        self.watched.with_mut(|_| ());
        let flag = if by == TakenBy::Bias { &self.inside } else { &self.held };
        // ORDER: lock. Pairs with the compare-and-swap in `try_plain`, and with `revoke`.
        flag.store(false, Release);
        self.tell_model();
    }
}

#[cfg(loom)]
fn next_rank() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// What the caller knows of itself, and the two halves of the asymmetric fence.
mod fences {
    #[cfg(not(loom))]
    pub(super) use gmp_core::only_p::{heavy_fence, serial_of as serial};
    pub(super) use gmp_core::sync::light_fence as fence;

    /// In a model no thread holds a P; the threads say who they are.
    #[cfg(loom)]
    pub(super) fn serial(_: gmp_core::park::Who) -> u32 {
        0
    }

    #[cfg(loom)]
    pub(super) use gmp_core::sync::full_fence as heavy_fence;
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn counts_of_four_threads_add_up() {
        let count = crate::wait::lock::Lock::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|_| *count.lock() += 1));
            }
        });
        assert_eq!(*count.lock(), 80_000);
    }

    /// An owner that goes in and out by its bias, and strangers that come while it does.
    #[test]
    fn a_bias_is_taken_from_an_owner_at_work() {
        // Installs the heavy fence.
        // SAFETY: no goroutine runs.
        drop(unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap());
        if !gmp_core::only_p::has_heavy_fence() {
            return;
        }
        for _ in 0..500 {
            let (lock, inside, count) = (RawLock::biased_to(7), AtomicU32::new(0), AtomicU32::new(0));
            let enter = |me: u32| {
                let by = match lock.bias.load(Acquire) {
                    NONE => lock.lock_plain(),
                    bias => lock.lock_biased(bias, me),
                };
                assert_eq!(inside.fetch_add(1, SeqCst), 0);
                count.store(count.load(Relaxed) + 1, Relaxed);
                inside.fetch_sub(1, SeqCst);
                // SAFETY: just taken.
                unsafe { lock.unlock(by) };
            };
            std::thread::scope(|scope| {
                scope.spawn(|| (0..2_000).for_each(|_| enter(7)));
                for _ in 0..2 {
                    scope.spawn(|| (0..200).for_each(|_| enter(0)));
                }
            });
            assert_eq!(count.load(Relaxed), 2_400);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_lock {
    //! The bias is taken by two strangers at once while its owner goes in. Three threads, at most two preemptions,
    //! seconds. Without the light fence, or with `revoke` not waiting for `inside`, it fails.

    use super::*;
    use loom::sync::Arc;

    #[test]
    fn loom_bias_is_taken() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let lock = Arc::new(RawLock::biased_to(7));
            let enter = |lock: &RawLock, me: u32| {
                let by = match lock.bias.load(Acquire) {
                    NONE => lock.lock_plain(),
                    bias => lock.lock_biased(bias, me),
                };
                // SAFETY: just taken.
                unsafe { lock.unlock(by) };
            };
            let strangers: Vec<_> = (0..2)
                .map(|_| {
                    let lock = lock.clone();
                    thread::spawn(move || enter(&lock, 0))
                })
                .collect();
            enter(&lock, 7);
            strangers.into_iter().for_each(|stranger| stranger.join().unwrap());
            enter(&lock, 0);
        });
    }
}
