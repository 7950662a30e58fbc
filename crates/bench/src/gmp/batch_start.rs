//! `batch_start`: a plain thread submits n goroutines, of 20 us of CPU work each, to a runtime that sleeps. The figure is
//! the median time from the first submission until two cores have run some of them; `all_started_ns` is the one until the
//! last has started, and p50 and p99 are latencies of single goroutines from the batch's submission to their start.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::trickle::Starts;
use crate::work;
use gmp::Handle;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Batches of a full run.
const BATCHES: usize = 200;
/// CPU work of one goroutine.
const WORK: Duration = Duration::from_micros(20);
/// How long the submitter waits between two batches, so that all Ms sleep.
const QUIET: Duration = Duration::from_millis(5);

/// One batch.
#[derive(Debug)]
struct Batch {
    starts: &'static Starts,
    begin: Instant,
    /// The thread that ran the first goroutine; 0: none yet.
    first: AtomicU64,
    /// Nanoseconds until a goroutine ran on another thread; 0: not yet.
    second: AtomicU64,
    done: AtomicU64,
}

impl Batch {
    fn new(n: u64) -> &'static Self {
        Box::leak(Box::new(Self {
            starts: Starts::new(n),
            begin: Instant::now(),
            first: AtomicU64::new(0),
            second: AtomicU64::new(0),
            done: AtomicU64::new(0),
        }))
    }

    fn goroutine(&self) {
        let now = self.begin.elapsed().as_nanos() as u64;
        self.starts.record(self.begin);
        let me = crate::process::thread_id();
        let first = self.first.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err_and(|first| first != me) {
            let _earlier = self.second.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        work::hog(Instant::now() + WORK);
        self.done.fetch_add(1, Ordering::Release);
    }
}

pub(super) fn main(cell: &Cell, handle: &Handle) -> Result<Figures> {
    let (n, handle, batches) = (cell.n, handle.clone(), if cell.quick { 5 } else { BATCHES });
    let mut all = Vec::new();
    let timed = measure::once(cell, n * batches as u64, || {
        let main = gmp::current().ok_or("no goroutine")?.unparker();
        let submitter = std::thread::spawn(move || {
            let run: Result<Vec<_>> = (0..batches).map(|_| submit(n, &handle)).collect();
            main.unpark();
            run
        });
        gmp::park();
        all = submitter.join().map_err(|_| "the submitter panicked")??;
        expect("batches", all.len(), batches)
    })?;
    let second = |batch: &&Batch| batch.second.load(Ordering::Relaxed) as f64;
    // A batch that one core ran alone counts with the time it took: no second core ran any of it sooner.
    let both = |batch: &&Batch| match second(batch) {
        0.0 => batch.starts.latencies().max,
        both => both,
    };
    let both = Latencies::of(all.iter().map(both).collect());
    let started = Latencies::of(all.iter().map(|batch| batch.starts.latencies().max).collect());
    let alone = all.iter().filter(|batch| second(batch) == 0.0).count();
    Ok(timed
        .counting(both.p50)
        .with("both_p99_ns", both.p99)
        .with("all_started_ns", started.p50)
        .with("one_core_alone", alone as f64)
        .with("p50_ns", median(&all, |late| late.p50))
        .with("p99_ns", median(&all, |late| late.p99)))
}

/// The median over all batches of one of their latencies.
fn median(all: &[&'static Batch], which: impl Fn(Latencies) -> f64) -> f64 {
    Latencies::of(all.iter().map(|batch| which(batch.starts.latencies())).collect()).p50
}

/// Submits one batch to a runtime at rest, and waits until it is through.
fn submit(n: u64, handle: &Handle) -> Result<&'static Batch> {
    std::thread::sleep(QUIET);
    let batch = Batch::new(n);
    for _ in 0..n {
        handle.go(move || batch.goroutine()).map_err(|error| error.to_string())?;
    }
    while batch.done.load(Ordering::Acquire) < n {
        std::thread::sleep(measure::TICK);
    }
    Ok(batch)
}
