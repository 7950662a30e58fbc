//! `Sender` and `Receiver`: the handles that programs hold on a channel.

mod future;
mod receiver;
mod sender;

pub use future::{RecvFuture, SendFuture};
pub use receiver::Receiver;
pub use sender::Sender;

use super::counter::{Share, Side};
use super::protocol::Chan;
use super::timing::Timing;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use gmp_core::timer::Setting;
use std::time::{Duration, Instant};

/// A channel for values of `T` with room for `capacity` of them; with 0 each send waits for a receive. Never suspends.
///
/// Waiting senders and receivers are served in the order in which they came. A value goes straight to a receiver that
/// waits for one. Either side may be used by goroutines and by plain threads.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
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
    let (sender, receiver) = Share::pair(capacity);
    (Sender { chan: sender }, Receiver { chan: receiver })
}

/// A channel on which nothing ever comes and which nothing closes, not even [`Receiver::close`]: Go's nil channel.
/// Never suspends.
///
/// It switches a case of a select off.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (sender, mut numbers) = gmp::chan(2);
///     (1..=2).for_each(|n| sender.send(n).unwrap());
///     drop(sender);
///     let (mut sum, mut idle) = (0, false);
///     while !idle {
///         gmp::select! {
///             recv(numbers) -> n => match n {
///                 Ok(n) => sum += n,
///                 // Closed: from now on this case does not come up.
///                 Err(_) => numbers = gmp::never(),
///             },
///             default => idle = true,
///         }
///     }
///     assert_eq!(sum, 3);
/// }).unwrap();
/// ```
#[doc(alias = "nil")]
pub fn never<T>() -> Receiver<T> {
    Receiver { chan: Share::without_senders() }
}

/// The channel of a timer that goes off after `delay`, and then every `period` if that is not zero. Never suspends.
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub(crate) fn of_timer(delay: Duration, period: Duration) -> Receiver<Instant> {
    Receiver { chan: Share::of_timer(Timing::new(Setting::of_caller(), delay, period)) }
}

/// The methods of both sides.
macro_rules! side {
    ($handle:ident, $side:expr) => {
        impl<T> $handle<T> {
            /// Closes the channel: sends fail from now on, receives get what is buffered and then fail. `false`: it
            /// was closed already. Never suspends.
            ///
            /// Those who wait at the channel are woken in Go's order: the one who came first runs next, then the
            /// others, the latest first.
            ///
            /// ```
            /// let (sender, receiver) = gmp::chan(2);
            /// sender.send(7).unwrap();
            /// assert!(receiver.close());
            /// assert!(sender.is_closed() && !sender.close());
            /// assert!(sender.send(8).is_err());
            /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [7]);
            /// ```
            #[doc(alias = "closechan")]
            pub fn close(&self) -> bool {
                crate::seam::step_aside();
                !self.chan.is_never() && self.chan.close()
            }

            /// Whether the channel is closed; it may still have values in its buffer. Never suspends.
            ///
            /// Shown at [`close`](Self::close).
            pub fn is_closed(&self) -> bool {
                crate::seam::step_aside();
                self.chan.is_closed()
            }

            /// How many values are in the buffer. The values of waiting senders are not counted, nor is a timer's
            /// value. Never suspends.
            ///
            /// ```
            /// let (sender, receiver) = gmp::chan(2);
            /// assert!(sender.is_empty());
            /// sender.send('a').unwrap();
            /// assert_eq!((sender.len(), receiver.len(), receiver.capacity()), (1, 1, 2));
            /// sender.send('b').unwrap();
            /// assert!(receiver.is_full());
            /// ```
            #[doc(alias = "chanlen")]
            pub fn len(&self) -> usize {
                crate::seam::step_aside();
                if self.chan.is_timers() { 0 } else { self.chan.len() }
            }

            /// How many values the buffer has room for; 0 for a timer's channel. Never suspends.
            ///
            /// Shown at [`len`](Self::len).
            #[doc(alias = "cap")]
            pub fn capacity(&self) -> usize {
                crate::seam::step_aside();
                if self.chan.is_timers() { 0 } else { self.chan.capacity() }
            }

            /// Whether the buffer holds no value; always so if the capacity is 0. Never suspends.
            ///
            /// Shown at [`len`](Self::len).
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the buffer has no room; always so if the capacity is 0. Never suspends.
            ///
            /// Shown at [`len`](Self::len).
            pub fn is_full(&self) -> bool {
                self.len() == self.capacity()
            }

            /// Whether two handles belong to the same channel. Never suspends.
            ///
            /// ```
            /// let (sender, receiver) = gmp::chan::<u32>(0);
            /// let (other, _) = gmp::chan::<u32>(0);
            /// assert!(sender.same_channel(&sender.clone()) && receiver.same_channel(&receiver.clone()));
            /// assert!(!sender.same_channel(&other));
            /// ```
            pub fn same_channel(&self, other: &Self) -> bool {
                self.chan.is_same(&other.chan)
            }

            pub(crate) fn chan(&self) -> &Chan<T> {
                &self.chan
            }
        }

        // A panic elsewhere leaves a channel intact; at worst it drops a handle.
        impl<T> UnwindSafe for $handle<T> {}
        impl<T> RefUnwindSafe for $handle<T> {}

        impl<T> Clone for $handle<T> {
            fn clone(&self) -> Self {
                Self { chan: self.chan.another($side) }
            }
        }

        impl<T> Drop for $handle<T> {
            #[inline]
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
