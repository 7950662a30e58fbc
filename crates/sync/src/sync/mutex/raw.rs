//! `RawMutex`: Go's mutex, without the value.
//!
//! ```text
//!                      lock: compare-and-swap                     unlock: minus LOCKED
//!   0 ─────────────────────────────────────────► LOCKED ─────────────────────────────────► 0
//!
//!   normal     unlock wakes the first of WAITERS and marks WOKEN: no other is woken until that one has tried. It
//!              competes with whoever runs; if it loses, it waits at the front.
//!   STARVING   set by one who was woken, has waited for over 1 ms and found it locked. Unlock hands the lock to the first
//!              in the queue, newcomers queue at once. Ended by an owner that waited less, or is the last of them.
//! ```
//!
//! **Invariant.** WAITERS counts the waiters that have not been granted anything. It grows before they queue, and
//! shrinks under the semaphore's lock, by a grant or by a waiter that leaves. At most one caller holds WOKEN: a
//! waiter that was granted a try, or a spinner that took it so that no waiter is woken for nothing. STARVING without
//! LOCKED says that an unlock is about to hand over; under the semaphore's lock any unlock may do that for it.
//!
//! Go marks the lock taken when the new owner runs; here the hand-over itself does, so that a waiter with a deadline
//! may leave at any time. Nobody can tell the difference: in Go, STARVING keeps newcomers out in between. Go:
//! `internal/sync.Mutex` (Go 1.27).

use crate::seam::{AtomicU32, const_fn, spin_loop};
use crate::sync::sema::{Grant, Sema, Unit};
use crate::wait::{Caller, WaitMode, must_have};
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::{WaitReason, Wake};
use std::time::{Duration, Instant};

const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const STARVING: u32 = 4;
/// One waiter.
const WAITER: u32 = 8;

/// A waiter that waits for longer than this turns the fair mode on. Go: `starvationThresholdNs`.
#[cfg(not(loom))]
const STARVATION_THRESHOLD: Duration = Duration::from_millis(1);
/// A model's clock must not decide anything: a waiter that was woken once counts as starving.
#[cfg(loom)]
const STARVATION_THRESHOLD: Duration = Duration::ZERO;

/// How often a newcomer looks before it queues, and how many PAUSE instructions it executes before the first look. It
/// doubles that before each further look, which makes some 10 us in all. Go: `active_spin`, and `active_spin_cnt`,
/// which is 30 each time. While one P spins the other has the cache line to itself. With two Ps that do nothing but
/// lock and unlock, an operation took 25 ns with Go's numbers, 21 ns with these, and 82 ns where a newcomer queued at
/// once.
const SPINS: u32 = 4;
const PAUSES: u32 = 30;

/// Where the stack of a lock's holder is. The address is written by the new holder right after it has the lock, so it may
/// be the last one's for some instructions, and it stays when the lock is free.
struct Holder(AtomicUsize);

/// The holder's word says that nobody waited when the lock was taken.
const QUIET: usize = 2;

impl Holder {
    const_fn! {
        const fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    /// The caller has the lock, and before, its state was `old`.
    #[inline(always)]
    fn is_here(&self, old: u32) {
        let here = 0_u8;
        let quiet = if old == 0 { QUIET } else { 0 };
        // Odd: no handle of a channel lies there, should somebody search memory for those who refer to one.
        self.0.store(core::ptr::from_ref(&here).addr() & !QUIET | quiet | 1, Relaxed);
    }

    /// Whether nobody waited when the lock was taken last. A hint.
    #[inline(always)]
    fn was_quiet(&self) -> bool {
        self.0.load(Relaxed) & QUIET != 0
    }
}

/// The lock.
#[repr(C)]
pub(crate) struct RawMutex {
    /// An address on the stack of whoever took it last: dumps find the holder by it. What waits for the lock waits at the
    /// address of this, which with the state is a [`HeldFrom`](gmp_core::park::HeldFrom).
    holder: Holder,
    state: AtomicU32,
    sema: Sema,
}

impl RawMutex {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { holder: Holder::new(), state: AtomicU32::new(0), sema: Sema::new() }
        }
    }

    /// Takes the lock. **Suspends.**
    #[track_caller]
    #[inline]
    pub(crate) fn lock(&self) {
        if !self.take_free() {
            must_have(self.lock_slow(WaitMode::new(WaitReason::Mutex, None)));
        }
    }

    /// Takes the lock in the given mode. `false`: the wait ended without it. **Suspends.**
    #[must_use]
    #[track_caller]
    #[inline]
    pub(crate) fn lock_with(&self, mode: WaitMode) -> bool {
        self.take_free() || self.lock_slow(mode)
    }

    /// Takes the lock if it is free. Never suspends.
    #[must_use]
    pub(crate) fn try_lock(&self) -> bool {
        self.barge(self.state.load(Relaxed)).is_ok()
    }

    /// Whether the lock is free and nobody waits, by its own account.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.state.load(Relaxed) == 0 && self.sema.is_idle()
    }

    /// The fast path, past any waiters: one compare-and-swap. Go's fast path tries for a mutex without waiters only; while
    /// some wait, which is when it matters, Go needs one more locked instruction.
    ///
    /// If nobody waited the last time, it does not look first: what a locked instruction has just stored is not forwarded
    /// to a load, so that a look would wait for the last unlock by the same thread, a quarter of the time of lock and
    /// unlock. The hint is in a word that was stored before that unlock, and costs no time.
    #[inline]
    fn take_free(&self) -> bool {
        let old = if self.holder.was_quiet() { 0 } else { self.state.load(Relaxed) };
        let taken = old & (LOCKED | STARVING) == 0 && self.take(old).is_ok();
        if taken {
            self.holder.is_here(old);
        }
        taken
    }

    /// Takes a lock whose state is `old`. The error is the state.
    #[inline(always)]
    fn take(&self, old: u32) -> Result<u32, u32> {
        // ORDER: mutex. Pairs with the subtraction in `unlock`: the next holder sees all that this one did.
        self.state.compare_exchange(old, old | LOCKED, Acquire, Relaxed)
    }

    /// Takes the lock past any waiters, unless it is held or in its fair mode; then the error is the state.
    #[inline]
    fn barge(&self, mut old: u32) -> Result<(), u32> {
        while old & (LOCKED | STARVING) == 0 {
            match self.take(old) {
                Ok(_) => {
                    self.holder.is_here(old);
                    return Ok(());
                }
                Err(now) => old = now,
            }
        }
        Err(old)
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn lock_slow(&self, mode: WaitMode) -> bool {
        let locked = match self.barge(self.state.load(Relaxed)) {
            Ok(()) => return true,
            Err(old) => self.wait_for_it(mode, old),
        };
        if locked {
            self.holder.is_here(LOCKED);
        }
        locked
    }

    #[doc(alias = "lockSlow")]
    #[track_caller]
    fn wait_for_it(&self, mut mode: WaitMode, mut old: u32) -> bool {
        mode.at = core::ptr::from_ref(&self.holder).expose_provenance();
        let caller = Caller::enter("Mutex::lock");
        let mut attempt = Attempt::default();
        loop {
            if old & (LOCKED | STARVING) == LOCKED && attempt.may_spin(&caller) {
                old = self.spin(&mut attempt, old);
                continue;
            }
            if old & (LOCKED | STARVING) == 0 {
                let new = attempt.without_woken(old) | LOCKED;
                // ORDER: mutex, as in `take`.
                match self.state.compare_exchange(old, new, Acquire, Relaxed) {
                    Ok(_) => return true,
                    Err(now) => old = now,
                }
                continue;
            }
            let leaves = attempt.is_late(mode);
            let new = match leaves {
                true => attempt.without_woken(old),
                false => attempt.waiting(old),
            };
            if let Err(now) = self.state.compare_exchange(old, new, Relaxed, Relaxed) {
                old = now;
                continue;
            }
            if leaves {
                return false;
            }
            match self.sema.acquire(&caller, attempt.queues(), mode, || self.leave()) {
                Ok(Unit::Ticket) => return self.take_over(&mut attempt),
                Ok(Unit::Won) => attempt.woken(),
                Err(Wake::Closing) => {
                    // Our place in the queue is gone. A goroutine that must not unwind from here begins anew,
                    // uninterruptibly.
                    (attempt, mode) = (Attempt::default(), mode.retry_after_closing());
                }
                Err(_) => return false,
            }
            old = self.state.load(Relaxed);
        }
    }

    /// Spins once, and sees to it that an unlock wakes nobody meanwhile.
    #[doc(alias = "doSpin")]
    fn spin(&self, attempt: &mut Attempt, old: u32) -> u32 {
        if !attempt.woken
            && old & WOKEN == 0
            && old >= WAITER
            && self.state.compare_exchange(old, old | WOKEN, Relaxed, Relaxed).is_ok()
        {
            attempt.woken = true;
        }
        (0..PAUSES << attempt.spins).for_each(|_| spin_loop());
        attempt.spins += 1;
        self.state.load(Relaxed)
    }

    /// Takes over the lock that was handed to the caller. Ends the fair mode if the caller is the last waiter or
    /// waited only shortly.
    fn take_over(&self, attempt: &mut Attempt) -> bool {
        attempt.woken();
        if !attempt.starving || self.state.load(Relaxed) < WAITER {
            self.state.fetch_and(!STARVING, Relaxed);
        }
        true
    }

    /// A waiter leaves without the lock; called under the semaphore's lock. If nobody is left to wait, the fair mode
    /// ends, and a lock that was about to be handed over is free.
    fn leave(&self) -> bool {
        let left = |old: u32| {
            let new = old - WAITER;
            if new < WAITER { new & !STARVING } else { new }
        };
        let _ = self.state.fetch_update(Relaxed, Relaxed, |old| Some(left(old)));
        true
    }

    /// Releases the lock. Returns whether a sleeping goroutine was handed it, to which the caller may yield. Never
    /// suspends.
    ///
    /// # Safety
    /// The caller holds the lock.
    #[inline]
    pub(crate) unsafe fn unlock(&self) -> bool {
        // ORDER: mutex. Pairs with the compare-and-swaps of `lock`.
        let now = self.state.fetch_sub(LOCKED, Release) - LOCKED;
        // Otherwise nobody waits, or somebody is awake and will try, and there is nothing to do.
        now >= WAITER && now & (LOCKED | WOKEN) == 0 && self.unlock_slow()
    }

    #[doc(alias = "unlockSlow")]
    #[cold]
    #[inline(never)]
    fn unlock_slow(&self) -> bool {
        self.sema.release(|| self.grant(), || _ = self.leave())
    }

    /// Takes one waiter out of the count: it will be woken, or own the lock. Called under the semaphore's lock.
    /// `None`: somebody else has already seen to it.
    fn grant(&self) -> Option<Grant> {
        let mut old = self.state.load(Relaxed);
        loop {
            if old < WAITER || old & (LOCKED | WOKEN) != 0 {
                return None;
            }
            let (grant, new) = match old & STARVING {
                0 => (Grant::Count, (old - WAITER) | WOKEN),
                _ => (Grant::Ticket, (old - WAITER) | LOCKED),
            };
            // ORDER: mutex. This may hand the lock over for another unlock, whose holder's writes then reach the new
            // owner through us.
            match self.state.compare_exchange(old, new, Acquire, Relaxed) {
                Ok(_) => return Some(grant),
                Err(now) => old = now,
            }
        }
    }
}

/// One caller's attempt at the lock.
#[derive(Default)]
struct Attempt {
    spins: u32,
    /// Whether it holds WOKEN.
    woken: bool,
    starving: bool,
    since: Option<Instant>,
}

impl Attempt {
    fn may_spin(&self, caller: &Caller) -> bool {
        !cfg!(loom) && self.spins < SPINS && caller.may_spin()
    }

    /// Whether the deadline is past. In a model it is as soon as the caller has waited.
    fn is_late(&self, mode: WaitMode) -> bool {
        mode.deadline.is_some_and(|at| if cfg!(loom) { self.since.is_some() } else { at <= Instant::now() })
    }

    /// `old` without the mark that this attempt holds.
    fn without_woken(&self, old: u32) -> u32 {
        debug_assert!(!self.woken || old & WOKEN != 0, "whoever was woken holds the mark");
        if self.woken { old & !WOKEN } else { old }
    }

    /// `old` with one more waiter.
    fn waiting(&self, old: u32) -> u32 {
        let starving = if self.starving && old & LOCKED != 0 { STARVING } else { 0 };
        (self.without_woken(old) | starving) + WAITER
    }

    /// It queues now. Returns whether it does so at the front, because it has waited before.
    fn queues(&mut self) -> bool {
        self.woken = false;
        let again = self.since.is_some();
        self.since.get_or_insert_with(Instant::now);
        again
    }

    /// It was woken.
    fn woken(&mut self) {
        self.starving |= self.since.is_some_and(|since| since.elapsed() >= STARVATION_THRESHOLD);
        (self.woken, self.spins) = (true, 0);
    }
}

impl core::fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = self.state.load(Relaxed);
        let mut debug = f.debug_struct("RawMutex");
        debug.field("locked", &(state & LOCKED != 0)).field("woken", &(state & WOKEN != 0));
        debug.field("starving", &(state & STARVING != 0)).field("waiters", &(state / WAITER)).finish()
    }
}
