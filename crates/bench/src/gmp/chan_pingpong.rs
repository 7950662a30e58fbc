//! `chan_pingpong`: one operation is one round trip between two goroutines over two unbuffered channels.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use gmp::chan;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ((there, theirs), (reply, back)) = (chan::<u64>(0), chan::<u64>(0));
        let echo = gmp::go(move || theirs.iter().all(|value| reply.send(value + 1).is_ok()));
        let right = (0..n).filter(|i| there.send(*i).is_ok() && back.recv() == Ok(i + 1)).count();
        drop(there);
        expect("every echo was taken", echo.join().map_err(|error| error.to_string())?, true)?;
        expect("round trips", right as u64, n)
    })
}
