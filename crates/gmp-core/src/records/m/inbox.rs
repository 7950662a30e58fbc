//! The inbox of an M: pinned goroutines that only this M may run.

use crate::contract::{List, Token};
use crate::records::g::runnable::Runnable;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Goroutines pinned to one M and runnable, first in, first out.
#[derive(Debug)]
pub(crate) struct Inbox<T: Token = Runnable> {
    list: Mutex<List<T>>,
    len: AtomicUsize,
}

impl<T: Token> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { list: Mutex::new(List::new()), len: AtomicUsize::new(0) }
    }

    /// Adds one; from any thread.
    pub(crate) fn push(&self, token: T) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push_back(token);
        self.len.store(list.len(), Ordering::Relaxed);
    }

    /// Takes the oldest; by the M itself, or by the closing runtime.
    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let token = list.pop_front();
        self.len.store(list.len(), Ordering::Relaxed);
        token
    }

    /// One look, without the lock. Exact under the scheduler's lock, with which pushers follow up.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }
}
