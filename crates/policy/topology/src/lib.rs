//! `Topology`: a victim order that looks at near victims first.
//!
//! What a goroutine works on lies in the caches of the core it ran on. A thief that shares one of them finds it there;
//! one on another socket fetches each line over the link between the sockets. So a thief looks first at Ps whose Ms
//! run on its own core (SMT), then at those that share its L2, its L3, its NUMA node, and last at those of other
//! nodes, the nearer nodes first. Within one [`Distance`] the order is random, as Go's is over all.
//!
//! Any policy can have it: [`WithOrder<Go, Topology>`](gmp_core::contract::WithOrder).
//!
//! | where from | what |
//! | --- | --- |
//! | `cpu/cpu*/topology/core_cpus_list`, before Linux 5.3 `thread_siblings_list` | who shares a core |
//! | `cpu/cpu*/cache/index*` | who shares an L2 and an L3 |
//! | `node/node*/cpulist`, `node/node*/distance` | who is on which node, and how far the nodes are apart |
//!
//! All are below `/sys/devices/system`, and are read once in the life of the process. What is missing or makes no sense
//! counts as not known; where nothing is known, or no CPU is ([`VictimOrder::WANTS_CPUS`]), this is
//! [`Coprime`](gmp_core::queue::Coprime), Go's order.
//!
//! A P is as far away as the CPU on which its M took it, or last looked for work. The system may have moved the M
//! since: distances are hints, and a wrong one costs a steal from further away.
//!
//! [`VictimOrder::WANTS_CPUS`]: gmp_core::contract::VictimOrder::WANTS_CPUS

#![forbid(unsafe_code)]

mod cpulist;
mod machine;
mod order;

pub use machine::{Distance, Machine};
pub use order::{Topology, TopologyWalk};
