//! What is left of a timer that nobody refers to any more, and where its callback's destructor may run.

use crate::entering::caller::caller;
use crate::entering::foreign;
use crate::life::spawn::NoRecord;
use crate::records::m::AnyRuntime;
use crate::records::p::timer::{AnyTimer, Remains};
use core::mem::ManuallyDrop;
use core::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Has a goroutine drop what must not be dropped here. A closed runtime will run none, so then it is dropped here after
/// all.
#[cold]
pub(crate) fn drop_in_a_goroutine(rt: &AnyRuntime, remains: Remains) {
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

/// Drops what nobody refers to any more. A panic of its destructor concerns nobody, and ends here.
fn drop_caught(remains: Remains) {
    // A payload whose own drop panics is not worth more care than this.
    core::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(remains))).err());
}

impl AnyTimer {
    fn release(self) -> (bool, Option<Remains>) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the reference is counted until the call of `release`, and the table is that of the node's type.
        let table = unsafe { this.head().as_ref() }.table;
        // SAFETY: as in `clone`; the count is ours and nobody uses it after this.
        (table.light, unsafe { (table.release)(this.head()) })
    }

    /// Lets go of it where no foreign code may run: on g0, and in the middle of a goroutine's call.
    pub(crate) fn let_go(self) {
        let (light, Some(remains)) = self.release() else { return };
        if light {
            return crate::ground::fatal::no_unwind("a timer's destructor", || drop(remains));
        }
        match caller().m() {
            Some(m) => drop_in_a_goroutine(m.rt(), remains),
            None => drop_caught(remains),
        }
    }

    /// Lets go of it where foreign code may run, but must not unwind: a runtime closes.
    pub(crate) fn drop_here(self) {
        if let (_, Some(remains)) = self.release() {
            drop_caught(remains);
        }
    }
}

impl Drop for AnyTimer {
    /// If a user drops the last reference, the callback's destructor runs right here. If a callback on g0 does so, or
    /// the scheduler, it runs elsewhere. A sink or a policy is a user: it may be called under the scheduler's lock, where
    /// no goroutine can be started.
    fn drop(&mut self) {
        // SAFETY: the count is used up in place of this one's.
        let this = unsafe { Self::from_head(self.head()) };
        match foreign::own_place() {
            Some(_) => this.let_go(),
            None => drop(this.release()),
        }
    }
}
