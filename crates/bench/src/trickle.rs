//! What the workloads over idle runtimes share: a tick of 1 ms, and the latencies from submission to start.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies, TICK};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When goroutines started, each with a slot of its own: whoever records waits for nobody.
#[derive(Debug)]
pub(crate) struct Starts {
    next: AtomicU64,
    late: Box<[AtomicU64]>,
}

impl Starts {
    /// For `n` goroutines. Leaked: they capture one pointer.
    pub(crate) fn new(n: u64) -> &'static Self {
        let late = (0..n).map(|_| AtomicU64::new(0)).collect();
        Box::leak(Box::new(Self { next: AtomicU64::new(0), late }))
    }

    /// Called by a goroutine, as the first thing it does; returns how many had started before.
    pub(crate) fn record(&self, submitted: Instant) -> u64 {
        let late = submitted.elapsed().as_nanos() as u64;
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.late[at as usize].store(late, Ordering::Relaxed);
        at
    }

    pub(crate) fn count(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    pub(crate) fn latencies(&self) -> Latencies {
        Latencies::of(self.late.iter().map(|late| late.load(Ordering::Relaxed) as f64).collect())
    }
}

/// Calls `each` n times, a millisecond apart. A call may be late by what the last one took, but there is never a burst
/// to catch up.
pub(crate) fn each_tick(
    n: u64,
    sleep: impl Fn(Duration),
    mut each: impl FnMut() -> Result<()>,
) -> Result<()> {
    (0..n).try_for_each(|_| {
        sleep(TICK);
        each()
    })
}

/// Runs a trickle of the cell's size. One operation is one start. The figure is the CPU time of the process without
/// that of the submitting thread, if that is not a goroutine; `run` returns it. That thread's sleeping costs several
/// times what the runtime does, whatever the runtime is like.
pub(crate) fn measured(
    cell: &Cell,
    run: impl FnOnce(&'static Starts) -> Result<Duration>,
) -> Result<Figures> {
    let starts = Starts::new(cell.n);
    let begin = Instant::now();
    let mut submitter = Duration::ZERO;
    let timed = measure::once(cell, cell.n, || {
        submitter = run(starts)?;
        Ok(())
    })?;
    let wall = begin.elapsed();
    expect("starts", starts.count(), cell.n)?;
    let late = starts.latencies();
    let submitter = submitter.as_nanos() as f64 / cell.n as f64;
    let all = measure::by_cpu(timed);
    let ns_per_op = all.ns_per_op - submitter;
    let cpu_per_second = ns_per_op * cell.n as f64 / wall.as_nanos() as f64;
    Ok(Figures { ns_per_op, ..all }
        .with("submitter_ns", submitter)
        .with("cpu_s_per_s", cpu_per_second)
        .with("p50_ns", late.p50)
        .with("p99_ns", late.p99))
}
