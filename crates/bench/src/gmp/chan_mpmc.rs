//! `chan_mpmc`: one operation is one message from one of 4 goroutines to one of 4 others over a channel of 128.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work::{self, BUFFER, SENDERS};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / SENDERS;
        let (send, receive) = gmp::chan(BUFFER);
        let receivers = (0..SENDERS).map(|_| {
            let (send, receive) = (send.clone(), receive.clone());
            drop(gmp::go(move || (0..each).all(|i| send.send(i).is_ok())));
            gmp::go(move || receive.iter().sum::<u64>())
        });
        let receivers: Vec<_> = receivers.collect();
        drop(send);
        let sum = receivers.into_iter().map(|one| one.join().unwrap_or(0)).sum();
        expect("sum of the messages", sum, SENDERS * work::below(each))
    })
}
