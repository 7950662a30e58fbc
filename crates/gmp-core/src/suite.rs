//! The suites that judge implementers of the contracts, and what they judge with.
//!
//! A policy runs all of it with one line in a test file:
//!
//! ```ignore
//! gmp_core::policy_conformance!(Go);
//! ```
//!
//! [`Probe`] is the token: numbered, and counted by its [`Ledger`], which tells a lost one from one that came out twice.
//! The laws of [`RunQueue`](crate::contract::RunQueue) are in [`run_queue`] (one thread, against a count) and
//! [`run_queue_threads`] (real thieves); those of the shared queue in [`shared_queue`], of the victim order in
//! [`victim_order`]. [`storm`] runs given operations against real thieves and keeps the history, for fuzzers that know
//! which order a policy promises.

pub mod idle_policy;
#[cfg(not(loom))]
pub mod note;
mod probe;
#[cfg(not(loom))]
pub mod run_queue;
#[cfg(not(loom))]
pub mod run_queue_threads;
#[cfg(not(loom))]
pub mod shared_queue;
#[cfg(not(loom))]
pub mod sole;
#[cfg(not(loom))]
pub mod storm;
pub mod victim_order;

pub use crate::queue::Dice;
pub use probe::{Ledger, Probe};

use crate::contract::{Policy, QueueConfig, StealRound};

/// The local queue of a policy, with probes in it.
pub type QueueOf<P> = <P as Policy>::Queue<Probe>;

/// The shared queue of a policy, with probes in it.
pub type SharedOf<P> = <P as Policy>::Shared<Probe>;

/// The configuration that the suites make queues with.
pub const CONFIG: QueueConfig = QueueConfig { seed: 0x9e37_79b9_7f4a_7c15 };

/// A look that may take anything: the last round, the back-off done.
pub const TAKE_ANY: StealRound = StealRound { last: true, victim_runs: true, backed_off: true };

/// The laws of an idle policy, for the type of this name in scope: one test.
#[macro_export]
macro_rules! idle_policy_conformance {
    ($idle:ty) => {
        #[test]
        fn idle_policy() {
            $crate::suite::idle_policy::strong_means_strong::<$idle>();
            $crate::suite::idle_policy::weak_means_weak::<$idle>();
        }
    };
}

/// One test for each law, for the policy of this name in scope.
#[macro_export]
macro_rules! policy_conformance {
    ($policy:ty) => {
        $crate::policy_conformance! { @laws $policy;
            run_queue: [empties_agree, each_token_comes_out_once, spills_are_single_batches, batches_fill_what_fits,
                steals_take_part, nothing_is_stolen_from_oneself, drops_hand_tokens_back];
            run_queue_threads: [thieves_and_owner_share_without_loss, thieves_rob_each_other,
                a_moving_token_is_seen, a_last_token_has_one_taker];
        }

        mod shared_queue {
            use super::*;
            $crate::policy_conformance! { @shared $policy;
                serves_in_order, front_goes_first, batches_keep_to_the_limit, producers_keep_their_order,
                batches_race_without_loss
            }
        }

        $crate::idle_policy_conformance!(<$policy as $crate::contract::Policy>::Idle);

        #[test]
        fn operations_for_one_p() {
            $crate::suite::sole::a_run_queue_is_one_queue::<$crate::suite::QueueOf<$policy>>();
            $crate::suite::sole::a_shared_queue_is_one_queue::<$crate::suite::SharedOf<$policy>>();
        }

        #[test]
        fn victim_order() {
            $crate::suite::victim_order::each_walk_visits_each_once::<<$policy as $crate::contract::Policy>::Order>();
            $crate::suite::victim_order::seeds_repeat::<<$policy as $crate::contract::Policy>::Order>();
        }
    };
    (@laws $policy:ty; $($group:ident: [$($law:ident),* $(,)?];)*) => { $(
        mod $group {
            use super::*;
            $(
                #[test]
                fn $law() {
                    $crate::suite::$group::$law::<$crate::suite::QueueOf<$policy>>();
                }
            )*
        }
    )* };
    (@shared $policy:ty; $($law:ident),* $(,)?) => { $(
        #[test]
        fn $law() {
            $crate::suite::shared_queue::$law::<$crate::suite::SharedOf<$policy>>();
        }
    )* };
}
