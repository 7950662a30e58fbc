//! `WaitGroup`: waits until a counter is zero.
//!
//! ```text
//!   add: counter + n                        wait: counter 0? done
//!   done: counter - 1                             else, locked: one waiter more, queue with this generation, sleep
//!   done, the last, with waiters: locked: both to 0, next generation; then wake those of the old one, in order
//! ```
//!
//! **Invariant.** The number of waiters changes under the lock only, and so does a counter that reaches zero while
//! there are any: so those queued with the present generation are those who wait for the present counter, and a group
//! can be used again at once. Go, which counts both without a lock, panics on some such uses instead. Go:
//! `sync.WaitGroup` (waitgroup.go, Go 1.27).

use crate::seam::{Arc, AtomicU64, give_way, step_aside};
use crate::wait::{Caller, Fired, Lock, Node, Queue, Unfired, WaitMode, Waiter, must_have, wait};
use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::{NoRecord, WaitReason, Wake};
use std::time::{Duration, Instant};

/// Counter in the upper half, waiters in the lower.
const ONE: u64 = 1 << 32;
const WAITERS: u64 = ONE - 1;
/// The counter's limit. In Go it is a signed number of 32 bits.
const MOST: u64 = i32::MAX as u64;
/// Up to so many tasks are added at once, and taken back if they are too many: two million such calls at a time would have
/// to be under way before the counter overflowed its half.
const AT_ONCE: usize = 1 << 10;

/// Waits for a number of tasks to be done. Clones are handles on the same counter.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::{Mutex, WaitGroup};
/// use std::sync::Arc;
///
/// runtime.run(|| {
///     let (group, total) = (WaitGroup::new(), Arc::new(Mutex::new(0)));
///     for n in 1..=10 {
///         let total = total.clone();
///         group.go(move || *total.lock() += n);
///     }
///     group.wait();
///     assert_eq!(*total.lock(), 55);
/// }).unwrap();
/// ```
#[doc(alias = "sync.WaitGroup")]
#[derive(Clone)]
pub struct WaitGroup(Arc<Group>);

struct Group {
    counts: AtomicU64,
    state: Lock<State>,
}

/// What the lock protects.
struct State {
    generation: u64,
    /// A node's content is the generation for whose end it waits.
    queue: Queue<u64>,
}

impl WaitGroup {
    /// A group with nothing to wait for. Never suspends.
    pub fn new() -> Self {
        let state = Lock::new(State { generation: 0, queue: Queue::new() });
        Self(Arc::new(Group { counts: AtomicU64::new(0), state }))
    }

    /// Adds `n` tasks to wait for. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::WaitGroup;
    ///
    /// runtime.run(|| {
    ///     let group = WaitGroup::new();
    ///     let (sender, halves) = gmp::chan(3);
    ///     // Before the goroutines are started: `wait` might come first.
    ///     group.add(3);
    ///     for n in [2, 4, 6] {
    ///         let (group, sender) = (group.clone(), sender.clone());
    ///         gmp::go(move || {
    ///             sender.send(n / 2).unwrap();
    ///             group.done();
    ///         });
    ///     }
    ///     group.wait();
    ///     assert_eq!(halves.try_iter().sum::<u32>(), 6);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// If there would be more than 2,147,483,647 tasks.
    #[doc(alias = "Add")]
    #[track_caller]
    #[inline]
    pub fn add(&self, n: usize) {
        step_aside();
        // Relaxed, since adding hands nothing over.
        if n > AT_ONCE || (self.0.counts.fetch_add(n as u64 * ONE, Relaxed) / ONE) + n as u64 > MOST {
            self.0.add_slowly(n);
        }
    }

    /// Says that one task is done. The last of them wakes all who wait, in the order in which they came. Never
    /// suspends.
    ///
    /// Shown at [`WaitGroup::add`]; [`WaitGroup::go`] calls it by itself.
    ///
    /// # Panics
    /// If no task was left to be done.
    #[doc(alias = "Done")]
    #[track_caller]
    #[inline]
    pub fn done(&self) {
        step_aside();
        // A guess, since a look would wait for the locked instruction of the last `add` or `done`.
        let mut old = ONE;
        loop {
            if old < ONE {
                done_too_often();
            }
            if old / ONE == 1 && old & WAITERS != 0 {
                return self.0.last_done();
            }
            // ORDER: wait-group. Pairs with the load in `is_done`, and with `last_done`: what was done is seen by those
            // who waited for it.
            match self.0.counts.compare_exchange_weak(old, old - ONE, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    /// Starts a goroutine and counts it as a task until it ends, even by a panic. Never suspends.
    ///
    /// Shown at [`WaitGroup`].
    ///
    /// # Panics
    /// Outside a goroutine, as [`WaitGroup::add`], and if there is no memory for the goroutine's record.
    #[doc(alias = "Go")]
    #[track_caller]
    pub fn go(&self, f: impl FnOnce() + Send + 'static) {
        struct Done(WaitGroup);
        impl Drop for Done {
            fn drop(&mut self) {
                self.0.done();
            }
        }
        self.add(1);
        let done = Done(self.clone());
        let counted = move || {
            let _done = done;
            f();
        };
        if let Err(NoRecord(counted)) = gmp_core::goroutine::spawn("sync::WaitGroup::go", None, counted) {
            drop(counted);
            panic!("WaitGroup::go: no memory for another goroutine's record of 192 bytes");
        }
    }

    /// Waits until nothing is left to be done. **Suspends.**
    ///
    /// A goroutine whose runtime closes meanwhile unwinds from here, or goes on waiting and keeps its thread, as
    /// described at [`Mutex::lock`](super::Mutex::lock).
    ///
    /// Shown at [`WaitGroup`].
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "Wait")]
    #[track_caller]
    #[inline]
    pub fn wait(&self) {
        give_way();
        must_have(self.0.wait(None));
    }

    /// Like [`WaitGroup::wait`], but waits for at most `timeout`. `false`: something is left to be done. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::WaitGroup;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let group = WaitGroup::new();
    ///     group.go(|| gmp::sleep(Duration::from_millis(20)));
    ///     assert!(!group.wait_timeout(Duration::from_millis(1)));
    ///     group.wait();
    ///     assert!(group.wait_timeout(Duration::ZERO));
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`WaitGroup::wait`].
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        give_way();
        self.0.wait(crate::seam::after_now(timeout))
    }

    /// Like [`WaitGroup::wait`], but waits until `deadline` at most. `false`: something is left to be done.
    /// **Suspends.**
    ///
    /// As shown at [`WaitGroup::wait_timeout`].
    ///
    /// # Panics
    /// The same as for [`WaitGroup::wait`].
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> bool {
        give_way();
        self.0.wait(Some(deadline))
    }
}

impl Group {
    /// Adds many tasks, or takes back [`AT_ONCE`] or fewer that have just been added and are too many.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn add_slowly(&self, n: usize) {
        let tasks = u64::try_from(n).unwrap_or(u64::MAX);
        if n <= AT_ONCE {
            self.counts.fetch_sub(tasks * ONE, Relaxed);
        } else {
            let more = |old: u64| {
                let count = (old / ONE).checked_add(tasks).filter(|&count| count <= MOST)?;
                Some((old & WAITERS) | (count * ONE))
            };
            if self.counts.fetch_update(Relaxed, Relaxed, more).is_ok() {
                return;
            }
        }
        panic!("WaitGroup::add({n}): a group counts to {MOST} at most");
    }

    #[inline]
    fn is_done(&self) -> bool {
        // ORDER: wait-group. Pairs with the subtractions in `done`.
        self.counts.load(Acquire) < ONE
    }

    /// The counter is one and there are waiters, or this was so a moment ago.
    #[cold]
    #[track_caller]
    fn last_done(&self) {
        let mut state = self.state.lock();
        // ORDER: wait-group. Acquire pairs with the other subtractions, whose writes go to those who are woken; Release
        // as in `done`.
        let done = |old: u64| if old / ONE == 1 { Some(0) } else { old.checked_sub(ONE) };
        match self.counts.fetch_update(core::sync::atomic::Ordering::AcqRel, Relaxed, done) {
            Ok(old) if old / ONE == 1 => {}
            Ok(_) => return,
            Err(_) => {
                drop(state);
                done_too_often();
            }
        }
        let old = state.generation;
        state.generation += 1;
        loop {
            let Some(node) = state.queue.pop_if(|&generation| generation <= old, |_| ()) else { return };
            let handle = node.fire(Fired::Done);
            drop(state);
            handle.wake();
            state = self.state.lock();
        }
    }

    #[must_use]
    #[track_caller]
    #[inline]
    fn wait(&self, deadline: Option<Instant>) -> bool {
        self.is_done() || self.wait_for_the_last(deadline)
    }

    #[track_caller]
    fn wait_for_the_last(&self, deadline: Option<Instant>) -> bool {
        let caller = Caller::enter("WaitGroup::wait");
        let state = self.state.lock();
        let more = |old: u64| (old >= ONE).then_some(old + 1);
        // ORDER: wait-group, as in `is_done`.
        if self.counts.fetch_update(Relaxed, Acquire, more).is_err() {
            return true;
        }
        let generation = state.generation;
        let waiter = Waiter::alone();
        let node = Node::new(&waiter, 0, generation);
        let mode = WaitMode::new(WaitReason::WaitGroup, deadline);
        // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
        unsafe { state.queue.push_back(&node) };
        // SAFETY: the node is queued, and the waiter's only one.
        match unsafe { wait(&caller, state, |state| &state.queue, &waiter, &node, mode) } {
            Ok(_) => true,
            // The last task was done, and we would have been woken in a moment.
            Err(Unfired { guard, .. }) if guard.generation != generation => true,
            Err(Unfired { wake, guard, .. }) => {
                self.counts.fetch_sub(1, Relaxed);
                drop(guard);
                gmp_core::goroutine::unwind_if_closing(wake);
                debug_assert_eq!(wake, Wake::TimedOut, "a wait that must not end is uninterruptible");
                false
            }
        }
    }
}

#[cold]
#[track_caller]
fn done_too_often() -> ! {
    panic!("WaitGroup::done: negative counter, done was called more often than was added");
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.counts.load(Relaxed);
        let mut debug = f.debug_struct("WaitGroup");
        debug.field("counter", &(counts / ONE)).field("waiters", &(counts & WAITERS)).finish()
    }
}
