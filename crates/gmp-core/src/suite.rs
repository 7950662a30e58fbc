//! The suites that judge implementers of the contracts, and what they judge with.
//!
//! A policy runs all of them with one line in a test file:
//!
//! ```ignore
//! gmp_core::policy_conformance!(Go);
//! ```
//!
//! `cargo test` then judges it, and `cargo xtask fuzz --policy NAME` fuzzes it for as long as one likes.
//!
//! | module | judges | by |
//! | --- | --- | --- |
//! | [`fuzz`] | run queues | random operations: [`sequential`] against a model, [`concurrent`] with real thieves, whose [`history`] is checked |
//! | [`run_queue`] | run queues | laws that one thread can check, at the corners that chance seldom meets |
//! | [`run_queue_threads`] | run queues | narrow races, met on purpose |
//! | [`shared_queue`], [`only_p`] | shared queues; the operations for one P | a model, real threads |
//! | [`idle_policy`], [`victim_order`] | idle rules, victim orders | each of their states, many seeds |
//!
//! [`Probe`] is the token: numbered, and counted by its [`Ledger`], which tells a lost one from one that came out twice.
//! A law that fails names the policy, the clause, what was seen and what to do ([`violation`]), and the operations that
//! lead there ([`script`]).

#[cfg(not(loom))]
pub mod concurrent;
#[cfg(not(loom))]
pub mod fuzz;
#[cfg(not(loom))]
mod gate;
#[cfg(not(loom))]
pub mod history;
#[cfg(loom)]
pub mod idle_models;
pub mod idle_policy;
#[cfg(not(loom))]
pub mod note;
#[cfg(not(loom))]
pub mod only_p;
mod probe;
#[cfg(not(loom))]
pub mod run_queue;
#[cfg(not(loom))]
pub mod run_queue_threads;
#[cfg(not(loom))]
pub mod script;
#[cfg(not(loom))]
pub mod sequential;
#[cfg(not(loom))]
pub mod shared_queue;
pub mod victim_order;
#[cfg(not(loom))]
pub mod violation;

pub use crate::queue::Rng;
pub use probe::{Ledger, Probe};

use crate::contract::{Policy, QueueConfig, StealRound};

/// The local queue of a policy, with probes in it.
pub type QueueOf<P> = <P as Policy>::Queue<Probe>;

/// The shared queue of a policy, with probes in it.
pub type SharedOf<P> = <P as Policy>::Shared<Probe>;

/// The configuration that the suites make queues with.
pub const CONFIG: QueueConfig = QueueConfig { seed: 0x9e37_79b9_7f4a_7c15 };

/// A look that may take anything: it is the last round, and the back-off is done.
pub const TAKE_ANY: StealRound = StealRound { last: true, victim_runs: true, backed_off: true };

/// The laws of an idle policy, for the type of this name in scope: one test.
#[macro_export]
macro_rules! idle_policy_conformance {
    ($idle:ty) => {
        #[test]
        fn idle_policy() {
            let name = <$idle as $crate::contract::IdlePolicy>::NAME;
            let laws = || {
                $crate::suite::idle_policy::every_state_has_an_answer::<$idle>();
                $crate::suite::idle_policy::strong_means_strong::<$idle>();
                $crate::suite::idle_policy::weak_means_weak::<$idle>();
            };
            $crate::suite::violation::law(name, "idle_policy", laws);
        }
    };
}

/// One test for each law, for the policy of this name in scope.
#[macro_export]
macro_rules! policy_conformance {
    ($policy:ty) => {
        $crate::policy_conformance! { @laws $policy, Queue;
            run_queue: [capacity_is_what_it_says, empties_agree, batches_fill_what_fits, steals_take_part,
                nothing_is_stolen_from_oneself, drops_hand_tokens_back];
            run_queue_threads: [thieves_and_owner_share_without_loss, thieves_rob_each_other,
                a_moving_token_is_seen, a_last_token_has_one_taker];
        }
        $crate::policy_conformance! { @laws $policy, Shared;
            shared_queue: [serves_in_order, front_goes_first, batches_keep_to_the_limit,
                producers_keep_their_order, batches_race_without_loss];
        }
        $crate::policy_conformance! { @laws $policy, Order;
            victim_order: [each_walk_visits_each_once, seeds_repeat];
        }

        mod only_p {
            use super::*;
            $crate::policy_conformance! { @law $policy, Queue, only_p, a_run_queue_is_one_queue }
            $crate::policy_conformance! { @law $policy, Shared, only_p, a_shared_queue_is_one_queue }
        }

        mod fuzz {
            use super::*;

            #[test]
            fn sequential_runs_keep_the_promise() {
                let name = <$policy as $crate::contract::Policy>::NAME;
                $crate::suite::fuzz::sequential_runs_keep_the_promise::<$crate::suite::QueueOf<$policy>>(name);
            }

            #[test]
            fn concurrent_runs_keep_the_promise() {
                let name = <$policy as $crate::contract::Policy>::NAME;
                $crate::suite::fuzz::concurrent_runs_keep_the_promise::<$crate::suite::QueueOf<$policy>>(name);
            }
        }

        $crate::idle_policy_conformance!(<$policy as $crate::contract::Policy>::Idle);
    };
    (@laws $policy:ty, $part:ident; $($group:ident: $laws:tt;)*) => { $(
        mod $group {
            use super::*;
            $crate::policy_conformance! { @group $policy, $part, $group, $laws }
        }
    )* };
    (@group $policy:ty, $part:ident, $group:ident, [$($law:ident),* $(,)?]) => {
        $( $crate::policy_conformance! { @law $policy, $part, $group, $law } )*
    };
    (@law $policy:ty, $part:ident, $group:ident, $law:ident) => {
        #[test]
        fn $law() {
            let law = $crate::suite::$group::$law::<$crate::policy_conformance!(@part $policy, $part)>;
            let name = concat!(stringify!($group), "::", stringify!($law));
            $crate::suite::violation::law(<$policy as $crate::contract::Policy>::NAME, name, law);
        }
    };
    (@part $policy:ty, Queue) => { $crate::suite::QueueOf<$policy> };
    (@part $policy:ty, Shared) => { $crate::suite::SharedOf<$policy> };
    (@part $policy:ty, $part:ident) => { <$policy as $crate::contract::Policy>::$part };
}
