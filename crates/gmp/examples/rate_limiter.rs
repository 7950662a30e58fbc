//! A rate limiter: a bucket of tokens that a ticker fills. A burst may take what is in the bucket; then requests go at
//! the ticker's pace.

use gmp::time::Ticker;
use gmp::{Receiver, chan};
use std::time::{Duration, Instant};

const BURST: usize = 3;
const PERIOD: Duration = Duration::from_millis(5);
const REQUESTS: usize = 8;

/// A bucket with a token for each period, and at most `burst` of them.
fn bucket(period: Duration, burst: usize) -> Receiver<()> {
    let (fill, tokens) = chan(burst);
    for _ in 0..burst {
        fill.send(()).expect("there is room");
    }
    gmp::go(move || {
        let ticker = Ticker::new(period);
        loop {
            ticker.tick();
            // Waits while the bucket is full; the ticks missed meanwhile are dropped.
            if fill.send(()).is_err() {
                // Nobody takes tokens any more.
                return;
            }
        }
    });
    tokens
}

pub(crate) fn main() {
    let runtime = gmp::Builder::new().build().unwrap();
    runtime
        .run(|| {
            let tokens = bucket(PERIOD, BURST);
            let start = Instant::now();
            let served: Vec<Duration> = (0..REQUESTS)
                .map(|_| {
                    tokens.recv().expect("the bucket is filled for ever");
                    start.elapsed()
                })
                .collect();
            println!("{} requests served", served.len());
            let paced = REQUESTS - BURST - 1;
            println!("kept to the rate: {}", served[REQUESTS - 1] >= PERIOD * paced as u32);
        })
        .unwrap();
}
