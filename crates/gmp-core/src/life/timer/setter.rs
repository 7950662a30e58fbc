//! Who sets a timer: a goroutine, or a timer's callback; and what is added to a heap by that.

use crate::entering::caller::{Caller, Here, caller};
use crate::entering::gate;
use crate::records::m::{Leave, M};

/// Where a timer is set: on the M of a goroutine, or of a timer's callback.
pub(super) struct Setter<'a>(Result<Here, &'a M>);

impl Setter<'_> {
    #[track_caller]
    pub(super) fn enter() -> Self {
        match caller() {
            // Several calls of the facade set timers; none of them can be made through a `Handle`.
            Caller::Plain => panic!(
                "gmp::time: a timer was set outside a goroutine; timers, and contexts with a deadline, belong to the \
                 runtime of the goroutine that sets them: do it in a closure given to Runtime::run or gmp::go"
            ),
            Caller::Scheduler(m) => {
                if !m.in_policy.get() && m.may_set_timers() {
                    return Self(Err(m));
                }
            }
            Caller::G(_) => {}
        }
        Self(Ok(gate::pass("time::Timer")))
    }

    pub(super) fn m(&self) -> &M {
        match &self.0 {
            Ok(here) => here.m(),
            Err(m) => m,
        }
    }
}

impl M {
    /// Whether a callback on its g0 may set timers.
    pub(super) fn may_set_timers(&self) -> bool {
        // sysmon's M has lent what it never had.
        self.p_core().is_some() || (self.lent_p().is_some() && self.leave.get() == Leave::Nothing)
    }
}

/// What a timer that was set has added to a heap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// The entry that lies in one of its runtime's heaps will do.
    Nothing,
    /// An entry, which others come before.
    Later,
    /// The entry that comes first.
    Earliest,
}
