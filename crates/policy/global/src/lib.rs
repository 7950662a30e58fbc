//! `Global`: one queue for all Ps, first in, first out. It is the baseline without work stealing.
//!
//! Go had it before version 1.1 (Vyukov's "Scalable Go Scheduler Design Doc", 2012, names its single lock as the
//! first thing to get rid of), simple thread pools have it, and the papers on work stealing begin with it. It is fair
//! to every goroutine and never out of balance, but each push and each pop moves cache lines between the CPUs.

#![forbid(unsafe_code)]

mod nothing;

pub use nothing::{HoldsNothing, NothingToSteal};

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Coprime, SharedFifo};

/// The policy with a single queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Global;

impl Policy for Global {
    const NAME: &'static str = "global";

    /// - *tick 1*: the shared queue is the only one, so each dispatch looks there first.
    /// - *batch 1*: a P keeps nothing, so it would have to put back whatever it took beyond one.
    /// - *1 round*: there is nothing to steal but the victims' timers, which the last round looks at.
    const RULES: Rules = Rules { shared_tick: 1, shared_batch: 1, steal_rounds: 1, timers_wait_at: 128 };

    type Queue<T: Token> = HoldsNothing;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Coprime;
}
