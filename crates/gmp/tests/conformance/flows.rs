//! Pipelines, pools, servers and rings: channels as programs use them.

use crate::prelude::*;
use gmp::{Receiver, Sender, chan};
use std::sync::Arc;

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
