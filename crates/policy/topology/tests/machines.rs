//! What is read of several machines, and how far their CPUs are apart.

mod fake;

use fake::Sysfs;
use gmp_policy_topology::Distance::{Core, L2, L3, Node, OtherNode, Unknown};
use gmp_policy_topology::{Distance, Machine};

fn row(machine: &Machine, from: usize, cpus: usize) -> Vec<Distance> {
    (0..cpus).map(|to| machine.distance(from, to)).collect()
}

#[test]
fn one_core() {
    assert_eq!(row(&fake::one_core().read(), 0, 2), [Core, Unknown]);
}

#[test]
fn two_cores_without_caches() {
    let machine = fake::two_cores_without_caches().read();
    assert_eq!(row(&machine, 0, 2), [Core, Node]);
    assert_eq!(row(&machine, 1, 2), [Node, Core]);
}

#[test]
fn two_sockets_of_four_cores_of_two_threads() {
    let machine = fake::two_sockets().read();
    let far = OtherNode(0);
    assert_eq!(row(&machine, 1, 8), [L3, Core, L3, L3, far, far, far, far]);
    assert_eq!((8..16).map(|to| machine.distance(1, to)).collect::<Vec<_>>(), row(&machine, 1, 8));
    assert_eq!(row(&machine, 12, 8), [far, far, far, far, Core, L3, L3, L3]);
}

#[test]
fn two_complexes_of_one_node() {
    let machine = fake::two_complexes().read();
    assert_eq!(row(&machine, 5, 8), [Node, Node, Node, Node, L3, Core, L3, L3]);
}

#[test]
fn cores_that_share_an_l2() {
    let machine = fake::fast_and_small().read();
    assert_eq!(row(&machine, 0, 8), [Core, Core, L3, L3, L3, L3, L3, L3]);
    assert_eq!(row(&machine, 6, 8), [L3, L3, L3, L3, L2, L2, Core, L2]);
}

#[test]
fn nodes_at_several_distances() {
    let machine = fake::ring_of_nodes().read();
    assert_eq!(row(&machine, 0, 4), [Core, OtherNode(0), OtherNode(1), OtherNode(0)]);
    assert_eq!(row(&machine, 3, 4), [OtherNode(0), OtherNode(1), OtherNode(0), Core]);
}

#[test]
fn offline_cpus_are_not_known() {
    let machine = fake::some_offline().read();
    assert_eq!(row(&machine, 0, 5), [Core, Unknown, L3, Unknown, Unknown]);
    assert_eq!(row(&machine, 1, 3), [Unknown; 3]);
}

#[test]
fn garbage_tells_nothing_but_that_there_are_cpus() {
    let machine = fake::garbage().read();
    // The one file that could be understood says that CPU 1 is on node 1.
    assert_eq!(row(&machine, 0, 3), [Core, Unknown, Unknown]);
    assert_eq!(row(&machine, 1, 3), [Unknown, Core, Unknown]);
}

#[test]
fn without_sysfs_nothing_is_known() {
    assert_eq!(row(&Sysfs::empty().read(), 0, 4), [Unknown; 4]);
    assert_eq!(row(&Machine::read("/nowhere/at/all".as_ref()), 0, 2), [Unknown; 2]);
}

/// Before Linux 5.3 the file had another name.
#[test]
fn the_old_name_of_the_siblings() {
    let mut fake = Sysfs::empty();
    for cpu in 0..4 {
        let pair = if cpu < 2 { "0-1" } else { "2-3" };
        fake = fake.file(&format!("cpu/cpu{cpu}/topology/thread_siblings_list"), pair);
    }
    assert_eq!(row(&fake.read(), 3, 4), [Unknown, Unknown, Core, Core]);
}

/// A list without the CPU that it belongs to is not believed, and the row of distances must have one for each node.
#[test]
fn lists_that_contradict_themselves() {
    let fake = Sysfs::empty()
        .cpu(0, "1", &[(3, "Unified", "0-1")])
        .cpu(1, "1", &[(3, "Unified", "0-1")])
        .cpu(2, "2", &[(3, "Unified", "0-1")])
        .node(0, "0-1", "10 20 30")
        .node(1, "2", "20 10");
    let machine = fake.read();
    assert_eq!(row(&machine, 0, 3), [Core, L3, Unknown]);
    assert_eq!(row(&machine, 2, 3), [OtherNode(0), OtherNode(0), Core]);
}

/// Whatever this machine is, a CPU is nearest to itself, and nearness in one core goes both ways.
#[test]
fn this_machine_makes_sense() {
    let machine = Machine::here();
    for from in 0..64 {
        for to in 0..64 {
            let far = machine.distance(from, to);
            assert!(machine.distance(from, from) <= far, "{from} to {to}: {far:?}");
            assert_eq!(far == Core, machine.distance(to, from) == Core, "{from} and {to}");
        }
    }
}
