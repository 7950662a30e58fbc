//! `Ending`: a sender waits until its channel is closed, because nobody wants the value any more.
//!
//! Such a waiter stands among the receivers with no place for a value, as one of a select that only asks, so a close
//! finds it, and a send passes it by with a word. It is for channels on which nothing is sent while somebody waits so: a
//! send in between wakes it for nothing, and a task's waker would be rung under the channel's lock. A
//! [`oneshot`](crate::sync::oneshot)'s sender, which is used up by its send, is borrowed meanwhile.

use super::protocol::{Chan, Direction, Refusal, Slot, State};
use super::task::{Queued, TaskWait};
use crate::wait::{Fired, Queue, WakeHandle};
use core::ptr;
use core::task::{Poll, Waker};
use gmp_core::WaitReason;
use std::time::Instant;

enum Watch {}

impl Direction for Watch {
    const CALL: &'static str = "closed";
    const REASON: WaitReason = WaitReason::ChanReceive;
    const SENDS: bool = false;

    unsafe fn now<T>(_: &Chan<T>, state: &State<T>, _: *mut T) -> Result<Option<WakeHandle>, Refusal> {
        Err(if state.closed.is() { Refusal::Closed } else { Refusal::NotReady })
    }

    fn queue<T>(state: &State<T>) -> &Queue<Slot> {
        &state.receivers
    }
}

impl<T> Chan<T> {
    /// Waits until the channel is closed, or until `deadline` at most. `false`: it is not; the time has run out, or the
    /// caller is unwinding because its runtime closes. **Suspends.**
    pub(crate) fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        loop {
            // SAFETY: no value is moved, since there is no place for one.
            match unsafe { self.operate::<Watch>(ptr::null_mut(), deadline) } {
                Ok(()) => {}
                Err(refusal) => return refusal == Refusal::Closed,
            }
        }
    }
}

/// A wait of a task for the close. Whoever has it calls [`Ending::cancel`] before it sends, and when it goes.
pub(crate) struct Ending<T>(Option<Queued<T>>);

impl<T> Ending<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether the channel is closed; if not, the waker is left.
    pub(crate) fn poll(&mut self, chan: &Chan<T>, waker: &Waker) -> Poll<()> {
        loop {
            let ended = match &mut self.0 {
                Some(queued) => queued.ended(chan, waker),
                // SAFETY: nothing is sent.
                None => match unsafe { Queued::enter::<Watch>(chan, TaskWait::without_slot(), waker) } {
                    Ok(queued) => {
                        self.0 = Some(queued);
                        None
                    }
                    Err((_, fired)) => Some(fired),
                },
            };
            let Some(fired) = ended else { return Poll::Pending };
            self.0 = None;
            if fired == Fired::Closed {
                return Poll::Ready(());
            }
        }
    }

    /// Nobody waits any more.
    pub(crate) fn cancel(&mut self, chan: &Chan<T>) {
        if let Some(queued) = self.0.take() {
            queued.leave::<Watch>(chan);
        }
    }
}
