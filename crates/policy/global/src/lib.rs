//! `Global`: one queue for all Ps, first in first out. The baseline without work stealing.
//!
//! What Go had before version 1.1 (Vyukov, "Scalable Go Scheduler Design Doc", 2012, names its one lock as the first
//! thing to be rid of), what simple thread pools have, and what the papers on work stealing begin with. Fair to the last
//! goroutine, never out of balance; each push and each pop is traffic between the CPUs.

#![forbid(unsafe_code)]

mod nothing;

pub use nothing::{HoldsNothing, NothingToSteal};

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Coprime, SharedFifo};

/// The policy of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Global;

impl Policy for Global {
    const NAME: &'static str = "global";

    /// - *tick 1*: the shared queue is the only one, so each dispatch looks there first.
    /// - *batch 1*: a P keeps nothing, what it took beyond one it would have to put back.
    /// - *1 round*: there is nothing to steal but the victims' timers, which the last round looks at.
    const RULES: Rules = Rules { shared_tick: 1, shared_batch: 1, steal_rounds: 1, timers_wait_at: 128 };

    type Queue<T: Token> = HoldsNothing;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Coprime;
}
