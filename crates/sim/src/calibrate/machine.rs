//! The machine and its operating system, timed.

use super::kernel;
use super::timing::{NOWHERE, cpu, median};
use crate::costs::MachineCosts;
use crate::ticket::Ticket;
use gmp_arch_amd64::Amd64;
use gmp_core::contract::{Policy, SharedQueue, Switch};
use gmp_policy_go::Go;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two nodes a line takes about this many times as long as inside one (a usual figure for two sockets).
const FAR: f64 = 2.7;
/// Repetitions of what takes microseconds.
const TIMES: usize = 300;

/// The costs that can be measured here; the others stay as they were.
pub(super) fn measured(before: &MachineCosts) -> MachineCosts {
    let kernel = kernel::measured();
    let transfer_near = transfer().unwrap_or(before.transfer_near);
    MachineCosts {
        locked: locked(),
        transfer_near,
        transfer_far: transfer_near * FAR,
        contended: contended(transfer_near).unwrap_or(before.contended),
        wake_call: kernel.wake_call,
        futex_wake: kernel.futex_wake,
        wake_latency: kernel.wake_latency,
        wake_beside: kernel.wake_beside,
        futex_sleep: kernel.futex_sleep.unwrap_or(before.futex_sleep),
        timed_sleep: kernel.timed_sleep.unwrap_or(before.timed_sleep),
        thread_make: thread_make(),
        sleep_slack: kernel.sleep_slack,
        heavy_fence: Amd64::heavy_fence()
            .map_or(before.heavy_fence, |fence| median((0..TIMES).map(|_| nanoseconds(fence)))),
    }
}

fn nanoseconds(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_nanos() as f64
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
            let trip = |turn: u64| {
                word.store(2 * turn + 1, Ordering::Release);
                wait(2 * turn + 2);
            };
            // The first one ends when the other thread has begun.
            trip(0);
            nanoseconds(|| (1..ROUND_TRIPS).for_each(trip)) / (2 * (ROUND_TRIPS - 1)) as f64
        })
    };
    // Where others keep a CPU busy, the two threads wait for each other's turn, so a few quick rounds are enough.
    let begin = Instant::now();
    let rounds = (0..500).take_while(|_| begin.elapsed() < Duration::from_secs(2)).map(|_| round());
    Some(rounds.fold(f64::INFINITY, f64::min))
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

/// What a lock takes that another M held, beside the way of its lines: from two threads that put into one shared queue
/// and take out of it. Between two of their turns both lines of the queue, the lock with the list and the length, go to
/// the other CPU. `None`: two threads have not been seen on two CPUs.
fn contended(transfer: f64) -> Option<f64> {
    const TURNS: usize = 2_000;
    let queue = <Go as Policy>::Shared::<Ticket>::default();
    let barrier = Barrier::new(2);
    let put_and_take = |number: usize| {
        let mut ticket = Some(Ticket::new(number));
        let round = || {
            for _ in 0..TURNS {
                if let Some(ticket) = ticket.take() {
                    queue.push(ticket);
                }
                ticket = queue.pop();
            }
        };
        nanoseconds(round) / (2 * TURNS) as f64
    };
    let alone = (0..TIMES).map(put_and_take).fold(f64::INFINITY, f64::min);
    let beside = |number: usize| {
        barrier.wait();
        let at = cpu();
        let took = put_and_take(number);
        // Where it has moved there is no telling how long the two were on two CPUs.
        (took, if cpu() == at { at } else { NOWHERE })
    };
    let both = |_| {
        let (own, other) = thread::scope(|scope| {
            let other = scope.spawn(|| beside(1));
            (beside(0), other.join().unwrap_or((0.0, NOWHERE)))
        });
        let on_two = own.1 != other.1 && own.1 != NOWHERE && other.1 != NOWHERE;
        on_two.then_some(own.0.max(other.0))
    };
    let turns: Vec<f64> = (0..TIMES).filter_map(both).collect();
    if turns.is_empty() {
        return None;
    }
    let turn = median(turns.into_iter()) / 2.0;
    Some((turn - 2.0 * transfer - alone).max(0.0))
}
