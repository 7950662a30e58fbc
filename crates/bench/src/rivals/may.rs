//! Rival: may, stackful coroutines with work stealing, the nearest relative. It fails above about 32,000 stacks, each
//! of which takes two mappings. That is a finding, so its large cells stay in the table.

mod chan;
mod start;

use crate::cell::{Cell, Figures, Result, expect};
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::measure::{self, Latencies, TICK, Ticks};
use crate::workload::Run;
use crate::{process, work};
use may::coroutine::{self, yield_now};
use start::{enter, go};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const LIBRARY: Library = Library {
    name: "may",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: || library::names(PROGRAMS),
    own_groups: &[],
    run,
};

const PROGRAMS: &Programs<Run> = &[
    ("yield_2", |cell| yields(cell, 2)),
    ("yield_1000", |cell| yields(cell, 1000)),
    ("spawn_join", spawn_join),
    ("spawn_burst", spawn_burst),
    ("spawn_tree", spawn_tree),
    ("fib", fib_of),
    ("park_unpark", park_unpark),
    ("park_unpark_chan", chan::park_unpark),
    ("skynet", chan::skynet),
    ("chan_pingpong", chan::chan_pingpong),
    ("chan_buffered_spsc", chan::chan_buffered_spsc),
    ("chan_mpmc", chan::chan_mpmc),
    ("select_2", chan::select_2),
    ("mutex_contended", chan::mutex_contended),
    ("mem_parked", mem_parked),
    ("sleep_many", sleep_many),
    ("hog_fairness", hog_fairness),
    ("blocking_sys", blocking_sys),
    ("matmul_steal", matmul_steal),
];

fn run(cell: &Cell) -> Result<Figures> {
    may::config().set_workers(cell.procs);
    library::program(PROGRAMS, cell)?(cell)
}

fn spawn_join(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = enter(move || (0..n).map(|_| go(|| 1).join().unwrap_or(0)).sum::<u64>())?;
        expect("children joined", ended, n)
    })
}

fn spawn_tree(cell: &Cell) -> Result<Figures> {
    let (depth, want) = (cell.n, work::tree_nodes(cell.n));
    measure::whole(cell, want, || expect("nodes", enter(move || nodes(depth))?, want))
}

fn fib_of(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    measure::whole(cell, work::fib_calls(n), || expect("fib", enter(move || fib(n))?, work::fib(n)))
}

/// Starts one coroutine for each number, waits for all and adds up what they return.
fn sum(n: u64, f: impl Fn(u64) -> u64 + Copy + Send + 'static) -> u64 {
    let all: Vec<_> = (0..n).map(|i| go(move || f(i))).collect();
    all.into_iter().map(|one| one.join().unwrap_or(0)).fold(0, u64::wrapping_add)
}

fn yields(cell: &Cell, many: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let one = move |_| {
            (0..n / many).for_each(|_| yield_now());
            n / many
        };
        expect("yields", enter(move || sum(many, one))?, n)
    })
}

fn spawn_burst(cell: &Cell) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let timed = measure::whole(cell, n, || expect("goroutines run", enter(move || sum(n, |_| 1))?, n))?;
    Ok(measure::bytes_per_g(cell, before, timed))
}

fn nodes(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (left, right) = (go(move || nodes(depth - 1)), go(move || nodes(depth - 1)));
    1 + left.join().unwrap_or(0) + right.join().unwrap_or(0)
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let other = go(move || fib(n - 1));
    fib(n - 2) + other.join().unwrap_or(0)
}

fn park_unpark(cell: &Cell) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        latencies = enter(move || {
            let sent = Arc::new(Mutex::new(None::<Instant>));
            let theirs = Arc::clone(&sent);
            let receiver = go(move || {
                let mut latencies = Vec::with_capacity(samples);
                while latencies.len() < samples {
                    coroutine::park();
                    let at = theirs.lock().unwrap().take();
                    latencies.extend(at.map(|at| at.elapsed().as_nanos() as f64));
                }
                latencies
            });
            while !receiver.is_done() {
                coroutine::sleep(work::QUIET);
                *sent.lock().unwrap() = Some(Instant::now());
                receiver.coroutine().unpark();
            }
            receiver.join().unwrap_or_default()
        })?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}

fn mem_parked(cell: &Cell) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let parked = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&parked);
    let timed = measure::once(cell, n, || {
        enter(move || {
            for _ in 0..n {
                let parked = Arc::clone(&theirs);
                go(move || {
                    parked.fetch_add(1, Ordering::Relaxed);
                    loop {
                        coroutine::park();
                    }
                });
            }
            while theirs.load(Ordering::Relaxed) < n {
                yield_now();
            }
        })?;
        expect("parked", parked.load(Ordering::Relaxed), n)
    })?;
    let growth = process::rss().saturating_sub(before) as f64 / n as f64;
    Ok(timed.with("bytes_per_g", growth).with("maps", process::mappings() as f64))
}

fn sleep_many(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    let mut late = Vec::new();
    let timed = measure::once(cell, n * work::CALLS, || {
        late = enter(move || {
            let all: Vec<_> = (0..n).map(|i| go(move || sleeper(i))).collect();
            all.into_iter().flat_map(|one| one.join().into_iter().flatten()).collect()
        })?;
        expect("sleeps", late.len() as u64, n * work::CALLS)
    })?;
    Ok(measure::sleeps(timed, late))
}

fn sleeper(i: u64) -> [f64; work::CALLS as usize] {
    std::array::from_fn(|k| {
        let time = Duration::from_millis(work::sleep_ms(i, k as u64));
        let start = Instant::now();
        coroutine::sleep(time);
        start.elapsed().saturating_sub(time).as_nanos() as f64
    })
}

fn hog_fairness(cell: &Cell) -> Result<Figures> {
    let time = Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        gaps = enter(move || {
            let over = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&over);
            let ticks = Ticks::start();
            let ticker = go(move || ticks.until(&theirs, coroutine::sleep));
            coroutine::sleep(10 * TICK);
            let _ended = go(move || work::hog(Instant::now() + time)).join();
            over.store(true, Ordering::Relaxed);
            ticker.join().ok()
        })?;
        Ok(())
    })?;
    measure::fairness(timed, gaps)
}

fn blocking_sys(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let (ended, seen) = enter(move || {
            let over = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&over);
            let ticks = Ticks::start();
            let ticker = go(move || ticks.until(&theirs, coroutine::sleep));
            let ended = sum(n, |_| {
                for _ in 0..work::CALLS {
                    process::nanosleep(work::BLOCKED);
                    yield_now();
                }
                1
            });
            over.store(true, Ordering::Relaxed);
            (ended, ticker.join().ok())
        })?;
        gaps = seen;
        expect("callers", ended, n)
    })?;
    Ok(timed.with("p99_ns", gaps.ok_or("the ticker panicked")?.p99))
}

fn matmul_steal(cell: &Cell) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let n = cell.n;
    let timed =
        measure::whole(cell, n, || expect("sum of the pieces", enter(move || sum(n, work::piece))?, want))?;
    Ok(measure::efficiency(cell, serial, timed))
}
