//! `Changing`: a value whose changes can be waited for in every way in which one can wait for a channel.
//!
//! ```text
//!   next: locked: found what was looked for? done, else: the channel of the next change, made by whoever comes first
//!   change: locked: change it; locked: take the channel out; then drop its sender, which closes it and wakes all who wait
//! ```
//!
//! **Invariant.** Whoever has looked in vain gets, under the same lock, the channel that is closed after the next
//! change, so no change is missed. A channel is made only if somebody waits, and serves for one change: closing a
//! channel is Go's way to tell many at once.
//!
//! No code of the user's runs under the lock, and no value of theirs is dropped there: what a change takes out, it
//! returns to its caller.

use crate::channel::{Receiver, RecvTimeoutError, Sender, chan};
use crate::context::Never;
use crate::wait::Lock;
use std::time::Instant;

/// A value of this crate's, and whoever waits for it to change.
pub(super) struct Changing<S>(Lock<State<S>>);

/// What the lock protects.
struct State<S> {
    value: S,
    next: Option<(Sender<Never>, Receiver<Never>)>,
}

impl<S> Changing<S> {
    pub(super) fn new(value: S) -> Self {
        Self(Lock::new(State { value, next: None }))
    }

    /// Looks at the value, or changes it and leaves it to the caller to [`wake`](Self::wake). Never suspends.
    pub(super) fn with<R>(&self, look: impl FnOnce(&mut S) -> R) -> R {
        look(&mut self.0.lock().value)
    }

    /// Changes the value, and wakes whoever waits for that. Never suspends.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        let mut state = self.0.lock();
        let (result, next) = (change(&mut state.value), state.next.take());
        drop(state);
        drop(next);
        result
    }

    /// Wakes whoever waits for a change. Never suspends.
    pub(super) fn wake(&self) {
        self.change(|_| ());
    }

    /// What is found, or else a channel that closes at the next change. Never suspends.
    pub(super) fn next<R>(&self, mut find: impl FnMut(&mut S) -> Option<R>) -> Result<R, Receiver<Never>> {
        let mut look = |state: &mut State<S>| match find(&mut state.value) {
            Some(found) => Some(Ok(found)),
            None => {
                // Somebody who was given it may have closed it.
                let open = state.next.as_ref().filter(|(_, changed)| !changed.chan().is_closed());
                open.map(|(_, changed)| Err(changed.clone()))
            }
        };
        if let Some(found) = look(&mut self.0.lock()) {
            return found;
        }
        let (sender, changed) = chan(0);
        let mut state = self.0.lock();
        if let Some(found) = look(&mut state) {
            return found;
        }
        let before = state.next.replace((sender, changed.clone()));
        drop(state);
        drop(before);
        Err(changed)
    }
}

/// A channel that is closed already, for something that needs no wait. Never suspends.
pub(super) fn closed() -> Receiver<Never> {
    chan(0).1
}

/// Waits for a channel of [`Changing::next`] to close, until `deadline` at most. **Suspends.**
///
/// # Errors
/// It has not closed: the time has run out, or the caller is unwinding because its runtime closes, and waits for nothing.
#[track_caller]
pub(super) fn wait(changed: &Receiver<Never>, deadline: Option<Instant>) -> Result<(), RecvTimeoutError> {
    let ended = match deadline {
        None => changed.recv().map_err(RecvTimeoutError::from),
        Some(at) => changed.recv_deadline(at),
    };
    match ended {
        Err(error) if !changed.is_closed() => Err(error),
        _ => Ok(()),
    }
}
