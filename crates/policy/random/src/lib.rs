//! `Random`: a scheduling policy that promises no order, to make programs fail that rely on one.
//!
//! It does what Go's race builds do (`randomizeScheduler`, Go 1.27), and more of it:
//!
//! | where | Go's race build | here |
//! | --- | --- | --- |
//! | a push Next | becomes a push Back every other time | the same |
//! | a batch that spills | shuffled | the same |
//! | a batch from the shared queue | shuffled | the same |
//! | victims | random start and step | a random permutation, [`Shuffled`] |
//! | spinning | half the busy Ps | every M |
//!
//! The queues are crossbeam-deque's, so this is also the second implementation that keeps the contracts honest: it
//! uses nothing of [`Ring`](gmp_core::queue::Ring) or [`SharedFifo`](gmp_core::queue::SharedFifo).
//!
//! Each P has its own seed (`QueueConfig::seed`) and draws random numbers only where the owner pushes, so a run with
//! one P repeats exactly from the same seed.

#![forbid(unsafe_code)]

mod order;
mod queue;
mod shared;

pub use order::{Shuffled, ShuffledWalk};
pub use queue::{RandomQueue, RandomThief};
pub use shared::BlockFifo;

use gmp_core::contract::{IdlePolicy, IdleView, Policy, Rules, Token};

/// The policy with random choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "randomizeScheduler")]
pub struct Random;

impl Policy for Random {
    const NAME: &'static str = "random";

    /// Go's constants, so that a comparison with `go` shows the difference of queues and order, not of constants.
    const RULES: Rules = Rules::GO;

    type Queue<T: Token> = RandomQueue<T>;
    type Shared<T: Token> = BlockFifo<T>;
    type Idle = RandomIdle;
    type Order = Shuffled;
}

/// Every M may spin: more thieves at work make more interleavings, which is what this policy is for. A submission
/// wakes as it does in Go, since a second wake-up adds a thread switch and no new order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RandomIdle;

impl IdlePolicy for RandomIdle {
    const NAME: &'static str = "random";
    /// It spins wherever Go does and wakes where Go does, so it keeps the law that Go keeps.
    const STRONG: bool = true;

    fn may_spin(&self, view: IdleView) -> bool {
        view.spinning < view.procs
    }

    fn wake_on_submit(&self, view: IdleView, _: impl Fn() -> usize) -> bool {
        view.spinning == 0 && view.idle > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_at_least_as_eager_as_go() {
        for procs in 1..10 {
            for idle in 0..=procs {
                for spinning in 0..=procs - idle {
                    let view = IdleView { procs, idle, spinning };
                    assert!(RandomIdle.may_spin(view) || 2 * spinning >= view.busy());
                    assert_eq!(RandomIdle.wake_on_submit(view, || 1), spinning == 0 && idle > 0);
                }
            }
        }
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!((Random::NAME, Random::RULES), ("random", Rules::GO));
    }
}
