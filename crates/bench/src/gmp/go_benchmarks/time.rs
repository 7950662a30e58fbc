//! Loops of Go's `time/sleep_test.go` and `tick_test.go`. An operation of those with a number in their names is one
//! timer and not all of them.

use super::parts::{any, each, fixed, parallel, spin, warm};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::workload::Benchmark;
use gmp::chan;
use gmp::sync::WaitGroup;
use gmp::time::{self, Ticker, Timer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkAfterFunc1000", |cell| among_timers(cell, THOUSAND, chained)),
    any("BenchmarkAfter", |cell| {
        among_timers(cell, THOUSAND, |count| {
            (0..count).filter(|_| time::after(NANOSECOND).recv().is_ok()).count() as u64
        })
    }),
    any("BenchmarkStop/impl=chan", |cell| {
        among_timers(cell, THOUSAND, |count| {
            (0..count).filter(|_| Timer::new(Duration::from_secs(1)).stop()).count() as u64
        })
    }),
    any("BenchmarkStop/impl=func", |cell| {
        among_timers(cell, THOUSAND, |count| {
            (0..count).filter(|_| time::after_func(Duration::from_secs(1), || ()).stop()).count() as u64
        })
    }),
    any("BenchmarkSimultaneousAfterFunc1000", |cell| {
        among_timers(cell, THOUSAND, |count| {
            let mut fired = 0;
            while fired < count {
                let all = WaitGroup::new();
                all.add(THOUSAND as usize);
                for _ in 0..THOUSAND {
                    let all = all.clone();
                    time::after_func(Duration::ZERO, move || all.done());
                }
                all.wait();
                fired += THOUSAND;
            }
            fired
        })
    }),
    any("BenchmarkStartStop1000", |cell| {
        among_timers(cell, THOUSAND, |count| {
            (0..count / THOUSAND).map(|_| start_stop(THOUSAND, |_| ())).sum()
        })
    }),
    any("BenchmarkReset/impl=chan", |cell| {
        among_timers(cell, THOUSAND, |count| resets(&Timer::new(HOUR), count))
    }),
    any("BenchmarkReset/impl=func", |cell| {
        among_timers(cell, THOUSAND, |count| resets(&time::after_func(HOUR, || ()), count))
    }),
    any("BenchmarkSleep1000", |cell| {
        among_timers(cell, THOUSAND, |count| {
            let mut slept = 0;
            while slept < count {
                let all = WaitGroup::new();
                (0..THOUSAND).for_each(|_| all.go(|| gmp::sleep(NANOSECOND)));
                all.wait();
                slept += THOUSAND;
            }
            slept
        })
    }),
    any("BenchmarkAdjustTimers10000", |cell| {
        among_timers(cell, 10 * THOUSAND, |count| {
            let moved = |last: &Timer| {
                last.reset(NANOSECOND);
                gmp::sleep(Duration::from_micros(1));
            };
            // The last one has gone off in most cases.
            let all_but_one = |_: &u64| start_stop(10 * THOUSAND, moved) >= 10 * THOUSAND - 1;
            (0..count / (10 * THOUSAND)).filter(all_but_one).count() as u64 * 10 * THOUSAND
        })
    }),
    any("BenchmarkTicker", |cell| {
        among_timers(cell, THOUSAND, |count| {
            let ticker = Ticker::new(NANOSECOND);
            each(count, || {
                ticker.tick();
            })
        })
    }),
    any("BenchmarkTickerReset", |cell| {
        among_timers(cell, THOUSAND, |count| {
            let ticker = Ticker::new(NANOSECOND);
            each(count, || ticker.reset(2 * NANOSECOND))
        })
    }),
    any("BenchmarkTickerResetNaive", |cell| {
        among_timers(cell, THOUSAND, |count| {
            let mut ticker = Ticker::new(NANOSECOND);
            each(count, || {
                ticker.stop();
                ticker = Ticker::new(2 * NANOSECOND);
            })
        })
    }),
    fixed("BenchmarkParallelTimerLatency", &[2], &[200], 10, parallel_latency),
    fixed("BenchmarkStaggeredTickerLatency", &[2], &[100], 5, staggered_latency),
];

const NANOSECOND: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);
const THOUSAND: u64 = 1000;
/// Timers of an hour that each processor has beside those that are measured.
const BYSTANDERS: u64 = 1 << 15;

/// A benchmark in parallel beside many timers that never go off. Each worker does whole batches of `step` operations.
fn among_timers(
    cell: &Cell,
    step: u64,
    body: impl Fn(u64) -> u64 + Copy + Send + 'static,
) -> Result<Figures> {
    let others = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&others);
    parallel(cell.procs, cell.procs as u64, move |_| {
        let own: Vec<_> = (0..BYSTANDERS).map(|_| time::after_func(HOUR, || ())).collect();
        theirs.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        0
    });
    let figures = measure::looped(cell, |n| {
        let batches = n.div_ceil(step);
        let done = parallel(cell.procs, batches, move |batches| body(batches * step));
        expect("operations", done, batches * step)
    });
    let others = std::mem::take(&mut *others.lock().unwrap_or_else(PoisonError::into_inner));
    let stopped = others.iter().flatten().filter(|timer| timer.stop()).count() as u64;
    expect("timers that never went off", stopped, cell.procs as u64 * BYSTANDERS)?;
    figures
}

/// A thousand timers, each started by the one before.
fn chained(count: u64) -> u64 {
    fn next(left: u64, over: gmp::Sender<()>) {
        if left == 0 {
            let _sent = over.send(());
        } else {
            time::after_func(Duration::ZERO, move || next(left - 1, over.clone()));
        }
    }
    let mut fired = 0;
    while fired < count {
        let (over, end) = chan(0);
        next(THOUSAND, over);
        let _over = end.recv();
        fired += THOUSAND;
    }
    fired
}

/// Makes this many timers, hands out the last one, and returns how many of them could be stopped.
fn start_stop(many: u64, meanwhile: impl FnOnce(&Timer)) -> u64 {
    let timers: Vec<_> = (0..many).map(|_| time::after_func(HOUR, || ())).collect();
    meanwhile(&timers[timers.len() - 1]);
    timers.iter().filter(|timer| timer.stop()).count() as u64
}

fn resets(timer: &Timer, count: u64) -> u64 {
    let active = (0..count).filter(|_| timer.reset(HOUR)).count();
    timer.stop();
    active as u64
}

/// By how much it is later now than expected, in nanoseconds.
fn late(expected: Instant) -> u64 {
    expected.elapsed().as_nanos() as u64
}

/// Timers go off on all processors but the one that made them and goes on computing; each waits for the others, so
/// they must run at once.
fn parallel_latency(cell: &Cell) -> Result<Figures> {
    const DELAY: Duration = Duration::from_millis(1);
    let timers = cell.procs as u64 - 1;
    warm(cell.procs);
    spin(Duration::from_millis(30));
    let values: Arc<[AtomicU64]> = (0..cell.n * timers).map(|_| AtomicU64::new(0)).collect();
    let timed = measure::once(cell, cell.n * timers, || {
        for round in 0..cell.n {
            let (fired, ended) = (Arc::new(AtomicU64::new(0)), WaitGroup::new());
            ended.add(timers as usize);
            let wait = move |fired: &AtomicU64| while fired.load(Ordering::Relaxed) < timers {};
            for i in 0..timers {
                let (values, theirs, ended) = (Arc::clone(&values), Arc::clone(&fired), ended.clone());
                let expected = Instant::now() + DELAY;
                time::after_func(DELAY, move || {
                    values[(round * timers + i) as usize].store(late(expected), Ordering::Relaxed);
                    theirs.fetch_add(1, Ordering::Relaxed);
                    wait(&theirs);
                    ended.done();
                });
            }
            wait(&fired);
            ended.wait();
            spin(Duration::from_millis(1));
        }
        Ok(())
    })?;
    let values = values.iter().map(|value| value.load(Ordering::Relaxed) as f64);
    Ok(Latencies::of(values.collect()).figures(timed))
}

/// Tickers of 3 ms at different phases, each followed by 300 us of work; nine for each processor, so that nine tenths
/// of all CPU time is asked for.
fn staggered_latency(cell: &Cell) -> Result<Figures> {
    const DELAY: Duration = Duration::from_millis(3);
    const LOAD: Duration = Duration::from_micros(300);
    let (tickers, n) = (cell.procs as u64 * 9, cell.n);
    warm(cell.procs);
    let mut values = Vec::with_capacity((n * tickers) as usize);
    let timed = measure::once(cell, n * tickers, || {
        let ticking = |_| {
            spin(DELAY / cell.procs as u32);
            let (mut expected, ticker) = (Instant::now() + DELAY, Ticker::new(DELAY));
            gmp::go(move || {
                let tick = |_| {
                    ticker.tick();
                    let late = late(expected);
                    expected += DELAY;
                    spin(LOAD);
                    late as f64
                };
                (0..n).map(tick).collect::<Vec<_>>()
            })
        };
        let all: Vec<_> = (0..tickers).map(ticking).collect();
        values.extend(all.into_iter().flat_map(|one| one.join().unwrap_or_default()));
        expect("ticks", values.len() as u64, n * tickers)
    })?;
    Ok(Latencies::of(values).figures(timed))
}
