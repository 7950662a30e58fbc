//! `Topology`: a victim order that looks at near victims first.
//!
//! The data of a goroutine lies in the caches of the core on which it ran. A thief that shares one of these caches
//! finds it there; a thief on another socket fetches each line over the link between the sockets. So a thief looks
//! first at Ps whose Ms run on its own core (SMT), then at those that share its L2, its L3, its NUMA node, and last
//! at those of other nodes, the nearer nodes first. Among Ps at the same [`Distance`] the order is random, as Go's is
//! among all Ps.
//!
//! Any policy can use it: [`WithOrder<Go, Topology>`](gmp_core::contract::WithOrder).
//!
//! | source | says |
//! | --- | --- |
//! | `cpu/cpu*/topology/core_cpus_list`, before Linux 5.3 `thread_siblings_list` | which CPUs share a core |
//! | `cpu/cpu*/cache/index*` | which CPUs share an L2 and an L3 |
//! | `node/node*/cpulist`, `node/node*/distance` | which CPUs are on which node, and how far the nodes are apart |
//!
//! All are below `/sys/devices/system`, and are read once in the life of the process. What is missing or makes no
//! sense counts as unknown. Where nothing is known, or no P's CPU is known ([`VictimOrder::WANTS_CPUS`]), this is
//! [`Coprime`](gmp_core::queue::Coprime), Go's order.
//!
//! A P counts as being on the CPU on which its M took it, or last looked for work. The system may have moved the M
//! since then: distances are hints, and a wrong one means a steal from further away.
//!
//! [`VictimOrder::WANTS_CPUS`]: gmp_core::contract::VictimOrder::WANTS_CPUS

#![forbid(unsafe_code)]

mod cpulist;
mod machine;
mod order;

pub use machine::{Distance, Machine};
pub use order::{Topology, TopologyWalk};
