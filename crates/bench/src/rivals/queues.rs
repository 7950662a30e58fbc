//! Rivals of the run queue: crossbeam-deque and st3, first in first out and last in first out.

use crate::cell::{Cell, Figures, Result};
use crate::library::Library;
use crate::runq::{Owner, pairs};

pub(crate) const CROSSBEAM: Library = Library {
    name: "crossbeam",
    policies: &["fifo", "lifo"],
    idle_rules: &[],
    workloads: || vec!["runq", "runq_stolen"],
    own_groups: &[],
    run: crossbeam,
};
pub(crate) const ST3: Library = Library {
    name: "st3",
    policies: &["fifo", "lifo"],
    idle_rules: &[],
    workloads: || vec!["runq", "runq_stolen"],
    own_groups: &[],
    run: st3_queue,
};

/// Room of a bounded queue: Go's ring.
const ROOM: usize = 256;

impl Owner for crossbeam_deque::Worker<u64> {
    fn push(&mut self) -> bool {
        Self::push(self, 1);
        true
    }

    fn pop(&mut self) -> bool {
        Self::pop(self).is_some()
    }
}

fn crossbeam(cell: &Cell) -> Result<Figures> {
    use crossbeam_deque::{Steal, Worker};
    let mut own = if cell.policy == "fifo" { Worker::new_fifo() } else { Worker::new_lifo() };
    let stealer = own.stealer();
    pairs(cell, &mut own, || {
        let mine = Worker::new_fifo();
        match stealer.steal_batch_and_pop(&mine) {
            Steal::Success(_) => 1 + mine.len() as u64,
            _ => 0,
        }
    })
}

/// st3's two flavours have the same interface and no common trait.
macro_rules! st3_flavour {
    ($flavour:ident) => {
        impl Owner for st3::$flavour::Worker<u64> {
            fn push(&mut self) -> bool {
                Self::push(self, 1).is_ok()
            }

            fn pop(&mut self) -> bool {
                Self::pop(self).is_some()
            }
        }

        fn $flavour(cell: &Cell) -> Result<Figures> {
            let mut own = st3::$flavour::Worker::new(ROOM);
            let stealer = own.stealer();
            pairs(cell, &mut own, || {
                let mine = st3::$flavour::Worker::new(ROOM);
                stealer.steal_and_pop(&mine, |n| n - n / 2).map_or(0, |(_, count)| 1 + count as u64)
            })
        }
    };
}

st3_flavour!(fifo);
st3_flavour!(lifo);

fn st3_queue(cell: &Cell) -> Result<Figures> {
    if cell.policy == "fifo" { fifo(cell) } else { lifo(cell) }
}
