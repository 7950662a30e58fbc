//! `chan_buffered_spsc`: one operation is one message from one goroutine to another over a channel of 128.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work::{self, BUFFER};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let (send, receive) = gmp::chan(BUFFER);
        drop(gmp::go(move || (0..n).all(|i| send.send(i).is_ok())));
        expect("sum of the messages", receive.iter().sum(), work::below(n))
    })
}
