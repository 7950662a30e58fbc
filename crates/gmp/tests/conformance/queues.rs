//! Spawning, yielding, `run_next` and the shared queue: nothing but queue order decides.
//!
//! Where Go's program waits for the end by `close(done)` or a WaitGroup, a [`Group`] readies main at the same moment.

use crate::prelude::*;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

fn spawn(n: usize) {
    let order = Arc::new(Mutex::new(Vec::new()));
    let group = Group::of(n);
    for i in 1..=n as i64 {
        let (order, group) = (order.clone(), group.clone());
        go(move || {
            order.lock().unwrap().push(i);
            group.done();
        });
    }
    group.wait();
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
            let ran = ran.clone();
            go(move || _ = ran.fetch_add(1, Relaxed));
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
    let (a, b) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let group = Group::of(N);
    for i in 1..=N as i64 {
        let (a, b, group) = (a.clone(), b.clone(), group.clone());
        go(move || {
            a.lock().unwrap().push(i);
            gmp::yield_now();
            b.lock().unwrap().push(i);
            group.done();
        });
    }
    group.wait();
    ranges(&a.lock().unwrap());
    nl();
    ranges(&b.lock().unwrap());
}

/// Three goroutines that yield in turn rotate through the shared queue.
pub(crate) fn gosched_roundrobin() {
    let group = Group::of(3);
    for name in ["a", "b", "c"] {
        let group = group.clone();
        go(move || {
            let _done = group.defer();
            for k in 0..4 {
                evn(name, k);
                gmp::yield_now();
            }
        });
    }
    group.wait();
    ev("main");
}

/// Every goroutine starts three children, three deep: the order of starts and ends.
pub(crate) fn spawn_nested_tree() {
    fn node(group: &Group, path: String, depth: usize) {
        let _done = group.defer();
        ev(&path);
        if depth > 0 {
            for i in 0..3 {
                group.add();
                let (group, path) = (group.clone(), format!("{path}{i}"));
                go(move || node(&group, path, depth - 1));
            }
        }
        ev(&(path + "."));
    }
    let group = Group::of(1);
    let of_root = group.clone();
    go(move || node(&of_root, String::from("r"), 3));
    group.wait();
    ev("main");
}

/// A chain of goroutines, each starting the next, runs wholly through run_next: no tick, so neither the local nor the
/// shared queue gets a turn.
pub(crate) fn spawn_chain_starves_queue() {
    fn link(group: Group, n: i64) {
        if n == 300 {
            evn("link", n);
            group.done();
            return;
        }
        go(move || link(group, n + 1));
    }
    let group = Group::of(3);
    let yields_and = |event| {
        let group = group.clone();
        move || {
            gmp::yield_now();
            ev(event);
            group.done();
        }
    };
    go(yields_and("global"));
    // Lets it reach the shared queue.
    gmp::yield_now();
    gmp::yield_now();
    go(yields_and("global2"));
    let first = group.clone();
    go(move || link(first, 1));
    group.add();
    let local = group.clone();
    go(move || {
        ev("local");
        let chain = local.clone();
        go(move || link(chain, 200));
        local.add();
        local.done();
    });
    group.wait();
    ev("main");
}

/// Two goroutines in ping-pong keep the P through run_next: those queued before them run only when they stop.
pub(crate) fn runnext_pingpong_bystander() {
    let (a, b, done) = (Chan::new(), Chan::new(), Chan::new());
    let rounds = Arc::new(AtomicI64::new(0));
    {
        let (a, b, done, rounds) = (a.clone(), b.clone(), done.clone(), rounds.clone());
        go(move || {
            for i in 0..300 {
                let _: i32 = a.recv();
                rounds.fetch_add(1, Relaxed);
                b.send(i);
            }
            done.send(());
        });
    }
    {
        let done = done.clone();
        go(move || {
            for i in 0..300 {
                a.send(i);
                let _: i32 = b.recv();
            }
            done.send(());
        });
    }
    for i in 0..3 {
        let rounds = rounds.clone();
        go(move || {
            let at = rounds.load(Relaxed);
            evn("x", i);
            evn("after", at);
        });
    }
    done.recv();
    ev("m");
    done.recv();
    ev("main");
}

/// Two are readied in a row: the second runs next, the first goes behind all that was queued.
pub(crate) fn runnext_kick() {
    let (b, c) = (Chan::new(), Chan::new());
    let group = Group::of(5);
    for (chan, event) in [(b.clone(), "B"), (c.clone(), "C")] {
        let group = group.clone();
        go(move || {
            let _done = group.defer();
            let _: i32 = chan.recv();
            ev(event);
        });
    }
    gmp::yield_now();
    for event in ["X", "Y"] {
        let group = group.clone();
        go(move || {
            let _done = group.defer();
            ev(event);
        });
    }
    let last = group.clone();
    go(move || {
        let _done = last.defer();
        ev("A");
        b.send(1);
        c.send(1);
        ev("a");
    });
    group.wait();
    ev("main");
}

/// The prime sieve, 48 primes: a hash over every receive of every filter, so the whole schedule is compared.
pub(crate) fn sieve_trace() {
    let hash = Arc::new(Mutex::new(Hash::new()));
    let mut from: Chan<u32> = Chan::new();
    let to = from.clone();
    go(move || {
        let mut i = 2;
        loop {
            to.send(i);
            i += 1;
        }
    });
    for i in 0..48 {
        let prime = from.recv();
        hash.lock().unwrap().word(prime);
        evn("", prime);
        let next = Chan::new();
        let (input, output, hash) = (from, next.clone(), hash.clone());
        go(move || {
            loop {
                let v = input.recv();
                hash.lock().unwrap().word((i + 1) << 16 | v);
                if !v.is_multiple_of(prime) {
                    output.send(v);
                }
            }
        });
        from = next;
    }
    nl();
    hash.lock().unwrap().line();
}

/// 3,000 goroutines in waves of 100 that start and end, some after a yield: reuse of records must not change the order.
pub(crate) fn spawn_exit_reuse() {
    let hash = Arc::new(Mutex::new(Hash::new()));
    for w in 0..30 {
        align_tick();
        let group = Group::of(100);
        for i in 0..100 {
            let (group, hash) = (group.clone(), hash.clone());
            go(move || {
                let _done = group.defer();
                hash.lock().unwrap().word(w * 100 + i);
                if i % 10 == 3 {
                    gmp::yield_now();
                    hash.lock().unwrap().word(100_000 + i);
                }
            });
        }
        group.wait();
        hash.lock().unwrap().word(200_000 + w);
    }
    hash.lock().unwrap().line();
}

/// Numbers are handed out in the order of creation.
pub(crate) fn goid_sequence() {
    let number = || gmp::current().unwrap().number as i64;
    evn("main", number());
    for _ in 0..48 {
        go(|| {});
    }
    gmp::yield_now();
    let numbers = Arc::new(Mutex::new(vec![0; 40]));
    let group = Group::of(40);
    for i in 0..40 {
        let (group, numbers) = (group.clone(), numbers.clone());
        go(move || {
            let _done = group.defer();
            numbers.lock().unwrap()[i] = number();
        });
    }
    group.wait();
    let numbers = numbers.lock().unwrap();
    ranges(&numbers.iter().map(|number| number - numbers[0]).collect::<Vec<_>>());
}
