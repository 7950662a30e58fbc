//! `Sender` and `Receiver`: what programs hold of a channel.

use super::counter::{Share, Side};
use super::protocol::{Chan, Refusal};
use super::{
    Iter, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryIter, TryRecvError, TrySendError,
};
use core::fmt;
use core::mem::MaybeUninit;
use gmp_core::timer::AnyTimer;
use std::time::{Duration, Instant};

/// A channel for values of `T` with room for `capacity` of them; with 0 each send waits for a receive. Never suspends.
///
/// Waiting senders and receivers are served in the order in which they came. A value goes straight to a receiver that
/// waits for one. Either side may be used by goroutines and by plain threads.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     let (numbers, squares) = gmp::chan(0);
///     gmp::go(move || (1..=3).for_each(|n| numbers.send(n * n).unwrap()));
///     assert_eq!(squares.iter().collect::<Vec<i32>>(), [1, 4, 9]);
/// }).unwrap();
/// ```
///
/// # Panics
/// If there is no memory for `capacity` values.
#[doc(alias = "make")]
#[doc(alias = "makechan")]
pub fn chan<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = Share::pair(Chan::new(capacity));
    (Sender { chan: sender }, Receiver { chan: receiver })
}

/// A channel on which nothing ever comes and that is never closed, also not by [`Receiver::close`]: Go's nil channel.
/// Never suspends.
///
/// For a case of a select that is switched off.
#[doc(alias = "nil")]
pub fn never<T>() -> Receiver<T> {
    Receiver { chan: Share::without_senders(Chan::new(0)) }
}

/// The channel of a timer that is tied to it by [`Receiver::tie`].
pub(crate) fn of_timer<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = Share::of_timer(Chan::new(1));
    (Sender { chan: sender }, Receiver { chan: receiver })
}

/// The sending side of a channel. Clones send on the same channel; when the last is dropped the channel is closed.
pub struct Sender<T> {
    chan: Share<T>,
}

/// The receiving side of a channel. Clones receive from the same channel, each value goes to one of them; when the last
/// is dropped the channel is closed and what is in its buffer is dropped.
pub struct Receiver<T> {
    chan: Share<T>,
}

impl<T> Sender<T> {
    /// Sends a value, and waits until there is room for it or a receiver takes it. **Suspends.**
    ///
    /// # Errors
    /// The channel is closed, or is closed while this waits; the value comes back. (Go panics.) Also in a goroutine that
    /// is unwinding because its runtime closes, if it would have to wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "chansend")]
    #[track_caller]
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        // It stays an ordinary variable: if the wait unwinds, it is dropped.
        let mut value = value;
        // SAFETY: the slot holds the value; it is used again only if it was not moved.
        match unsafe { self.chan.send(&raw mut value, None) } {
            Ok(()) => {
                core::mem::forget(value);
                Ok(())
            }
            Err(_) => Err(SendError(value)),
        }
    }

    /// Sends a value if a receiver waits or there is room. Never suspends.
    ///
    /// # Errors
    /// The channel is full or closed; the value comes back.
    #[doc(alias = "selectnbsend")]
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        // It stays an ordinary variable: if the wait unwinds, it is dropped.
        let mut value = value;
        // SAFETY: the slot holds the value; it is used again only if it was not moved.
        match unsafe { self.chan.try_send(&raw mut value) } {
            Ok(()) => {
                core::mem::forget(value);
                Ok(())
            }
            Err(Refusal::Closed) => Err(TrySendError::Closed(value)),
            Err(Refusal::NotReady) => Err(TrySendError::Full(value)),
        }
    }

    /// [`Sender::send`] that waits for at most `timeout`. **Suspends.**
    ///
    /// # Errors
    /// The time is over or the channel closed; the value comes back.
    ///
    /// # Panics
    /// As [`Sender::send`].
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, crate::after_now(timeout))
    }

    /// [`Sender::send`] that waits until `deadline` at most. **Suspends.**
    ///
    /// # Errors
    /// As [`Sender::send_timeout`].
    ///
    /// # Panics
    /// As [`Sender::send`].
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, Some(deadline))
    }

    #[track_caller]
    fn send_until(&self, value: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        // It stays an ordinary variable: if the wait unwinds, it is dropped.
        let mut value = value;
        // SAFETY: the slot holds the value; it is used again only if it was not moved.
        match unsafe { self.chan.send(&raw mut value, deadline) } {
            Ok(()) => {
                core::mem::forget(value);
                Ok(())
            }
            Err(Refusal::Closed) => Err(SendTimeoutError::Closed(value)),
            Err(Refusal::NotReady) => Err(SendTimeoutError::TimedOut(value)),
        }
    }
}

impl<T> Sender<T> {
    /// The last sender has gone.
    fn last(chan: &Share<T>) {
        if !chan.is_timers() {
            chan.close();
        }
    }
}

impl<T> Receiver<T> {
    /// Receives a value, and waits until there is one. **Suspends.**
    ///
    /// # Errors
    /// The channel is closed and empty, or becomes so while this waits. Also in a goroutine that is unwinding because
    /// its runtime closes, if it would have to wait.
    ///
    /// # Panics
    /// As [`Sender::send`].
    #[doc(alias = "chanrecv")]
    #[track_caller]
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.receive(value.as_mut_ptr(), None) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(_) => Err(RecvError),
        }
    }

    /// Receives a value if one is there. Never suspends.
    ///
    /// # Errors
    /// Nothing is there, or the channel is closed and empty.
    #[doc(alias = "selectnbrecv")]
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.try_receive(value.as_mut_ptr()) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(Refusal::Closed) => Err(TryRecvError::Closed),
            Err(Refusal::NotReady) => Err(TryRecvError::Empty),
        }
    }

    /// [`Receiver::recv`] that waits for at most `timeout`. **Suspends.**
    ///
    /// # Errors
    /// The time is over, or the channel is closed and empty.
    ///
    /// # Panics
    /// As [`Sender::send`].
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(crate::after_now(timeout))
    }

    /// [`Receiver::recv`] that waits until `deadline` at most. **Suspends.**
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`].
    ///
    /// # Panics
    /// As [`Sender::send`].
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[track_caller]
    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.receive(value.as_mut_ptr(), deadline) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(Refusal::Closed) => Err(RecvTimeoutError::Closed),
            Err(Refusal::NotReady) => Err(RecvTimeoutError::TimedOut),
        }
    }

    /// Whether this is of a channel that [`never()`] made.
    #[inline]
    pub(crate) fn is_never(&self) -> bool {
        self.chan.is_never()
    }

    /// Has the timer stopped when the last receiver goes.
    pub(crate) fn tie(&self, timer: AnyTimer) {
        self.chan.tie(Some(timer));
    }

    /// The last receiver has gone.
    fn last(chan: &Share<T>) {
        if let Some(timer) = chan.tie(None) {
            timer.stop();
        }
        chan.close_and_empty();
    }

    /// Receives until the channel is closed and empty. **The iterator's `next` suspends.**
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// Receives what is there now. Never suspends.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

/// What both sides have.
macro_rules! side {
    ($handle:ident, $side:expr) => {
        impl<T> $handle<T> {
            /// Closes the channel: sends fail from now on, receives get what is buffered and then fail. `false`: it
            /// was closed already. Never suspends.
            ///
            /// Who waits at the channel is woken in Go's order: of several, the one who came first runs next, then the
            /// others, the latest first.
            #[doc(alias = "closechan")]
            pub fn close(&self) -> bool {
                !self.chan.is_never() && self.chan.close()
            }

            /// Whether the channel is closed; it may still have values in its buffer. Never suspends.
            pub fn is_closed(&self) -> bool {
                self.chan.is_closed()
            }

            /// How many values are in the buffer; values of senders that wait do not count, nor does a timer's. Never
            /// suspends.
            #[doc(alias = "chanlen")]
            pub fn len(&self) -> usize {
                if self.chan.is_timers() { 0 } else { self.chan.len() }
            }

            /// How many values the buffer has room for; 0 for a timer's channel. Never suspends.
            #[doc(alias = "cap")]
            pub fn capacity(&self) -> usize {
                if self.chan.is_timers() { 0 } else { self.chan.capacity() }
            }

            /// Whether the buffer holds no value; always so if the capacity is 0. Never suspends.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the buffer has no room; always so if the capacity is 0. Never suspends.
            pub fn is_full(&self) -> bool {
                self.len() == self.capacity()
            }

            /// Whether two handles are of one channel. Never suspends.
            pub fn same_channel(&self, other: &Self) -> bool {
                self.chan.is_same(&other.chan)
            }

            pub(crate) fn chan(&self) -> &Chan<T> {
                &self.chan
            }
        }

        impl<T> Clone for $handle<T> {
            fn clone(&self) -> Self {
                Self { chan: self.chan.another($side) }
            }
        }

        impl<T> Drop for $handle<T> {
            fn drop(&mut self) {
                self.chan.give_back($side, Self::last);
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle))
                    .field("len", &self.len())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }
    };
}

side!(Sender, Side::Senders);
side!(Receiver, Side::Receivers);
