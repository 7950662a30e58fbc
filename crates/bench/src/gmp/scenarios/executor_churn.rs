//! `executor_churn`: one operation is one request to one of 4 workers in turn, answered after 1 us of work, so that two
//! processors have work for little more than one. A thief that takes each goroutine as soon as it is readied moves all
//! of them back and forth.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};

const WORKERS: usize = 4;
/// About 1 us.
const STEPS: u64 = 500;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let worker = || {
        let (ask, asked) = gmp::chan::<u64>(0);
        let (answer, answered) = gmp::chan(0);
        drop(gmp::go(move || asked.iter().all(|seed| answer.send(work::steps(STEPS, seed)).is_ok())));
        (ask, answered)
    };
    let workers: [_; WORKERS] = std::array::from_fn(|_| worker());
    measure::looped(cell, |n| {
        let mut answers = 0;
        for (request, (ask, answered)) in (0..n).zip(workers.iter().cycle()) {
            ask.send(request)?;
            answers += u64::from(answered.recv()? != 0);
        }
        expect("answers", answers, n)
    })
}
