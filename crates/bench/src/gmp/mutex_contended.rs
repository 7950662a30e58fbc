//! `mutex_contended`: one operation is to lock, add and unlock, by one of 8 goroutines that do nothing else.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work::LOCKERS;
use gmp::sync::Mutex;
use std::sync::Arc;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let (count, each) = (Arc::new(Mutex::new(0)), n / LOCKERS);
        let one = |_| {
            let count = Arc::clone(&count);
            gmp::go(move || (0..each).for_each(|_| *count.lock() += 1))
        };
        let all: Vec<_> = (0..LOCKERS).map(one).collect();
        all.into_iter().try_for_each(|one| one.join()).map_err(|error| error.to_string())?;
        expect("count", *count.lock(), each * LOCKERS)
    })
}
