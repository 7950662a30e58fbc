//! Tasks at a channel: sends and receives that are awaited, by whatever executor polls them.
//!
//! ```text
//!   poll: ready ──────────────────────────► done
//!     │ not ready: queue a node, with the waker
//!     ▼
//!   queued ── fired by the other side ────► the next poll takes the value, or learns that it is gone
//!     │  └─── polled: another waker         │ dropped before that poll: a received value is given back
//!     └────── dropped: off the queue        ▼
//!                               the next receiver, or the front of the buffer
//! ```
//!
//! **Invariant.** A task's node does not lie in a frame, which an executor may drop at any time, but in memory of its
//! own ([`TaskWait`]) with counted references: one is the future's, and while the node is queued, one is kept by the
//! waiter ([`Outsider::Task`]). Whoever fires the waiter takes that one out, and drops it after the wake. Only the
//! future takes or drops the value in the slot: the memory is freed without looking at it.
//!
//! **Values given back.** Whoever sent such a value was told that it was received, so it must not be lost with a future
//! that lost a race against a time-out. It comes before all that is buffered. If the buffer is full (or there is none),
//! the last value of all waits at the front of the senders' queue, in a node that nobody waits for, as if its sender
//! had already gone. So the channel's invariant holds unchanged. Closing the channel leaves such nodes where they are,
//! since what they hold was sent before; they go with the last receiver.

use super::protocol::{Chan, Direction, Receiving as Receive, Refusal, Sending as Send_, Slot, wake};
use super::ring::drop_all;
use crate::wait::{Fired, Memory, Node, Outsider, Waiter};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::task::{Poll, Waker};
use gmp_core::foreign;
use std::sync::Arc;

/// Where a task waits.
pub(super) struct TaskWait<T> {
    waiter: Waiter,
    node: UnsafeCell<MaybeUninit<Node<Slot>>>,
    slot: UnsafeCell<MaybeUninit<T>>,
    /// Nobody waits: the value goes with this if nobody has received it.
    given_back: Cell<bool>,
}

// SAFETY: waiter and node change under the channel's lock; the slot belongs to the future, and while the node is queued to
// whoever holds the lock. Values get to other threads only by a channel whose handles do, which asks for `T: Send`.
unsafe impl<T> Send for TaskWait<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for TaskWait<T> {}

impl<T> Memory for TaskWait<T> {}

impl<T> TaskWait<T> {
    fn new(value: Option<T>) -> Arc<Self> {
        Self::with_node(value, |this| NonNull::new(this.slot().cast()))
    }

    /// A wait for which no value is moved.
    pub(super) fn without_slot() -> Arc<Self> {
        Self::with_node(None, |_| None)
    }

    fn with_node(value: Option<T>, place: impl FnOnce(&Self) -> Slot) -> Arc<Self> {
        let slot = UnsafeCell::new(value.map_or(MaybeUninit::uninit(), MaybeUninit::new));
        let node = UnsafeCell::new(MaybeUninit::uninit());
        let this = Arc::new(Self { waiter: Waiter::alone(), node, slot, given_back: Cell::new(false) });
        let node = Node::new(&this.waiter, 0, place(&this));
        // SAFETY: nobody else has it yet.
        unsafe { (*this.node.get()).write(node) };
        this
    }

    fn slot(&self) -> *mut T {
        self.slot.get().cast()
    }

    fn node(&self) -> &Node<Slot> {
        // SAFETY: `new` wrote it, and it is only shared from then on.
        unsafe { (*self.node.get()).assume_init_ref() }
    }

    /// Takes the value out.
    ///
    /// # Safety
    /// There is one, and it is the caller's.
    unsafe fn take(&self) -> T {
        // SAFETY: the caller says so.
        unsafe { self.slot().read() }
    }

    /// The task to wake, and a reference for the waiter to keep.
    fn outsider(self: &Arc<Self>, waker: Option<Waker>) -> Outsider {
        let memory: Arc<dyn Memory + '_> = self.clone();
        // SAFETY: the lifetime is that of `T`, of which nothing is touched through this but by a value that was given back:
        // that one goes with the channel's last receiver at the latest, which has the type, too.
        let memory = unsafe { core::mem::transmute::<Arc<dyn Memory + '_>, Arc<dyn Memory>>(memory) };
        Outsider::Task(waker, memory)
    }
}

impl<T> Drop for TaskWait<T> {
    fn drop(&mut self) {
        if self.given_back.get() && !matches!(self.waiter.fired(), Some((_, Fired::Done))) {
            // SAFETY: nobody has received it.
            unsafe { self.slot.get_mut().assume_init_drop() };
        }
    }
}

/// A queued task, and the waker that it has left.
pub(super) struct Queued<T>(Arc<TaskWait<T>>, Waker);

impl<T> Queued<T> {
    /// Queues a task, unless the operation takes place at once.
    ///
    /// # Safety
    /// The slot holds a value if it is to be sent.
    pub(super) unsafe fn enter<D: Direction>(
        chan: &Chan<T>,
        wait: Arc<TaskWait<T>>,
        waker: &Waker,
    ) -> Result<Self, (Arc<TaskWait<T>>, Fired)> {
        foreign::refuse(D::CALL);
        let queued = Self(wait, waker.clone());
        let outsider = queued.0.outsider(Some(waker.clone()));
        let (state, ended) = loop {
            let state = chan.lock.lock();
            // SAFETY: the slot is as the caller says, and the future's alone.
            let ended = unsafe { D::now(chan, &state, queued.0.slot()) };
            if !(matches!(ended, Err(Refusal::NotReady)) && state.is_unarmed()) {
                break (state, ended);
            }
            drop(state);
            chan.arm();
        };
        match ended {
            Err(Refusal::NotReady) => {
                queued.0.waiter.set_outsider(outsider);
                // SAFETY: in no queue yet; its memory stays while the waiter keeps a reference, and that is until it is
                // fired, or until `leave` has taken it off.
                unsafe { D::queue(&state).push_back(queued.0.node()) };
                drop(state);
                Ok(queued)
            }
            Ok(other) => {
                drop(state);
                wake(other);
                Err((queued.0, Fired::Done))
            }
            Err(Refusal::Closed) => {
                drop(state);
                Err((queued.0, Fired::Closed))
            }
        }
    }

    /// How the wait has ended; if it has not, `waker` is woken when it does.
    pub(super) fn ended(&mut self, chan: &Chan<T>, waker: &Waker) -> Option<Fired> {
        if self.0.waiter.fired().is_none() && !self.1.will_wake(waker) {
            let outsider = self.0.outsider(Some(waker.clone()));
            let state = chan.lock.lock();
            let fired = self.0.waiter.fired().is_some();
            let last = if fired { None } else { self.0.waiter.set_outsider(outsider) };
            drop(state);
            drop(last);
            self.1 = waker.clone();
        }
        self.0.waiter.fired().map(|(_, fired)| fired)
    }

    /// Takes the task off the queue. Returns how its wait has ended, if it had.
    pub(super) fn leave<D: Direction>(&self, chan: &Chan<T>) -> Option<Fired> {
        let state = chan.lock.lock();
        let fired = self.0.waiter.fired().map(|(_, fired)| fired);
        let outsider = match fired {
            None => {
                D::queue(&state).unlink(self.0.node());
                self.0.waiter.take_outsider()
            }
            Some(_) => None,
        };
        drop(state);
        drop(outsider);
        fired
    }
}

/// A receive in progress. Whoever has it calls [`Receiving::cancel`] when it goes.
pub(crate) struct Receiving<T>(Option<Queued<T>>);

impl<T> Receiving<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Receives, or leaves the waker.
    pub(crate) fn poll(&mut self, chan: &Chan<T>, waker: &Waker) -> Poll<Result<T, Refusal>> {
        let ended = match &mut self.0 {
            Some(queued) => queued.ended(chan, waker).map(|fired| (Arc::clone(&queued.0), fired)),
            None => {
                let mut value = MaybeUninit::uninit();
                // SAFETY: the slot is ours.
                match unsafe { chan.try_receive(value.as_mut_ptr()) } {
                    // SAFETY: received.
                    Ok(()) => return Poll::Ready(Ok(unsafe { value.assume_init() })),
                    Err(Refusal::Closed) => return Poll::Ready(Err(Refusal::Closed)),
                    Err(Refusal::NotReady) => {}
                }
                // SAFETY: nothing is sent.
                match unsafe { Queued::enter::<Receive>(chan, TaskWait::new(None), waker) } {
                    Ok(queued) => {
                        self.0 = Some(queued);
                        None
                    }
                    Err(ended) => Some(ended),
                }
            }
        };
        let Some((wait, fired)) = ended else { return Poll::Pending };
        self.0 = None;
        Poll::Ready(match fired {
            // SAFETY: received, and taken once.
            Fired::Done => Ok(unsafe { wait.take() }),
            Fired::Closed => Err(Refusal::Closed),
        })
    }

    /// Ends a receive that nobody waits for any more. Returns a value that has come meanwhile.
    pub(crate) fn cancel(&mut self, chan: &Chan<T>) -> Option<T> {
        let queued = self.0.take()?;
        let fired = queued.leave::<Receive>(chan);
        // SAFETY: received, and taken once.
        (fired == Some(Fired::Done)).then(|| unsafe { queued.0.take() })
    }
}

/// A send in progress.
pub(super) enum Sending<T> {
    /// Not begun.
    New(T),
    Waits(WaitingSend<T>),
    Over,
}

/// A send that waits. Its slot holds the value, unless it was fired as done.
pub(super) struct WaitingSend<T>(Queued<T>);

impl<T> Sending<T> {
    /// Sends, or leaves the waker.
    pub(super) fn poll(&mut self, chan: &Chan<T>, waker: &Waker) -> Poll<Result<(), T>> {
        let (wait, fired) = match core::mem::replace(self, Self::Over) {
            Self::New(value) => {
                let wait = TaskWait::new(Some(value));
                // SAFETY: the slot holds the value.
                match unsafe { Queued::enter::<Send_>(chan, wait, waker) } {
                    Ok(queued) => {
                        *self = Self::Waits(WaitingSend(queued));
                        return Poll::Pending;
                    }
                    Err(ended) => ended,
                }
            }
            Self::Waits(mut waiting) => match waiting.0.ended(chan, waker) {
                Some(fired) => (waiting.0.0, fired),
                None => {
                    *self = Self::Waits(waiting);
                    return Poll::Pending;
                }
            },
            Self::Over => panic!("a SendFuture was polled again after it had ended"),
        };
        Poll::Ready(match fired {
            Fired::Done => Ok(()),
            // SAFETY: not sent, and taken once.
            Fired::Closed => Err(unsafe { wait.take() }),
        })
    }

    /// Ends a send that nobody waits for any more. Returns the value, if it was not sent.
    pub(super) fn cancel(&mut self, chan: &Chan<T>) -> Option<T> {
        match core::mem::replace(self, Self::Over) {
            Self::New(value) => Some(value),
            Self::Waits(WaitingSend(queued)) => match queued.leave::<Send_>(chan) {
                Some(Fired::Done) => None,
                // SAFETY: not sent, and taken once.
                _ => Some(unsafe { queued.0.take() }),
            },
            Self::Over => None,
        }
    }
}

impl<T> Drop for Chan<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.state().senders.is_empty() {
            self.drop_returned();
        }
    }
}

impl<T> Chan<T> {
    /// Drops the values that were given back: nobody can receive from the channel any more, and nothing else is left in
    /// the senders' queue.
    #[cold]
    pub(super) fn drop_returned(&self) {
        drop_all(|| self.lock.lock().senders.pop().map(|node| node.fire(Fired::Closed)));
    }

    /// Gives a value back that a task had received and nobody has seen. Never suspends.
    pub(super) fn return_value(&self, value: T) {
        let mut value = MaybeUninit::new(value);
        let slot = value.as_mut_ptr();
        let wait = TaskWait::<T>::new(None);
        let outsider = wait.outsider(None);
        let state = self.lock.lock();
        // SAFETY: the slot holds the value, which is moved out once, whichever way it takes.
        unsafe {
            if let Some(receiver) = self.hand_over(&state, slot) {
                drop(state);
                wake(Some(receiver));
            } else if !state.ring.is_full() {
                state.ring.push_front().copy_from_nonoverlapping(slot, 1);
            } else {
                wait.slot().write(state.ring.exchange_front(slot.read()));
                wait.given_back.set(true);
                wait.waiter.set_outsider(outsider);
                state.senders.push_front(wait.node());
            }
        }
    }
}
