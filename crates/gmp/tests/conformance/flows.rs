//! Pipelines, pools, servers and rings: channels as programs use them.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use gmp::{Receiver, Sender, chan, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

struct Request {
    n: i64,
    reply: Sender<i64>,
}

/// Requests carry the channel for their answer; two servers, five clients; answers may be taken late.
pub(crate) fn chan_of_chan() {
    let (ask, requests) = chan::<Request>(1);
    let (tell, done) = chan(0);
    for s in 1..=2 {
        go!(requests, tell, || {
            for r in &requests {
                evn("q", s * 100 + r.n);
                if r.n % 2 == 0 {
                    gmp::yield_now();
                }
                r.reply.send(r.n * r.n).unwrap();
                evn("a", s * 100 + r.n);
            }
            evn("end", s);
            tell.send(s).unwrap();
        });
    }
    let (finish, finished) = chan(5);
    for i in 1..=5 {
        go!(ask, finish, || {
            let (reply, answers) = chan(i as usize % 2);
            for k in 0..3 {
                ask.send(Request { n: i * 10 + k, reply: reply.clone() }).unwrap();
                evn("s", i * 10 + k);
                evn("=", answers.recv().unwrap());
            }
            let (mine_tx, mine) = chan(0);
            finish.send(mine).unwrap();
            mine_tx.send(i).unwrap();
            evn("bye", i);
        });
    }
    for _ in 0..5 {
        let c = finished.recv().unwrap();
        evn("f", c.recv().unwrap());
    }
    ask.close();
    evn("d", done.recv().unwrap());
    evn("d", done.recv().unwrap());
    ev("main");
}

/// A pool of four workers on one P: jobs through a small buffer, results collected while jobs still come.
pub(crate) fn worker_pool() {
    let ((jobs_tx, jobs), (results_tx, results)) = (chan::<i64>(3), chan::<i64>(2));
    let wg = WaitGroup::new();
    for w in 1..=4 {
        wg.add(1);
        go!(jobs, results_tx, wg, || {
            let _done = done_at_end(&wg);
            for j in &jobs {
                evn("j", w * 100 + j);
                (0..j % 3).for_each(|_| gmp::yield_now());
                results_tx.send(w * 100 + j).unwrap();
            }
            evn("end", w);
        });
    }
    go!(jobs_tx, results_tx, wg, || {
        for j in 1..=20 {
            jobs_tx.send(j).unwrap();
            evn("s", j);
        }
        jobs_tx.close();
        wg.wait();
        results_tx.close();
    });
    let mut n = 0;
    for r in &results {
        evn("r", r);
        n += 1;
    }
    evn("n", n);
    ev("main");
}

/// A buffered channel as a semaphore: eight goroutines, at most three inside.
pub(crate) fn semaphore_chan() {
    let (acquire, release) = chan::<()>(3);
    let wg = WaitGroup::new();
    let (inside, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    for i in 1..=8 {
        let (acquire, release) = (acquire.clone(), release.clone());
        let (inside, most) = (inside.clone(), most.clone());
        wg.go(move || {
            for k in 0..2 {
                acquire.send(()).unwrap();
                most.fetch_max(inside.fetch_add(1, Relaxed) + 1, Relaxed);
                evn("in", i * 10 + k);
                (0..i % 3).for_each(|_| gmp::yield_now());
                inside.fetch_sub(1, Relaxed);
                release.recv().unwrap();
                evn("out", i * 10 + k);
            }
        });
    }
    wg.wait();
    evn("most", most.load(Relaxed));
    ev("main");
}

/// A hundred goroutines in a ring with three tokens of different lives, buffers here and there.
pub(crate) fn token_ring() {
    const N: usize = 100;
    let hash = shared(Hash::new());
    let ring: Arc<Vec<(Sender<u32>, Receiver<u32>)>> = Arc::new((0..N).map(|i| chan(i % 5 / 4)).collect());
    let (tell, done) = chan(0);
    for i in 0..N {
        go!(ring, hash, tell, || {
            for v in &ring[i].1 {
                hash.lock().unwrap().word((i as u32) << 16 | v);
                if v == 0 {
                    tell.send(i as i64).unwrap();
                } else {
                    ring[(i + 1) % N].0.send(v - 1).unwrap();
                }
            }
        });
    }
    ring[0].0.send(1000).unwrap();
    ring[33].0.send(777).unwrap();
    ring[66].0.send(1234).unwrap();
    for _ in 0..3 {
        evn("at", done.recv().unwrap());
    }
    hash.lock().unwrap().line();
}

/// A stage of the pipeline: it yields at every so many.
fn stage(id: u32, input: &Receiver<u32>, output: &Sender<u32>, every: u32, hash: &std::sync::Mutex<Hash>) {
    for v in input {
        hash.lock().unwrap().word(id << 16 | v);
        if every > 0 && v % every == 0 {
            gmp::yield_now();
        }
        output.send(v + 1).unwrap();
    }
    output.close();
}

/// A producer; the second yields now and then, the third tries before it waits.
fn produce(i: u32, c: &Sender<u32>, hash: &std::sync::Mutex<Hash>) {
    let word = |word| hash.lock().unwrap().word(word);
    for j in 0..25 {
        let v = i * 1000 + j * 10;
        if i == 2 && j % 3 == 0 {
            gmp::yield_now();
        } else if i == 3 {
            let sent = select! {
                send(c, v) -> _ => true,
                default => false,
            };
            word(if sent { 1 << 24 | v } else { 2 << 24 | v });
            if sent {
                continue;
            }
        }
        c.send(v).unwrap();
        word(3 << 24 | v);
    }
}

/// Four producers, three stages with these buffers, three consumers: a hash over every step.
fn pipeline(buffers: [usize; 3]) {
    let hash = shared(Hash::new());
    let [(c1_tx, c1), (c2_tx, c2), (c3_tx, c3)] = buffers.map(chan::<u32>);
    let (c4_tx, c4) = chan::<u32>(0);
    let (p, k) = (WaitGroup::new(), WaitGroup::new());
    for i in 1..=4 {
        p.add(1);
        go!(c1_tx, p, hash, || {
            let _done = done_at_end(&p);
            produce(i, &c1_tx, &hash);
        });
    }
    go!(c1, c2_tx, hash, || stage(1, &c1, &c2_tx, 0, &hash));
    go!(c2, c3_tx, hash, || stage(2, &c2, &c3_tx, 70, &hash));
    go!(c3, c4_tx, hash, || stage(3, &c3, &c4_tx, 0, &hash));
    let total = Arc::new(AtomicI64::new(0));
    for i in 1..=3 {
        k.add(1);
        go!(c4, k, total, hash, || {
            let _done = done_at_end(&k);
            for v in &c4 {
                hash.lock().unwrap().word(i << 28 | v);
                total.fetch_add(v.into(), Relaxed);
                if i == 2 {
                    gmp::yield_now();
                }
            }
        });
    }
    p.wait();
    c1_tx.close();
    k.wait();
    evn("total=", total.load(Relaxed));
    hash.lock().unwrap().line();
    nl();
}

/// The pipeline with five sets of buffers.
pub(crate) fn prodcons_pipeline() {
    for buffers in [[0, 0, 0], [1, 0, 3], [5, 2, 0], [0, 16, 1], [64, 64, 64]] {
        twice(|| pipeline(buffers));
    }
}
