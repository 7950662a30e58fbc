//! The walks: clauses V1 and V2 on every machine, near before far, and no favourites.

mod fake;

use fake::Sysfs;
use gmp_core::contract::{VictimOrder, Victims, WalkStart};
use gmp_core::queue::Coprime;
use gmp_core::suite::victim_order::{each_visited_once, each_walk_visits_each_once, seeds_repeat};
use gmp_policy_topology::{Distance, Machine, Topology};
use std::collections::HashMap;

/// P `p` is on the CPU that stands at `p`.
struct On<'a>(&'a [Option<usize>]);

impl Victims for On<'_> {
    fn queued(&self, _: usize) -> usize {
        0
    }
    fn cpu(&self, p: usize) -> Option<usize> {
        self.0.get(p).copied().flatten()
    }
}

/// P 0 on CPU 0, and so on.
fn in_order(procs: usize) -> Vec<Option<usize>> {
    (0..procs).map(Some).collect()
}

fn machines() -> Vec<Sysfs> {
    vec![
        Sysfs::empty(),
        fake::one_core(),
        fake::two_cores_without_caches(),
        fake::two_sockets(),
        fake::two_complexes(),
        fake::fast_and_small(),
        fake::ring_of_nodes(),
        fake::some_offline(),
        fake::garbage(),
    ]
}

#[test]
fn laws_on_this_machine() {
    each_walk_visits_each_once::<Topology>();
    seeds_repeat::<Topology>();
}

#[test]
fn each_is_visited_once_on_every_machine() {
    for fake in machines() {
        let machine = fake.read();
        for procs in (1..=20).chain([33, 64, 1000, 1024, 1025]) {
            each_visited_once(&Topology::on(machine.clone(), procs), procs);
        }
    }
}

/// The distances of the Ps as the walk comes to them.
fn distances(machine: &Machine, own: usize, cpus: &[Option<usize>], walk: &[usize]) -> Vec<Distance> {
    let cpu = |p: usize| cpus[p].expect("the test places each P");
    walk.iter().map(|&p| machine.distance(cpu(own), cpu(p))).collect()
}

#[test]
fn near_ones_come_first() {
    for fake in machines() {
        let machine = fake.read();
        // Two Ps on each of 16 CPUs, so that some lie on CPUs that the machine does not have.
        let cpus: Vec<_> = (0..32).map(|p| Some(p * 7 % 16)).collect();
        let order = Topology::on(machine.clone(), 32);
        for seed in 0..500 {
            let own = seed as usize % 32;
            let walk: Vec<_> = order.walk(WalkStart { seed, own, victims: &On(&cpus) }).collect();
            let distances = distances(&machine, own, &cpus, &walk);
            assert!(distances.is_sorted(), "from P {own}: {walk:?} at {distances:?}");
        }
    }
}

/// On two sockets: the other thread of the core, then the socket, then the other socket.
#[test]
fn two_sockets_level_by_level() {
    let order = Topology::on(fake::two_sockets().read(), 16);
    for seed in 0..300 {
        let cpus = in_order(16);
        let mut walk: Vec<_> = order.walk(WalkStart { seed, own: 2, victims: &On(&cpus) }).collect();
        walk[..2].sort_unstable();
        walk[2..8].sort_unstable();
        walk[8..].sort_unstable();
        assert_eq!(walk, [2, 10, 0, 1, 3, 8, 9, 11, 4, 5, 6, 7, 12, 13, 14, 15]);
    }
}

#[test]
fn ps_that_nobody_has_placed_come_last() {
    let mut cpus = in_order(8);
    cpus[1] = None;
    cpus[6] = None;
    let order = Topology::on(fake::two_complexes().read(), 8);
    for seed in 0..300 {
        let mut walk: Vec<_> = order.walk(WalkStart { seed, own: 7, victims: &On(&cpus) }).collect();
        walk[6..].sort_unstable();
        assert_eq!((walk[0], &walk[6..]), (7, &[1, 6][..]));
    }
}

/// Nothing known of the thief, of the machine, or too many Ps: Go's order.
#[test]
fn flat_where_nothing_is_known() {
    let sockets = fake::two_sockets().read();
    let flat = |machine, procs: usize, cpus: &[Option<usize>]| {
        let (order, coprime) = (Topology::on(machine, procs), Coprime::new(procs));
        for seed in 0..200 {
            let walk = order.walk(WalkStart { seed, own: 3, victims: &On(cpus) });
            assert!(walk.eq(coprime.by_seed(seed)), "{procs} Ps, seed {seed}");
        }
    };
    let mut thief_unknown = in_order(16);
    thief_unknown[3] = None;
    flat(sockets.clone(), 16, &thief_unknown);
    flat(Sysfs::empty().read(), 16, &in_order(16));
    flat(sockets, 1025, &in_order(1025));
}

/// Within a distance each P comes first about equally often.
#[test]
fn no_favourites_within_a_distance() {
    let order = Topology::on(fake::two_sockets().read(), 16);
    let cpus = in_order(16);
    // Where each distance begins in a walk from P 2, and how many Ps are there.
    for (at, members) in [(0, 2), (2, 6), (8, 8)] {
        let mut firsts = HashMap::new();
        let walks = 30_000;
        for seed in 0..walks {
            let from = WalkStart { seed, own: 2, victims: &On(&cpus) };
            *firsts.entry(order.walk(from).nth(at).expect("a walk is complete")).or_insert(0) += 1;
        }
        let fair = walks / members;
        assert_eq!(firsts.len(), members as usize);
        assert!(firsts.values().all(|&times| times > fair / 2 && times < 2 * fair), "{fair}: {firsts:?}");
    }
}
