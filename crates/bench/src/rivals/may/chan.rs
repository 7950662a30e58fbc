//! may's channels and its mutex. All its channels are unbounded, so no sender ever waits: an advantage that stays in
//! its figures. Its select is a queue of events with a coroutine for each channel.

use super::start::{enter, go};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work::{self, CHILDREN, LOCKERS, SENDERS};
use may::coroutine::{self, JoinHandle};
use may::cqueue;
use may::sync::{Mutex, mpmc, mpsc};
use std::sync::Arc;
use std::time::Instant;

pub(super) fn skynet(cell: &Cell) -> Result<Figures> {
    let (n, want) = (cell.n, work::sky(cell.n)?);
    measure::whole(cell, n, || expect("sum of the leaves", enter(move || top(n))?, want))
}

pub(super) fn chan_pingpong(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| expect("round trips", enter(move || pingpong(n))?, n))
}

pub(super) fn chan_buffered_spsc(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let sum = enter(move || feeder(n).into_iter().sum::<u64>())?;
        expect("sum of the messages", sum, work::below(n))
    })
}

pub(super) fn chan_mpmc(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / SENDERS;
        expect("sum of the messages", enter(move || mpmc(each))?, SENDERS * work::below(each))
    })
}

pub(super) fn select_2(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        expect("sum of the messages", enter(move || select(n / 2))?, 2 * work::below(n / 2))
    })
}

pub(super) fn mutex_contended(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / LOCKERS;
        expect("count", enter(move || mutex(each))?, each * LOCKERS)
    })
}

fn sum(all: Vec<JoinHandle<u64>>) -> u64 {
    all.into_iter().map(|one| one.join().unwrap_or(0)).sum()
}

fn top(n: u64) -> u64 {
    let (send, receive) = mpsc::channel();
    go(move || node(&send, 0, n));
    receive.recv().unwrap_or(0)
}

fn node(parent: &mpsc::Sender<u64>, first: u64, size: u64) {
    if size == 1 {
        let _ended = parent.send(first);
        return;
    }
    let (send, receive) = mpsc::channel();
    let part = size / CHILDREN;
    for i in 0..CHILDREN {
        let send = send.clone();
        go(move || node(&send, first + i * part, part));
    }
    let _ended = parent.send((0..CHILDREN).map(|_| receive.recv().unwrap_or(0)).sum());
}

fn pingpong(n: u64) -> u64 {
    let (there, theirs) = mpsc::channel::<u64>();
    let (reply, back) = mpsc::channel();
    let echo = go(move || theirs.into_iter().all(|value| reply.send(value + 1).is_ok()));
    let mut right = 0;
    for i in 0..n {
        let _ended = there.send(i);
        right += u64::from(back.recv() == Ok(i + 1));
    }
    drop(there);
    let _ended = echo.join();
    right
}

fn feeder(n: u64) -> mpsc::Receiver<u64> {
    let (send, receive) = mpsc::channel();
    go(move || (0..n).all(|i| send.send(i).is_ok()));
    receive
}

fn mpmc(each: u64) -> u64 {
    let (send, receive) = mpmc::channel();
    let receivers = (0..SENDERS).map(|_| {
        let (send, receive) = (send.clone(), receive.clone());
        go(move || (0..each).all(|i| send.send(i).is_ok()));
        go(move || std::iter::from_fn(|| receive.recv().ok()).sum())
    });
    let receivers = receivers.collect();
    drop(send);
    sum(receivers)
}

fn select(each: u64) -> u64 {
    let sources = [feeder(each), feeder(each)];
    cqueue::scope(|events| {
        for (token, source) in sources.iter().enumerate() {
            let forward = |sender: cqueue::EventSender<'_>| {
                while let Ok(value) = source.recv() {
                    sender.send(value as usize);
                }
            };
            events.add(token, forward);
        }
        (0..2 * each).map(|_| events.poll(None).map_or(0, |event| event.extra as u64)).sum()
    })
}

fn mutex(each: u64) -> u64 {
    let count = Arc::new(Mutex::new(0));
    let one = |_| {
        let count = Arc::clone(&count);
        go(move || {
            for _ in 0..each {
                *count.lock().unwrap() += 1;
            }
            0
        })
    };
    sum((0..LOCKERS).map(one).collect());
    *count.lock().unwrap()
}

pub(super) fn park_unpark(cell: &Cell) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        latencies = enter(move || {
            let (send, receive) = mpsc::channel::<Instant>();
            let receiver =
                go(move || receive.into_iter().map(|at| at.elapsed().as_nanos() as f64).collect::<Vec<_>>());
            for _ in 0..samples {
                coroutine::sleep(work::QUIET);
                let _ended = send.send(Instant::now());
            }
            drop(send);
            receiver.join().unwrap_or_default()
        })?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}
