//! `Receiver`: the receiving side of a channel.

use crate::channel::counter::Share;
use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::channel::protocol::Refusal;
use crate::seam::{give_way, step_aside};
use core::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// The receiving side of a channel. Clones receive from the same channel, and each value goes to one of them. When
/// the last clone is dropped, the channel is closed and the values in its buffer are dropped.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (sender, numbers) = gmp::chan(0);
///     let workers: Vec<_> = (0..3).map(|_| {
///         let numbers = numbers.clone();
///         gmp::go(move || numbers.iter().sum::<u32>())
///     }).collect();
///     (1..=10).for_each(|n| sender.send(n).unwrap());
///     drop(sender);
///     assert_eq!(workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u32>(), 55);
/// }).unwrap();
/// ```
pub struct Receiver<T> {
    pub(super) chan: Share<T>,
}

impl<T> Receiver<T> {
    /// Receives a value, waiting until there is one. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::channel::RecvError;
    ///
    /// runtime.run(|| {
    ///     let (sender, numbers) = gmp::chan(0);
    ///     gmp::go(move || sender.send(7));
    ///     assert_eq!(numbers.recv(), Ok(7));
    ///     // The sender has gone with its goroutine.
    ///     assert_eq!(numbers.recv(), Err(RecvError));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The channel is closed and empty, or becomes so while this waits. A goroutine that is unwinding because its
    /// runtime closes gets this error, too, if it would have to wait.
    ///
    /// # Panics
    /// The same as for [`Sender::send`](crate::channel::Sender::send).
    #[doc(alias = "chanrecv")]
    #[track_caller]
    #[inline(always)]
    pub fn recv(&self) -> Result<T, RecvError> {
        give_way();
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.receive(value.as_mut_ptr(), None) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(_) => Err(RecvError),
        }
    }

    /// Receives a value if there is one. Never suspends.
    ///
    /// ```
    /// use gmp::channel::TryRecvError;
    ///
    /// let (sender, receiver) = gmp::chan(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(7).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// There is no value, or the channel is closed and empty.
    #[doc(alias = "selectnbrecv")]
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        step_aside();
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.try_receive(value.as_mut_ptr()) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(Refusal::Closed) => Err(TryRecvError::Closed),
            Err(Refusal::NotReady) => Err(TryRecvError::Empty),
        }
    }

    /// Like [`Receiver::recv`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::channel::RecvTimeoutError;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (sender, receiver) = gmp::chan::<u32>(0);
    ///     let received = receiver.recv_timeout(Duration::from_millis(1));
    ///     assert_eq!(received, Err(RecvTimeoutError::TimedOut));
    ///     drop(sender);
    ///     let received = receiver.recv_timeout(Duration::from_secs(3600));
    ///     assert_eq!(received, Err(RecvTimeoutError::Closed));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The time has run out, or the channel is closed and empty.
    ///
    /// # Panics
    /// The same as for [`Sender::send`](crate::channel::Sender::send).
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(crate::seam::after_now(timeout))
    }

    /// Like [`Receiver::recv`], but waits until `deadline` at most. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use std::time::{Duration, Instant};
    ///
    /// runtime.run(|| {
    ///     let (sender, numbers) = gmp::chan(0);
    ///     gmp::go(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
    ///     // One deadline for all of them.
    ///     let deadline = Instant::now() + Duration::from_secs(60);
    ///     let mut sum = 0;
    ///     while let Ok(n) = numbers.recv_deadline(deadline) {
    ///         sum += n;
    ///     }
    ///     assert_eq!(sum, 6);
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The same as for [`Receiver::recv_timeout`].
    ///
    /// # Panics
    /// The same as for [`Sender::send`](crate::channel::Sender::send).
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[track_caller]
    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        give_way();
        let mut value = MaybeUninit::uninit();
        // SAFETY: the slot is ours.
        match unsafe { self.chan.receive(value.as_mut_ptr(), deadline) } {
            // SAFETY: received.
            Ok(()) => Ok(unsafe { value.assume_init() }),
            Err(Refusal::Closed) => Err(RecvTimeoutError::Closed),
            Err(Refusal::NotReady) => Err(RecvTimeoutError::TimedOut),
        }
    }

    /// Whether [`never()`](crate::channel::never()) made this channel.
    #[inline]
    pub(crate) fn is_never(&self) -> bool {
        self.chan.is_never()
    }

    /// Called when the last receiver has gone.
    pub(super) fn last(chan: &Share<T>) {
        if chan.is_timers() {
            // Nobody is left who could notice that it is closed.
            chan.abandon_timer();
        } else {
            chan.close_and_empty();
        }
    }
}
