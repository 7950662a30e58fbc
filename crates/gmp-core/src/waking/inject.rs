//! Inject: how goroutines that a look into the poller has made runnable get into queues. Go: `injectglist` (proc.go, 1.27),
//! which gives each idle P one of them and an M at once; here one M is woken, and wakes the next as long as there is work.

use crate::contract::{Config, List, Popped, Slot};
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::shared::sched::Sched;

impl<C: Config> Sched<C> {
    /// Called by a holder of a P: the first goroutine is to run now, the others are queued behind what is there.
    pub(crate) fn inject_here(&self, m: &M, mut ready: List<Runnable>) -> Option<Popped<Runnable>> {
        let first = ready.pop_front()?;
        self.observe_ready(first.g(), Some(m));
        let more = !ready.is_empty();
        ready.for_each(|g| {
            self.observe_ready(g.g(), Some(m));
            self.push_local(m, g, Slot::Back);
        });
        if more {
            self.wake_for_submission(m);
        }
        Some(Popped { token: first, inherits: false })
    }

    /// Called where the caller holds no P.
    pub(crate) fn inject_outside(&self, ready: List<Runnable>) {
        if ready.is_empty() {
            return;
        }
        ready.for_each(|g| {
            self.observe_ready(g.g(), None);
            self.time_runnable(g.g());
            self.push_shared(g);
        });
        self.wake_from_outside();
    }
}
