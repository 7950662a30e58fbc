//! The runtime of a cell: its policy, idle rule, number of Ps and mode of thread-locals.

use super::{idle_rule, policies};
use crate::cell::{Cell, Figures, Result};
use crate::workload::Run;
use gmp::contract::Policy;
use gmp::policy::WithIdle;
use gmp::{Builder, Finished, Handle};
use std::time::Duration;

/// Measures from inside the first goroutine: a rival's timer would not count starting the runtime either.
pub(super) fn inside(cell: &Cell, main: Run) -> Result<Figures> {
    enter(cell, main)?.value
}

/// The same for workloads with plain threads, which submit by a handle.
pub(super) fn with_handle(cell: &Cell, main: fn(&Cell, &Handle) -> Result<Figures>) -> Result<Figures> {
    let theirs = cell.clone();
    under_policy(cell, move |handle| main(&theirs, &handle))?.value
}

/// Runs `main` as the first goroutine of a runtime with the cell's policy, processors and thread-local mode.
pub(super) fn enter(cell: &Cell, main: Run) -> Result<Finished<Result<Figures>>> {
    let theirs = cell.clone();
    under_policy(cell, move |_| main(&theirs))
}

pub(super) type Ended = Result<Finished<Result<Figures>>>;

pub(super) fn under_policy(
    cell: &Cell,
    main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static,
) -> Ended {
    policies::for_policy!(cell, P => under_idle_rule::<P>(cell, main))
}

fn under_idle_rule<P: Policy>(
    cell: &Cell,
    main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static,
) -> Ended {
    match &cell.idle {
        None => on::<P>(cell, main),
        Some(name) => {
            idle_rule::pick(name)?;
            on::<WithIdle<P, idle_rule::Picked>>(cell, main)
        }
    }
}

/// How far back a flight recorder goes that runs while a cell is measured.
const RECORDED: Duration = Duration::from_secs(1);

fn on<P: Policy>(cell: &Cell, main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static) -> Ended {
    let builder = Builder::new().policy::<P>().procs(cell.procs);
    let builder = match cell.mode.as_str() {
        // SAFETY: the workloads hold no borrow of a thread-local, no errno and nothing thread-bound over a call that
        // suspends; what they print and read they do before or after.
        "migrating" => unsafe { builder.share_thread_locals() },
        // SAFETY: no workload keeps a stack pointer in a thread-local.
        "pinned" => unsafe { builder.pinned() },
        "own" => builder.own_thread_locals(),
        "one-thread-each" => builder.one_thread_each(),
        other => {
            return Err(
                format!("no mode {other:?}; there are: migrating, own, pinned, one-thread-each").into()
            );
        }
    };
    let builder = builder.retake(!cell.no_retake).poller_shards(cell.shards);
    let builder = if cell.recorder { builder.flight_recorder(RECORDED) } else { builder };
    // Failures are passed on as text: a report or a panic's payload need not be shareable between threads, and our
    // errors are.
    let runtime = builder.build().map_err(|error| error.to_string())?;
    let handle = runtime.handle();
    runtime.run(|| main(handle)).map_err(|error| error.to_string().into())
}
