//! `Sender`: the sending side of a channel.

use crate::channel::counter::Share;
use crate::channel::error::{SendError, SendTimeoutError, TrySendError};
use crate::channel::protocol::Refusal;
use crate::seam::{give_way, step_aside};
use std::time::{Duration, Instant};

/// The sending side of a channel. Clones send on the same channel. When the last clone is dropped, the channel is
/// closed.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (sender, numbers) = gmp::chan(0);
///     for n in 1..=3 {
///         let sender = sender.clone();
///         gmp::go(move || sender.send(n).unwrap());
///     }
///     // The receiver's loop ends when all clones are gone, this one too.
///     drop(sender);
///     assert_eq!(numbers.iter().sum::<u32>(), 6);
/// }).unwrap();
/// ```
pub struct Sender<T> {
    pub(super) chan: Share<T>,
}

impl<T> Sender<T> {
    /// Sends a value, waiting until there is room for it or a receiver takes it. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, words) = gmp::chan(0);
    ///     let reader = gmp::go(move || words.recv());
    ///     assert_eq!(sender.send("hello"), Ok(()));
    ///     assert_eq!(reader.join().unwrap(), Ok("hello"));
    ///     // The reader is gone, and the last receiver with it.
    ///     assert_eq!(sender.send("again").unwrap_err().into_inner(), "again");
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The channel is closed, or is closed while this waits; the value comes back. (Go panics.) A goroutine that is
    /// unwinding because its runtime closes gets this error, too, if it would have to wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "chansend")]
    #[track_caller]
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        give_way();
        // The value stays an ordinary variable, so that it is dropped if the wait unwinds.
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
    /// ```
    /// use gmp::channel::TrySendError;
    ///
    /// let (sender, receiver) = gmp::chan(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    ///
    /// # Errors
    /// The channel is full or closed; the value comes back.
    #[doc(alias = "selectnbsend")]
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        step_aside();
        // The value stays an ordinary variable, so that it is dropped if the wait unwinds.
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

    /// Like [`Sender::send`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::channel::SendTimeoutError;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (sender, _nobody_reads) = gmp::chan(0);
    ///     let sent = sender.send_timeout("hello", Duration::from_millis(1));
    ///     assert_eq!(sent, Err(SendTimeoutError::TimedOut("hello")));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The time has run out, or the channel is closed; the value comes back.
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, crate::seam::after_now(timeout))
    }

    /// Like [`Sender::send`], but waits until `deadline` at most. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use std::time::{Duration, Instant};
    ///
    /// runtime.run(|| {
    ///     let (sender, numbers) = gmp::chan(0);
    ///     let deadline = Instant::now() + Duration::from_secs(60);
    ///     let reader = gmp::go(move || numbers.iter().sum::<u32>());
    ///     // One deadline for all of them.
    ///     (1..=3).for_each(|n| sender.send_deadline(n, deadline).unwrap());
    ///     drop(sender);
    ///     assert_eq!(reader.join().unwrap(), 6);
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The same as for [`Sender::send_timeout`].
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, Some(deadline))
    }

    #[track_caller]
    fn send_until(&self, value: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        give_way();
        // The value stays an ordinary variable, so that it is dropped if the wait unwinds.
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
    /// Called when the last sender has gone.
    pub(super) fn last(chan: &Share<T>) {
        chan.close();
    }
}
