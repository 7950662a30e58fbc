//! Who waits for whom: the holders of mutexes, and goroutines that wait for each other in a circle.
//!
//! A mutex knows an address on the stack of whoever took it last, and a dump knows whose stack that is. The goroutines of
//! a dump are seen one after the other, so a circle among them may be one that never was; what is found is looked at once
//! more a little later, and only who has waited for the same all the while is named.

use crate::sights::All;
use gmp_core::runtime::Handle;
use gmp_core::sight::{ByStack, Sight, State, cycles};
use std::collections::BTreeMap;
use std::time::Duration;
#[cfg(feature = "profile")]
use {gmp_core::WaitReason, gmp_core::sight::Object, std::collections::BTreeSet};

/// How long a circle must last. The clock by which waits are timed is good to 10 ms.
const LASTS: Duration = Duration::from_millis(30);

/// Names the holders of the mutexes that these goroutines, all of their runtime, wait for.
pub(crate) fn name_holders(all: &mut [&mut Sight]) -> ByStack {
    let stacks = ByStack::new(all.iter().map(|sight| (sight.stack.clone(), sight.number)));
    for sight in all {
        sight.holder = sight.held_from.and_then(|address| stacks.find(address));
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
    later.sights.retain(|sight| matches!(sight.state, State::Waiting { age, .. } if age >= LASTS / 2));
    let still = waits_of(later.sights.iter(), &stacks);
    let lasts = |cycle: &Vec<u64>| cycle.iter().all(|number| still.get(number) == waits.get(number));
    found.into_iter().filter(lasts).collect()
}

/// Those of these goroutines that will never go on, as far as can be told: those in a circle, those that wait for
/// nothing, and all that wait for such ones.
#[cfg(feature = "profile")]
pub(crate) fn stuck(all: &[&Sight], cycles: &[Vec<u64>]) -> BTreeSet<u64> {
    let nothing =
        |sight: &&&Sight| matches!(sight.state, State::Waiting { reason: WaitReason::SelectNoCases, .. });
    let mut stuck: BTreeSet<u64> = all.iter().filter(nothing).map(|sight| sight.number).collect();
    stuck.extend(cycles.iter().flatten());
    let next = |sight: &&Sight| match sight.state {
        State::Waiting { at: Some(Object::Goroutine(joined)), .. } => Some((sight.number, joined)),
        _ => Some((sight.number, sight.holder?)),
    };
    let mut left: Vec<_> = all.iter().filter_map(next).collect();
    loop {
        let before = stuck.len();
        let (found, rest): (Vec<_>, _) = left.into_iter().partition(|(_, next)| stuck.contains(next));
        stuck.extend(found.into_iter().map(|(number, _)| number));
        left = rest;
        if stuck.len() == before {
            return stuck;
        }
    }
}

/// For whom each goroutine waits, where that is one.
fn waits_of<'a>(sights: impl Iterator<Item = &'a Sight>, stacks: &ByStack) -> BTreeMap<u64, u64> {
    let waits = sights.filter_map(|sight| match sight.state {
        State::Waiting { at, .. } => Some((sight.number, stacks.awaited(at, sight.held_from)?)),
        _ => None,
    });
    waits.collect()
}
