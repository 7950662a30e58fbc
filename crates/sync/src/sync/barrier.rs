//! `Barrier`: a place where callers wait until a number of others have come as well.
//!
//! ```text
//!   wait: not the last: queue with this generation, sleep
//!         the last: next generation, nobody has come to it yet; wake those of the old one, in order
//! ```
//!
//! **Invariant.** `arrived` is the number of waiters of the present generation, whether they are queued or were
//! abandoned by their runtime.

use crate::seam::{const_fn, give_way};
use crate::wait::{Caller, Fired, Lock, Node, Queue, Unfired, WaitMode, Waiter, must_have, wait};
use core::fmt;
use gmp_core::WaitReason;
use std::time::{Duration, Instant};

/// A place where a number of goroutines or plain threads wait for each other, as often as they like.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::Barrier;
///
/// static ALL: Barrier = Barrier::new(4);
///
/// runtime.run(|| {
///     let all: Vec<_> = (0..4).map(|_| gmp::go(|| ALL.wait().is_leader())).collect();
///     let leaders = all.into_iter().filter_map(|one| one.join().ok()).filter(|&leads| leads).count();
///     assert_eq!(leaders, 1);
/// }).unwrap();
/// ```
pub struct Barrier {
    n: usize,
    state: Lock<State>,
}

/// What the lock protects.
struct State {
    generation: u64,
    arrived: usize,
    /// A node's content is its generation.
    queue: Queue<u64>,
}

/// The result of [`Barrier::wait`].
///
/// Shown at [`Barrier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierResult {
    leader: bool,
}

impl BarrierResult {
    /// Whether the caller was the last to come. One caller in each round is. Never suspends.
    ///
    /// Shown at [`Barrier`].
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}

impl Barrier {
    const_fn! {
        /// A barrier for `n` callers at a time; 0 counts as 1. Never suspends.
        pub const fn new(n: usize) -> Self {
            Self { n, state: Lock::new(State { generation: 0, arrived: 0, queue: Queue::new() }) }
        }
    }

    /// Waits until all have come. **Suspends.**
    ///
    /// A goroutine whose runtime closes meanwhile unwinds from here and is taken out of the count, or goes on waiting
    /// as described at [`Mutex::lock`](super::Mutex::lock).
    ///
    /// Shown at [`Barrier`].
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn wait(&self) -> BarrierResult {
        let result = self.wait_until(None);
        must_have(result.is_some());
        result.unwrap_or(BarrierResult { leader: false })
    }

    /// Like [`Barrier::wait`], but waits for at most `timeout`. If that was not enough it returns `None`, and the
    /// caller does not count as having come. **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let both = gmp::sync::Barrier::new(2);
    /// assert_eq!(both.wait_timeout(Duration::from_millis(1)), None);
    /// ```
    ///
    /// # Panics
    /// The same as for [`Barrier::wait`].
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<BarrierResult> {
        self.wait_until(crate::seam::after_now(timeout))
    }

    /// Like [`Barrier::wait_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Barrier::wait_timeout`].
    ///
    /// # Panics
    /// The same as for [`Barrier::wait`].
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Option<BarrierResult> {
        self.wait_until(Some(deadline))
    }

    #[track_caller]
    fn wait_until(&self, deadline: Option<Instant>) -> Option<BarrierResult> {
        give_way();
        let caller = Caller::enter("Barrier::wait");
        let mut state = self.state.lock();
        let generation = state.generation;
        if state.arrived + 1 >= self.n {
            (state.generation, state.arrived) = (generation + 1, 0);
            drop(state);
            self.wake_all_of(generation);
            return Some(BarrierResult { leader: true });
        }
        state.arrived += 1;
        let waiter = Waiter::alone();
        let node = Node::new(&waiter, 0, generation);
        let mode = WaitMode::new(WaitReason::Barrier, deadline);
        // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
        unsafe { state.queue.push_back(&node) };
        // SAFETY: the node is queued, and the waiter's only one.
        match unsafe { wait(&caller, state, |state| &state.queue, &waiter, &node, mode) } {
            Ok(_) => Some(BarrierResult { leader: false }),
            // All have come, and we would have been woken in a moment.
            Err(Unfired { guard, .. }) if guard.generation != generation => {
                Some(BarrierResult { leader: false })
            }
            Err(Unfired { wake, mut guard, .. }) => {
                guard.arrived -= 1;
                drop(guard);
                gmp_core::goroutine::unwind_if_closing(wake);
                None
            }
        }
    }

    fn wake_all_of(&self, generation: u64) {
        loop {
            let state = self.state.lock();
            let Some(node) = state.queue.pop_if(|&node| node <= generation, |_| ()) else { return };
            let handle = node.fire(Fired::Done);
            drop(state);
            handle.wake();
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("n", &self.n).finish_non_exhaustive()
    }
}
