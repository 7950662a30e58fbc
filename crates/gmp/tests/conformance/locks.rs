//! Wait groups, mutexes and condition variables: which goroutine is let through, and which runs first.

use crate::prelude::*;
use gmp::sync::{Cond, Mutex, Once, OnceCell, RwLock, WaitGroup};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Six wait for a group: released first come first, so the last of them is in run_next.
pub(crate) fn waitgroup_waiters() {
    let (wg, all) = (WaitGroup::new(), WaitGroup::new());
    wg.add(1);
    for i in 1..=6 {
        all.add(1);
        go!(wg, all, || {
            let _done = done_at_end(&all);
            evn("w", i);
            wg.wait();
            evn("r", i);
        });
    }
    gmp::yield_now();
    wg.done();
    ev("done");
    all.wait();
    ev("main");
}

/// Normal mode: first come first, each unlock readies one waiter into run_next, and the unlocker runs on.
pub(crate) fn mutex_normal_chain() {
    let mu = Arc::new(Mutex::new(()));
    let wg = WaitGroup::new();
    let held = mu.lock();
    for i in 1..=5 {
        wg.add(1);
        go!(mu, wg, || {
            let _done = done_at_end(&wg);
            evn("w", i);
            let held = mu.lock();
            evn("L", i);
            held.unlock();
            evn("u", i);
        });
    }
    gmp::yield_now();
    ev("unlock");
    held.unlock();
    ev("unlocked");
    wg.wait();
    ev("main");
}

/// A waiter that waited for over 1 ms and loses again turns starvation mode on: from then on an unlock hands over the
/// mutex and the time slice at once, and the unlocker goes on behind the local queue.
pub(crate) fn mutex_starving_handoff() {
    let mu = Arc::new(Mutex::new(()));
    let wg = WaitGroup::new();
    let held = mu.lock();
    for i in 1..=3 {
        wg.add(1);
        go!(mu, wg, || {
            let _done = done_at_end(&wg);
            let held = mu.lock();
            evn("L", i);
            gmp::yield_now();
            evn("l", i);
            held.unlock();
            evn("u", i);
        });
    }
    // All three wait for more than 1 ms.
    gmp::sleep(Duration::from_millis(5));
    held.unlock();
    // Barges once: the woken waiter will find it locked,
    let held = mu.lock();
    ev("barged");
    // turn starvation mode on, and queue in front.
    gmp::yield_now();
    wg.add(1);
    go!(wg, || {
        let _done = done_at_end(&wg);
        ev("x");
    });
    ev("unlock");
    held.unlock();
    ev("unlocked");
    wg.wait();
    ev("main");
}

/// A broadcast readies first come first: the last waiter runs first, the rest in order.
pub(crate) fn cond_broadcast() {
    let (mu, c) = (Arc::new(Mutex::new(())), Arc::new(Cond::new()));
    let wg = WaitGroup::new();
    for i in 1..=6 {
        wg.add(1);
        go!(mu, c, wg, || {
            let _done = done_at_end(&wg);
            let mut held = mu.lock();
            evn("w", i);
            c.wait(&mut held);
            evn("r", i);
            held.unlock();
        });
    }
    gmp::yield_now();
    let held = mu.lock();
    c.notify_all();
    ev("broadcast");
    held.unlock();
    wg.wait();
    ev("main");
}

/// Barging: a goroutine that unlocks and locks again wins over the woken waiter; a try never waits.
pub(crate) fn mutex_trylock() {
    let mu = Arc::new(Mutex::new(()));
    let wg = WaitGroup::new();
    for i in 1..=3 {
        let mu = mu.clone();
        wg.go(move || {
            for k in 0..3 {
                let held = mu.lock();
                evn("L", i * 10 + k);
                if k == 1 {
                    gmp::yield_now();
                }
                held.unlock();
            }
            evn("end", i);
        });
    }
    for k in 0..6 {
        if let Some(held) = mu.try_lock() {
            evn("try", k);
            gmp::yield_now();
            held.unlock();
        } else {
            evn("busy", k);
            gmp::yield_now();
        }
    }
    wg.wait();
    ev("main");
}

/// Readers share; a waiting writer stops new readers; its unlock lets all waiting readers in before the next writer.
pub(crate) fn rwmutex_queue() {
    let mu = Arc::new(RwLock::new(()));
    let wg = WaitGroup::new();
    let reader = |i| {
        go!(mu, wg, || {
            let _done = done_at_end(&wg);
            evn("r?", i);
            let held = mu.read();
            evn("R", i);
            gmp::yield_now();
            evn("r", i);
            drop(held);
        });
    };
    let writer = |i| {
        go!(mu, wg, || {
            let _done = done_at_end(&wg);
            evn("w?", i);
            let held = mu.write();
            evn("W", i);
            gmp::yield_now();
            evn("w", i);
            drop(held);
            evn("u", i);
        });
    };
    let held = mu.read();
    wg.add(9);
    reader(1);
    reader(2);
    gmp::yield_now();
    writer(3);
    gmp::yield_now();
    ev(&mu.try_read().is_some().to_string());
    ev(&mu.try_write().is_some().to_string());
    reader(4);
    writer(5);
    reader(6);
    gmp::yield_now();
    ev("unlock");
    drop(held);
    ev("unlocked");
    reader(7);
    writer(8);
    reader(9);
    wg.wait();
    ev(&mu.try_read().is_some().to_string());
    let held = mu.try_write();
    ev(&held.is_some().to_string());
    ev(&mu.try_read().is_some().to_string());
    ev("main");
}

/// Goroutines that come while the first is still running the function wait for it; a panic counts as done.
pub(crate) fn once_waiters() {
    let (once, bad) = (Arc::new(Once::new()), Once::new());
    let wg = WaitGroup::new();
    for i in 1..=5 {
        wg.add(1);
        go!(once, wg, || {
            let _done = done_at_end(&wg);
            evn("g", i);
            once.call_once(|| {
                evn("do", i);
                gmp::yield_now();
                gmp::yield_now();
                evn("did", i);
            });
            evn("after", i);
        });
    }
    wg.wait();
    once.call_once(|| ev("never"));
    let broken = catch_unwind(AssertUnwindSafe(|| bad.call_once(|| resume_unwind(Box::new("broken")))));
    ev(broken.unwrap_err().downcast_ref::<&str>().unwrap());
    bad.call_once(|| ev("never"));
    let v = Arc::new(OnceCell::new());
    for i in 1..=3 {
        wg.add(1);
        go!(v, wg, || {
            let _done = done_at_end(&wg);
            let v = v.get_or_init(|| {
                ev("compute");
                gmp::yield_now();
                7
            });
            evn("v", i * 10 + v);
        });
    }
    wg.wait();
    ev("main");
}

/// A bounded queue on a mutex and two condition variables, by `notify_one`; at the end a `notify_all`.
pub(crate) fn cond_queue() {
    struct State {
        queue: VecDeque<i64>,
        closed: bool,
    }
    let mu = Arc::new(Mutex::new(State { queue: VecDeque::new(), closed: false }));
    let (not_empty, not_full) = (Arc::new(Cond::new()), Arc::new(Cond::new()));
    let (p, k) = (WaitGroup::new(), WaitGroup::new());
    for i in 1..=3 {
        let (mu, not_empty, not_full) = (mu.clone(), not_empty.clone(), not_full.clone());
        k.go(move || {
            loop {
                let mut state = mu.lock();
                while state.queue.is_empty() && !state.closed {
                    evn("empty", i);
                    not_empty.wait(&mut state);
                }
                let Some(v) = state.queue.pop_front() else {
                    state.unlock();
                    evn("end", i);
                    return;
                };
                state.unlock();
                not_full.notify_one();
                evn("r", i * 100 + v);
            }
        });
    }
    for i in 1..=4 {
        let (mu, not_empty, not_full) = (mu.clone(), not_empty.clone(), not_full.clone());
        p.go(move || {
            for j in 0..4 {
                let mut state = mu.lock();
                while state.queue.len() == 2 {
                    evn("full", i);
                    not_full.wait(&mut state);
                }
                state.queue.push_back(i * 10 + j);
                evn("s", i * 10 + j);
                state.unlock();
                not_empty.notify_one();
                if i == 3 {
                    gmp::yield_now();
                }
            }
        });
    }
    p.wait();
    let mut state = mu.lock();
    state.closed = true;
    state.unlock();
    not_empty.notify_all();
    k.wait();
    ev("main");
}

/// A wait group used again and again, with several waiters and nested additions.
pub(crate) fn waitgroup_reuse() {
    let (wg, waiters) = (WaitGroup::new(), WaitGroup::new());
    for round in 1..=3 {
        for i in 1..=3 {
            let nested = wg.clone();
            wg.go(move || {
                evn("g", round * 10 + i);
                if i == round {
                    nested.go(move || evn("n", round * 10 + i));
                    gmp::yield_now();
                }
            });
        }
        for i in 1..=2 {
            let wg = wg.clone();
            waiters.go(move || {
                wg.wait();
                evn("w", round * 10 + i);
            });
        }
        wg.wait();
        evn("round", round);
        waiters.wait();
    }
    wg.wait();
    ev("main");
}
