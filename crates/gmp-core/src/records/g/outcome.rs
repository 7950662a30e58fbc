//! What becomes of a goroutine's body when it is unwanted: closures that never run, outcomes that nobody takes.

use super::G;
use super::body::Outcome;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl G {
    /// Whether to drop its outcome, which it has left, runs anybody's code. A payload may be of any type.
    pub(crate) fn outcome_matters(&self) -> bool {
        match self.outcome.get() {
            Outcome::Value => self.table.get().drop_matters,
            outcome => outcome == Outcome::Panicked,
        }
    }

    /// Drops an outcome that nobody wants.
    ///
    /// # Safety
    /// The goroutine has ended and nobody has taken its outcome.
    pub(crate) unsafe fn drop_outcome(&self) {
        match self.outcome.replace(Outcome::Exited) {
            // SAFETY: a goroutine with this outcome has left its value in the body, and the caller says that it is there.
            Outcome::Value => unsafe { (self.table.get().drop_value)(&self.body) },
            // SAFETY: likewise, with the payload.
            Outcome::Panicked => drop(unsafe { self.body.take::<Box<dyn Any + Send>>() }),
            _ => {}
        }
    }

    /// [`G::drop_outcome`]; a panic of the destructor stays here.
    ///
    /// # Safety
    /// The same as for [`G::drop_outcome`].
    pub(crate) unsafe fn drop_unwanted(&self) {
        // SAFETY: the caller says so.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { self.drop_outcome() }));
        // A payload whose own drop panics is not worth more care than this.
        core::mem::forget(dropped.err());
    }

    /// Drops the closure of a goroutine that will never run; a panic of its destructor stays here.
    ///
    /// # Safety
    /// It never ran, and the caller holds the right to run it.
    pub(crate) unsafe fn drop_closure(&self) {
        // SAFETY: the caller says so.
        let dropped =
            catch_unwind(AssertUnwindSafe(|| unsafe { (self.table.get().drop_closure)(&self.body) }));
        // A payload whose own drop panics is not worth more care than this.
        core::mem::forget(dropped.err());
    }
}
