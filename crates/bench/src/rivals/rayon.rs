//! Rival: rayon. It joins without a stack of the child's own, so its fork-join figures are a bound, not a peer's.

use crate::cell::{Cell, Figures, Result, expect};
use crate::fork_join::{self, Join};
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::{measure, work};
use rayon::{ThreadPool, ThreadPoolBuilder, join};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const LIBRARY: Library = Library {
    name: "rayon",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: || library::names(PROGRAMS),
    own_groups: &[],
    run,
};

const PROGRAMS: &Programs<fn(&Cell, &ThreadPool) -> Result<Figures>> = &[
    ("spawn_join", spawn_join),
    ("spawn_burst", spawn_burst),
    ("spawn_tree", spawn_tree),
    ("fib", fib_of),
    ("join_fib", |cell, pool| pool.install(|| fork_join::fib::<Rayon>(cell))),
    ("join_tree", |cell, pool| pool.install(|| fork_join::tree::<Rayon>(cell))),
    ("join_sort", |cell, pool| pool.install(|| fork_join::sort::<Rayon>(cell))),
    ("matmul_steal", matmul_steal),
];

struct Rayon;

impl Join for Rayon {
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        join(a, b)
    }
}

fn run(cell: &Cell) -> Result<Figures> {
    let pool = ThreadPoolBuilder::new().num_threads(cell.procs).build()?;
    library::program(PROGRAMS, cell)?(cell, &pool)
}

fn spawn_join(cell: &Cell, pool: &ThreadPool) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = pool.install(|| (0..n).map(|i| join(|| i, || 1).1).sum::<u64>());
        expect("children joined", ended, n)
    })
}

fn spawn_burst(cell: &Cell, pool: &ThreadPool) -> Result<Figures> {
    let before = crate::process::rss();
    let timed = measure::whole(cell, cell.n, || {
        let done = AtomicU64::new(0);
        let count = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        pool.scope(|scope| (0..cell.n).for_each(|_| scope.spawn(|_| count())));
        expect("goroutines run", done.into_inner(), cell.n)
    })?;
    Ok(measure::bytes_per_g(cell, before, timed))
}

fn nodes(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (left, right) = join(|| nodes(depth - 1), || nodes(depth - 1));
    1 + left + right
}

fn spawn_tree(cell: &Cell, pool: &ThreadPool) -> Result<Figures> {
    let want = work::tree_nodes(cell.n);
    measure::whole(cell, want, || expect("nodes", pool.install(|| nodes(cell.n)), want))
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 2), || fib(n - 1));
    a + b
}

fn fib_of(cell: &Cell, pool: &ThreadPool) -> Result<Figures> {
    measure::whole(cell, work::fib_calls(cell.n), || {
        expect("fib", pool.install(|| fib(cell.n)), work::fib(cell.n))
    })
}

fn matmul_steal(cell: &Cell, pool: &ThreadPool) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let timed = measure::whole(cell, cell.n, || {
        let sum = AtomicU64::new(0);
        let add = |i| {
            sum.fetch_add(work::piece(i), Ordering::Relaxed);
        };
        pool.scope(|scope| (0..cell.n).for_each(|i| scope.spawn(move |_| add(i))));
        expect("sum of the pieces", sum.into_inner(), want)
    })?;
    Ok(measure::efficiency(cell, serial, timed))
}
