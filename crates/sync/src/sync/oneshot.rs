//! `oneshot`: a channel for one value, such as the answer to a request. Both ends are used up by it.
//!
//! It is a channel with room for one value, whose types say that there is only one: [`Sender::send`] takes the sender, so
//! it finds room and never waits. Everything else is the channel's: who wakes whom, the order, what an end that goes away
//! does to the other.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! use gmp::sync::oneshot;
//!
//! runtime.run(|| {
//!     let (questions, to_answer) = gmp::chan::<(u32, oneshot::Sender<u32>)>(0);
//!     gmp::go(move || {
//!         for (number, answer) in to_answer {
//!             // Whoever asked may have gone away meanwhile.
//!             let _ = answer.send(number * number);
//!         }
//!     });
//!     let (sender, answer) = oneshot::channel();
//!     questions.send((12, sender)).unwrap();
//!     assert_eq!(answer.recv(), Ok(144));
//! }).unwrap();
//! ```

use crate::channel::{
    self, Ending, Receiving, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, chan,
};
use crate::seam::{after_now, give_way, step_aside};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A channel for one value. Never suspends.
///
/// Shown at [`oneshot`](self) and [`Sender::send`].
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = chan(1);
    (Sender { chan: sender, ending: Ending::new() }, Receiver(receiver))
}

/// The right to send the one value. If it is dropped instead, the receiver gets an error.
#[must_use = "dropping it tells the receiver that no value comes"]
pub struct Sender<T> {
    chan: channel::Sender<T>,
    /// A task that awaits the end. It is kept here, so that it is out of the line when the value is sent, even if its
    /// future was leaked.
    ending: Ending<T>,
}

// As its channel's sender.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// Sends the value, for which there is always room. Never suspends.
    ///
    /// A value that was sent and is not received any more is dropped with the receiver.
    ///
    /// ```
    /// use gmp::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// sender.send("hello").unwrap();
    /// assert_eq!(receiver.recv(), Ok("hello"));
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send("hello").unwrap_err().into_inner(), "hello");
    /// ```
    ///
    /// # Errors
    /// The receiver was dropped or closed; the value comes back.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        self.ending.cancel(self.chan.chan());
        match self.chan.try_send(value) {
            Ok(()) => Ok(()),
            // `Full` cannot come up, since there is room for the only value.
            Err(TrySendError::Closed(value) | TrySendError::Full(value)) => Err(SendError(value)),
        }
    }

    /// Whether nobody can receive the value any more, so that it need not be made. Never suspends.
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::oneshot::channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.chan.is_closed()
    }

    /// Waits until nobody can receive the value any more. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, receiver) = gmp::sync::oneshot::channel::<u32>();
    ///     gmp::go(move || {
    ///         // Whoever asked has given up.
    ///         gmp::yield_now();
    ///         drop(receiver);
    ///     });
    ///     sender.closed();
    ///     assert!(sender.is_closed());
    /// }).unwrap();
    /// ```
    ///
    /// A goroutine that is unwinding because its runtime closes does not wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn closed(&self) {
        give_way();
        self.chan.chan().wait_closed(None);
    }

    /// Like [`Sender::closed`], but waits for at most `timeout`. `false`: the value is still wanted. **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = gmp::sync::oneshot::channel::<u32>();
    /// assert!(!sender.closed_timeout(Duration::from_millis(1)));
    /// drop(receiver);
    /// assert!(sender.closed_timeout(Duration::from_secs(3600)));
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::closed`].
    #[track_caller]
    pub fn closed_timeout(&self, timeout: Duration) -> bool {
        give_way();
        self.chan.chan().wait_closed(after_now(timeout))
    }

    /// Like [`Sender::closed_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Sender::closed_timeout`].
    ///
    /// # Panics
    /// The same as for [`Sender::closed`].
    #[track_caller]
    pub fn closed_deadline(&self, deadline: Instant) -> bool {
        give_way();
        self.chan.chan().wait_closed(Some(deadline))
    }

    /// [`Sender::closed`] for async code, or as an arm of a select. Never suspends: the future does the waiting.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (mut sender, receiver) = gmp::sync::oneshot::channel();
    ///     let (digits, computed) = gmp::chan(0);
    ///     gmp::go(move || [3, 1, 4].into_iter().for_each(|digit| _ = digits.send(digit)));
    ///     drop(receiver);
    ///     let mut sum = 0;
    ///     loop {
    ///         gmp::select! {
    ///             recv(computed) -> digit => match digit {
    ///                 Ok(digit) => sum += digit,
    ///                 Err(_) => break assert!(sender.send(sum).is_err()),
    ///             },
    ///             await(sender.closed_async()) -> () => break,
    ///         }
    ///     }
    /// }).unwrap();
    /// ```
    pub fn closed_async(&mut self) -> Closed<'_, T> {
        Closed { sender: self }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.ending.cancel(self.chan.chan());
    }
}

/// The end of a [`Receiver`], awaited. Made by [`Sender::closed_async`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Closed<'a, T> {
    sender: &'a mut Sender<T>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        step_aside();
        let Sender { chan, ending } = &mut *self.sender;
        ending.poll(chan.chan(), context.waker())
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.sender.ending.cancel(self.sender.chan.chan());
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closed").field(self.sender).finish()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("closed", &self.is_closed()).finish()
    }
}

/// The right to receive the one value, also as a future: `receiver.await`.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// let (sender, receiver) = gmp::sync::oneshot::channel();
/// gmp::go(move || sender.send(7));
/// assert_eq!(gmp::block_on(async { receiver.await }), Ok(7));
/// # }).unwrap();
/// ```
#[must_use = "dropping it tells the sender that nobody wants the value"]
pub struct Receiver<T>(channel::Receiver<T>);

impl<T> Receiver<T> {
    /// Waits for the value. **Suspends.**
    ///
    /// Shown at [`oneshot`](self).
    ///
    /// # Errors
    /// The sender was dropped without sending; or the value has been received before, or this receiver's
    /// [`close`](Self::close) came first. A goroutine that is unwinding because its runtime closes gets this error, too, if
    /// it would have to wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        self.0.recv()
    }

    /// Receives the value if it is there. Never suspends.
    ///
    /// ```
    /// use gmp::channel::TryRecvError;
    ///
    /// let (sender, receiver) = gmp::sync::oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// The value has not been sent yet, or it will not come, as for [`Receiver::recv`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Like [`Receiver::recv`], but waits for at most `timeout`, and may be called again. **Suspends.**
    ///
    /// ```
    /// use gmp::channel::RecvTimeoutError;
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = gmp::sync::oneshot::channel::<u32>();
    /// let received = receiver.recv_timeout(Duration::from_millis(1));
    /// assert_eq!(received, Err(RecvTimeoutError::TimedOut));
    /// drop(sender);
    /// let received = receiver.recv_timeout(Duration::from_secs(3600));
    /// assert_eq!(received, Err(RecvTimeoutError::Closed));
    /// ```
    ///
    /// # Errors
    /// The time has run out, or the value will not come.
    ///
    /// # Panics
    /// The same as for [`Receiver::recv`].
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(timeout)
    }

    /// Like [`Receiver::recv_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Receiver::recv_timeout`].
    ///
    /// # Errors
    /// The same as for [`Receiver::recv_timeout`].
    ///
    /// # Panics
    /// The same as for [`Receiver::recv`].
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.0.recv_deadline(deadline)
    }

    /// Closes the channel: from now on the value cannot be sent, but one that was sent before can be received. `false`:
    /// it was closed already. Never suspends.
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::oneshot::channel();
    /// assert!(receiver.close());
    /// assert!(sender.send(7).is_err());
    /// assert!(receiver.recv().is_err());
    /// ```
    pub fn close(&self) -> bool {
        self.0.close()
    }

    /// The channel by which the value comes, for a select. A clone of it is another receiver, which may get the value
    /// in place of this one, and keeps the sender from noticing that this one has gone. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (sender, answer) = gmp::sync::oneshot::channel();
    ///     gmp::go(move || sender.send(42));
    ///     gmp::select! {
    ///         recv(answer.channel()) -> answer => assert_eq!(answer, Ok(42)),
    ///         default(Duration::from_secs(60)) => panic!("no answer"),
    ///     }
    /// }).unwrap();
    /// ```
    pub fn channel(&self) -> &channel::Receiver<T> {
        &self.0
    }

    /// [`Receiver::recv`] for async code that keeps the receiver. Never suspends: the future does the waiting.
    ///
    /// A future that is dropped when the value has come leaves the value to the next receive.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # runtime.run(|| {
    /// let (sender, receiver) = gmp::sync::oneshot::channel();
    /// gmp::go(move || sender.send(7));
    /// assert_eq!(gmp::block_on(receiver.recv_async()), Ok(7));
    /// # }).unwrap();
    /// ```
    pub fn recv_async(&self) -> channel::RecvFuture<'_, T> {
        self.0.recv_async()
    }
}

impl<T> IntoFuture for Receiver<T> {
    type Output = Result<T, RecvError>;
    type IntoFuture = RecvFuture<T>;

    fn into_future(self) -> RecvFuture<T> {
        RecvFuture { receiver: self, receiving: Receiving::new() }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("sent", &!self.0.is_empty())
            .field("closed", &self.0.is_closed())
            .finish()
    }
}

/// A [`Receiver`] that is awaited.
#[must_use = "a future does nothing until it is awaited"]
pub struct RecvFuture<T> {
    receiver: Receiver<T>,
    receiving: Receiving<T>,
}

impl<T> Unpin for RecvFuture<T> {}

impl<T> Future for RecvFuture<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        step_aside();
        let this = &mut *self;
        this.receiving.poll(this.receiver.0.chan(), context.waker()).map_err(|_| RecvError)
    }
}

impl<T> Drop for RecvFuture<T> {
    fn drop(&mut self) {
        // A value that has come meanwhile goes with its receiver, as one in the buffer does.
        drop(self.receiving.cancel(self.receiver.0.chan()));
    }
}

impl<T> fmt::Debug for RecvFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(&self.receiver).finish()
    }
}
