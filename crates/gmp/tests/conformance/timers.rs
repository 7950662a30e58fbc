//! Sleepers and timers.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use gmp::time::{Ticker, Timer, after, after_func};
use gmp::{Receiver, Sender, chan, select};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sleepers of distinct durations wake in the order of their durations.
pub(crate) fn sleep_distinct() {
    until_timely(|stretch, lateness| {
        let wg = WaitGroup::new();
        for d in [200, 50, 150, 100, 250] {
            wg.add(1);
            go!(wg, lateness, || {
                let _done = done_at_end(&wg);
                gmp::sleep(ms(d) * stretch);
                lateness.of(ms(d) * stretch);
                evn("s", d);
            });
        }
        wg.wait();
        ev("main");
    });
}

/// A sleep of zero returns at once, without a yield. Go's negative one has no counterpart in `Duration`: it is a second
/// zero.
pub(crate) fn sleep_zero() {
    go!(|| ev("g"));
    ev("a");
    gmp::sleep(Duration::ZERO);
    ev("b");
    gmp::sleep(Duration::ZERO);
    ev("c");
    gmp::yield_now();
    ev("main");
}

/// Each call-back runs in a goroutine of its own, by expiry; of those that expired together the last runs first.
pub(crate) fn afterfunc_order() {
    until_timely(|stretch, lateness| {
        let (tell, done) = chan(16);
        for d in [150, 50, 100] {
            let (tell, lateness) = (tell.clone(), lateness.clone());
            after_func(ms(d) * stretch, move || {
                lateness.of(ms(d) * stretch);
                evn("f", d);
                tell.send(true).unwrap();
            });
        }
        for _ in 0..3 {
            done.recv().unwrap();
        }
        ev("|");
        for i in 1..=4 {
            let tell = tell.clone();
            after_func(ms(i), move || {
                evn("e", i);
                tell.send(true).unwrap();
            });
        }
        let start = Instant::now();
        while start.elapsed() < ms(6) {}
        for _ in 0..4 {
            done.recv().unwrap();
        }
        ev("main");
    });
}

/// A channel against a time-out: first the channel, then the time-out; then a timer is stopped and set again.
pub(crate) fn select_timeout() {
    let (tx, c) = chan(0);
    go!(tx, || {
        gmp::sleep(ms(20));
        tx.send(1).unwrap();
    });
    for _ in 0..2 {
        select! {
            recv(c) -> v => evn("c", v.unwrap()),
            recv(after(ms(200))) -> _ => ev("timeout"),
        }
    }
    let timer = Timer::new(Duration::from_secs(3600));
    ev(&timer.stop().to_string());
    ev(&timer.stop().to_string());
    ev(&timer.reset(ms(10)).to_string());
    timer.channel().recv().unwrap();
    ev("fired");
    ev(&timer.stop().to_string());
}

/// A pending timer keeps a program from being called deadlocked.
pub(crate) fn no_deadlock_while_timer() {
    let (tx, c) = chan(0);
    let sender = tx.clone();
    after_func(ms(30), move || sender.send(1).unwrap());
    evn("got", c.recv().unwrap());
}

fn tell_if_empty(c: &Receiver<Instant>) {
    select! {
        recv(c) -> _ => ev("value"),
        default => ev("none"),
    }
}

/// Timers' channels hold nothing back: no stale value after a stop or a reset, however long ago the timer expired.
pub(crate) fn timer_stop_reset() {
    let hour = Duration::from_secs(3600);
    let t = Timer::new(ms(5));
    gmp::sleep(ms(20));
    evn("len", t.channel().len());
    evn("cap", t.channel().capacity());
    ev(&t.stop().to_string());
    tell_if_empty(t.channel());
    ev(&t.reset(ms(5)).to_string());
    gmp::sleep(ms(20));
    ev(&t.reset(hour).to_string());
    tell_if_empty(t.channel());
    ev(&t.reset(ms(5)).to_string());
    t.channel().recv().unwrap();
    ev("fired");
    ev(&t.reset(ms(5)).to_string());
    gmp::sleep(ms(20));
    tell_if_empty(t.channel());
    ev(&t.stop().to_string());
    ev("|");

    // A timer that sets itself again, and one that another stops.
    let (tell, done) = chan(0);
    let victim = after_func(ms(400), || ev("never"));
    let itself: Arc<OnceLock<Timer>> = Arc::default();
    let n = AtomicI64::new(0);
    let f = {
        let itself = itself.clone();
        after_func(ms(5), move || {
            let n = n.fetch_add(1, Relaxed) + 1;
            evn("f", n);
            if n < 3 {
                ev(&itself.get().unwrap().reset(ms(5)).to_string());
                return;
            }
            ev(&victim.stop().to_string());
            ev(&victim.stop().to_string());
            tell.send(n).unwrap();
        })
    };
    let f = itself.get_or_init(|| f);
    evn("done", done.recv().unwrap());
    ev(&f.stop().to_string());
    gmp::sleep(ms(500));
    ev("|");

    // Earlier and later.
    let (a, b) = (Timer::new(hour), Timer::new(ms(300)));
    ev(&a.reset(ms(10)).to_string());
    for _ in 0..2 {
        select! {
            recv(a.channel()) -> _ => ev("a"),
            recv(b.channel()) -> _ => ev("b"),
        }
    }
    ev(&b.reset(Duration::ZERO).to_string());
    b.channel().recv().unwrap();
    ev("b0");
    after(Duration::ZERO).recv().unwrap();
    ev("main");
}

/// A ticker, its reset and its end, beside a time-out. Missed ticks are dropped.
pub(crate) fn ticker_select() {
    let t = Ticker::new(ms(150));
    let timeout = after(ms(1000));
    let mut n = 0;
    loop {
        select! {
            recv(t.channel()) -> _ => {
                n += 1;
                evn("t", n);
                if n == 2 {
                    t.reset(ms(200));
                }
                if n == 4 {
                    t.stop();
                }
            },
            recv(timeout) -> _ => {
                ev("timeout");
                break;
            },
        }
    }
    // Of those that fell due while nobody looked there is one.
    t.reset(ms(300));
    gmp::sleep(ms(1050));
    t.tick();
    select! {
        recv(t.channel()) -> _ => ev("second"),
        default => ev("one"),
    }
    t.stop();
    gmp::sleep(ms(350));
    select! {
        recv(t.channel()) -> _ => ev("stale"),
        default => ev("none"),
    }
    ev("main");
}

/// Five functions whose time came while 200 goroutines were queued: one look at the timers runs them all, so the last is
/// next and the others go behind the 200.
pub(crate) fn x_expired_behind_200() {
    const N: i64 = 200;
    let order = shared(Vec::new());
    let (over, done) = chan::<()>(0);
    let log = move |order: &Mutex<Vec<i64>>, over: &Sender<()>, i: i64| {
        let mut order = order.lock().unwrap();
        order.push(i);
        if order.len() == N as usize + 5 {
            over.close();
        }
    };
    for i in 1..=5 {
        let (order, over) = (order.clone(), over.clone());
        after_func(ms(i), move || log(&order, &over, 1000 + i as i64));
    }
    for i in 1..=N {
        go!(order, over, || log(&order, &over, i));
    }
    let start = Instant::now();
    while start.elapsed() < ms(6) {}
    done.recv().unwrap_err();
    ranges(&order.lock().unwrap());
    ev("main");
}
