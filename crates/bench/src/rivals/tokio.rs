//! Rival: tokio, as two libraries: its multi-threaded scheduler and its single-threaded one.

mod chan;
mod echo;
mod runtime;

use crate::cell::{Cell, Figures, Result, expect};
use crate::connections::{self, answer, read};
use crate::echo::MANY;
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::measure::{self, Latencies, TICK, Ticks};
use crate::{process, work};
use runtime::enter;
use std::future::Future;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{spawn_blocking, yield_now};
use tokio::{spawn, time::sleep};

pub(crate) const MULTI_THREAD: Library = library("tokio");
/// The single-threaded scheduler uses one processor whatever it is given: it is shown at 1 and at 2 as what it is.
pub(crate) const CURRENT_THREAD: Library = library(runtime::SINGLE);

const fn library(name: &'static str) -> Library {
    let workloads = || library::names(PROGRAMS);
    Library { name, policies: &[NO_POLICY], idle_rules: &[], workloads, own_groups: &[], run }
}

const PROGRAMS: &Programs<fn(&Cell, &Runtime) -> Result<Figures>> = &[
    ("yield_2", |cell, runtime| yields(cell, runtime, 2)),
    ("yield_1000", |cell, runtime| yields(cell, runtime, 1000)),
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
    ("hog_fairness", |cell, runtime| hog_fairness(cell, runtime, 1)),
    ("hog_fairness_4", |cell, runtime| hog_fairness(cell, runtime, 4)),
    ("blocking_sys", |cell, runtime| blocking_sys(cell, runtime, false)),
    ("blocking_sys_declared", |cell, runtime| blocking_sys(cell, runtime, true)),
    ("blocking_often", blocking_often),
    ("blocking_short", blocking_short),
    ("tcp_echo", |cell, runtime| echo::tcp_echo(cell, runtime, MANY)),
    ("tcp_echo_1", |cell, runtime| echo::tcp_echo(cell, runtime, 1)),
    ("matmul_steal", matmul_steal),
];

fn run(cell: &Cell) -> Result<Figures> {
    library::program(PROGRAMS, cell)?(cell, &runtime::new(cell)?)
}

fn spawn_join(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = enter(runtime, async move {
            let mut ended = 0;
            for _ in 0..n {
                ended += u64::from(spawn(async {}).await.is_ok());
            }
            ended
        })?;
        expect("children joined", ended, n)
    })
}

fn spawn_tree(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let (depth, want) = (cell.n, work::tree_nodes(cell.n));
    measure::whole(cell, want, || expect("nodes", enter(runtime, nodes(depth))?, want))
}

fn fib_of(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let n = cell.n;
    measure::whole(cell, work::fib_calls(n), || expect("fib", enter(runtime, fib(n))?, work::fib(n)))
}

fn yields(cell: &Cell, runtime: &Runtime, many: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let done = enter(runtime, async move {
            let all: Vec<_> = (0..many)
                .map(|_| {
                    spawn(async move {
                        for _ in 0..n / many {
                            yield_now().await;
                        }
                        n / many
                    })
                })
                .collect();
            let mut done = 0;
            for one in all {
                done += one.await.unwrap_or(0);
            }
            done
        })?;
        expect("yields", done, n)
    })
}

fn spawn_burst(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let timed = measure::whole(cell, n, || {
        let ended = enter(runtime, async move {
            let all: Vec<_> = (0..n).map(|_| spawn(async {})).collect();
            let mut ended = 0;
            for one in all {
                ended += u64::from(one.await.is_ok());
            }
            ended
        })?;
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
        let (left, right) = (spawn(nodes(depth - 1)), spawn(nodes(depth - 1)));
        1 + left.await.unwrap_or(0) + right.await.unwrap_or(0)
    })
}

fn fib(n: u64) -> Boxed {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let other = spawn(fib(n - 1));
        fib(n - 2).await + other.await.unwrap_or(0)
    })
}

fn park_unpark(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        latencies = enter(runtime, async move {
            let wake = Arc::new((Notify::new(), Mutex::new(None::<Instant>)));
            let theirs = Arc::clone(&wake);
            let receiver = spawn(async move {
                let mut latencies = Vec::with_capacity(samples);
                while latencies.len() < samples {
                    theirs.0.notified().await;
                    let sent = theirs.1.lock().unwrap().take();
                    latencies.extend(sent.map(|at| at.elapsed().as_nanos() as f64));
                }
                latencies
            });
            while !receiver.is_finished() {
                sleep(work::QUIET).await;
                *wake.1.lock().unwrap() = Some(Instant::now());
                wake.0.notify_one();
            }
            receiver.await.unwrap_or_default()
        })?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}

fn mem_parked(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let (before, n) = (process::rss(), cell.n);
    let timed = measure::once(cell, n, || {
        let parked = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&parked);
        enter(runtime, async move {
            for _ in 0..n {
                let parked = Arc::clone(&theirs);
                spawn(async move {
                    parked.fetch_add(1, Ordering::Relaxed);
                    std::future::pending::<()>().await;
                });
            }
            while theirs.load(Ordering::Relaxed) < n {
                yield_now().await;
            }
        })?;
        expect("parked", parked.load(Ordering::Relaxed), n)
    })?;
    let growth = process::rss().saturating_sub(before) as f64 / n as f64;
    Ok(timed.with("bytes_per_g", growth).with("maps", process::mappings() as f64))
}

fn sleep_many(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let n = cell.n;
    let mut late = Vec::new();
    let timed = measure::once(cell, n * work::CALLS, || {
        late = enter(runtime, async move {
            let all: Vec<_> = (0..n).map(|i| spawn(sleeper(i))).collect();
            let mut late = Vec::with_capacity((n * work::CALLS) as usize);
            for one in all {
                late.extend(one.await.into_iter().flatten());
            }
            late
        })?;
        expect("sleeps", late.len() as u64, n * work::CALLS)
    })?;
    Ok(measure::sleeps(timed, late))
}

async fn sleeper(i: u64) -> [f64; work::CALLS as usize] {
    let mut late = [0.0; work::CALLS as usize];
    for (k, late) in late.iter_mut().enumerate() {
        let time = Duration::from_millis(work::sleep_ms(i, k as u64));
        let start = Instant::now();
        sleep(time).await;
        *late = start.elapsed().saturating_sub(time).as_nanos() as f64;
    }
    late
}

async fn ticker(over: Arc<AtomicBool>, mut ticks: Ticks) -> Latencies {
    loop {
        sleep(TICK).await;
        ticks.tick();
        if over.load(Ordering::Relaxed) {
            return ticks.gaps();
        }
    }
}

fn hog_fairness(cell: &Cell, runtime: &Runtime, hogs: usize) -> Result<Figures> {
    let time = Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        gaps = enter(runtime, async move {
            let over = Arc::new(AtomicBool::new(false));
            let ticker = spawn(ticker(Arc::clone(&over), Ticks::start()));
            sleep(10 * TICK).await;
            let hog = |_| spawn(async move { work::hog(Instant::now() + time) });
            for hog in (0..hogs).map(hog).collect::<Vec<_>>() {
                let _ended = hog.await;
            }
            over.store(true, Ordering::Relaxed);
            ticker.await.ok()
        })?;
        Ok(())
    })?;
    measure::fairness(timed, gaps)
}

fn blocking_sys(cell: &Cell, runtime: &Runtime, declared: bool) -> Result<Figures> {
    let n = cell.n;
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let (ended, seen) = enter(runtime, async move {
            let over = Arc::new(AtomicBool::new(false));
            let ticker = spawn(ticker(Arc::clone(&over), Ticks::start()));
            let callers: Vec<_> = (0..n).map(|_| spawn(caller(declared))).collect();
            let mut ended = 0;
            for caller in callers {
                ended += u64::from(caller.await.is_ok());
            }
            over.store(true, Ordering::Relaxed);
            (ended, ticker.await.ok())
        })?;
        gaps = seen;
        expect("callers", ended, n)
    })?;
    Ok(timed.with("p99_ns", gaps.ok_or("the ticker panicked")?.p99))
}

async fn caller(declared: bool) {
    for _ in 0..work::CALLS {
        if declared {
            let _ended = spawn_blocking(|| process::nanosleep(work::BLOCKED)).await;
        } else {
            process::nanosleep(work::BLOCKED);
            yield_now().await;
        }
    }
}

fn blocking_often(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let calls = cell.n;
    measure::once(cell, work::CALLERS * calls, || {
        let ended = enter(runtime, async move {
            let mut ended = 0;
            for caller in (0..work::CALLERS).map(|_| spawn(often(calls))).collect::<Vec<_>>() {
                ended += u64::from(caller.await.is_ok());
            }
            ended
        })?;
        expect("callers", ended, work::CALLERS)
    })
}

async fn often(calls: u64) {
    for _ in 0..calls {
        process::nanosleep(work::BLOCKED_SHORTLY);
        yield_now().await;
    }
}

fn blocking_short(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    connections::measure(cell, |connections| {
        enter(runtime, async move {
            let servers: Vec<_> = connections.into_iter().map(|one| spawn(server(one))).collect();
            let mut answered = 0;
            for server in servers {
                answered += server.await.unwrap_or(0);
            }
            answered
        })
    })
}

async fn server(connection: UnixStream) -> u64 {
    let connection = Arc::new(connection);
    let mut answered = 0;
    loop {
        let one = Arc::clone(&connection);
        let Ok(Some(request)) = spawn_blocking(move || read(&one)).await else { return answered };
        let one = Arc::clone(&connection);
        let answer = spawn_blocking(move || answer(&one, request)).await;
        answered += u64::from(answer.is_ok_and(|sent| sent));
    }
}

fn matmul_steal(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let n = cell.n;
    let timed = measure::whole(cell, n, || {
        let sum = enter(runtime, async move {
            let all: Vec<_> = (0..n).map(|i| spawn(async move { work::piece(i) })).collect();
            let mut sum = 0u64;
            for one in all {
                sum = sum.wrapping_add(one.await.unwrap_or(0));
            }
            sum
        })?;
        expect("sum of the pieces", sum, want)
    })?;
    Ok(measure::efficiency(cell, serial, timed))
}
