//! `Sender`: the side that changes a watched value.

use super::receiver::{Receiver, Ref};
use super::shared::{Shared, Versions};
use crate::channel::SendError;
use crate::seam::step_aside;
use crate::sync::change::wait;
use crate::sync::rw_lock::RwLockWriteGuard;
use core::fmt;
use core::mem::replace;
use std::sync::Arc;

/// The right to change a watched value. When its last clone is dropped, those who watch are told that nothing more comes.
///
/// Shown at [`channel`](super::channel).
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Replaces the value and wakes those who wait for that. It waits while the value is borrowed. **Suspends.**
    ///
    /// The old value is dropped after the lock has been given back.
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// drop(receiver);
    /// assert_eq!(sender.send(3).unwrap_err().into_inner(), 3);
    /// ```
    ///
    /// # Errors
    /// Nobody watches: there is no receiver. The value comes back, and the watched value stays as it is;
    /// [`Sender::send_replace`] replaces it all the same.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Like [`Sender::send`], but replaces the value even if nobody watches, and returns the old one. **Suspends.**
    ///
    /// ```
    /// let (sender, _) = gmp::sync::watch::channel(1);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*sender.subscribe().borrow(), 2);
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn send_replace(&self, value: T) -> T {
        let mut guard = self.shared.value.write();
        let before = replace(&mut *guard, value);
        self.tell(guard);
        before
    }

    /// Changes the value in place, even if nobody watches, and wakes those who wait for that. **Suspends.**
    ///
    /// ```
    /// let (sender, mut receiver) = gmp::sync::watch::channel(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow_and_update(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If `modify` panics: then nobody is woken, and what it has changed until then stays changed. Also in the cases of
    /// [`Sender::send`].
    #[track_caller]
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Like [`Sender::send_modify`], but wakes nobody if the closure returns `false`, to say that it has changed
    /// nothing that those who watch need to know. Returns what the closure returns. **Suspends.**
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::watch::channel(1);
    /// let raise_to = |least| sender.send_if_modified(|value| *value < least && { *value = least; true });
    /// assert!(!raise_to(1) && !receiver.has_changed().unwrap());
    /// assert!(raise_to(2) && receiver.has_changed().unwrap());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::send_modify`].
    #[track_caller]
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut guard = self.shared.value.write();
        let modified = modify(&mut guard);
        if modified {
            self.tell(guard);
        }
        modified
    }

    /// Says that there is another value, which those who wait find free to read.
    fn tell(&self, guard: RwLockWriteGuard<'_, T>) {
        self.shared.versions.with(|versions| versions.last += 1);
        drop(guard);
        self.shared.versions.wake();
    }

    /// Borrows the value for reading. Nobody changes it while the result lives, and this waits while somebody changes
    /// it. **Suspends.**
    ///
    /// What is said at [`Receiver::borrow`] holds here, too.
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::of(self.shared.value.read(), false)
    }

    /// Another receiver, for which the present value is no change. Never suspends.
    ///
    /// Shown at [`Sender::send_replace`].
    pub fn subscribe(&self) -> Receiver<T> {
        step_aside();
        let seen = self.shared.versions.with(|versions| {
            versions.receivers += 1;
            versions.last
        });
        Receiver { shared: self.shared.clone(), seen }
    }

    /// Whether there is no receiver now. Never suspends.
    ///
    /// Shown at [`Sender::closed`].
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, receiver) = gmp::sync::watch::channel(1);
    ///     let watcher = gmp::go(move || drop(receiver));
    ///     sender.closed();
    ///     assert!(sender.is_closed());
    ///     watcher.join().unwrap();
    /// }).unwrap();
    /// ```
    ///
    /// A goroutine that is unwinding because its runtime closes does not wait.
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn closed(&self) {
        crate::seam::give_way();
        let gone = |versions: &mut Versions| (versions.receivers == 0).then_some(());
        while let Err(changed) = self.shared.versions.next(gone) {
            if wait(&changed, None).is_err() {
                return;
            }
        }
    }

    /// How many receivers there are. Never suspends.
    pub fn receiver_count(&self) -> usize {
        step_aside();
        self.shared.versions.with(|versions| versions.receivers)
    }

    /// How many senders there are. Never suspends.
    pub fn sender_count(&self) -> usize {
        step_aside();
        self.shared.versions.with(|versions| versions.senders)
    }

    /// Whether two senders change the same value. Never suspends.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.versions.with(|versions| versions.senders += 1);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.leave(|versions| {
            versions.senders -= 1;
            versions.senders == 0
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("receivers", &self.receiver_count()).finish_non_exhaustive()
    }
}
