//! The machine and its operating system, timed.

use crate::costs::MachineCosts;
use gmp_arch_amd64::Amd64;
use gmp_core::contract::Switch;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two nodes a line takes about this many times as long as inside one (a usual figure for two sockets).
const FAR: f64 = 2.7;
/// Repetitions of what takes microseconds.
const TIMES: usize = 300;

/// The costs that can be measured here; the others stay as they were.
pub(super) fn measured(before: &MachineCosts) -> MachineCosts {
    let (futex_wake, wake_latency, slept) = wakes();
    let transfer_near = transfer().unwrap_or(before.transfer_near);
    MachineCosts {
        locked: locked(),
        transfer_near,
        transfer_far: transfer_near * FAR,
        futex_wake,
        wake_latency,
        futex_sleep: slept.unwrap_or(before.futex_sleep),
        timed_sleep: timed_sleep().unwrap_or(before.timed_sleep),
        thread_make: thread_make(),
        sleep_slack: sleep_slack(),
        cold: cold(),
        heavy_fence: Amd64::heavy_fence()
            .map_or(before.heavy_fence, |fence| median((0..TIMES).map(|_| nanoseconds(fence)))),
        ..before.clone()
    }
}

fn nanoseconds(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_nanos() as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn locked() -> f64 {
    const COUNT: u64 = 100_000;
    let word = AtomicU64::new(0);
    let add = |_| {
        word.fetch_add(1, Ordering::Relaxed);
    };
    let round = || nanoseconds(|| (0..COUNT).for_each(add)) / COUNT as f64;
    (0..30).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// The time that a line takes to and fro between two CPUs; `None`: there is one CPU.
fn transfer() -> Option<f64> {
    const ROUND_TRIPS: u64 = 200;
    if thread::available_parallelism().ok()?.get() < 2 {
        return None;
    }
    let round = || {
        let word = AtomicU64::new(0);
        let wait = |turn: u64| {
            while word.load(Ordering::Acquire) != turn {
                std::hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0..ROUND_TRIPS {
                    wait(2 * turn + 1);
                    word.store(2 * turn + 2, Ordering::Release);
                }
            });
            let trips = || {
                for turn in 0..ROUND_TRIPS {
                    word.store(2 * turn + 1, Ordering::Release);
                    wait(2 * turn + 2);
                }
            };
            nanoseconds(trips) / (2 * ROUND_TRIPS) as f64
        })
    };
    // Where others keep a CPU busy, the two threads wait for each other's turn, so a few quick rounds are enough.
    let begin = Instant::now();
    let rounds = (0..500).take_while(|_| begin.elapsed() < Duration::from_secs(2)).map(|_| round());
    Some(rounds.fold(f64::INFINITY, f64::min))
}

/// The call that wakes a thread, the time until it runs, and the CPU time that its sleep takes it.
fn wakes() -> (f64, f64, Option<f64>) {
    let (stop, woken_at) = (AtomicBool::new(false), AtomicU64::new(0));
    let beginning = Instant::now();
    let now = || beginning.elapsed().as_nanos() as u64;
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let before = cpu_time();
            while !stop.load(Ordering::Acquire) {
                thread::park();
                woken_at.store(now(), Ordering::Release);
            }
            Some((cpu_time()? - before?) / TIMES as f64)
        });
        let wake = || {
            thread::sleep(Duration::from_micros(300));
            let start = now();
            woken_at.store(0, Ordering::Release);
            sleeper.thread().unpark();
            let call = (now() - start) as f64;
            while woken_at.load(Ordering::Acquire) == 0 {
                std::hint::spin_loop();
            }
            (call, (woken_at.load(Ordering::Acquire) - start) as f64)
        };
        let all: Vec<(f64, f64)> = (0..TIMES).map(|_| wake()).collect();
        stop.store(true, Ordering::Release);
        sleeper.thread().unpark();
        let slept = sleeper.join().ok().flatten();
        (median(all.iter().map(|both| both.0)), median(all.iter().map(|both| both.1)), slept)
    })
}

/// The calling thread's CPU time in nanoseconds, as the kernel counts it.
fn cpu_time() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// The CPU time of a thread that sleeps for a while.
fn timed_sleep() -> Option<f64> {
    let before = cpu_time()?;
    (0..TIMES).for_each(|_| thread::park_timeout(Duration::from_micros(500)));
    Some((cpu_time()? - before) / TIMES as f64)
}

/// How long three lines of a page take that was last used this many pages ago: a goroutine's stack is a page.
fn cold() -> Vec<[f64; 2]> {
    const PAGE: usize = 4096;
    const COUNTS: [usize; 5] = [64, 1024, 4096, 16384, 32768];
    let mut memory = vec![1_u8; PAGE * COUNTS[COUNTS.len() - 1]];
    let mut round = |pages: usize| {
        let visit = || {
            // They are taken in the order in which they were handed out, as goroutines mostly come back.
            for page in 0..pages {
                // Stacks begin at different lines, or they would share cache sets.
                let line = page * PAGE + page % 61 * 64;
                (0..3).for_each(|at| memory[line + at * 64] = memory[line + at * 64].wrapping_add(1));
            }
        };
        nanoseconds(visit) / pages as f64
    };
    let best = COUNTS.map(|pages| (0..8).map(|_| round(pages)).fold(f64::INFINITY, f64::min));
    COUNTS.iter().zip(best).map(|(pages, ns)| [*pages as f64, (ns - best[0]).max(0.0)]).collect()
}

fn thread_make() -> f64 {
    let one = || {
        let start = Instant::now();
        let made = thread::Builder::new().spawn(|| {});
        let took = start.elapsed().as_nanos() as f64;
        if let Ok(thread) = made {
            let _ended = thread.join();
        }
        took
    };
    median((0..TIMES).map(|_| one()))
}

fn sleep_slack() -> f64 {
    const ASKED: Duration = Duration::from_micros(3);
    median((0..TIMES).map(|_| nanoseconds(|| thread::sleep(ASKED)) - ASKED.as_nanos() as f64))
}
