//! Who waits for whom: the holders of mutexes, and goroutines that wait for each other in a circle.
//!
//! A mutex knows an address on the stack of whoever took it last, and a dump knows whose stack that is. The goroutines of
//! a dump are seen one after the other, so a circle among them may be one that never was; what is found is looked at once
//! more a little later, and only who has waited for the same all the while is named.

use crate::sights::All;
use core::num::NonZeroU64;
use gmp_core::runtime::Handle;
use gmp_core::sight::{ByStack, Sight, State, cycles};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a circle must last. The clock by which waits are timed is good to 10 ms.
pub(crate) const LASTS: Duration = Duration::from_millis(30);

/// Names the holders of the mutexes that these goroutines, all of their runtime, wait for.
pub(crate) fn name_holders(all: &mut [&mut Sight]) -> ByStack {
    let stacks = ByStack::new(all.iter().map(|sight| (sight.stack.clone(), sight.number)));
    for sight in all {
        sight.holder =
            sight.held_from.and_then(|address| stacks.find(address.get())).and_then(NonZeroU64::new);
    }
    stacks
}

/// Names the holders of the mutexes that these goroutines, all of their runtime, wait for. Returns the circles.
pub(crate) fn find(handle: &Handle, all: &mut [&mut Sight]) -> Vec<Vec<u64>> {
    let stacks = name_holders(all);
    let waits = waits_of(all.iter().map(|sight| &**sight), &stacks);
    let found = cycles(&waits);
    if found.is_empty() {
        return found;
    }
    std::thread::sleep(LASTS);
    let mut later = All::default();
    handle.look(&mut later);
    later.sights.retain(|sight| matches!(sight.state(), State::Waiting { age, .. } if age >= LASTS / 2));
    let still = waits_of(later.sights.iter(), &stacks);
    let lasts = |cycle: &Vec<u64>| cycle.iter().all(|number| still.get(number) == waits.get(number));
    found.into_iter().filter(lasts).collect()
}

/// For whom each goroutine waits, where that is one.
fn waits_of<'a>(sights: impl Iterator<Item = &'a Sight>, stacks: &ByStack) -> BTreeMap<u64, u64> {
    let waits = sights.filter_map(|sight| match sight.state() {
        State::Waiting { at, .. } => Some((sight.number, stacks.awaited(at, sight.held_from)?)),
        _ => None,
    });
    waits.collect()
}
