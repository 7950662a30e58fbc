//! Loops of Go's `runtime/chan_test.go` with a select in them. Those with one case and a default are in `chan`, too, as
//! `try_recv`: Go's compiler makes that of them.

use super::parts::{BATCH, any, in_parallel, parallel, work};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::workload::Benchmark;
use gmp::{Receiver, Sender, chan, never, select};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkChanPopular", popular),
    any("BenchmarkSelectUncontended", |cell| {
        in_parallel(cell, 1, || |count| to_and_fro(&chan(1), &chan(1), count))
    }),
    any("BenchmarkSelectAsyncContended", |cell| {
        in_parallel(cell, 1, || {
            let (a, b) = (chan(cell.procs), chan(cell.procs));
            move |count| to_and_fro(&a, &b, count)
        })
    }),
    any("BenchmarkSelectSyncContended", sync),
    any("BenchmarkSelectNonblock", |cell| {
        in_parallel(cell, 1, || {
            let ((a_send, a), (b, b_receive)) = (chan::<u64>(0), chan::<u64>(0));
            let ((c_send, c), (d, d_receive)) = (chan::<u64>(1), chan::<u64>(1));
            let others = Arc::new((a_send, b_receive, c_send, d_receive));
            move |count| {
                let mut refused = 0;
                for _ in 0..count {
                    refused += select! { recv(a) -> _ => 0, default => 1 };
                    select! { send(b, 0) -> _ => (), default => () }
                    select! { recv(c) -> _ => (), default => () }
                    select! { send(d, 0) -> _ => (), default => () }
                }
                // Without the other ends they would be closed.
                black_box(&others);
                refused
            }
        })
    }),
    any("BenchmarkSelectProdCons", producers_consumers),
];

/// A thousand goroutines wait for one channel that they share and one of their own. An operation is one message.
fn popular(cell: &Cell) -> Result<Figures> {
    const MANY: u64 = 1000;
    measure::looped(cell, |n| {
        let rounds = n / MANY;
        let (_nobody, shared) = chan::<u64>(0);
        let one = |_| {
            let ((send, own), shared) = (chan::<u64>(0), shared.clone());
            let next = move |_| {
                select! {
                    recv(shared) -> value => value.unwrap_or(0),
                    recv(own) -> value => value.unwrap_or(0),
                }
            };
            (send, gmp::go(move || (0..rounds).map(next).sum::<u64>()))
        };
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..MANY).map(one).unzip();
        for _ in 0..rounds {
            senders.iter().try_for_each(|send| send.send(1))?;
        }
        let sum = receivers.into_iter().map(|one| one.join().unwrap_or(0)).sum();
        expect("values", sum, rounds * MANY)
    })
}

type Both = (Sender<u64>, Receiver<u64>);

/// Moves a value from one channel to the other and back.
fn to_and_fro((to_a, a): &Both, (to_b, b): &Both, count: u64) -> u64 {
    let _sent = to_a.send(1);
    let mut sum = 0;
    for _ in 0..count {
        let sent = select! {
            recv(a) -> value => value.map(|value| { sum += value; to_b.send(value) }),
            recv(b) -> value => value.map(|value| { sum += value; to_a.send(value) }),
        };
        if sent.is_err() {
            break;
        }
    }
    sum
}

/// Each goroutine that receives from one of three channels has one beside it that sends to one of the three.
fn sync(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let channels: [Both; 3] = std::array::from_fn(|_| chan(0));
        let channels = Arc::new(channels);
        let (over, end) = chan::<()>(0);
        let got = parallel(cell.procs, n, move |count| {
            let (theirs, end) = (Arc::clone(&channels), end.clone());
            drop(gmp::go(move || {
                let [(a, _), (b, _), (c, _)] = &*theirs;
                loop {
                    select! {
                        send(a, 1) -> _ => (),
                        send(b, 1) -> _ => (),
                        send(c, 1) -> _ => (),
                        recv(end) -> _ => return,
                    }
                }
            }));
            let [(_, a), (_, b), (_, c)] = &*channels;
            let next = |_| {
                select! {
                    recv(a) -> value => value.unwrap_or(0),
                    recv(b) -> value => value.unwrap_or(0),
                    recv(c) -> value => value.unwrap_or(0),
                }
            };
            (0..count).map(next).sum()
        });
        drop(over);
        expect("values", got, n)
    })
}

/// As without select; what they look at besides is never ready.
fn producers_consumers(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let left = Arc::new(AtomicI64::new((n / BATCH) as i64));
        let (send, receive) = chan::<u64>(128);
        let (_over, end) = chan::<u64>(0);
        let consumers = (0..cell.procs).map(|_| {
            let (left, send, receive) = (Arc::clone(&left), send.clone(), receive.clone());
            let (end, theirs) = (end.clone(), end.clone());
            drop(gmp::go(move || {
                let (late, mut x) = (never::<Instant>(), 1);
                while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                    for _ in 0..BATCH {
                        x = work(100, x);
                        select! {
                            send(send, 1) -> _ => (),
                            recv(late) -> _ => return,
                            recv(theirs) -> _ => return,
                        }
                    }
                }
                let _sent = send.send(0);
            }));
            gmp::go(move || {
                let (late, mut sum, mut x) = (never::<Instant>(), 0, 1);
                loop {
                    select! {
                        recv(receive) -> value => match value {
                            Ok(value @ 1..) => sum += value,
                            _ => return sum,
                        },
                        recv(late) -> _ => return 0,
                        recv(end) -> _ => return 0,
                    }
                    x = work(100, x);
                }
            })
        });
        let consumers: Vec<_> = consumers.collect();
        let got = consumers.into_iter().map(|one| one.join().unwrap_or(0)).sum::<u64>();
        expect("values", got, n / BATCH * BATCH)
    })
}
