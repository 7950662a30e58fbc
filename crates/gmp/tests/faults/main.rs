//! Faults that there were once: one file for each, named after the fault, with the whole kind of it. Each test runs a
//! child process. The policy is Go's, whatever the default is: many of these programs need its fairness, or its order.

mod alone_on_its_p;
mod blocking_go;
mod bounded_threads;
mod broken_code;
mod builder_values;
mod foreign_looks;
#[path = "../harness/mod.rs"]
mod harness;
mod held_stderr;
mod hogs;
mod kept_answers;
mod kept_stacks;
mod last_destructors;
mod left_running;
mod locked_and_pinned;
mod lost_in_resize;
mod lost_p;
mod overload;
mod pinned_hogs;
mod policy_stash_uaf;
mod poller;
mod pressure_ends;
mod recycled_record;
mod refusals;
mod short_sleeps;
mod sink_channel;
mod stack_size;
mod stackless_drops;
mod stopped_world;
mod thread_limit;
mod timer_sweep_uaf;
#[path = "../told/mod.rs"]
mod told;
mod undeclared_blocking;
mod unfair_calls;
mod unheard_attention;
mod unrun_join;
#[cfg(feature = "dump")]
mod unseen;
mod waker_under_lock;
mod wakers;

use harness::Named;
use std::process::ExitCode;

/// What a fault's file brings: its tests, and the children that they start.
type Fault = (&'static [Named], &'static [Named]);

/// One line for each file, in the order of the alphabet.
const FAULTS: &[Fault] = &[
    alone_on_its_p::FAULT,
    blocking_go::FAULT,
    bounded_threads::FAULT,
    broken_code::FAULT,
    builder_values::FAULT,
    held_stderr::FAULT,
    foreign_looks::FAULT,
    hogs::FAULT,
    kept_answers::FAULT,
    kept_stacks::FAULT,
    left_running::FAULT,
    last_destructors::FAULT,
    locked_and_pinned::FAULT,
    lost_in_resize::FAULT,
    lost_p::FAULT,
    overload::FAULT,
    pinned_hogs::FAULT,
    policy_stash_uaf::FAULT,
    poller::FAULT,
    pressure_ends::FAULT,
    recycled_record::FAULT,
    refusals::FAULT,
    short_sleeps::FAULT,
    sink_channel::FAULT,
    stack_size::FAULT,
    stackless_drops::FAULT,
    stopped_world::FAULT,
    thread_limit::FAULT,
    timer_sweep_uaf::FAULT,
    undeclared_blocking::FAULT,
    unfair_calls::FAULT,
    unheard_attention::FAULT,
    unrun_join::FAULT,
    #[cfg(feature = "dump")]
    unseen::FAULT,
    waker_under_lock::FAULT,
    wakers::FAULT,
];

fn main() -> ExitCode {
    let all =
        |part: fn(&Fault) -> &'static [Named]| FAULTS.iter().flat_map(part).copied().collect::<Vec<_>>();
    harness::run(&all(|fault| fault.0), &all(|fault| fault.1))
}
