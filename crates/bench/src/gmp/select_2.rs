//! `select_2`: one operation is one message, received by a select over two unbuffered channels with a goroutine behind
//! each that does nothing but send.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work;
use gmp::{Receiver, Sender, chan, select};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        // The senders stay here, too: a channel that is closed would always be ready.
        let ((_to_a, a), (_to_b, b)) = (feeder(n / 2), feeder(n / 2));
        let next = |_| {
            select! {
                recv(a) -> value => value.unwrap_or(0),
                recv(b) -> value => value.unwrap_or(0),
            }
        };
        expect("sum of the messages", (0..n).map(next).sum(), 2 * work::below(n / 2))
    })
}

fn feeder(n: u64) -> (Sender<u64>, Receiver<u64>) {
    let (send, receive) = chan(0);
    let theirs = send.clone();
    drop(gmp::go(move || (0..n).all(|i| theirs.send(i).is_ok())));
    (send, receive)
}
