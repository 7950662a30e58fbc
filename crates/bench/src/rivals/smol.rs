//! Rival: smol, one executor with a thread for each processor.

mod chan;

use crate::catalogue::{Library, NO_POLICY};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies, TICK, Ticks};
use crate::{process, work};
use smol::future::{block_on, yield_now};
use smol::{Executor, Timer};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

pub(crate) const LIBRARY: Library = Library {
    name: "smol",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: &[
        "yield_2",
        "yield_1000",
        "spawn_join",
        "spawn_burst",
        "spawn_tree",
        "fib",
        "park_unpark",
        "park_unpark_chan",
        "skynet",
        "chan_pingpong",
        "chan_buffered_spsc",
        "chan_mpmc",
        "select_2",
        "mutex_contended",
        "mem_parked",
        "sleep_many",
        "hog_fairness",
        "blocking_sys",
        "blocking_sys_declared",
        "matmul_steal",
    ],
    run,
};

/// The one executor of this process: its threads live as long as the process.
fn executor() -> &'static Executor<'static> {
    static EXECUTOR: OnceLock<Executor<'static>> = OnceLock::new();
    EXECUTOR.get_or_init(Executor::new)
}

fn go<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> smol::Task<T> {
    executor().spawn(future)
}

/// Runs `main` on the executor and waits for it on this thread, which does no work of its own.
fn enter<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
    block_on(go(main))
}

fn run(cell: &Cell) -> Result<Figures> {
    for _ in 0..cell.procs {
        std::thread::spawn(|| block_on(executor().run(std::future::pending::<()>())));
    }
    match cell.workload.as_str() {
        "yield_2" => yields(cell, 2),
        "yield_1000" => yields(cell, 1000),
        "spawn_join" => measure::looped(cell, |n| {
            let ended = enter(async move {
                let mut ended = 0;
                for _ in 0..n {
                    ended += go(async { 1 }).await;
                }
                ended
            });
            expect("children joined", ended, n)
        }),
        "spawn_burst" => spawn_burst(cell),
        "spawn_tree" => {
            let (depth, want) = (cell.n, work::tree_nodes(cell.n));
            measure::whole(cell, want, || expect("nodes", enter(nodes(depth)), want))
        }
        "fib" => {
            let n = cell.n;
            measure::whole(cell, work::fib_calls(n), || expect("fib", enter(fib(n)), work::fib(n)))
        }
        // It has no way to park that is not a channel, so the two are one.
        "park_unpark" | "park_unpark_chan" => park_unpark(cell),
        "mem_parked" => mem_parked(cell),
        "sleep_many" => sleep_many(cell),
        "hog_fairness" => hog_fairness(cell),
        "blocking_sys" => blocking_sys(cell, false),
        "blocking_sys_declared" => blocking_sys(cell, true),
        "matmul_steal" => matmul_steal(cell),
        _ => chan::run(cell),
    }
}

/// Waits for all and adds what they give.
async fn sum(all: Vec<smol::Task<u64>>) -> u64 {
    let mut sum = 0u64;
    for one in all {
        sum = sum.wrapping_add(one.await);
    }
    sum
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

async fn ticker(over: Arc<AtomicBool>) -> Latencies {
    let mut ticks = Ticks::start();
    while !over.load(Ordering::Relaxed) {
        Timer::after(TICK).await;
        ticks.tick();
    }
    ticks.gaps()
}

fn hog_fairness(cell: &Cell) -> Result<Figures> {
    let time = Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        gaps = Some(enter(async move {
            let over = Arc::new(AtomicBool::new(false));
            let ticker = go(ticker(Arc::clone(&over)));
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
            let ticker = go(ticker(Arc::clone(&over)));
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
