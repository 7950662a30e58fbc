//! Channels between OS threads: the workloads, over std's channel or another one with the same duties.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work::{self, BUFFER};
use std::thread;
use std::time::Instant;

/// A channel of some library. `None` and `false` say that the other side is gone.
pub(crate) trait Channel {
    type Sender<T: Send>: Send;
    type Receiver<T: Send>: Send;
    fn chan<T: Send>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);
    fn send<T: Send>(sender: &Self::Sender<T>, value: T) -> bool;
    fn recv<T: Send>(receiver: &Self::Receiver<T>) -> Option<T>;
}

/// std's bounded channel.
pub(super) struct Std;

impl Channel for Std {
    type Sender<T: Send> = std::sync::mpsc::SyncSender<T>;
    type Receiver<T: Send> = std::sync::mpsc::Receiver<T>;

    fn chan<T: Send>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        std::sync::mpsc::sync_channel(capacity)
    }

    fn send<T: Send>(sender: &Self::Sender<T>, value: T) -> bool {
        sender.send(value).is_ok()
    }

    fn recv<T: Send>(receiver: &Self::Receiver<T>) -> Option<T> {
        receiver.recv().ok()
    }
}

pub(crate) fn pingpong<C: Channel>(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ((there, theirs), (reply, back)) = (C::chan::<u64>(0), C::chan::<u64>(0));
        let right = thread::scope(|scope| {
            scope.spawn(move || {
                while let Some(value) = C::recv(&theirs) {
                    C::send(&reply, value + 1);
                }
            });
            let trip = |i: &u64| C::send(&there, *i) && C::recv(&back) == Some(i + 1);
            let right = (0..n).filter(trip).count();
            drop(there);
            right
        });
        expect("round trips", right as u64, n)
    })
}

pub(crate) fn spsc<C: Channel>(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let (send, receive) = C::chan(BUFFER);
        let sum = thread::scope(|scope| {
            scope.spawn(move || (0..n).all(|i| C::send(&send, i)));
            std::iter::from_fn(|| C::recv(&receive)).sum()
        });
        expect("sum of the messages", sum, work::below(n))
    })
}

pub(crate) fn park_unpark<C: Channel>(cell: &Cell) -> Result<Figures> {
    let mut latencies = Vec::with_capacity(cell.n as usize);
    let (theirs, samples) = (&mut latencies, cell.n as usize);
    let timed = measure::once(cell, cell.n, || {
        let (send, receive) = C::chan::<Instant>(0);
        thread::scope(|scope| {
            scope.spawn(move || {
                while let Some(at) = C::recv(&receive) {
                    theirs.push(at.elapsed().as_nanos() as f64);
                }
            });
            for _ in 0..cell.n {
                thread::sleep(work::QUIET);
                C::send(&send, Instant::now());
            }
            drop(send);
        });
        Ok(())
    })?;
    expect("samples", latencies.len(), samples)?;
    Ok(Latencies::of(latencies).figures(timed))
}
