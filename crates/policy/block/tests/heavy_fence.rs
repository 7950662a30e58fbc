//! The laws of a run queue on `Block` as it is in a runtime, where thieves make the owner pass a fence. This is a
//! program of its own, since once a process has a heavy fence all queues made later rely on it.

use gmp_arch_amd64::Amd64;
use gmp_core::contract::Policy;
use gmp_core::suite::{QueueOf, fuzz, only_p, run_queue, run_queue_threads, violation};
use gmp_policy_block::Block;

type Queue = QueueOf<Block>;

/// Checks one law after the heavy fence is there.
fn judge(name: &str, law: fn()) {
    gmp_core::only_p::provide::<Amd64>();
    // On a kernel without it, `conformance.rs` has judged all there is.
    if gmp_core::only_p::has_heavy_fence() {
        violation::law(Block::NAME, name, law);
    }
}

macro_rules! laws {
    ($($group:ident: $($law:ident),*;)*) => { $( $(
        #[test]
        fn $law() {
            judge(stringify!($law), $group::$law::<Queue>);
        }
    )* )* };
}

laws! {
    run_queue: capacity_is_what_it_says, empties_agree, batches_fill_what_fits, steals_take_part,
        nothing_is_stolen_from_oneself, drops_hand_tokens_back;
    run_queue_threads: thieves_and_owner_share_without_loss, thieves_rob_each_other, a_moving_token_is_seen,
        a_last_token_has_one_taker;
    only_p: a_run_queue_is_one_queue;
}

#[test]
fn sequential_runs_keep_the_promise() {
    judge("sequential", || fuzz::sequential_runs_keep_the_promise::<Queue>(Block::NAME));
}

#[test]
fn concurrent_runs_keep_the_promise() {
    judge("concurrent", || fuzz::concurrent_runs_keep_the_promise::<Queue>(Block::NAME));
}
