//! What senders and receivers of a watched value share.

use crate::channel::{Receiver, RecvError, RecvTimeoutError};
use crate::context::Never;
use crate::sync::change::{Changing, wait};
use crate::sync::rw_lock::RwLock;
use std::time::Instant;

pub(super) struct Shared<T> {
    pub(super) value: RwLock<T>,
    pub(super) versions: Changing<Versions>,
}

pub(super) struct Versions {
    /// Counts the values that were sent.
    pub(super) last: u64,
    pub(super) senders: usize,
    pub(super) receivers: usize,
}

impl Versions {
    /// What there is to tell somebody who has seen that value.
    pub(super) fn told(&self, seen: u64) -> Option<Result<(), RecvError>> {
        match () {
            () if self.last != seen => Some(Ok(())),
            () if self.senders == 0 => Some(Err(RecvError)),
            () => None,
        }
    }
}

impl<T> Shared<T> {
    pub(super) fn new(initial: T) -> Self {
        let versions = Changing::new(Versions { last: 0, senders: 1, receivers: 1 });
        Self { value: RwLock::new(initial), versions }
    }

    /// What there is to tell, or else the channel that closes at the next change.
    pub(super) fn next(&self, seen: &mut u64) -> Result<Result<(), RecvError>, Receiver<Never>> {
        self.versions.next(|versions| {
            let told = versions.told(*seen)?;
            *seen = versions.last;
            Some(told)
        })
    }

    #[track_caller]
    pub(super) fn changed(&self, seen: &mut u64, deadline: Option<Instant>) -> Result<(), RecvTimeoutError> {
        loop {
            match self.next(seen) {
                Ok(told) => return Ok(told?),
                Err(changed) => wait(&changed, deadline)?,
            }
        }
    }

    /// A handle is dropped; `last` says whether it is the last of its side, in which case the other side is told.
    pub(super) fn leave(&self, last: impl Fn(&mut Versions) -> bool) {
        if self.versions.with(last) {
            self.versions.wake();
        }
    }
}
