//! What can be measured: the grid of workloads that libraries share, and all cells of a build.

use crate::cell::Result;
use crate::library::Library;
use crate::workload::{Workload, sized, timed};

/// Every workload of our own. The definitions of one operation are short here, and exact in the files that run them.
pub(crate) const WORKLOADS: &[Workload] = &[
    timed("switch_raw", &[1], "one one-way stack switch, no scheduler"),
    timed("yield_2", &[1], "one yield among 2 goroutines"),
    timed("yield_1000", &[1], "one yield among 1000 goroutines"),
    timed("spawn_join", &[1, 2], "spawn an empty goroutine and wait for it"),
    sized(
        "spawn_burst",
        &[1, 2],
        &[1_000_000],
        20_000,
        "one of n empty goroutines, all spawned before any is awaited",
    ),
    sized("spawn_tree", &[1, 2], &[20], 12, "one node of a binary tree of depth n"),
    sized("fib", &[1, 2], &[27], 16, "one call of fib(n), a spawn for every second one"),
    sized("join_fib", &[1, 2], &[30], 16, "one call of fib(n), a join for every second one"),
    sized("join_tree", &[1, 2], &[20], 10, "one node of a binary tree of depth n, summed by joins"),
    sized("join_sort", &[1, 2], &[1_000_000], 1_000, "one of n numbers in a quicksort that joins to the end"),
    sized("park_unpark", &[2], &[2000], 100, "median of n times from unpark to running, all processors idle"),
    sized("park_unpark_chan", &[2], &[2000], 100, "the same from the send of a message to its receipt"),
    sized(
        "skynet",
        &[1, 2],
        &[1_000_000],
        10_000,
        "one of n leaves of a tree of ten children a node, summed by channels",
    ),
    timed("chan_pingpong", &[1, 2], "one round trip over two unbuffered channels"),
    timed("chan_buffered_spsc", &[1, 2], "one message over a channel of 128 from one sender to one receiver"),
    timed("chan_mpmc", &[1, 2], "one message over a channel of 128 from 4 senders to 4 receivers"),
    timed("select_2", &[1, 2], "one message received by a select over two unbuffered channels"),
    timed("mutex_contended", &[2], "lock, add, unlock by one of 8 goroutines"),
    sized(
        "mem_parked",
        &[2],
        &[100_000, 1_000_000],
        5_000,
        "creation of one of n goroutines that run a little and park",
    ),
    sized("sleep_many", &[2], &[100_000], 1_000, "CPU time of one of 10 n sleeps of 1 to 50 ms"),
    sized("hog_fairness", &[1], &[500], 100, "longest gap of a 1 ms ticker beside a CPU hog of n ms"),
    sized("hog_fairness_4", &[2], &[300], 60, "the same beside 4 CPU hogs"),
    sized(
        "blocking_sys",
        &[2],
        &[64],
        8,
        "n callers with 10 undeclared blocking calls of 10 ms each: the whole run",
    ),
    sized("blocking_sys_declared", &[2], &[64], 8, "the same, each call declared to the scheduler"),
    sized(
        "blocking_often",
        &[2],
        &[2_000],
        50,
        "one of n undeclared blocking calls of 100 us by each of 16 callers",
    ),
    sized(
        "blocking_short",
        &[1, 2],
        &[100_000],
        1_000,
        "one of n requests over 50 connections, each read and answered by declared blocking calls",
    ),
    sized(
        "tcp_echo",
        &[1, 2],
        &[200_000],
        2_000,
        "one of n messages of 64 bytes, there and back over one of 100 TCP connections on loopback",
    ),
    sized("tcp_echo_1", &[1, 2], &[50_000], 500, "the same over one connection"),
    sized("matmul_steal", &[2], &[4096], 128, "one of n unequal pieces of CPU work"),
    timed("runq", &[2], "push and pop of a run queue by its owner alone"),
    timed("runq_stolen", &[2], "the same while one thief steals all the time"),
];

/// Of the group `policies`, those that gmp runs with a handle for plain threads.
pub(crate) const FROM_OUTSIDE: &[Workload] = &[
    sized(
        "idle_trickle",
        &[16],
        &[5000],
        200,
        "CPU time of one of n empty goroutines, one a ms, submitted by a plain thread",
    ),
    sized(
        "idle_trickle_timer",
        &[16],
        &[5000],
        200,
        "the same, submitted by a goroutine that sleeps in between",
    ),
    sized(
        "batch_start",
        &[2],
        &[1000],
        1000,
        "from a plain thread's submission of n goroutines of 20 us to an idle runtime until two cores run some",
    ),
];

/// All workloads, each with the name of its group: a run measures one group, unless it names workloads.
fn workloads(all: &[Library]) -> impl Iterator<Item = (&'static str, &'static Workload)> {
    let shared = WORKLOADS.iter().map(|workload| ("workloads", workload));
    let own = all.iter().flat_map(Library::benchmarks).map(|(group, benchmark)| (group, &benchmark.workload));
    shared.chain(own).chain(FROM_OUTSIDE.iter().map(|workload| ("policies", workload)))
}

/// Finds a workload by name; the error names the ones there are.
pub(crate) fn workload(all: &[Library], name: &str) -> Result<&'static Workload> {
    workloads(all).map(|(_, workload)| workload).find(|workload| workload.name == name).ok_or_else(|| {
        let names: Vec<_> = workloads(all).map(|(_, workload)| workload.name).collect();
        format!("no workload {name:?}; there are: {}", names.join(", ")).into()
    })
}

/// Finds a library that was built in; the error names them.
pub(crate) fn library<'a>(all: &'a [Library], name: &str) -> Result<&'a Library> {
    all.iter().find(|l| l.name == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|l| l.name).collect();
        format!("no library {name:?} in this build; there are: {}", names.join(", ")).into()
    })
}

/// Prints one line of JSON for each cell that this build can run.
pub(crate) fn list(all: &[Library], quick: bool) {
    for (group, workload) in workloads(all) {
        let quick_size = [workload.quick];
        let sizes = if quick { &quick_size[..] } else { workload.sizes };
        for library in all.iter().filter(|library| library.knows(workload.name)) {
            let rules = match library.idle_rules {
                [] => String::new(),
                rules => format!(r#""idle_rules":{rules:?},"#),
            };
            for policy in library.policies {
                for procs in workload.procs {
                    for n in sizes {
                        println!(
                            r#"{{"lib":"{}","policy":"{policy}",{rules}"workload":"{}","procs":{procs},"n":{n},"group":"{group}","unit":"{}","about":"{}"}}"#,
                            library.name, workload.name, workload.unit, workload.about
                        );
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_name_workloads_that_exist() {
        let all = crate::libraries();
        for library in &all {
            for name in (library.workloads)() {
                assert!(workload(&all, name).is_ok(), "{}: {name}", library.name);
            }
        }
    }

    #[test]
    fn each_shared_workload_runs_on_gmp() {
        let all = crate::libraries();
        let gmp = library(&all, "gmp").unwrap();
        for workload in WORKLOADS.iter().chain(FROM_OUTSIDE) {
            assert!(gmp.knows(workload.name), "{}", workload.name);
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        let all = crate::libraries();
        let shared: Vec<_> = workloads(&all).map(|(_, workload)| workload.name).collect();
        for names in all.iter().map(|library| (library.workloads)()).chain([shared]) {
            let mut different = names.clone();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), names.len(), "{names:?}");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let message = workload(&crate::libraries(), "yeild").map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("yield_2"), "{message}");
    }
}
