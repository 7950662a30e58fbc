//! `Call`: a function that is to be started in a goroutine when a node ends.

use core::fmt;
use gmp_core::runtime::{Handle, OutsideError};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A function and the runtime in which it is to run.
pub(super) struct Call {
    runtime: Handle,
    f: Box<dyn FnOnce() + Send>,
}

impl Call {
    pub(super) fn new(runtime: Handle, f: impl FnOnce() + Send + 'static) -> Self {
        Self { runtime, f: Box::new(f) }
    }

    /// Starts a goroutine for it: next on this P if the caller is a goroutine of that runtime.
    pub(super) fn start(self) {
        match self.runtime.spawn(None, self.f) {
            Ok(_) => {}
            // In a closed runtime it would never run; it is dropped as one that had not started. A panic of its destructor
            // stays here, since others are still to be told of the end; a payload whose own drop panics is not worth more
            // care than this.
            Err(OutsideError::Closed(f) | OutsideError::NeverRan(f)) => {
                core::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(f))).err());
            }
            Err(OutsideError::NoRecord(_)) => {
                panic!("gmp::Context::after_func: no memory for another goroutine's record")
            }
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
