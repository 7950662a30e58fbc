//! The laws of a run queue on `Block` as it is in a runtime: thieves make the owner pass a fence. A program of its own,
//! since once a process has a far fence all queues made later rely on it.

use gmp_arch_amd64::Amd64;
use gmp_core::contract::Policy;
use gmp_core::suite::{QueueOf, breach, fuzz, run_queue, run_queue_threads, sole};
use gmp_policy_block::Block;

type Queue = QueueOf<Block>;

/// One law after the far fence is there.
fn judge(name: &str, law: fn()) {
    gmp_core::sole::provide::<Amd64>();
    // A kernel without it leaves what `conformance.rs` has judged.
    if gmp_core::sole::has_far_fence() {
        breach::law(Block::NAME, name, law);
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
    sole: a_run_queue_is_one_queue;
}

#[test]
fn calms_keep_the_promise() {
    judge("calms", || fuzz::calms_keep_the_promise::<Queue>(Block::NAME));
}

#[test]
fn storms_keep_the_promise() {
    judge("storms", || fuzz::storms_keep_the_promise::<Queue>(Block::NAME));
}
