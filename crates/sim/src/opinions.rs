//! A policy's opinions as values: its idle rule and its victim order, so that a run can have another policy's without a
//! build for each pair. The code behind them is the policies' own.

use crate::machine::Machine;
use gmp_core::contract::{IdlePolicy, IdleView, VictimOrder, WalkStart};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Coprime, Weighted};
use gmp_policy_idle::{Eager, Frugal};
use gmp_policy_random::Shuffled;
use gmp_policy_topology::{Machine as Near, Topology};
use std::sync::Arc;

/// An [`IdlePolicy`] of any type.
pub(crate) trait IdleRule {
    fn may_spin(&self, view: IdleView) -> bool;
    fn wake_on_submit(&self, view: IdleView, queued: &dyn Fn() -> usize) -> bool;
    fn pass_on(&self, view: IdleView, queued: &dyn Fn() -> usize) -> bool;
}

impl<I: IdlePolicy> IdleRule for I {
    fn may_spin(&self, view: IdleView) -> bool {
        IdlePolicy::may_spin(self, view)
    }

    fn wake_on_submit(&self, view: IdleView, queued: &dyn Fn() -> usize) -> bool {
        IdlePolicy::wake_on_submit(self, view, queued)
    }

    fn pass_on(&self, view: IdleView, queued: &dyn Fn() -> usize) -> bool {
        IdlePolicy::pass_on(self, view, queued)
    }
}

/// A [`VictimOrder`] of any type.
pub(crate) trait Order {
    fn walk<'a>(&'a self, from: WalkStart<'a>) -> Walk<'a>;
}

/// One walk.
pub(crate) type Walk<'a> = Box<dyn Iterator<Item = usize> + 'a>;

impl<O: VictimOrder> Order for O {
    fn walk<'a>(&'a self, from: WalkStart<'a>) -> Walk<'a> {
        Box::new(VictimOrder::walk(self, from))
    }
}

/// The idle rules that can be asked for by name.
pub(crate) const IDLE_RULES: &[&str] = &["go", "eager", "frugal"];

/// The idle rule of this name; without a name, `P`'s own.
pub(crate) fn idle_rule<I: IdlePolicy>(name: Option<&str>) -> Result<Box<dyn IdleRule>, String> {
    Ok(match name {
        None => Box::new(I::default()),
        Some("go") => Box::new(GoIdle),
        Some("eager") => Box::new(Eager),
        Some("frugal") => Box::new(Frugal),
        Some(other) => return Err(format!("no idle rule {other:?}; there are: {}", IDLE_RULES.join(", "))),
    })
}

/// The victim orders that can be asked for by name.
pub(crate) const ORDERS: &[&str] = &["coprime", "topology", "weighted", "shuffled"];

/// The order of this name; without a name `O`, which is the policy's own.
pub(crate) fn order<O: VictimOrder>(
    name: Option<&str>,
    machine: Machine,
    procs: usize,
) -> Result<Box<dyn Order>, String> {
    Ok(match name {
        None => Box::new(O::new(procs)),
        Some("coprime") => Box::new(Coprime::new(procs)),
        Some("weighted") => Box::new(Weighted::new(procs)),
        Some("shuffled") => Box::new(Shuffled::new(procs)),
        Some("topology") => {
            // By itself it would read this machine's sysfs.
            let near = Near::of_nodes(machine.nodes, machine.cpus);
            Box::new(Topology::on(Arc::new(near), procs))
        }
        Some(other) => return Err(format!("no victim order {other:?}; there are: {}", ORDERS.join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmp_core::contract::Victims;

    struct Unknown;

    impl Victims for Unknown {
        fn queued(&self, _: usize) -> usize {
            0
        }

        fn cpu(&self, p: usize) -> Option<usize> {
            Some(p)
        }
    }

    #[test]
    fn near_victims_come_first_on_a_machine_of_nodes() {
        let machine = Machine { nodes: 4, cpus: 2 };
        let order = order::<Coprime>(Some("topology"), machine, 8).unwrap();
        for seed in 0..50 {
            let walk: Vec<usize> = order.walk(WalkStart { seed, own: 5, victims: &Unknown }).collect();
            assert!(walk.len() == 8 && walk[..2].iter().all(|p| [4, 5].contains(p)), "{walk:?}");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        assert!(idle_rule::<GoIdle>(Some("lazy")).err().unwrap().contains("frugal"));
        assert!(
            order::<Coprime>(Some("far"), Machine { nodes: 1, cpus: 1 }, 1)
                .err()
                .unwrap()
                .contains("topology")
        );
    }
}
