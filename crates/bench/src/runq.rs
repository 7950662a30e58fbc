//! `runq`: push and pop of a run queue by its owner alone. `runq_stolen`: the same while one thief steals all the time.
//! Both are measured in either cell, one after the other in one process, so that their ratio means something.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the queue holds while pairs are timed, so that a thief finds something to halve.
const FILL: u64 = 64;

/// The owner's half of a queue, with the tokens to put into it.
pub(crate) trait Owner {
    /// Pushes one; false if it could not.
    fn push(&mut self) -> bool;
    /// Pops one; false if there was none.
    fn pop(&mut self) -> bool;
}

/// Times pairs of push and pop, first alone, then against a thread that calls `steal` (which returns how many it got).
pub(crate) fn pairs(cell: &Cell, own: &mut impl Owner, steal: impl Fn() -> u64 + Sync) -> Result<Figures> {
    let mut balance = 0;
    let alone = measure::looped(cell, |n| round(own, n, &mut balance))?;
    let (over, stolen) = (AtomicBool::new(false), AtomicU64::new(0));
    let contended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                stolen.fetch_add(steal(), Ordering::Relaxed);
            }
        });
        let contended = measure::looped(cell, |n| round(own, n, &mut balance));
        over.store(true, Ordering::Relaxed);
        contended
    })?;
    let left = std::iter::from_fn(|| own.pop().then_some(())).count() as u64;
    expect("tokens pushed and seen again", left + stolen.into_inner(), balance as u64)?;
    let slowdown = contended.ns_per_op / alone.ns_per_op;
    if cell.workload == "runq_stolen" {
        return Ok(contended.with("alone", alone.ns_per_op).with("slowdown", slowdown));
    }
    Ok(alone.with("with_thief", contended.ns_per_op).with("slowdown", slowdown))
}

/// Does the work of `n` pairs. An owner that finds its queue emptied by the thief fills it again, and these pushes
/// count, too: so an operation is always one push and one pop, or two pushes.
fn round(own: &mut impl Owner, n: u64, balance: &mut i64) -> Result<()> {
    let mut done = 0;
    while done < 2 * n {
        if own.pop() {
            *balance += i64::from(own.push()) - 1;
            done += 2;
        } else {
            let pushed = (0..FILL).take_while(|_| own.push()).count() as u64;
            *balance += pushed as i64;
            done += pushed;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell as Shared;

    /// Loses every thousandth token if told to.
    struct Counter<'a> {
        inside: &'a Shared<u64>,
        pops: u64,
        loses: bool,
    }

    impl Owner for Counter<'_> {
        fn push(&mut self) -> bool {
            self.inside.set(self.inside.get() + 1);
            true
        }

        fn pop(&mut self) -> bool {
            self.pops += 1;
            let lost = u64::from(self.loses && self.pops == 1000);
            let had = self.inside.get();
            self.inside.set(had.saturating_sub(1 + lost));
            had > 0
        }
    }

    #[test]
    fn a_lost_token_is_noticed() {
        let cell = crate::parse(&crate::libraries(), &["--workload".into(), "runq".into(), "--quick".into()])
            .unwrap();
        for loses in [false, true] {
            let inside = Shared::new(0);
            let mut own = Counter { inside: &inside, pops: 0, loses };
            assert_eq!(pairs(&cell, &mut own, || 0).is_err(), loses);
        }
    }
}
