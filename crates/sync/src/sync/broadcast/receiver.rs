//! `Receiver`: the side that gets every value.

use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::ring::{Found, Ring, Shared};
use crate::channel;
use crate::context::Never;
use crate::seam::{give_way, step_aside};
use crate::sync::change::{closed, wait};
use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Gets every value that is sent from its making on.
///
/// Shown at [`channel`](super::channel).
pub struct Receiver<T> {
    pub(super) shared: Shared<T>,
    /// The number of the value that it gets next.
    pub(super) next: u64,
}

impl<T> Receiver<T> {
    pub(super) fn subscribe(shared: &Shared<T>) -> Self {
        let next = shared.with(|ring| {
            ring.receivers += 1;
            ring.next()
        });
        Self { shared: shared.clone(), next }
    }

    /// Another receiver of the same channel, which sees what is sent from now on, whatever this one has still to see. Never
    /// suspends.
    ///
    /// ```
    /// let (sender, mut receiver) = gmp::sync::broadcast::channel(2);
    /// sender.send(1).unwrap();
    /// let mut later = receiver.resubscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!((receiver.recv(), later.recv()), (Ok(1), Ok(2)));
    /// ```
    pub fn resubscribe(&self) -> Self {
        step_aside();
        Self::subscribe(&self.shared)
    }

    /// How many values this receiver has still to see, including those that it has missed and has not been told of yet.
    /// Never suspends.
    ///
    /// Shown at [`Sender::len`](super::Sender::len).
    pub fn len(&self) -> usize {
        step_aside();
        usize::try_from(self.shared.with(|ring| ring.next()) - self.next).unwrap_or(usize::MAX)
    }

    /// Whether it has seen all values that were sent. Never suspends.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no sender is left; there may be values that this receiver has still to see. Never suspends.
    pub fn is_closed(&self) -> bool {
        self.sender_count() == 0
    }

    /// How many senders there are. Never suspends.
    pub fn sender_count(&self) -> usize {
        step_aside();
        self.shared.with(|ring| ring.senders)
    }

    /// A channel, for a select, that closes when [`Receiver::recv`] would not wait any more. It closes once, and takes
    /// no value. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, mut news) = gmp::sync::broadcast::channel(4);
    ///     let (_jobs, work) = gmp::chan::<u32>(0);
    ///     gmp::go(move || sender.send("hello"));
    ///     gmp::select! {
    ///         recv(work) -> _ => panic!("nobody sends"),
    ///         recv(news.ready()) -> _ => assert_eq!(news.try_recv(), Ok("hello")),
    ///     }
    /// }).unwrap();
    /// ```
    pub fn ready(&self) -> channel::Receiver<Never> {
        step_aside();
        let next = self.next;
        let ready = self.shared.next(|ring| (next != ring.next() || ring.senders == 0).then_some(()));
        ready.err().unwrap_or_else(closed)
    }

    /// Whether two receivers receive from the same channel. Never suspends.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next value, waiting until there is one. **Suspends.**
    ///
    /// The last receiver to see a value gets the value itself, and each one before it a clone, which is made here.
    ///
    /// ```
    /// use gmp::sync::broadcast::{self, RecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// (1..=5).for_each(|n| _ = sender.send(n).unwrap());
    /// drop(sender);
    /// assert_eq!(receiver.recv(), Err(RecvError::Lagged(3)));
    /// assert_eq!((receiver.recv(), receiver.recv()), (Ok(4), Ok(5)));
    /// assert_eq!(receiver.recv(), Err(RecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// Values were missed: the next call gives the oldest that is left. Or no sender is left, and all was seen. A goroutine
    /// that is unwinding because its runtime closes gets that error, too, if it would have to wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack. Also if the value's `clone`
    /// panics: then the value counts as seen.
    #[track_caller]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.recv_until(None).map_err(|error| match error {
            RecvTimeoutError::Lagged(missed) => RecvError::Lagged(missed),
            RecvTimeoutError::Closed | RecvTimeoutError::TimedOut => RecvError::Closed,
        })
    }

    /// Receives the next value if there is one. Never suspends, unless the value's `clone` does.
    ///
    /// ```
    /// use gmp::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// drop(sender);
    /// assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Err(TryRecvError::Closed)));
    /// ```
    ///
    /// # Errors
    /// There is no value now, or an error of [`Receiver::recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        step_aside();
        let next = &mut self.next;
        let found = self.shared.with(|ring| ring.find(next));
        Ok(found.ok_or(TryRecvError::Empty)?.map(Arc::unwrap_or_clone)?)
    }

    /// Like [`Receiver::recv`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// use gmp::sync::broadcast::{self, RecvTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (_sender, mut receiver) = broadcast::channel::<u32>(2);
    /// assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::TimedOut));
    /// ```
    ///
    /// # Errors
    /// The time has run out, or an error of [`Receiver::recv`].
    ///
    /// # Panics
    /// The same as for [`Receiver::recv`].
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(crate::seam::after_now(timeout))
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
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[track_caller]
    fn recv_until(&mut self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        give_way();
        loop {
            match self.find() {
                Ok(found) => return Ok(found.map(Arc::unwrap_or_clone)?),
                Err(changed) => wait(&changed, deadline)?,
            }
        }
    }

    /// [`Receiver::recv`] for async code. Never suspends: the future does the waiting. If it is dropped before it is ready,
    /// nothing counts as seen.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # runtime.run(|| {
    /// let (sender, mut receiver) = gmp::sync::broadcast::channel(4);
    /// gmp::go(move || sender.send(7));
    /// assert_eq!(gmp::block_on(receiver.recv_async()), Ok(7));
    /// # }).unwrap();
    /// ```
    pub async fn recv_async(&mut self) -> Result<T, RecvError> {
        loop {
            match self.find() {
                Ok(found) => return found.map(Arc::unwrap_or_clone),
                Err(changed) => _ = changed.recv_async().await,
            }
        }
    }

    fn find(&mut self) -> Result<Found<T>, channel::Receiver<Never>> {
        let next = &mut self.next;
        self.shared.next(|ring| ring.find(next))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let next = self.next;
        let last = self.shared.with(|ring| {
            let unseen = next.saturating_sub(ring.first);
            let unseen = usize::try_from(unseen).unwrap_or(usize::MAX);
            ring.places.iter_mut().skip(unseen).for_each(|place| place.to_see -= 1);
            ring.receivers -= 1;
            ring.receivers == 0
        });
        if last {
            self.shared.wake();
        }
        // They are taken out one at a time: each is dropped after the lock was given back.
        let unwanted = |ring: &mut Ring<T>| ring.places.front().is_some_and(|place| place.to_see == 0);
        while let Some(value) = self.shared.with(|ring| if unwanted(ring) { ring.pop() } else { None }) {
            drop(value);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("closed", &self.is_closed()).finish()
    }
}
