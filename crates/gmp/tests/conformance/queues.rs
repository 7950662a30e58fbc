//! Spawning, yielding and the shared queue: nothing but queue order decides.

use crate::prelude::*;
use gmp::chan;
use gmp::sync::WaitGroup;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn spawn(n: usize) {
    let order = shared(Vec::new());
    let (close, done) = chan::<()>(0);
    for i in 1..=n as i64 {
        go!(order, close, || {
            let mut order = order.lock().unwrap();
            order.push(i);
            if order.len() == n {
                close.close();
            }
        });
    }
    done.recv().unwrap_err();
    ranges(&order.lock().unwrap());
    ev("main");
}

/// run_next first (last spawned), then first in, first out.
pub(crate) fn spawn_10() {
    spawn(10);
}

/// run_next and 255 in the ring, main blocked.
pub(crate) fn spawn_256() {
    spawn(256);
}

/// The first overflow: the oldest 128 and the kicked one go to the shared queue; the 61 rule mixes them in.
pub(crate) fn spawn_258() {
    spawn(258);
}

/// The last spawn before the second overflow of a half-full ring.
pub(crate) fn spawn_386() {
    spawn(386);
}

/// Many overflows, batches of 128 from the shared queue with single takes in between.
pub(crate) fn spawn_1000() {
    spawn(1000);
}

/// With the tick at 1 (mod 61), one that waits in the shared queue is served after run_next and 60 dispatches.
pub(crate) fn tick_align_probe() {
    for _ in 0..3 {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..200 {
            go!(ran, || ran.fetch_add(1, Relaxed));
        }
        while ran.load(Relaxed) < 200 {
            gmp::yield_now();
            evn("", ran.load(Relaxed));
        }
        ev("|");
        align_tick();
    }
}

/// 300 goroutines all yield: batches move to the local queue, later ones come by the 61 rule.
pub(crate) fn gosched_global_batch() {
    const N: usize = 300;
    let (a, b) = (shared(Vec::new()), shared(Vec::new()));
    let (close, done) = chan::<()>(0);
    for i in 1..=N as i64 {
        go!(a, b, close, || {
            a.lock().unwrap().push(i);
            gmp::yield_now();
            let mut b = b.lock().unwrap();
            b.push(i);
            if b.len() == N {
                close.close();
            }
        });
    }
    done.recv().unwrap_err();
    ranges(&a.lock().unwrap());
    nl();
    ranges(&b.lock().unwrap());
}

/// Three goroutines that yield in turn rotate through the shared queue.
pub(crate) fn gosched_roundrobin() {
    let wg = WaitGroup::new();
    for name in ["a", "b", "c"] {
        wg.add(1);
        go!(wg, || {
            let _done = done_at_end(&wg);
            for k in 0..4 {
                evn(name, k);
                gmp::yield_now();
            }
        });
    }
    wg.wait();
    ev("main");
}

/// Every goroutine starts three children, three deep: the order of starts and ends.
pub(crate) fn spawn_nested_tree() {
    fn node(wg: &WaitGroup, path: &str, depth: usize) {
        let _done = done_at_end(wg);
        ev(path);
        if depth > 0 {
            for i in 0..3 {
                wg.add(1);
                let child = format!("{path}{i}");
                go!(wg, || node(&wg, &child, depth - 1));
            }
        }
        ev(&format!("{path}."));
    }
    let wg = WaitGroup::new();
    wg.add(1);
    go!(wg, || node(&wg, "r", 3));
    wg.wait();
    ev("main");
}

/// A chain of goroutines, each starting the next, runs wholly through run_next: no tick, so neither the local nor the
/// shared queue gets a turn.
pub(crate) fn spawn_chain_starves_queue() {
    fn link(n: i64, fin: Arc<dyn Fn() + Send + Sync>) {
        if n == 300 {
            evn("link", n);
            fin();
            return;
        }
        go!(|| link(n + 1, fin));
    }
    let (close, done) = chan::<()>(0);
    let left = Arc::new(AtomicUsize::new(3));
    let fin: Arc<dyn Fn() + Send + Sync> = {
        let (left, close) = (left.clone(), close.clone());
        Arc::new(move || {
            if left.fetch_sub(1, Relaxed) == 1 {
                close.close();
            }
        })
    };
    go!(fin, || {
        gmp::yield_now();
        ev("global");
        fin();
    });
    // Lets it reach the shared queue.
    gmp::yield_now();
    gmp::yield_now();
    go!(fin, || {
        gmp::yield_now();
        ev("global2");
        fin();
    });
    go!(fin, || link(1, fin));
    left.fetch_add(1, Relaxed);
    go!(fin, left, || {
        ev("local");
        go!(fin, || link(200, fin));
        left.fetch_add(1, Relaxed);
        fin();
    });
    done.recv().unwrap_err();
    ev("main");
}

/// 3,000 goroutines in waves of 100 that start and end, some after a yield: reuse of records must not change the order.
pub(crate) fn spawn_exit_reuse() {
    let hash = shared(Hash::new());
    for w in 0..30 {
        align_tick();
        let wg = WaitGroup::new();
        for i in 0..100 {
            wg.add(1);
            go!(wg, hash, || {
                let _done = done_at_end(&wg);
                hash.lock().unwrap().word(w * 100 + i);
                if i % 10 == 3 {
                    gmp::yield_now();
                    hash.lock().unwrap().word(100_000 + i);
                }
            });
        }
        wg.wait();
        hash.lock().unwrap().word(200_000 + w);
    }
    hash.lock().unwrap().line();
}

/// Numbers are handed out in the order of creation.
pub(crate) fn goid_sequence() {
    let number = || gmp::current().unwrap().number as i64;
    evn("main", number());
    for _ in 0..48 {
        go!(|| {});
    }
    gmp::yield_now();
    let ids = shared(vec![0; 40]);
    let wg = WaitGroup::new();
    for i in 0..40 {
        wg.add(1);
        go!(wg, ids, || {
            let _done = done_at_end(&wg);
            ids.lock().unwrap()[i] = number();
        });
    }
    wg.wait();
    let ids = ids.lock().unwrap();
    ranges(&ids.iter().map(|id| id - ids[0]).collect::<Vec<_>>());
}
