//! `Sender`: the side that sends to all.

use super::receiver::Receiver;
use super::ring::{Place, Ring, Shared};
use crate::channel::SendError;
use crate::seam::step_aside;
use crate::sync::change::wait;
use core::fmt;
use std::sync::Arc;

/// The sending side. When its last clone is dropped, receivers get what is left and are then told that it is closed.
///
/// Shown at [`channel`](super::channel).
pub struct Sender<T> {
    pub(super) shared: Shared<T>,
}

impl<T> Sender<T> {
    /// Sends a value to all who receive now, and returns how many they are. There is always room: if the ring is full,
    /// the oldest value makes room, and is dropped. Never suspends, unless that value's destructor does.
    ///
    /// ```
    /// let (sender, mut receiver) = gmp::sync::broadcast::channel(1);
    /// assert_eq!(sender.send(7), Ok(1));
    /// assert_eq!(receiver.recv(), Ok(7));
    /// drop(receiver);
    /// assert_eq!(sender.send(8).unwrap_err().into_inner(), 8);
    /// ```
    ///
    /// # Errors
    /// There is no receiver; the value comes back. [`Sender::subscribe`] may make one later.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        step_aside();
        if self.shared.with(|ring| ring.receivers) == 0 {
            return Err(SendError(value));
        }
        // The last receiver may go just now; the value then comes back all the same.
        let value = Arc::new(value);
        let (receivers, gone) = self.shared.change(|ring| {
            if ring.receivers == 0 {
                return (0, Some(value));
            }
            let oldest = if ring.places.len() == ring.capacity { ring.pop() } else { None };
            ring.places.push_back(Place { value, to_see: ring.receivers });
            (ring.receivers, oldest)
        });
        match gone.and_then(Arc::into_inner) {
            Some(value) if receivers == 0 => Err(SendError(value)),
            _oldest => Ok(receivers),
        }
    }

    /// Another receiver, which sees what is sent from now on. Never suspends.
    ///
    /// Shown at [`channel`](super::channel).
    pub fn subscribe(&self) -> Receiver<T> {
        step_aside();
        Receiver::subscribe(&self.shared)
    }

    /// How many values there are that some receiver has still to see. Never suspends.
    ///
    /// ```
    /// let (sender, mut receiver) = gmp::sync::broadcast::channel(2);
    /// (1..=3).for_each(|n| _ = sender.send(n).unwrap());
    /// assert_eq!((sender.len(), sender.is_empty(), receiver.len()), (2, false, 3));
    /// assert!(receiver.recv().is_err());
    /// assert_eq!(receiver.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        step_aside();
        self.shared.with(|ring| ring.places.len())
    }

    /// Whether all receivers have seen all values. Never suspends.
    ///
    /// Shown at [`Sender::len`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are. Never suspends.
    pub fn receiver_count(&self) -> usize {
        step_aside();
        self.shared.with(|ring| ring.receivers)
    }

    /// How many senders there are. Never suspends.
    pub fn sender_count(&self) -> usize {
        step_aside();
        self.shared.with(|ring| ring.senders)
    }

    /// Waits until there is no receiver. **Suspends.**
    ///
    /// ```
    /// let (sender, receiver) = gmp::sync::broadcast::channel::<u32>(1);
    /// drop(receiver);
    /// sender.closed();
    /// ```
    ///
    /// A goroutine that is unwinding because its runtime closes does not wait.
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[track_caller]
    pub fn closed(&self) {
        crate::seam::give_way();
        let gone = |ring: &mut Ring<T>| (ring.receivers == 0).then_some(());
        while let Err(changed) = self.shared.next(gone) {
            if wait(&changed, None).is_err() {
                return;
            }
        }
    }

    /// Whether two senders send on the same channel. Never suspends.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.with(|ring| ring.senders += 1);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let last = self.shared.with(|ring| {
            ring.senders -= 1;
            ring.senders == 0
        });
        if last {
            self.shared.wake();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Sender");
        debug.field("len", &self.len()).field("receivers", &self.receiver_count()).finish()
    }
}
