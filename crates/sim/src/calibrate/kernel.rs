//! What the operating system takes to wake a thread and to let one sleep, timed.

use super::timing::median;
use crate::costs::Spread;
use gmp_arch_amd64::Amd64;
use gmp_core::contract::{Switch, ThreadSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often each is measured.
const TIMES: usize = 500;
/// A waker has been at work for at least this long before its wake, and goes on for as long: the kernel treats one that
/// has just slept differently.
const AT_WORK: u64 = 300_000;
/// A thread that sees the clock jump by more than this was not running.
const JUMP: u64 = 1_000;
/// Between two wakes the sleeper has fallen asleep.
const PAUSE: Duration = Duration::from_micros(300);

pub(super) struct Kernel {
    pub(super) wake_call: f64,
    pub(super) futex_wake: Spread,
    pub(super) wake_latency: Spread,
    pub(super) wake_beside: Spread,
    /// CPU time of a sleep and of one until a moment; `None`: the kernel does not count it.
    pub(super) futex_sleep: Option<f64>,
    pub(super) timed_sleep: Option<f64>,
    pub(super) sleep_slack: Spread,
}

pub(super) fn measured() -> Kernel {
    let (all, futex_sleep) =
        with_sleeper(|sleeper| (0..TIMES).map(|_| sleeper.wake_and_go_on()).collect::<Vec<_>>());
    let of = |which: fn(&Woken) -> f64| spread(all.iter().map(which));
    let (wake_beside, _) =
        with_sleeper(|sleeper| spread((0..TIMES).filter_map(|_| sleeper.wake_and_sleep())));
    Kernel {
        // In a slower one its caller was held up before it was over.
        wake_call: of(|woken| woken.call).at(0.1),
        futex_wake: of(|woken| woken.taken),
        wake_latency: of(|woken| woken.up),
        wake_beside,
        futex_sleep,
        timed_sleep: timed_sleep(),
        sleep_slack: sleep_slack(),
    }
}

/// Every twentieth part of the values. The slowest one of twenty is left out: that was another program's doing, and there
/// is no telling how slow it would be the next time.
fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    let shares = (0..=20).map(|part| f64::from(part) * 0.0475);
    Spread(shares.filter_map(|share| values.get((share * last) as usize).copied()).collect())
}

/// A wake, in nanoseconds.
struct Woken {
    /// The call.
    call: f64,
    /// For how long the caller did not get on: the call, and what it was held up for.
    taken: f64,
    /// From the call until the sleeper ran.
    up: f64,
}

/// A thread that sleeps until it is woken, and notes when that was.
struct Sleeper<'a> {
    thread: &'a Thread,
    beginning: Instant,
    woken_at: &'a AtomicU64,
}

impl Sleeper<'_> {
    fn now(&self) -> u64 {
        self.beginning.elapsed().as_nanos() as u64
    }

    /// A wake by one that has been at work and goes on.
    fn wake_and_go_on(&self) -> Woken {
        let begin = self.now();
        while self.now() - begin < AT_WORK {}
        self.woken_at.store(0, Ordering::Release);
        let start = self.now();
        self.thread.unpark();
        let mut last = self.now();
        let call = last - start;
        let mut taken = call;
        while self.woken_at.load(Ordering::Acquire) == 0 || last - start < AT_WORK {
            let now = self.now();
            if now - last > JUMP {
                taken += now - last;
            }
            last = now;
        }
        let up = self.woken_at.load(Ordering::Acquire) - start;
        Woken { call: call as f64, taken: taken as f64, up: up as f64 }
    }

    /// The time until the sleeper runs, where its waker has just woken up itself and goes to sleep at once; `None`: it ran
    /// before the call was over.
    fn wake_and_sleep(&self) -> Option<f64> {
        self.woken_at.store(0, Ordering::Release);
        self.thread.unpark();
        let (start, already) = (self.now(), self.woken_at.load(Ordering::Acquire));
        thread::sleep(PAUSE);
        let woken = self.woken_at.load(Ordering::Acquire);
        (already == 0).then(|| if woken == 0 { PAUSE.as_nanos() } else { u128::from(woken - start) } as f64)
    }
}

/// Returns what `what` does, and the CPU time of each sleep of the sleeper.
fn with_sleeper<R>(what: impl FnOnce(&Sleeper<'_>) -> R) -> (R, Option<f64>) {
    let (stop, woken_at, sleeps) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let beginning = Instant::now();
    ask_for_usual_slice();
    thread::scope(|scope| {
        let handle = scope.spawn(|| {
            ask_for_usual_slice();
            let before = cpu_time();
            while !stop.load(Ordering::Acquire) {
                thread::park();
                woken_at.store(beginning.elapsed().as_nanos() as u64, Ordering::Release);
                sleeps.fetch_add(1, Ordering::Relaxed);
            }
            Some(cpu_time()? - before?)
        });
        let outcome = what(&Sleeper { thread: handle.thread(), beginning, woken_at: &woken_at });
        stop.store(true, Ordering::Release);
        handle.thread().unpark();
        let slept = handle.join().ok().flatten();
        (outcome, slept.map(|ns| ns / sleeps.load(Ordering::Relaxed) as f64))
    })
}

/// Ms ask for it, too, and the kernel lets a thread with a shorter slice than another's have its CPU at once.
fn ask_for_usual_slice() {
    if let Some(thread) = Amd64::thread_id() {
        Amd64::ask_for_slice(thread, ThreadSlice::Usual);
    }
}

/// The calling thread's CPU time in nanoseconds, as the kernel counts it.
fn cpu_time() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// The CPU time of a thread that sleeps for a while.
fn timed_sleep() -> Option<f64> {
    let one = |_| {
        let before = cpu_time()?;
        (0..TIMES / 10).for_each(|_| thread::park_timeout(Duration::from_millis(1)));
        Some((cpu_time()? - before) / (TIMES / 10) as f64)
    };
    let all: Option<Vec<f64>> = (0..10).map(one).collect();
    Some(median(all?.into_iter()))
}

fn sleep_slack() -> Spread {
    const ASKED: Duration = Duration::from_micros(3);
    let one = |_| {
        let start = Instant::now();
        thread::sleep(ASKED);
        (start.elapsed() - ASKED).as_nanos() as f64
    };
    spread((0..TIMES).map(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_leaves_the_slowest_out() {
        let spread = spread((0..=1000).map(f64::from));
        assert_eq!(spread.0[..3], [0.0, 47.0, 95.0]);
        assert_eq!(spread.0.last(), Some(&950.0));
    }
}
