//! What a child of a scope is: the caller's closure, and a ticket that is given back after everything else.

use super::word::Ticket;
use crate::entering::caller::{Caller, caller};
use crate::records::g::body::Goexit;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic left behind.
pub(super) type Payload = Box<dyn Any + Send>;

/// A closure that counts in a scope. Whether it runs or is dropped unrun, its ticket goes last: fields drop in their
/// order.
pub(super) struct Child<W> {
    work: W,
    ticket: Ticket,
}

impl<W> Child<W> {
    pub(super) fn new(work: W, ticket: Ticket) -> Self {
        Self { work, ticket }
    }

    /// Runs the closure on the child's stack; what it borrows is untouched when this returns.
    pub(super) fn run<T>(self) -> T
    where
        W: FnOnce() -> T,
    {
        // Bound first, so dropped last, by an unwind too.
        let _ticket = self.ticket;
        let work = self.work;
        work()
    }
}

/// Calls what the user gave us, then the destructors of the goroutine's locals, so that they too are over before the
/// scope is told. With `abort_on_panic` a panic ends the process here: the scope must not hear of it and go on.
pub(super) fn call<T>(work: impl FnOnce() -> T) -> Result<T, Payload> {
    let result = catch_unwind(AssertUnwindSafe(work));
    let result = match (result, crate::life::local::end_of_goroutine()) {
        (result, None) => result,
        (Ok(_), Some(payload)) => Err(payload),
        (Err(payload), Some(later)) => {
            // One panic is enough; a payload whose own drop panics is not worth more care than this.
            core::mem::forget(later);
            Err(payload)
        }
    };
    if let Err(payload) = &result
        && is_panic(payload.as_ref())
        && let Caller::G(here) = caller()
        && here.g().header().abort_on_panic
    {
        crate::life::panics::report(here.g(), payload.as_ref());
    }
    result
}

/// Whether a payload is a panic's, and not what `exit` unwinds with.
pub(super) fn is_panic(payload: &(dyn Any + Send)) -> bool {
    !payload.is::<Goexit>()
}
