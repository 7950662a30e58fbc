//! `Go`: the scheduling policy of Go's runtime, as of Go 1.27.
//!
//! | part | is | Go |
//! | --- | --- | --- |
//! | local queue | [`Ring`]: 256 slots and `run_next` | `p.runq`, `p.runnext` |
//! | shared queue | [`SharedFifo`]: a list under a lock | `sched.runq` |
//! | victims | [`Coprime`]: random start and step | `stealOrder` |
//! | idle rule | [`GoIdle`]: half the busy Ps may spin, one spinner is woken at a time | `findRunnable`, `wakep` |
//! | constants | [`Rules::GO`] | 61, 128, 4 |
//!
//! With one P it runs goroutines in exactly the order in which Go runs them, since nothing here is random except the
//! order of the victims.

#![forbid(unsafe_code)]

#[cfg(all(test, loom))]
mod loom_idle;

pub use gmp_core::idle::GoIdle;

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::queue::{Coprime, Ring, SharedFifo};

/// Go's policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Go;

impl Policy for Go {
    const NAME: &'static str = "go";

    /// Go's constants, and why Go has them:
    /// - *61*: a prime near 64, so the look at the shared queue keeps no step with the period of a program that spawns
    ///   or yields in powers of two; smaller taxes each dispatch with the shared lock, larger lets the shared queue wait.
    /// - *128*: half a ring, so a batch from the shared queue leaves as much room as it fills and cannot overflow back.
    /// - *4* rounds: three that leave `run_next` alone and one that does not; a round is a few loads a P, so three in
    ///   vain cost less than tearing a goroutine from the P that has just readied it.
    const RULES: Rules = Rules::GO;

    type Queue<T: Token> = Ring<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Coprime;
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmp_core::contract::RunQueue;

    #[test]
    fn the_numbers_are_gos() {
        let rules = Rules { shared_tick: 61, shared_batch: 128, steal_rounds: 4, timers_wait_at: usize::MAX };
        assert_eq!(Go::RULES, rules);
        assert_eq!(Go::NAME, "go");
        assert_eq!(gmp_core::suite::QueueOf::<Go>::CAPACITY, Some(256 + 1));
    }
}
