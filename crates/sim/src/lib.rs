//! A deterministic simulator of gmp's scheduler.
//!
//! It drives the real policies (their `RunQueue`, `SharedQueue`, `IdlePolicy` and `VictimOrder`, unchanged) on virtual
//! Ps, under core's own search order ([`gmp_core::search`]) and protocol of waking, with a model of what everything
//! costs ([`Costs`]). In this way one sees what a policy does on 256 processors without having them.
//! `docs/simulator.md` of the repository says what the simulator can tell and what it cannot.
//!
//! ```
//! use gmp_sim::{Cell, Costs, Outcome, Sim};
//!
//! let cell: Cell = serde_json::from_str(
//!     r#"{"policy":"go","workload":"spawn_tree","machine":"2x64","cores":8,"n":8,"seed":1}"#,
//! )
//! .unwrap();
//! let (sim, costs) = (Sim::new(), Costs::measured());
//! let outcome = sim.run(&cell, &costs);
//! assert!(matches!(&outcome, Outcome::Figures(figures) if figures["ns_per_op"] > 0.0));
//! assert_eq!(outcome, sim.run(&cell, &costs), "the same cell is the same run");
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `clock.rs`, `line.rs`, `machine.rs`, `costs.rs` | virtual time, cache lines, the virtual machine, what everything takes |
//! | `ticket.rs`, `world.rs` | what the real queues hold; the virtual runtime |
//! | `memory.rs`, `pool.rs`, `store.rs` | whose cache the goroutines' records and stacks are in, and who gets which |
//! | `hand.rs`, `kernel.rs` | an M at work: a coroutine that spends time; what the operating system does to it |
//! | `queues.rs`, `look.rs`, `wake.rs`, `idle.rs`, `execute.rs` | what it does, each after the file of gmp-core that it names |
//! | `workload.rs`, `workload/` | what virtual goroutines do |
//! | `run.rs`, `cell.rs`, `sim.rs`, `serve.rs` | one run, what to run, which policies there are, many runs |
//! | `figures.rs`, `waits.rs`, `calibrate.rs` | what came of it; what the costs are on this machine |

mod calibrate;
mod cell;
mod clock;
mod costs;
mod execute;
mod figures;
mod hand;
mod idle;
mod kernel;
mod line;
mod look;
mod machine;
mod memory;
mod opinions;
mod pool;
mod queues;
mod run;
mod serve;
mod sim;
mod store;
mod ticket;
mod waits;
mod wake;
mod workload;
mod world;

pub use cell::{Cell, Outcome};
pub use costs::{Costs, Curve, MachineCosts, MemoryCosts, PathCosts, QueueCosts, Spread};
pub use figures::Figures;
pub use machine::{MOST, Machine};
pub use sim::Sim;
pub use workload::{WORKLOADS, Workload};
