//! Loops of Go's `runtime/chan_test.go` that need no select.

use super::parts::{BATCH, any, each, fixed, in_parallel, parallel, work};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::workload::Benchmark;
use gmp::channel::TryRecvError;
use gmp::{Receiver, Sender, chan};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkChanNonblocking", |cell| {
        in_parallel(cell, 1, || {
            let (sender, c) = chan::<u64>(0);
            move |count| {
                let empty = (0..count).filter(|_| c.try_recv() == Err(TryRecvError::Empty)).count();
                // Without a sender it would be closed.
                black_box(&sender);
                empty as u64
            }
        })
    }),
    any("BenchmarkChanUncontended", |cell| in_parallel(cell, 1, || |count| rounds(&chan(HUNDRED), count))),
    any("BenchmarkChanContended", |cell| {
        in_parallel(cell, 1, || {
            let c = chan(HUNDRED * cell.procs);
            move |count| rounds(&c, count)
        })
    }),
    any("BenchmarkChanSync", |cell| sync(cell, 0)),
    any("BenchmarkChanSyncWork", |cell| sync(cell, 1000)),
    any("BenchmarkChanProdCons0", |cell| producers_consumers(cell, 0, 0)),
    any("BenchmarkChanProdCons10", |cell| producers_consumers(cell, 10, 0)),
    any("BenchmarkChanProdCons100", |cell| producers_consumers(cell, 100, 0)),
    any("BenchmarkChanProdConsWork0", |cell| producers_consumers(cell, 0, 100)),
    any("BenchmarkChanProdConsWork10", |cell| producers_consumers(cell, 10, 100)),
    any("BenchmarkChanProdConsWork100", |cell| producers_consumers(cell, 100, 100)),
    any("BenchmarkChanCreation", |cell| {
        let once = || {
            let (send, receive) = chan(1);
            let _sent = send.send(1);
            receive.recv().unwrap_or(0)
        };
        in_parallel(cell, 1, || move |count| (0..count).map(|_| once()).sum())
    }),
    any("BenchmarkMakeChan", |cell| {
        let room = |_| black_box(chan::<u64>(8)).0.capacity() as u64;
        measure::looped(cell, |n| expect("room", (0..n).map(room).sum(), 8 * n))
    }),
    any("BenchmarkChanSem", |cell| {
        in_parallel(cell, 1, || {
            let (send, receive) = chan(cell.procs);
            move |count| {
                each(count, || {
                    let _sent = send.send(());
                    let _received = receive.recv();
                })
            }
        })
    }),
    any("BenchmarkChanClosed", |cell| {
        in_parallel(cell, 1, || {
            let (_, c) = chan::<()>(0);
            move |count| (0..count).filter(|_| c.try_recv() == Err(TryRecvError::Closed)).count() as u64
        })
    }),
    fixed("BenchmarkReceiveDataFromClosedChan", &[1, 2], &[1_000_000], 10_000, from_closed),
];

/// Values that go into a buffer before they come out again.
const HUNDRED: usize = 100;

fn rounds((send, receive): &(Sender<u64>, Receiver<u64>), count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        for _ in 0..HUNDRED {
            let _sent = send.send(1);
        }
        sum += (0..HUNDRED).map(|_| receive.recv().unwrap_or(0)).sum::<u64>();
    }
    sum / HUNDRED as u64
}

/// Two goroutines exchange values; which of them begins changes with each batch.
fn sync(cell: &Cell, steps: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let batches = (n / BATCH).next_multiple_of(2);
        let (send, receive) = chan::<u64>(0);
        let left = Arc::new(AtomicI64::new(batches as i64));
        let got = parallel(2, 2, move |_| {
            let (mut sum, mut x) = (0, 1);
            loop {
                let i = left.fetch_sub(1, Ordering::Relaxed) - 1;
                if i < 0 {
                    return sum;
                }
                for _ in 0..BATCH {
                    if i % 2 == 0 {
                        sum += receive.recv().unwrap_or(0);
                        x = work(steps, x);
                        let _sent = send.send(1);
                    } else {
                        let _sent = send.send(1);
                        x = work(steps, x);
                        sum += receive.recv().unwrap_or(0);
                    }
                    x = work(steps, x);
                }
            }
        });
        expect("values", got, batches * BATCH)
    })
}

/// As many producers and consumers as there are processors. A 0 tells a consumer to end.
fn producers_consumers(cell: &Cell, room: usize, steps: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let left = Arc::new(AtomicI64::new((n / BATCH) as i64));
        let (send, receive) = chan::<u64>(room);
        let consumers = (0..cell.procs).map(|_| {
            let (left, send, receive) = (Arc::clone(&left), send.clone(), receive.clone());
            drop(gmp::go(move || {
                let mut x = 1;
                while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                    for _ in 0..BATCH {
                        x = work(steps, x);
                        let _sent = send.send(1);
                    }
                }
                let _sent = send.send(0);
            }));
            gmp::go(move || {
                let (mut sum, mut x) = (0, 1);
                while let Ok(value @ 1..) = receive.recv() {
                    x = work(steps, x);
                    sum += value;
                }
                sum
            })
        });
        let consumers: Vec<_> = consumers.collect();
        let got = consumers.into_iter().map(|one| one.join().unwrap_or(0)).sum::<u64>();
        expect("values", got, n / BATCH * BATCH)
    })
}

/// The channels are filled before anything is timed: one for each run.
fn from_closed(cell: &Cell) -> Result<Figures> {
    let full = |_| {
        let (send, receive) = chan::<()>(cell.n as usize);
        (0..cell.n).try_for_each(|_| send.send(()))?;
        Ok(receive)
    };
    let mut all = (0..=measure::repetitions(cell)).map(full).collect::<Result<Vec<_>>>()?;
    measure::whole(cell, cell.n, || {
        let receive = all.pop().ok_or("more runs than channels")?;
        expect("values", receive.iter().count() as u64, cell.n)
    })
}
