//! smol's channels (async-channel) and its mutex (async-lock). It has no unbuffered channel, so those hold one value.

use super::executor::{enter, go, sum};
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work::{self, BUFFER, CHILDREN, LOCKERS, SENDERS};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::race;
use smol::lock::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub(super) fn skynet(cell: &Cell) -> Result<Figures> {
    let (n, want) = (cell.n, work::sky(cell.n)?);
    measure::whole(cell, n, || expect("sum of the leaves", enter(top(n)), want))
}

pub(super) fn chan_pingpong(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| expect("round trips", enter(pingpong(n)), n))
}

pub(super) fn chan_buffered_spsc(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| expect("sum of the messages", enter(spsc(n)), work::below(n)))
}

pub(super) fn chan_mpmc(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / SENDERS;
        expect("sum of the messages", enter(mpmc(each)), SENDERS * work::below(each))
    })
}

pub(super) fn select_2(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| expect("sum of the messages", enter(select(n / 2)), 2 * work::below(n / 2)))
}

pub(super) fn mutex_contended(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| expect("count", enter(mutex(n / LOCKERS)), n / LOCKERS * LOCKERS))
}

async fn top(n: u64) -> u64 {
    let (send, receive) = bounded(1);
    go(node(send, 0, n)).detach();
    receive.recv().await.unwrap_or(0)
}

fn node(parent: Sender<u64>, first: u64, size: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let sum = if size == 1 {
            first
        } else {
            let (send, receive) = bounded(1);
            let part = size / CHILDREN;
            for i in 0..CHILDREN {
                go(node(send.clone(), first + i * part, part)).detach();
            }
            let mut sum = 0;
            for _ in 0..CHILDREN {
                sum += receive.recv().await.unwrap_or(0);
            }
            sum
        };
        let _ended = parent.send(sum).await;
    })
}

async fn pingpong(n: u64) -> u64 {
    let (there, theirs) = bounded(1);
    let (reply, back) = bounded(1);
    let echo = go(async move {
        while let Ok(value) = theirs.recv().await {
            let _ended = reply.send(value + 1).await;
        }
    });
    let mut right = 0;
    for i in 0..n {
        let _ended = there.send(i).await;
        right += u64::from(back.recv().await == Ok(i + 1));
    }
    drop(there);
    echo.await;
    right
}

fn feeder(n: u64, buffer: usize) -> Receiver<u64> {
    let (send, receive) = bounded(buffer);
    go(async move {
        for i in 0..n {
            let _ended = send.send(i).await;
        }
    })
    .detach();
    receive
}

async fn drain(receive: Receiver<u64>) -> u64 {
    let mut sum = 0;
    while let Ok(value) = receive.recv().await {
        sum += value;
    }
    sum
}

async fn spsc(n: u64) -> u64 {
    drain(feeder(n, BUFFER)).await
}

async fn mpmc(each: u64) -> u64 {
    let (send, receive) = bounded(BUFFER);
    let receivers = (0..SENDERS).map(|_| {
        let send = send.clone();
        go(async move {
            for i in 0..each {
                let _ended = send.send(i).await;
            }
        })
        .detach();
        go(drain(receive.clone()))
    });
    let receivers = receivers.collect();
    drop(send);
    sum(receivers).await
}

async fn select(each: u64) -> u64 {
    let (a, b) = (feeder(each, 1), feeder(each, 1));
    // A closed channel is ready at once, for ever, so the one that ends first must not be asked again.
    let (mut left_a, mut left_b) = (each, each);
    let mut sum = 0;
    while left_a > 0 && left_b > 0 {
        let from_a = async { (a.recv().await, true) };
        let from_b = async { (b.recv().await, false) };
        let (value, first) = race(from_a, from_b).await;
        *(if first { &mut left_a } else { &mut left_b }) -= 1;
        sum += value.unwrap_or(0);
    }
    sum + drain(a).await + drain(b).await
}

async fn mutex(each: u64) -> u64 {
    let count = Arc::new(Mutex::new(0));
    let one = |_| {
        let count = Arc::clone(&count);
        go(async move {
            for _ in 0..each {
                *count.lock().await += 1;
            }
            0
        })
    };
    sum((0..LOCKERS).map(one).collect()).await;
    *count.lock().await
}
