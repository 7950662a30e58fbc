//! `Queues`: the queues of a runtime as the holder of a P uses them. While that P is the only one, there is no thief
//! and no other taker, and plain loads and stores are enough. Whether it is the only one is asked once for several
//! operations, here and nowhere else.
//!
//! **Invariant.** `only_p` is evidence of `sched`'s own Ps, so it may be shown to any of its queues.

use crate::contract::{Config, List, OnlyP, Popped, RunQueue, SharedQueue, Slot, Spill};
use crate::records::g::runnable::Runnable;
use crate::records::p::QueueOf;
use crate::shared::sched::Sched;

/// The queues of a runtime, for the holder of one of its Ps.
pub(crate) struct Queues<'a, C: Config> {
    sched: &'a Sched<C>,
    only_p: Option<OnlyP<'a>>,
}

impl<C: Config> Clone for Queues<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Config> Copy for Queues<'_, C> {}

impl<C: Config> Sched<C> {
    /// Its queues.
    ///
    /// # Safety
    /// The caller holds a P, and is done with the result before it gives the P up.
    #[inline(always)]
    pub(crate) unsafe fn queues(&self) -> Queues<'_, C> {
        // SAFETY: the number changes only while the world is stopped, so while the caller holds the only P there is no
        // other M with a P: no thief, and nobody who takes from the shared queue. A closing runtime takes from a P's
        // queue as a thief only if nobody holds that P (`abandon_queued`).
        let only_p = (self.procs() == 1).then(|| unsafe { OnlyP::new() });
        Queues { sched: self, only_p }
    }
}

impl<C: Config> Queues<'_, C> {
    /// Whether the caller's P is the only one, so that nobody need be woken for what is queued.
    #[inline(always)]
    pub(crate) fn of_only_p(self) -> bool {
        self.only_p.is_some()
    }

    /// Pushes onto `local`, the queue of the caller's P.
    #[inline(always)]
    pub(crate) fn push(
        self,
        local: &mut QueueOf<C>,
        g: Runnable,
        slot: Slot,
        spill: &mut dyn Spill<Runnable>,
    ) {
        match self.only_p {
            // SAFETY: the invariant.
            Some(only_p) => unsafe { local.push_only_p(g, slot, spill, only_p) },
            None => local.push(g, slot, spill),
        }
    }

    /// Pops from `local`, the queue of the caller's P.
    #[inline(always)]
    pub(crate) fn pop(self, local: &mut QueueOf<C>) -> Option<Popped<Runnable>> {
        match self.only_p {
            // SAFETY: the invariant.
            Some(only_p) => unsafe { local.pop_only_p(only_p) },
            None => local.pop(),
        }
    }

    /// Pushes to the shared queue's tail.
    #[inline(always)]
    pub(crate) fn push_shared(self, g: Runnable) {
        match self.only_p {
            // SAFETY: the invariant.
            Some(only_p) => unsafe { self.sched.shared.push_only_p(g, only_p) },
            None => self.sched.shared.push(g),
        }
    }

    /// Pushes what a local queue had no room for.
    pub(crate) fn spill(self, batch: List<Runnable>) {
        match self.only_p {
            Some(_) => batch.for_each(|g| self.push_shared(g)),
            None => self.sched.shared.push_batch(batch),
        }
    }

    /// Takes one out of the shared queue.
    #[inline(always)]
    pub(crate) fn pop_shared(self) -> Option<Runnable> {
        match self.only_p {
            // SAFETY: the invariant.
            Some(only_p) => unsafe { self.sched.shared.pop_only_p(only_p) },
            None => self.sched.shared.pop(),
        }
    }

    /// Takes the caller's share out of the shared queue, `limit` at most.
    #[inline(always)]
    pub(crate) fn pop_batch(self, limit: usize) -> List<Runnable> {
        match self.only_p {
            // SAFETY: the invariant.
            Some(only_p) => unsafe { self.sched.shared.pop_batch_only_p(limit, only_p) },
            None => self.sched.shared.pop_batch(self.sched.procs(), limit),
        }
    }

    /// Puts the shared queue in order for others, before there are any.
    pub(crate) fn settle(self) {
        if let Some(only_p) = self.only_p {
            // SAFETY: the invariant.
            unsafe { self.sched.shared.settle(only_p) };
        }
    }
}
