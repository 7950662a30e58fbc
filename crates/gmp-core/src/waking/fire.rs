//! Fire: a user's timer that has come up in a heap. Go: `unlockAndRun` (time.go, Go 1.27).

use crate::contract::Config;
use crate::records::m::M;
use crate::records::p::plan::Due;
use crate::records::p::timer::AnyTimer;
use crate::records::p::timers::{NEVER, Timers};
use crate::shared::sched::Sched;

impl<C: Config> Sched<C> {
    /// Does what `timer`, whose entry of the time `entry` was taken out of `timers`, is to do at `now`; on g0 of `m`.
    /// `true`: it went off.
    pub(crate) fn run_timer(&self, m: &M, timer: AnyTimer, entry: u64, now: u64, timers: &Timers) -> bool {
        if self.unwinding() {
            // A callback may wake whom it likes, but in a runtime that unwinds there is nobody to wake. The entry goes
            // here, so the plan must not say that one lies in a heap that will be gone.
            timer.plan(|plan| plan.forget(entry, &timers.home));
            return false;
        }
        let claimed = timer.is_claimed();
        let due = timer.plan(|plan| {
            let due = plan.due(entry, &timers.home, now);
            if let (true, Due::Fire { round, .. }) = (claimed, &due) {
                plan.claim(*round);
            }
            due
        });
        match due {
            Due::Nothing => false,
            Due::Later(when) => {
                timers.add_timer(when, timer);
                false
            }
            Due::Fire { round, when, again } => {
                if again != NEVER {
                    timers.add_timer(again, timer.clone());
                }
                timer.fire(m, round, when, now);
                true
            }
        }
    }
}
