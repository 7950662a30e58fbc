//! What is left of a timer that nobody refers to any more, and where its callback's destructor may run.

use crate::life::spawn::NoRecord;
use crate::records::rt::AnyRuntime;
use core::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Its memory.
pub(super) type Remains = Box<dyn Send>;

/// Has a goroutine drop what must not be dropped here; unless there will be none any more.
#[cold]
pub(super) fn drop_in_a_goroutine(rt: &dyn AnyRuntime, remains: Remains) {
    if rt.is_closed() {
        return drop_caught(remains);
    }
    if let Err(NoRecord(leaked)) =
        crate::life::spawn::spawn_system(rt, Location::caller(), move || drop(remains))
    {
        // There is no memory to do better.
        core::mem::forget(leaked);
    }
}

/// Drops what concerns nobody any more, whatever comes out of it.
pub(super) fn drop_caught(remains: Remains) {
    // A payload whose own drop panics is not worth more care than this.
    core::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(remains))).err());
}
