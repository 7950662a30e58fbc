//! The queues of a policy, with probes in them.

use crate::{Contestant, Owner, Thief};
use criterion::Criterion;
use gmp_core::contract::List;
use gmp_core::contract::{Policy, RunQueue, SharedQueue, Slot, Steal, Thief as _};
use gmp_core::suite::{CONFIG, Ledger, Probe, QueueOf, SharedOf, TAKE_ANY};
use std::hint::black_box;
use std::marker::PhantomData;

/// Probes for one queue and all its benches, with room for a full one in each.
const PROBES: usize = 4096;

/// The queue of a policy, pushed to one slot.
pub(crate) struct Ours<P> {
    slot: Slot,
    ledger: Ledger,
    policy: PhantomData<P>,
}

impl<P: Policy> Ours<P> {
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slot, ledger: Ledger::new(PROBES), policy: PhantomData }
    }
}

impl<P: Policy> Contestant for Ours<P> {
    type Token = Probe;
    type Owner = Own<P>;
    type Thief = Thieving<P>;

    fn name(&self) -> String {
        format!("{} {:?}", P::NAME, self.slot)
    }

    fn room(&self) -> Option<usize> {
        <QueueOf<P> as RunQueue<Probe>>::CAPACITY
    }

    fn queue(&self) -> (Own<P>, Thieving<P>) {
        let (queue, thief) = QueueOf::<P>::new(&CONFIG);
        (Own { queue, slot: self.slot }, Thieving { own: QueueOf::<P>::new(&CONFIG).0, thief })
    }

    fn tokens(&self, count: usize) -> Vec<Probe> {
        (0..count).map(|_| self.ledger.mint()).collect()
    }
}

pub(crate) struct Own<P: Policy> {
    queue: QueueOf<P>,
    slot: Slot,
}

impl<P: Policy> Owner for Own<P> {
    type Token = Probe;

    #[inline]
    fn push(&mut self, token: Probe, spilled: &mut Vec<Probe>) {
        self.queue.push(token, self.slot, &mut |batch: List<Probe>| spilled.extend(batch));
    }

    #[inline]
    fn pop(&mut self) -> Option<Probe> {
        self.queue.pop().map(|popped| popped.token)
    }
}

pub(crate) struct Thieving<P: Policy> {
    own: QueueOf<P>,
    thief: <QueueOf<P> as RunQueue<Probe>>::Thief,
}

impl<P: Policy> Thief for Thieving<P> {
    type Token = Probe;

    fn steal(&mut self, stolen: &mut Vec<Probe>) {
        if let Steal::Taken(probe) = self.thief.steal_into(&mut self.own, TAKE_ANY) {
            stolen.push(probe);
            stolen.extend(std::iter::from_fn(|| self.own.pop()).map(|popped| popped.token));
        }
    }

    fn is_empty(&self) -> Option<bool> {
        Some(self.thief.is_empty())
    }
}

/// The shared queue of a policy: one in, one out.
pub(crate) fn shared<P: Policy>(c: &mut Criterion) {
    let ledger = Ledger::new(1);
    let queue = SharedOf::<P>::default();
    let mut hand = Some(ledger.mint());
    c.benchmark_group("shared push+pop").bench_function(P::NAME, |bencher| {
        bencher.iter(|| {
            queue.push(black_box(hand.take().expect("it came back")));
            hand = queue.pop();
        });
    });
}
