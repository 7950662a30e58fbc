//! Rivals of the run queue: crossbeam-deque and st3, first in first out.

use crate::catalogue::Library;
use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) const CROSSBEAM: Library =
    Library { name: "crossbeam", policies: &["fifo", "lifo"], workloads: &["runq"], run: crossbeam };
pub(crate) const ST3: Library =
    Library { name: "st3", policies: &["fifo", "lifo"], workloads: &["runq"], run: st3_queue };

/// What stays in the queue while a pair of push and pop is timed, so that a thief finds something to halve.
const FILL: u64 = 64;
/// Room of a bounded queue: Go's ring.
const ROOM: usize = 256;

/// Times pairs of push and pop: by the owner alone, then with one thief that takes what it gets all the time.
fn pairs(
    cell: &Cell,
    push: impl Fn(u64) -> bool,
    pop: impl Fn() -> bool,
    steal: impl Fn() -> u64 + Sync,
) -> Result<Figures> {
    let pushed = (0..FILL).filter(|i| push(*i)).count() as u64;
    expect("tokens to begin with", pushed, FILL)?;
    let mut balance = pushed as i64;
    let mut round = |n: u64| {
        for i in 0..n {
            balance += i64::from(push(i)) - i64::from(pop());
        }
        Ok(())
    };
    let alone = measure::looped(cell, &mut round)?;
    let (over, stolen) = (AtomicBool::new(false), AtomicU64::new(0));
    let contended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                stolen.fetch_add(steal(), Ordering::Relaxed);
            }
        });
        let contended = measure::looped(cell, &mut round);
        over.store(true, Ordering::Relaxed);
        contended
    })?;
    let left = std::iter::from_fn(|| pop().then_some(())).count() as i64;
    expect("tokens pushed and not seen again", balance - left - stolen.into_inner() as i64, 0)?;
    Ok(alone.with("with_thief", contended.ns_per_op))
}

fn crossbeam(cell: &Cell) -> Result<Figures> {
    use crossbeam_deque::{Steal, Worker};
    let own = if cell.policy == "fifo" { Worker::new_fifo() } else { Worker::new_lifo() };
    let stealer = own.stealer();
    let push = |i| {
        own.push(i);
        true
    };
    pairs(
        cell,
        push,
        || own.pop().is_some(),
        || {
            let mine = Worker::<u64>::new_fifo();
            match stealer.steal_batch_and_pop(&mine) {
                Steal::Success(_) => 1 + mine.len() as u64,
                _ => 0,
            }
        },
    )
}

/// st3's two flavours have the same face and no common trait.
macro_rules! st3_pairs {
    ($cell:expr, $flavour:ident) => {{
        let own = st3::$flavour::Worker::<u64>::new(ROOM);
        let stealer = own.stealer();
        pairs(
            $cell,
            |i| own.push(i).is_ok(),
            || own.pop().is_some(),
            || {
                let mine = st3::$flavour::Worker::<u64>::new(ROOM);
                stealer.steal_and_pop(&mine, |n| n - n / 2).map_or(0, |(_, count)| 1 + count as u64)
            },
        )
    }};
}

fn st3_queue(cell: &Cell) -> Result<Figures> {
    if cell.policy == "fifo" { st3_pairs!(cell, fifo) } else { st3_pairs!(cell, lifo) }
}
