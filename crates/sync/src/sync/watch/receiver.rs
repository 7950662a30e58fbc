//! `Receiver`: the side that watches a value.

use super::shared::Shared;
use crate::channel::{self, RecvError, RecvTimeoutError};
use crate::context::Never;
use crate::seam::{give_way, step_aside};
use crate::sync::change::closed;
use crate::sync::rw_lock::RwLockReadGuard;
use core::fmt;
use core::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Watches a value. Each receiver knows by itself which value it has seen last; a clone has seen what the original had.
///
/// Shown at [`channel`](super::channel).
pub struct Receiver<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// The number of the last value that it has seen.
    pub(super) seen: u64,
}

impl<T> Receiver<T> {
    /// Borrows the value for reading. Nobody changes it while the result lives, and this waits while somebody changes
    /// it. **Suspends.**
    ///
    /// A sender waits for the borrow to end, and whoever borrows after that waits for the sender. So do not keep the
    /// borrow over a wait, and do not borrow again while you have it.
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::watch::channel(1);
    /// assert_eq!(*receiver.borrow(), 1);
    /// sender.send(2).unwrap();
    /// let value = receiver.borrow();
    /// assert!(*value == 2 && value.has_changed());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Receiver::changed`].
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        let guard = self.shared.value.read();
        let last = self.shared.versions.with(|versions| versions.last);
        Ref::of(guard, last != self.seen)
    }

    /// [`Receiver::borrow`], after which the value counts as seen: [`Receiver::changed`] waits for another. **Suspends.**
    ///
    /// Shown at [`channel`](super::channel).
    ///
    /// # Panics
    /// The same as for [`Receiver::changed`].
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let guard = self.shared.value.read();
        let last = self.shared.versions.with(|versions| versions.last);
        let changed = last != core::mem::replace(&mut self.seen, last);
        Ref::of(guard, changed)
    }

    /// Whether there is a value that this receiver has not seen. Never suspends.
    ///
    /// ```
    /// let (sender, mut receiver) = gmp::sync::watch::channel(1);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// receiver.mark_unchanged();
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// drop(sender);
    /// assert!(receiver.has_changed().is_err());
    /// ```
    ///
    /// # Errors
    /// No sender is left, whether the last value was seen or not: as in tokio.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        step_aside();
        let (last, senders) = self.shared.versions.with(|versions| (versions.last, versions.senders));
        if senders == 0 { Err(RecvError) } else { Ok(last != self.seen) }
    }

    /// Lets the present value count as one that was not seen. Never suspends.
    ///
    /// ```
    /// let (_sender, mut receiver) = gmp::sync::watch::channel(1);
    /// receiver.mark_changed();
    /// assert_eq!(receiver.changed(), Ok(()));
    /// ```
    pub fn mark_changed(&mut self) {
        step_aside();
        self.seen = self.shared.versions.with(|versions| versions.last).wrapping_sub(1);
    }

    /// Lets the present value count as seen. Never suspends.
    ///
    /// Shown at [`Receiver::has_changed`].
    pub fn mark_unchanged(&mut self) {
        step_aside();
        self.seen = self.shared.versions.with(|versions| versions.last);
    }

    /// Waits until there is a value that this receiver has not seen, which then counts as seen. **Suspends.**
    ///
    /// Shown at [`channel`](super::channel).
    ///
    /// # Errors
    /// No sender is left, and the last value was seen. A goroutine that is unwinding because its runtime closes gets this
    /// error, too, if it would have to wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn changed(&mut self) -> Result<(), RecvError> {
        self.changed_until(None).map_err(|_| RecvError)
    }

    /// Like [`Receiver::changed`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// use gmp::channel::RecvTimeoutError;
    /// use std::time::Duration;
    ///
    /// let (_sender, mut receiver) = gmp::sync::watch::channel(1);
    /// assert_eq!(receiver.changed_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::TimedOut));
    /// ```
    ///
    /// # Errors
    /// The time has run out, or an error of [`Receiver::changed`].
    ///
    /// # Panics
    /// The same as for [`Receiver::changed`].
    #[track_caller]
    pub fn changed_timeout(&mut self, timeout: Duration) -> Result<(), RecvTimeoutError> {
        self.changed_until(crate::seam::after_now(timeout))
    }

    /// Like [`Receiver::changed_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Receiver::changed_timeout`].
    ///
    /// # Errors
    /// The same as for [`Receiver::changed_timeout`].
    ///
    /// # Panics
    /// The same as for [`Receiver::changed`].
    #[track_caller]
    pub fn changed_deadline(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        self.changed_until(Some(deadline))
    }

    #[track_caller]
    fn changed_until(&mut self, deadline: Option<Instant>) -> Result<(), RecvTimeoutError> {
        give_way();
        self.shared.changed(&mut self.seen, deadline)
    }

    /// [`Receiver::changed`] for async code. Never suspends: the future does the waiting. If it is dropped before it is
    /// ready, nothing counts as seen.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # runtime.run(|| {
    /// let (sender, mut receiver) = gmp::sync::watch::channel(1);
    /// gmp::go(move || sender.send(2));
    /// gmp::block_on(receiver.changed_async()).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// # }).unwrap();
    /// ```
    pub async fn changed_async(&mut self) -> Result<(), RecvError> {
        loop {
            match self.shared.next(&mut self.seen) {
                Ok(told) => return told,
                Err(changed) => _ = changed.recv_async().await,
            }
        }
    }

    /// A channel, for a select, that closes when [`Receiver::changed`] would not wait any more. It closes for one
    /// change, which does not count as seen by that. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, mut level) = gmp::sync::watch::channel(1);
    ///     let (_jobs, work) = gmp::chan::<u32>(0);
    ///     gmp::go(move || sender.send(2));
    ///     gmp::select! {
    ///         recv(work) -> _ => panic!("nobody sends"),
    ///         recv(level.ready()) -> _ => assert_eq!(*level.borrow_and_update(), 2),
    ///     }
    /// }).unwrap();
    /// ```
    pub fn ready(&self) -> channel::Receiver<Never> {
        step_aside();
        let seen = self.seen;
        let ready = self.shared.versions.next(|versions| versions.told(seen).is_some().then_some(()));
        ready.err().unwrap_or_else(closed)
    }

    /// Waits until `fits` holds for the value, and borrows it, so that it counts as seen. The present value is looked
    /// at first, then those that come, but not each of them. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, mut receiver) = gmp::sync::watch::channel(0);
    ///     gmp::go(move || (1..=9).for_each(|n| sender.send(n).unwrap_or_default()));
    ///     assert!(*receiver.wait_for(|n| *n > 4).unwrap() > 4);
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// No sender is left, and the last value does not fit; or an error of [`Receiver::changed`].
    ///
    /// # Panics
    /// If `fits` panics; also in the cases of [`Receiver::changed`].
    #[track_caller]
    pub fn wait_for(&mut self, mut fits: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, RecvError> {
        let Self { shared, seen } = self;
        loop {
            let guard = shared.value.read();
            let last = shared.versions.with(|versions| versions.last);
            let changed = last != core::mem::replace(seen, last);
            if fits(&guard) {
                return Ok(Ref::of(guard, changed));
            }
            drop(guard);
            shared.changed(seen, None).map_err(|_| RecvError)?;
        }
    }

    /// Whether two receivers watch the same value. Never suspends.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.versions.with(|versions| versions.receivers += 1);
        Self { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.leave(|versions| {
            versions.receivers -= 1;
            versions.receivers == 0
        });
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("changed", &self.has_changed()).finish_non_exhaustive()
    }
}

/// A watched value that is borrowed: nobody changes it meanwhile. Dropping it never suspends.
///
/// Shown at [`Receiver::borrow`].
#[must_use = "the value is locked while it is borrowed"]
#[derive(Debug)]
pub struct Ref<'a, T> {
    guard: RwLockReadGuard<'a, T>,
    changed: bool,
}

impl<'a, T> Ref<'a, T> {
    pub(super) fn of(guard: RwLockReadGuard<'a, T>, changed: bool) -> Self {
        Self { guard, changed }
    }

    /// Whether the receiver that borrows it had not seen this value before. Never suspends.
    ///
    /// Shown at [`Receiver::borrow`].
    pub fn has_changed(&self) -> bool {
        self.changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}
