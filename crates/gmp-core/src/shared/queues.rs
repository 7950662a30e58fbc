//! `Queues`: the queues of a runtime as the holder of a P uses them. While that P is the only one, there is no thief
//! and no other taker, and plain loads and stores are enough. Whether it is the only one is asked once for several
//! operations, here and nowhere else.
//!
//! **Invariant.** `only_p` is evidence of `sched`'s own Ps, so it may be shown to any of its queues.
//!
//! A queue is the policy's code, and each call of it is announced (`entering/foreign.rs`), a mere look too: it may be made
//! on a goroutine's stack, under the scheduler's lock, or while another call of the same queue is under way. The methods of
//! [`Queues`] are called where that is done; those of the runtime do it themselves.

use crate::contract::{Config, List, OnlyP, Popped, RunQueue, SharedQueue, Slot, Spill, Thief};
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::{P, QueueOf};
use crate::shared::sched::Sched;
use std::sync::Arc;

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

impl<C: Config> Sched<C> {
    /// Whether nothing is in the shared queue, asked on `m`.
    #[inline(always)]
    pub(crate) fn shared_is_empty_on(&self, m: &M) -> bool {
        self.policy(m, || self.shared.is_empty())
    }

    /// Whether nothing is in the shared queue, asked anywhere.
    pub(crate) fn shared_is_empty(&self) -> bool {
        self.policy_from_anywhere(|| self.shared.is_empty())
    }

    /// How many are in the shared queue, asked anywhere.
    pub(crate) fn shared_len(&self) -> usize {
        self.policy_from_anywhere(|| self.shared.len())
    }

    /// Whether a thief would find something at one of these Ps, asked anywhere.
    pub(crate) fn any_has_work(&self, ps: &[Arc<P<C>>]) -> bool {
        self.policy_from_anywhere(|| ps.iter().any(|p| p.has_work()))
    }

    /// Pushes to the shared queue's tail, on `m`.
    pub(crate) fn push_shared_on(&self, m: &M, g: Runnable) {
        self.policy(m, || self.shared.push(g));
    }

    /// Pushes to the shared queue's tail, anywhere.
    pub(crate) fn push_shared(&self, g: Runnable) {
        self.policy_from_anywhere(|| self.shared.push(g));
    }

    /// Takes one out of the shared queue, in a runtime that closes.
    pub(crate) fn pop_shared(&self) -> Option<Runnable> {
        self.policy_from_anywhere(|| self.shared.pop())
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

    /// How many are in the queue of `p`, which is the caller's, and in the shared one.
    pub(crate) fn len_at(self, p: &P<C>) -> usize {
        p.thief.len().saturating_add(self.sched.shared.len())
    }

    /// Whether nothing is in the queue of `p`, which is the caller's, nor in the shared one.
    pub(crate) fn are_empty_at(self, p: &P<C>) -> bool {
        p.thief.is_empty() && self.sched.shared.is_empty()
    }

    /// Pushes to the shared queue's head.
    pub(crate) fn push_front(self, batch: List<Runnable>) {
        self.sched.shared.push_front(batch);
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
