//! Channels: which goroutine waits, which is readied, and when they run.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use gmp::{chan, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Values go straight to waiting receivers, first come first; each wake takes run_next and kicks the one before.
pub(crate) fn chan_recv_waiters() {
    let (tx, c) = chan::<i64>(0);
    let (tell, done) = chan(0);
    for i in 1..=5 {
        go!(c, tell, || {
            evn("w", i);
            let v = c.recv().unwrap();
            evn("r", i * 100 + v);
            tell.send(1).unwrap();
        });
    }
    gmp::yield_now();
    ev("|");
    for v in 1..=5 {
        tx.send(v).unwrap();
        evn("s", v);
    }
    for i in 0..5 {
        done.recv().unwrap();
        evn("d", i);
    }
}

/// A full buffer with blocked senders: a receive takes the head, the first sender's value becomes the tail, and that
/// sender is readied.
pub(crate) fn chan_buffered_senders() {
    let (tx, c) = chan::<i64>(2);
    for i in 1..=6 {
        go!(tx, || {
            evn("w", i);
            tx.send(i).unwrap();
            evn("s", i);
        });
    }
    gmp::yield_now();
    evn("len", c.len());
    ev("|");
    for i in 0..6 {
        evn("r", c.recv().unwrap());
        if i == 2 {
            gmp::yield_now();
            ev("|");
        }
    }
    gmp::yield_now();
    ev("main");
}

/// One producer, one consumer, a buffer of 4, 20 items.
pub(crate) fn chan_buffered_prodcons() {
    let (tx, c) = chan::<i64>(4);
    let (tell, done) = chan(0);
    go!(c, tell, || {
        for v in &c {
            evn("c", v);
        }
        ev("end");
        tell.send(true).unwrap();
    });
    go!(tx, || {
        for i in 0..20 {
            tx.send(i).unwrap();
            evn("p", i);
        }
        tx.close();
        ev("close");
    });
    done.recv().unwrap();
    ev("main");
}

/// Three producers and two consumers, a buffer of 3.
pub(crate) fn chan_prodcons_buf_3x2() {
    let (tx, c) = chan::<i64>(3);
    let (p, k) = (WaitGroup::new(), WaitGroup::new());
    for name in ["A", "B"] {
        k.add(1);
        go!(c, k, || {
            let _done = done_at_end(&k);
            for v in &c {
                evn(name, v);
            }
        });
    }
    for i in 1..=3 {
        p.add(1);
        go!(tx, p, || {
            let _done = done_at_end(&p);
            for j in 0..6 {
                tx.send(i * 10 + j).unwrap();
                evn("s", i * 10 + j);
            }
        });
    }
    p.wait();
    ev("close");
    tx.close();
    k.wait();
    ev("main");
}

/// A close readies all receivers, the last one first: the first to wait ends in run_next.
pub(crate) fn chan_close_receivers() {
    let (tx, c) = chan::<i64>(0);
    let wg = WaitGroup::new();
    for i in 1..=6 {
        wg.add(1);
        go!(c, wg, || {
            let _done = done_at_end(&wg);
            evn("w", i);
            if c.recv().is_err() {
                evn("r", i);
            }
        });
    }
    gmp::yield_now();
    tx.close();
    ev("closed");
    wg.wait();
    ev("main");
}

/// A value for a blocked receiver goes past the buffer: an attempt to receive finds nothing, although the receiver has
/// not run yet.
pub(crate) fn chan_direct_handoff() {
    for size in [0, 1, 3] {
        let (tx, c) = chan::<i64>(size);
        let (tell, done) = chan(0);
        go!(c, tell, || tell.send(c.recv().unwrap()).unwrap());
        gmp::yield_now();
        tx.send(7).unwrap();
        evn("len", c.len());
        select! {
            recv(c) -> v => evn("stolen", v.unwrap()),
            default => ev("empty"),
        }
        evn("got", done.recv().unwrap());
    }
}

/// A close with a full buffer and blocked senders, and everything after it. Where Go panics, an error comes back here.
pub(crate) fn chan_closed_ops() {
    let (tx, c) = chan::<i64>(2);
    let wg = WaitGroup::new();
    for i in 1..=5 {
        wg.add(1);
        go!(tx, wg, || {
            let _done = done_at_end(&wg);
            evn("w", i);
            evn(if tx.send(i).is_err() { "e" } else { "s" }, i);
        });
    }
    gmp::yield_now();
    evn("len", c.len());
    tx.close();
    evn("len", c.len());
    ev(&(!tx.close()).to_string());
    ev(&tx.send(9).is_err().to_string());
    select! {
        send(tx, 9) -> sent => ev(&sent.is_err().to_string()),
        default => ev("default"),
    }
    wg.wait();
    for _ in 0..4 {
        select! {
            recv(c) -> v => match v {
                Ok(v) => evn("r", v),
                Err(_) => ev("closed"),
            },
            default => ev("empty"),
        }
    }
    for v in &c {
        evn("never", v);
    }
    evn("len", c.len());
    evn("cap", c.capacity());
    ev("main");
}

/// Two goroutines in ping-pong keep the P through run_next: those queued before them run only when they stop.
pub(crate) fn runnext_pingpong_bystander() {
    let ((a_tx, a), (b_tx, b), (tell, done)) = (chan(0), chan(0), chan(0));
    let rounds = Arc::new(AtomicI64::new(0));
    go!(a, b_tx, tell, rounds, || {
        for i in 0..300 {
            let _: i32 = a.recv().unwrap();
            rounds.fetch_add(1, Relaxed);
            b_tx.send(i).unwrap();
        }
        tell.send(true).unwrap();
    });
    go!(a_tx, b, tell, || {
        for i in 0..300 {
            a_tx.send(i).unwrap();
            let _: i32 = b.recv().unwrap();
        }
        tell.send(true).unwrap();
    });
    for i in 0..3 {
        go!(rounds, || {
            let at = rounds.load(Relaxed);
            evn("x", i);
            evn("after", at);
        });
    }
    done.recv().unwrap();
    ev("m");
    done.recv().unwrap();
    ev("main");
}

/// Two are readied in a row: the second runs next, the first goes behind all that was queued.
pub(crate) fn runnext_kick() {
    let ((b_tx, b), (c_tx, c)) = (chan(0), chan(0));
    let wg = WaitGroup::new();
    wg.add(5);
    go!(b, wg, || {
        let _done = done_at_end(&wg);
        let _: i32 = b.recv().unwrap();
        ev("B");
    });
    go!(c, wg, || {
        let _done = done_at_end(&wg);
        let _: i32 = c.recv().unwrap();
        ev("C");
    });
    gmp::yield_now();
    for event in ["X", "Y"] {
        go!(wg, || {
            let _done = done_at_end(&wg);
            ev(event);
        });
    }
    go!(b_tx, c_tx, wg, || {
        let _done = done_at_end(&wg);
        ev("A");
        b_tx.send(1).unwrap();
        c_tx.send(1).unwrap();
        ev("a");
    });
    wg.wait();
    ev("main");
}

/// The prime sieve, 48 primes: a hash over every receive of every filter, so the whole schedule is compared.
pub(crate) fn sieve_trace() {
    let hash = shared(Hash::new());
    let (tx, mut c) = chan::<u32>(0);
    go!(|| {
        for i in 2.. {
            tx.send(i).unwrap();
        }
    });
    for i in 0..48 {
        let prime = c.recv().unwrap();
        hash.lock().unwrap().word(prime);
        evn("", prime);
        let (tx, next) = chan(0);
        go!(hash, || {
            loop {
                let v = c.recv().unwrap();
                hash.lock().unwrap().word((i + 1) << 16 | v);
                if !v.is_multiple_of(prime) {
                    tx.send(v).unwrap();
                }
            }
        });
        c = next;
    }
    nl();
    hash.lock().unwrap().line();
    // The filters wait for ever, as in Go: dropping the last receiver would close channel after channel.
    std::mem::forget(c);
}

/// Two goroutines in ping-pong share one slice: when it is over the bystander runs, long before they would stop.
pub(crate) fn runnext_timeslice_bound() {
    let ((a_tx, a), (b_tx, b), (tell, done)) = (chan(0), chan(0), chan(0));
    let (stop, met) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    go!(a, b_tx, tell, || {
        for v in &a {
            b_tx.send(v).unwrap();
        }
        tell.send(true).unwrap();
    });
    go!(a_tx, b, stop, met, || {
        let start = Instant::now();
        let mut i = 0;
        while !stop.load(Relaxed) && start.elapsed() < Duration::from_secs(5) {
            a_tx.send(i).unwrap();
            let _: i32 = b.recv().unwrap();
            i += 1;
        }
        met.store(stop.load(Relaxed), Relaxed);
        a_tx.close();
    });
    go!(stop, || stop.store(true, Relaxed));
    done.recv().unwrap();
    ev(&met.load(Relaxed).to_string());
}
