//! Loops of Go's `sync/mutex_test.go`, `cond_test.go` and `waitgroup_test.go`.

use super::parts::{any, each, in_parallel, parallel, work};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::workload::Benchmark;
use gmp::chan;
use gmp::sync::{Cond, Mutex, WaitGroup};
use std::sync::Arc;

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkMutexUncontended", |cell| {
        in_parallel(cell, 1, || {
            |count| {
                let own = Mutex::new(0);
                each(count, || *own.lock() += 1);
                own.into_inner()
            }
        })
    }),
    any("BenchmarkMutex", |cell| mutex(cell, 1, 0)),
    any("BenchmarkMutexSlack", |cell| mutex(cell, 10, 0)),
    any("BenchmarkMutexWork", |cell| mutex(cell, 1, 100)),
    any("BenchmarkMutexWorkSlack", |cell| mutex(cell, 10, 100)),
    any("BenchmarkMutexNoSpin", no_spin),
    any("BenchmarkMutexSpin", spin),
    any("BenchmarkCond1", |cell| cond(cell, 1)),
    any("BenchmarkCond2", |cell| cond(cell, 2)),
    any("BenchmarkCond4", |cell| cond(cell, 4)),
    any("BenchmarkCond8", |cell| cond(cell, 8)),
    any("BenchmarkCond16", |cell| cond(cell, 16)),
    any("BenchmarkCond32", |cell| cond(cell, 32)),
    any("BenchmarkWaitGroupUncontended", |cell| {
        in_parallel(cell, 1, || {
            |count| {
                let own = WaitGroup::new();
                each(count, || {
                    own.add(1);
                    own.done();
                    own.wait();
                })
            }
        })
    }),
    any("BenchmarkWaitGroupAddDone", |cell| add_done(cell, 0)),
    any("BenchmarkWaitGroupAddDoneWork", |cell| add_done(cell, 100)),
    any("BenchmarkWaitGroupWait", |cell| wait(cell, 0)),
    any("BenchmarkWaitGroupWaitWork", |cell| wait(cell, 100)),
    any("BenchmarkWaitGroupActuallyWait", |cell| {
        in_parallel(cell, 1, || {
            |count| {
                each(count, || {
                    let one = WaitGroup::new();
                    one.add(1);
                    let theirs = one.clone();
                    drop(gmp::go(move || theirs.done()));
                    one.wait();
                })
            }
        })
    }),
];

/// One lock for all; the work is done without it.
fn mutex(cell: &Cell, excess: usize, steps: u64) -> Result<Figures> {
    in_parallel(cell, excess, || {
        let lock = Arc::new(Mutex::new(0u64));
        move |count| {
            let mut x = 1;
            each(count, || {
                *lock.lock() += 1;
                x = work(steps, x);
            })
        }
    })
}

/// Writes to every 32nd byte.
fn touch(data: &mut [u64]) {
    data.iter_mut().step_by(4).for_each(|word| *word = word.wrapping_add(1));
}

/// Most of the time is spent without the lock, and goroutines yield there, so spinning for it does not pay.
fn no_spin(cell: &Cell) -> Result<Figures> {
    in_parallel(cell, 4, || {
        let lock = Arc::new(Mutex::new(0u64));
        move |count| {
            let (send, receive) = chan(0);
            let (mut data, mut i) = (vec![0; 4 << 10], 0u64);
            each(count, || {
                if i % 4 == 0 {
                    *lock.lock() += 1;
                } else {
                    touch(&mut data);
                    // A yield that leaves the shared queue alone.
                    let send = send.clone();
                    drop(gmp::go(move || send.send(1)));
                    let _received = receive.recv();
                }
                i += 1;
            })
        }
    })
}

/// A goroutine for each processor, with so much data of its own that it costs cache misses to be descheduled.
fn spin(cell: &Cell) -> Result<Figures> {
    in_parallel(cell, 1, || {
        let lock = Arc::new(Mutex::new(0u64));
        move |count| {
            let mut data = vec![0; 16 << 10];
            each(count, || {
                *lock.lock() += 1;
                touch(&mut data);
            })
        }
    })
}

/// How many have come to the next meeting, how many meetings there were, and whether someone has gone.
#[derive(Default)]
struct Meeting {
    come: u64,
    met: u64,
    over: bool,
}

/// This many goroutines and one more meet n times: the last of them to come wakes the others.
fn cond(cell: &Cell, waiters: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let shared = Arc::new((Mutex::new(Meeting::default()), Cond::new()));
        let theirs = Arc::clone(&shared);
        parallel(waiters as usize + 1, waiters + 1, move |_| {
            let (lock, all) = &*theirs;
            for _ in 0..n {
                let mut meeting = lock.lock();
                if meeting.over {
                    break;
                }
                meeting.come += 1;
                if meeting.come == waiters + 1 {
                    meeting.come = 0;
                    meeting.met += 1;
                    all.notify_all();
                } else {
                    all.wait(&mut meeting);
                }
            }
            lock.lock().over = true;
            all.notify_all();
            0
        });
        let met = shared.0.lock().met;
        expect("at least as many meetings as one goroutine had", met >= n / (waiters + 1), true)
    })
}

fn add_done(cell: &Cell, steps: u64) -> Result<Figures> {
    in_parallel(cell, 1, || {
        let all = WaitGroup::new();
        move |count| {
            let mut x = 1;
            each(count, || {
                all.add(1);
                x = work(steps, x);
                all.done();
            })
        }
    })
}

fn wait(cell: &Cell, steps: u64) -> Result<Figures> {
    in_parallel(cell, 1, || {
        let all = WaitGroup::new();
        move |count| {
            let mut x = 1;
            each(count, || {
                all.wait();
                x = work(steps, x);
            })
        }
    })
}
