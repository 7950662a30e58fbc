//! Rival: smol, one executor with a thread for each processor.

mod chan;
mod executor;

use crate::cell::{Cell, Figures, Result, expect};
use crate::connections::{self, answer, read};
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::measure::{self, Latencies, TICK, Ticks};
use crate::workload::Run;
use crate::{process, work};
use executor::{enter, go, sum};
use smol::Timer;
use smol::future::yield_now;
use std::future::Future;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const LIBRARY: Library = Library {
    name: "smol",
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
    // It has no way to park that is not a channel, so the two are one.
    ("park_unpark", park_unpark),
    ("park_unpark_chan", park_unpark),
    ("skynet", chan::skynet),
    ("chan_pingpong", chan::chan_pingpong),
    ("chan_buffered_spsc", chan::chan_buffered_spsc),
    ("chan_mpmc", chan::chan_mpmc),
    ("select_2", chan::select_2),
    ("mutex_contended", chan::mutex_contended),
    ("mem_parked", mem_parked),
    ("sleep_many", sleep_many),
    ("hog_fairness", hog_fairness),
    ("blocking_sys", |cell| blocking_sys(cell, false)),
    ("blocking_sys_declared", |cell| blocking_sys(cell, true)),
    ("blocking_short", blocking_short),
    ("matmul_steal", matmul_steal),
];

fn run(cell: &Cell) -> Result<Figures> {
    executor::start(cell.procs);
    library::program(PROGRAMS, cell)?(cell)
}

fn spawn_join(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = enter(async move {
            let mut ended = 0;
            for _ in 0..n {
                ended += go(async { 1 }).await;
            }
            ended
        });
        expect("children joined", ended, n)
    })
}

fn spawn_tree(cell: &Cell) -> Result<Figures> {
    let (depth, want) = (cell.n, work::tree_nodes(cell.n));
    measure::whole(cell, want, || expect("nodes", enter(nodes(depth)), want))
}

fn fib_of(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    measure::whole(cell, work::fib_calls(n), || expect("fib", enter(fib(n)), work::fib(n)))
}

fn yields(cell: &Cell, many: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let one = move |_| {
            go(async move {
                for _ in 0..n / many {
                    yield_now().await;
                }
                n / many
            })
        };
        expect("yields", enter(async move { sum((0..many).map(one).collect()).await }), n)
    })
}

fn spawn_burst(cell: &Cell) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let timed = measure::whole(cell, n, || {
        let ended = enter(async move { sum((0..n).map(|_| go(async { 1 })).collect()).await });
        expect("goroutines run", ended, n)
    })?;
    Ok(measure::bytes_per_g(cell, before, timed))
}

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

fn nodes(depth: u64) -> Boxed {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let (left, right) = (go(nodes(depth - 1)), go(nodes(depth - 1)));
        1 + left.await + right.await
    })
}

fn fib(n: u64) -> Boxed {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let other = go(fib(n - 1));
        fib(n - 2).await + other.await
    })
}

fn park_unpark(cell: &Cell) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        latencies = enter(async move {
            let (send, receive) = smol::channel::bounded::<Instant>(1);
            let receiver = go(async move {
                let mut latencies = Vec::with_capacity(samples);
                while let Ok(at) = receive.recv().await {
                    latencies.push(at.elapsed().as_nanos() as f64);
                }
                latencies
            });
            for _ in 0..samples {
                Timer::after(work::QUIET).await;
                let _ended = send.send(Instant::now()).await;
            }
            drop(send);
            receiver.await
        });
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}

fn mem_parked(cell: &Cell) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let parked = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&parked);
    let timed = measure::once(cell, n, || {
        enter(async move {
            for _ in 0..n {
                let parked = Arc::clone(&theirs);
                go(async move {
                    parked.fetch_add(1, Ordering::Relaxed);
                    std::future::pending::<()>().await;
                })
                .detach();
            }
            while theirs.load(Ordering::Relaxed) < n {
                yield_now().await;
            }
        });
        expect("parked", parked.load(Ordering::Relaxed), n)
    })?;
    let growth = process::rss().saturating_sub(before) as f64 / n as f64;
    Ok(timed.with("bytes_per_g", growth).with("maps", process::mappings() as f64))
}

fn sleep_many(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    let late = Arc::new(Mutex::new(Vec::with_capacity((n * work::CALLS) as usize)));
    let theirs = Arc::clone(&late);
    let timed = measure::once(cell, n * work::CALLS, || {
        enter(async move { sum((0..n).map(|i| go(sleeper(i, Arc::clone(&theirs)))).collect()).await });
        expect("sleeps", late.lock().unwrap().len() as u64, n * work::CALLS)
    })?;
    let late = std::mem::take(&mut *late.lock().unwrap());
    Ok(measure::sleeps(timed, late))
}

async fn sleeper(i: u64, all: Arc<Mutex<Vec<f64>>>) -> u64 {
    let mut late = [0.0; work::CALLS as usize];
    for (k, late) in late.iter_mut().enumerate() {
        let time = Duration::from_millis(work::sleep_ms(i, k as u64));
        let start = Instant::now();
        Timer::after(time).await;
        *late = start.elapsed().saturating_sub(time).as_nanos() as f64;
    }
    all.lock().unwrap().extend(late);
    1
}

async fn ticker(over: Arc<AtomicBool>, mut ticks: Ticks) -> Latencies {
    loop {
        Timer::after(TICK).await;
        ticks.tick();
        if over.load(Ordering::Relaxed) {
            return ticks.gaps();
        }
    }
}

fn hog_fairness(cell: &Cell) -> Result<Figures> {
    let time = Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        gaps = Some(enter(async move {
            let over = Arc::new(AtomicBool::new(false));
            let ticker = go(ticker(Arc::clone(&over), Ticks::start()));
            Timer::after(10 * TICK).await;
            go(async move { work::hog(Instant::now() + time) }).await;
            over.store(true, Ordering::Relaxed);
            ticker.await
        }));
        Ok(())
    })?;
    measure::fairness(timed, gaps)
}

fn blocking_sys(cell: &Cell, declared: bool) -> Result<Figures> {
    let n = cell.n;
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let (ended, seen) = enter(async move {
            let over = Arc::new(AtomicBool::new(false));
            let ticker = go(ticker(Arc::clone(&over), Ticks::start()));
            let ended = sum((0..n).map(|_| go(caller(declared))).collect()).await;
            over.store(true, Ordering::Relaxed);
            (ended, ticker.await)
        });
        gaps = Some(seen);
        expect("callers", ended, n)
    })?;
    Ok(timed.with("p99_ns", gaps.ok_or("the ticker did not end")?.p99))
}

async fn caller(declared: bool) -> u64 {
    for _ in 0..work::CALLS {
        if declared {
            smol::unblock(|| process::nanosleep(work::BLOCKED)).await;
        } else {
            process::nanosleep(work::BLOCKED);
            yield_now().await;
        }
    }
    1
}

fn blocking_short(cell: &Cell) -> Result<Figures> {
    connections::measure(cell, |connections| {
        Ok(enter(async move { sum(connections.into_iter().map(|one| go(server(one))).collect()).await }))
    })
}

async fn server(connection: UnixStream) -> u64 {
    let connection = Arc::new(connection);
    let mut answered = 0;
    loop {
        let one = Arc::clone(&connection);
        let Some(request) = smol::unblock(move || read(&one)).await else { return answered };
        let one = Arc::clone(&connection);
        answered += u64::from(smol::unblock(move || answer(&one, request)).await);
    }
}

fn matmul_steal(cell: &Cell) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let n = cell.n;
    let timed = measure::whole(cell, n, || {
        let got =
            enter(async move { sum((0..n).map(|i| go(async move { work::piece(i) })).collect()).await });
        expect("sum of the pieces", got, want)
    })?;
    Ok(measure::efficiency(cell, serial, timed))
}
