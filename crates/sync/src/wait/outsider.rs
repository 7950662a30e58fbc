//! `Outsider`: what to wake if it is no goroutine. It is one box, so that the handles of goroutines stay as small as
//! they are.

#[cfg(loom)]
use crate::seam::Thread;
use std::sync::Arc;
use std::task::Waker;
#[cfg(not(loom))]
use std::thread::Thread;

/// Memory in which a task's waiter lies.
pub(crate) trait Memory: Send + Sync {}

/// What to wake.
pub(crate) enum Outsider {
    /// A plain thread, which looks at its waiter's state each time it is unparked.
    Thread(Thread),
    /// A future's task, and what keeps the memory alive in which its waiter lies. Without a waker nobody is woken: only
    /// the memory is given back.
    Task(Option<Waker>, Arc<dyn Memory>),
}

impl Outsider {
    /// Wakes it, with no lock held.
    #[cold]
    #[inline(never)]
    pub(super) fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker, memory) => {
                if let Some(waker) = waker {
                    gmp_core::foreign::wake_task(waker);
                }
                drop(memory);
            }
        }
    }
}
