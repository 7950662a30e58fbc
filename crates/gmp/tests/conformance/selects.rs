//! Selects, mostly such that only one case can end them.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use gmp::{chan, channel, select};

/// Exactly one ready case among several, channels that nobody serves, and the default.
pub(crate) fn select_one_ready() {
    let ((a_tx, a), (b_tx, b), (c_tx, c)) = (chan::<i64>(1), chan::<i64>(1), chan::<i64>(1));
    // Go's nil channel: nothing is ever received from it, and sending to one that nobody receives from is the same.
    let nil = channel::never::<i64>();
    let (nil_tx, _unused) = chan::<i64>(0);
    let pick = || {
        select! {
            recv(a) -> v => evn("a", v.unwrap()),
            recv(b) -> v => evn("b", v.unwrap()),
            send(nil_tx, 1) -> _ => ev("nil-send"),
            recv(nil) -> _ => ev("nil-recv"),
            recv(c) -> v => match v {
                Ok(v) => evn("c", v),
                Err(_) => ev("c-closed"),
            },
            default => ev("default"),
        }
    };
    pick();
    b_tx.send(2).unwrap();
    pick();
    a_tx.send(1).unwrap();
    pick();
    c_tx.send(3).unwrap();
    c_tx.close();
    pick();
    pick();
    pick();
    select! {
        send(a_tx, 9) -> _ => ev("sent"),
        send(nil_tx, 1) -> _ => ev("nil"),
    }
    select! {
        send(a_tx, 9) -> _ => ev("sent"),
        default => ev("full"),
    }
}

/// Two goroutines that meet in selects which both block first: a value goes from select to select.
pub(crate) fn select_send_recv_pair() {
    let ((a_tx, a), (b_tx, b), (tell, done)) = (chan::<i64>(0), chan::<i64>(0), chan(0));
    go!(a_tx, b, tell, || {
        for i in 0..4 {
            select! {
                send(a_tx, i) -> _ => evn("sa", i),
                recv(b) -> v => evn("rb", v.unwrap()),
            }
        }
        tell.send(true).unwrap();
    });
    go!(a, b_tx, tell, done, || {
        for i in 10..14 {
            if i % 2 == 0 {
                select! {
                    recv(a) -> v => evn("ra", v.unwrap()),
                }
            } else {
                select! {
                    send(b_tx, i) -> _ => evn("sb", i),
                    recv(done) -> _ => ev("?"),
                }
            }
        }
        tell.send(true).unwrap();
    });
    done.recv().unwrap();
    ev("m");
    done.recv().unwrap();
    ev("main");
}

/// Many ready cases: the choice is random, and these things hold of it.
pub(crate) fn select_many_ready() {
    let chans: [_; 3] = std::array::from_fn(|_| {
        let (tx, rx) = chan::<usize>(100);
        (0..100).for_each(|i| tx.send(i).unwrap());
        rx
    });
    let (mut n, mut early) = ([0; 3], [0; 3]);
    let mut ordered = true;
    let mut picks = 0;
    while n != [100; 3] {
        if picks == 90 {
            early = n;
        }
        picks += 1;
        let (k, v) = select! {
            recv(chans[0]) -> v => (0, v),
            recv(chans[1]) -> v => (1, v),
            recv(chans[2]) -> v => (2, v),
            default => {
                ev("default");
                continue;
            },
        };
        if let Ok(v) = v {
            ordered &= v == n[k];
            n[k] += 1;
        }
    }
    ev(&ordered.to_string());
    for k in 0..3 {
        ev(&(early[k] > 5).to_string());
        evn("n", n[k]);
    }
}

/// A close finds plain receivers and selects in its queue.
pub(crate) fn chan_close_select_mix() {
    let ((c_tx, c), (d_tx, d)) = (chan::<i64>(0), chan::<i64>(0));
    let wg = WaitGroup::new();
    for i in 1..=8 {
        wg.add(1);
        go!(c, d, wg, || {
            let _done = done_at_end(&wg);
            let (event, v) = match i % 3 {
                0 => ("p", c.recv()),
                1 => select! {
                    recv(c) -> v => ("c", v),
                    recv(d) -> v => ("d", v),
                },
                _ => select! {
                    recv(d) -> v => ("D", v),
                    recv(channel::never()) -> v => ("never", v),
                },
            };
            evn(&format!("{event}{}", v.is_ok()), i);
        });
    }
    gmp::yield_now();
    c_tx.send(1).unwrap();
    ev("|");
    d_tx.send(1).unwrap();
    ev("|");
    c_tx.close();
    ev("closed");
    gmp::yield_now();
    ev("|");
    d_tx.close();
    wg.wait();
    ev("main");
}
