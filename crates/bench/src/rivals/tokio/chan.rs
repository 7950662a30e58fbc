//! tokio's channels and its mutex. It has no unbuffered channel, so those hold one value; nor one with many receivers,
//! so `chan_mpmc` takes async-channel, as its users do.

use super::runtime::enter;
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work::{self, BUFFER, CHILDREN, LOCKERS, SENDERS};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::{spawn, time::sleep};

pub(super) fn skynet(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let (n, want) = (cell.n, work::sky(cell.n)?);
    measure::whole(cell, n, || expect("sum of the leaves", enter(runtime, top(n))?, want))
}

pub(super) fn chan_pingpong(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| expect("round trips", enter(runtime, pingpong(n))?, n))
}

pub(super) fn chan_buffered_spsc(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| expect("sum of the messages", enter(runtime, spsc(n))?, work::below(n)))
}

pub(super) fn chan_mpmc(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / SENDERS;
        expect("sum of the messages", enter(runtime, mpmc(each))?, SENDERS * work::below(each))
    })
}

pub(super) fn select_2(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| {
        expect("sum of the messages", enter(runtime, select(n / 2))?, 2 * work::below(n / 2))
    })
}

pub(super) fn mutex_contended(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    measure::looped(cell, |n| expect("count", enter(runtime, mutex(n / LOCKERS))?, n / LOCKERS * LOCKERS))
}

async fn sum(all: Vec<JoinHandle<u64>>) -> u64 {
    let mut sum = 0;
    for one in all {
        sum += one.await.unwrap_or(0);
    }
    sum
}

async fn top(n: u64) -> u64 {
    let (send, mut receive) = mpsc::channel(1);
    spawn(node(send, 0, n));
    receive.recv().await.unwrap_or(0)
}

fn node(parent: mpsc::Sender<u64>, first: u64, size: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let sum = if size == 1 {
            first
        } else {
            let (send, mut receive) = mpsc::channel(1);
            let part = size / CHILDREN;
            for i in 0..CHILDREN {
                spawn(node(send.clone(), first + i * part, part));
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
    let (there, mut theirs) = mpsc::channel(1);
    let (reply, mut back) = mpsc::channel(1);
    let echo = spawn(async move {
        while let Some(value) = theirs.recv().await {
            let _ended = reply.send(value + 1).await;
        }
    });
    let mut right = 0;
    for i in 0..n {
        let _ended = there.send(i).await;
        right += u64::from(back.recv().await == Some(i + 1));
    }
    drop(there);
    let _ended = echo.await;
    right
}

fn feeder(n: u64, buffer: usize) -> mpsc::Receiver<u64> {
    let (send, receive) = mpsc::channel(buffer);
    spawn(async move {
        for i in 0..n {
            let _ended = send.send(i).await;
        }
    });
    receive
}

async fn spsc(n: u64) -> u64 {
    let mut receive = feeder(n, BUFFER);
    let mut sum = 0;
    while let Some(value) = receive.recv().await {
        sum += value;
    }
    sum
}

async fn mpmc(each: u64) -> u64 {
    let (send, receive) = smol::channel::bounded(BUFFER);
    let receivers = (0..SENDERS).map(|_| {
        let (send, receive) = (send.clone(), receive.clone());
        spawn(async move {
            for i in 0..each {
                let _ended = send.send(i).await;
            }
        });
        spawn(async move {
            let mut sum = 0;
            while let Ok(value) = receive.recv().await {
                sum += value;
            }
            sum
        })
    });
    let receivers = receivers.collect();
    drop(send);
    sum(receivers).await
}

async fn select(each: u64) -> u64 {
    let (mut a, mut b) = (feeder(each, 1), feeder(each, 1));
    let mut sum = 0;
    for _ in 0..2 * each {
        sum += tokio::select! {
            Some(value) = a.recv() => value,
            Some(value) = b.recv() => value,
            else => 0,
        };
    }
    sum
}

async fn mutex(each: u64) -> u64 {
    let count = Arc::new(Mutex::new(0));
    let one = |_| {
        let count = Arc::clone(&count);
        spawn(async move {
            for _ in 0..each {
                *count.lock().await += 1;
            }
            0
        })
    };
    sum((0..LOCKERS).map(one).collect()).await;
    *count.lock().await
}

pub(super) fn park_unpark(cell: &Cell, runtime: &Runtime) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        latencies = enter(runtime, async move {
            let (send, mut receive) = mpsc::channel::<Instant>(1);
            let receiver = spawn(async move {
                let mut latencies = Vec::with_capacity(samples);
                while let Some(at) = receive.recv().await {
                    latencies.push(at.elapsed().as_nanos() as f64);
                }
                latencies
            });
            for _ in 0..samples {
                sleep(work::QUIET).await;
                let _ended = send.send(Instant::now()).await;
            }
            drop(send);
            receiver.await.unwrap_or_default()
        })?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}
