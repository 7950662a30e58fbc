//! `Policy`: the bundle a runtime is generic over.

use crate::contract::{IdlePolicy, RunQueue, SharedQueue, Token, VictimOrder};

/// Numbers of a policy, each with the value Go has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Once in this many dispatches the shared queue is served before the local one, so that it cannot starve. Go: 61.
    pub shared_tick: u32,
    /// How many tokens at most come from the shared queue at once. Go: 128, half a ring.
    pub shared_batch: usize,
    /// How often a thief walks over all Ps before it gives up. Go: 4.
    pub steal_rounds: u32,
    /// With this many tokens in a P's own queue, each look at the timers runs one that is due and leaves the others
    /// for later looks. Go runs all of them at once, so: never. Where the order does not matter, half of what the queue
    /// holds is a good number: the rest would only be spilled to the shared queue, whose traffic costs more than the
    /// sleep did (`sleep_many` takes a quarter less CPU time with 128 than with `usize::MAX`).
    pub timers_wait_at: usize,
}

impl Rules {
    /// Go's numbers (`schedule`, `globrunqgetbatch`, `stealWork`, `timers.check` in Go 1.27).
    pub const GO: Rules =
        Rules { shared_tick: 61, shared_batch: 128, steal_rounds: 4, timers_wait_at: usize::MAX };
}

/// A scheduling policy: which queues, which idle rule, which victims, which numbers. The head of
/// [`contract`](crate::contract) says what it may vary and what core keeps. All parts are safe code: `docs/policies.md`
/// says what a wrong one can do, and what catches it.
pub trait Policy: Send + Sync + 'static {
    /// The name to choose it and to blame it by.
    const NAME: &'static str;
    /// Its numbers.
    const RULES: Rules;
    /// A P's own queue.
    type Queue<T: Token>: RunQueue<T>;
    /// The queue that all Ps share.
    type Shared<T: Token>: SharedQueue<T>;
    /// Who spins, who is woken.
    type Idle: IdlePolicy;
    /// In which order thieves look at victims.
    type Order: VictimOrder;
}
