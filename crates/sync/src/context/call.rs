//! `Call`: a function that is to be started in a goroutine when a node ends.

use core::fmt;
use gmp_core::runtime::{Handle, OutsideError};

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
            // In a closed runtime it would never run; it is dropped as one that had not started.
            Ok(_) | Err(OutsideError::Closed(_) | OutsideError::NeverRan(_)) => {}
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
