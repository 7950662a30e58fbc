//! What gmp needs from x86-64 and Linux, and nothing that knows what a scheduler is.
//!
//! | file | holds |
//! | --- | --- |
//! | `switch.rs` | [`Amd64`]: save one flow of control and continue another, in about 3 ns |
//! | `first_frame.rs` | what a fresh stack looks like and how its first call begins and ends |
//! | `own.rs` | [`OwnAmd64`]: the same for flows that have thread-locals of their own |
//! | `thread_block.rs`, `thread_block/` | the block in which a flow's thread-locals lie: what it is, how it is made, how it ends |
//! | `per_thread.rs` | [`PerThread`]: an allocator that keeps its caches with threads and not with flows |
//! | `slot.rs` | [`Amd64Slot`]: one word per OS thread that the compiler can not cache |
//! | `region.rs` | [`Guarded`]: slabs of stacks with guards, thousands in one mapping |
//! | `place.rs` | at which addresses slabs lie: below the stacks of all threads |
//! | `capture.rs` | what another thread executes, copied by itself in a signal handler |
//! | `standstill.rs`, `halt.rs` | stops all threads for a moment, and copies the process meanwhile |
//! | `alternate.rs` | [`AttachedThread`]: a signal stack for each thread that runs goroutines |
//! | `overflow.rs` | the fault handler: a goroutine's stack overflow is reported, any other fault is passed on |
//! | `probe.rs` | how large the frame is whose probe ran into a guard |
//! | `report.rs` | [`Report`]: a text written without allocating and without a lock |
//! | `valgrind.rs` | tells valgrind about our stacks, if it is watching |
//! | `cpus.rs` | [`available_cpus`] |
//! | `heavy_fence.rs` | a fence that one thread makes all others pass |
//! | `memory.rs` | whether the system would give memory |
//!
//! The contracts implemented here, with the numbered clauses that the `SAFETY` comments cite, are in
//! [`gmp_core::contract`]. **R1** to **R3** belong to `Region`, **C1** to **C7** to `Switch`, **K1** and **K2** to
//! `CurrentSlot`, **A1** to **A6** to stacks.
//!
//! # Floating-point control
//!
//! A switch preserves neither MXCSR nor the x87 control word: saving them costs more than the rest of the switch
//! (3.4 ns). They belong to the thread, and a goroutine that changes rounding or flush-to-zero must change it back
//! before anything that suspends. Builds with debug assertions check this at each switch and abort.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_pointer_width = "64")))]
compile_error!("gmp-arch-amd64 is for x86-64 Linux only; gmp-arch-hosted runs everywhere");

mod alternate;
mod asleep;
mod capture;
mod cpus;
mod first_frame;
mod halt;
mod heavy_fence;
mod memory;
mod overflow;
mod own;
mod per_thread;
mod place;
mod probe;
mod region;
mod report;
mod slot;
mod standstill;
mod switch;
mod thread_block;
mod thread_slice;
mod valgrind;

pub use alternate::AttachedThread;
pub use asleep::thread_runs;
pub use capture::{MOST_COPIED, Registers, SIGNAL, capture, capture_any, copy_memory};
pub use cpus::{available_cpus, cpu_time_of_thread, thread_id};
pub use overflow::{Describe, Fault, set_overflow_describer};
pub use own::{OwnAmd64, OwnThread};
pub use per_thread::PerThread;
pub use region::{GuardMode, Guarded, StackSlabs};
pub use report::Report;
pub use slot::{Amd64Slot, verify_slot};
pub use standstill::{Snapshot, standstill};
pub use switch::Amd64;
pub use thread_block::{Missing, available as own_thread_locals_available};
pub use valgrind::running_on_valgrind;
