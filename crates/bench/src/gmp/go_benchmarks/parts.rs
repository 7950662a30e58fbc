//! What the families share: how a benchmark is declared, and loops over goroutines.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::workload::{Benchmark, Run, Workload, sized, timed};
use std::time::{Duration, Instant};

/// Go's program, which has these loops too, says what each does.
pub(super) const ABOUT: &str = "the loop of Go's benchmark of this name";

/// A benchmark that is calibrated by time, on one processor and on two.
pub(super) const fn any(name: &'static str, run: Run) -> Benchmark {
    Benchmark { workload: timed(name, &[1, 2], ABOUT), run }
}

/// A benchmark that is calibrated by time and means something on these numbers of processors only.
pub(super) const fn only(name: &'static str, procs: &'static [usize], run: Run) -> Benchmark {
    Benchmark { workload: timed(name, procs, ABOUT), run }
}

/// A benchmark of a fixed size.
pub(super) const fn fixed(
    name: &'static str,
    procs: &'static [usize],
    sizes: &'static [u64],
    quick: u64,
    run: Run,
) -> Benchmark {
    let workload: Workload = sized(name, procs, sizes, quick, ABOUT);
    Benchmark { workload, run }
}

/// How many items a producer takes from the common counter at once.
pub(super) const BATCH: u64 = 1000;

/// Shares `n` operations among goroutines and adds what they return.
pub(super) fn parallel(workers: usize, n: u64, body: impl Fn(u64) -> u64 + Clone + Send + 'static) -> u64 {
    let workers = workers as u64;
    let one = |i| {
        let body = body.clone();
        gmp::go(move || body(n / workers + u64::from(i < n % workers)))
    };
    let all: Vec<_> = (0..workers).map(one).collect();
    all.into_iter().map(|one| one.join().unwrap_or(0)).sum()
}

/// A benchmark whose operations are shared by `excess` goroutines for each processor. `setup` makes what they share;
/// each operation adds one to what the body returns.
pub(super) fn in_parallel<F: Fn(u64) -> u64 + Clone + Send + 'static>(
    cell: &Cell,
    excess: usize,
    setup: impl Fn() -> F,
) -> Result<Figures> {
    measure::looped(cell, |n| expect("operations", parallel(cell.procs * excess, n, setup()), n))
}

/// A body that does one operation this many times.
pub(super) fn each(mut count: u64, mut operation: impl FnMut()) -> u64 {
    let all = count;
    while count > 0 {
        operation();
        count -= 1;
    }
    all
}

/// Takes some 4 cycles for each step, in every language: each step needs the one before, and no compiler merges two of
/// them.
#[inline(never)]
pub(super) fn work(steps: u64, mut x: u64) -> u64 {
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005) ^ (x >> 32);
    }
    x
}

/// Burns CPU for this long.
pub(super) fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// Has all processors run before a benchmark begins.
pub(super) fn warm(procs: usize) {
    parallel(procs, procs as u64, |count| each(count, || spin(Duration::from_millis(1))));
}
