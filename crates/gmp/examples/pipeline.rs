//! A bounded pipeline that can be cancelled: a source, three workers, a sink. The channels have room for four values, so
//! the source is never far ahead; the context ends all of them.

use gmp::context::Context;
use gmp::{Receiver, Sender, chan, select};

const ROOM: usize = 4;

/// Every number, until the context is done.
fn source(context: &Context, out: Sender<u64>) -> u64 {
    for n in 0.. {
        select! {
            send(out, n) -> sent => if sent.is_err() { return n },
            recv(context.done()) -> _ => return n,
        }
    }
    u64::MAX
}

/// The square of each number, until there is none or the context is done.
fn worker(context: &Context, input: Receiver<u64>, out: Sender<u64>) {
    for n in input {
        select! {
            send(out, n * n) -> sent => if sent.is_err() { return },
            recv(context.done()) -> _ => return,
        }
    }
}

pub(crate) fn main() {
    let runtime = gmp::Builder::new().build().unwrap();
    runtime
        .run(|| {
            let (context, cancel) = Context::background().with_cancel();
            let (numbers, input) = chan(ROOM);
            let (out, squares) = chan(ROOM);
            gmp::scope(|s| {
                let source = s.go(|| source(&context, numbers));
                for _ in 0..3 {
                    let (input, out) = (input.clone(), out.clone());
                    s.go(|| worker(&context, input, out));
                }
                drop(out);
                let first: Vec<u64> = squares.iter().take(100).collect();
                // Enough: all stages stop where they are, and the scope waits for them.
                cancel.cancel();
                let made = source.join().expect("the source does not panic");
                println!(
                    "{} squares of numbers below 120: {}",
                    first.len(),
                    first.iter().all(|&n| n < 120 * 120)
                );
                println!("the source was less than 20 ahead: {}", made < 120);
            });
            println!("stopped: {}", context.err().expect("it was cancelled"));
        })
        .unwrap();
}
