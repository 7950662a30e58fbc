//! Rival: corosensei, the fastest stack switch there is in Rust.

use crate::cell::{Cell, Figures, Result, expect};
use crate::library::{Library, NO_POLICY};
use crate::measure;
use corosensei::{Coroutine, CoroutineResult};

pub(crate) const LIBRARY: Library = Library {
    name: "corosensei",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: || vec!["switch_raw"],
    own_groups: &[],
    run: switch_raw,
};

/// There and back are two switches.
fn switch_raw(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let mut there = Coroutine::new(|back, mut value: u64| {
            loop {
                value = back.suspend(value + 1);
                if value == u64::MAX {
                    return;
                }
            }
        });
        let mut value = 0;
        for _ in 0..n / 2 {
            match there.resume(value) {
                CoroutineResult::Yield(next) => value = next,
                CoroutineResult::Return(()) => return Err("the coroutine ended too soon".into()),
            }
        }
        let _ended = there.resume(u64::MAX);
        expect("round trips", value, n / 2)
    })
}
