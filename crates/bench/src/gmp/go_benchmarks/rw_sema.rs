//! Loops of Go's `sync/rwmutex_test.go` and `runtime_sema_test.go`.

use super::parts::{any, each, in_parallel, parallel, work};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::workload::Benchmark;
use gmp::sync::{RwLock, Semaphore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkRWMutexUncontended", |cell| {
        in_parallel(cell, 1, || {
            |count| {
                let own = RwLock::new(0);
                each(count, || {
                    let (first, second) = (own.read(), own.read());
                    drop(second);
                    drop(first);
                    *own.write() += 1;
                });
                own.into_inner()
            }
        })
    }),
    any("BenchmarkRWMutexWrite100", |cell| rw_lock(cell, 0, 100)),
    any("BenchmarkRWMutexWrite10", |cell| rw_lock(cell, 0, 10)),
    any("BenchmarkRWMutexWorkWrite100", |cell| rw_lock(cell, 100, 100)),
    any("BenchmarkRWMutexWorkWrite10", |cell| rw_lock(cell, 100, 10)),
    any("BenchmarkSemaUncontended", |cell| {
        in_parallel(cell, 1, || {
            |count| {
                let own = Semaphore::new(0);
                each(count, || {
                    own.add_permits(1);
                    own.acquire().forget();
                })
            }
        })
    }),
    any("BenchmarkSemaSyntNonblock", |cell| semaphore(cell, false, 0)),
    any("BenchmarkSemaSyntBlock", |cell| semaphore(cell, true, 0)),
    any("BenchmarkSemaWorkNonblock", |cell| semaphore(cell, false, 100)),
    any("BenchmarkSemaWorkBlock", |cell| semaphore(cell, true, 100)),
    any("BenchmarkUncontendedSemaphore", |cell| hammer(cell, 1)),
    any("BenchmarkContendedSemaphore", |cell| hammer(cell, 2)),
];

/// One lock for all, taken for writing once in `every` times; readers work while they hold it.
fn rw_lock(cell: &Cell, steps: u64, every: u64) -> Result<Figures> {
    in_parallel(cell, 1, || {
        let lock = Arc::new(RwLock::new(0u64));
        move |count| {
            let (mut x, mut i) = (1, 0);
            each(count, || {
                i += 1;
                if i % every == 0 {
                    *lock.write() += 1;
                } else {
                    let reading = lock.read();
                    x = work(steps, x);
                    drop(reading);
                }
            })
        }
    })
}

/// Gives and takes in parallel; with `block`, half as many permits as there are processors are taken away meanwhile.
/// Each worker leaves one permit in the end.
fn semaphore(cell: &Cell, block: bool, steps: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let semaphore = Arc::new(Semaphore::new(0));
        let away = if block { cell.procs / 2 } else { 0 };
        let theirs = Arc::clone(&semaphore);
        let taker = gmp::go(move || (0..away).for_each(|_| theirs.acquire().forget()));
        let theirs = Arc::clone(&semaphore);
        let done = parallel(cell.procs, n, move |count| {
            let mut x = 1;
            each(count, || {
                theirs.add_permits(1);
                x = work(steps, x);
                theirs.acquire().forget();
            });
            theirs.add_permits(1);
            count
        });
        taker.join().map_err(|error| error.to_string())?;
        expect("permits left", semaphore.available(), cell.procs - away)?;
        expect("operations", done, n)
    })
}

/// Takes and gives back a single permit.
fn hammer(cell: &Cell, workers: usize) -> Result<Figures> {
    measure::looped(cell, |n| {
        let shared = Arc::new((Semaphore::new(1), AtomicU64::new(0)));
        let theirs = Arc::clone(&shared);
        parallel(workers, n, move |count| {
            each(count, || {
                let permit = theirs.0.acquire();
                // This needs no locked instruction: the permit is the lock.
                let held = theirs.1.load(Ordering::Relaxed);
                theirs.1.store(held + 1, Ordering::Relaxed);
                drop(permit);
            })
        });
        expect("times held", shared.1.load(Ordering::Relaxed), n)
    })
}
