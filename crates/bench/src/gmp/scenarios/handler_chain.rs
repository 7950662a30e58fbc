//! `handler_chain`: one operation is one hand-over. 32 requests are always under way, each through 4 handlers that pass
//! 4 KiB on over unbuffered channels and read all of it. The goroutine that was readied last finds its data in the
//! cache, if it runs next and where it was readied.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;

const CHAINS: u64 = 32;
const HANDLERS: u64 = 4;
const WORDS: usize = 512;

type Request = Box<[u64; WORDS]>;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let rounds = (n / CHAINS / HANDLERS).max(1);
        let chains: Vec<_> = (0..CHAINS).map(|_| gmp::go(move || chain(rounds))).collect();
        let handled = chains.into_iter().map(|one| one.join().unwrap_or(0)).sum();
        expect("handled words", handled, CHAINS * rounds * HANDLERS * WORDS as u64)
    })
}

/// One chain: it passes this many requests, one after the other, and returns the sum of what its handlers counted.
fn chain(rounds: u64) -> u64 {
    let (first, mut last) = gmp::chan::<Request>(0);
    for _ in 0..HANDLERS {
        let (send, receive) = gmp::chan(0);
        let before = std::mem::replace(&mut last, receive);
        drop(gmp::go(move || before.iter().all(|request| send.send(handle(request)).is_ok())));
    }
    let mut request: Request = Box::new([0; WORDS]);
    for _ in 0..rounds {
        let Ok(()) = first.send(request) else { return 0 };
        let Ok(back) = last.recv() else { return 0 };
        request = back;
    }
    request.iter().sum()
}

fn handle(mut request: Request) -> Request {
    request.iter_mut().for_each(|word| *word += 1);
    request
}
