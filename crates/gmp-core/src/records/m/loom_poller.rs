//! A poller for loom models: it has no descriptors, only interrupts, and perhaps an event that nobody consumes.

use crate::contract::{Poller, ReadyList, Tag};
use loom::sync::{Condvar, Mutex};
use std::io::Result;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// An interrupt ends one wait, whosever it is; once there is an `event`, every wait ends at once.
pub(crate) struct Interruptible {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    interrupted: bool,
    event: bool,
}

impl Interruptible {
    pub(crate) fn new(event: bool) -> Self {
        Self { state: Mutex::new(State { interrupted: false, event }), changed: Condvar::new() }
    }

    /// From here on there is an event.
    pub(crate) fn happens(&self) {
        self.state.lock().unwrap().event = true;
        self.changed.notify_all();
    }
}

impl Poller for Interruptible {
    fn add(&self, _: BorrowedFd<'_>, _: Tag) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _: BorrowedFd<'_>, _: Tag) -> Result<()> {
        Ok(())
    }

    fn look(&self, _: usize, _: &mut ReadyList) -> Result<()> {
        Ok(())
    }

    fn wait(&self, _: Option<Instant>, _: &mut ReadyList) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        while !state.interrupted && !state.event {
            state = self.changed.wait(state).unwrap();
        }
        state.interrupted = false;
        Ok(())
    }

    fn interrupt(&self) {
        self.state.lock().unwrap().interrupted = true;
        self.changed.notify_all();
    }
}
