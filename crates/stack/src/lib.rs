//! Goroutine stacks: where they come from, who keeps them warm, and when their memory goes back.
//!
//! ```text
//!    P's store         P's store          LIFO, at most 64 a class, no lock, no locked instruction
//!        \                /
//!         \  by halves   /
//!          v            v
//!    depot of the class                   under a mutex: warm ones LIFO; cold ones, lowest address first
//!          ^
//!          | one at a time, its guard installed just before first use
//!          |
//!    slabs                                one mapping each, at most doubling what there is
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `config.rs` | [`Config`], [`Retention`] and what is wrong with one |
//! | `class.rs` | size classes |
//! | `stacks.rs` | [`Stacks`], the allocator, and [`Cache`], a P's store |
//! | `depot.rs` | what all Ps share of one class |
//! | `slabs.rs` | reserving address space, carving stacks from it, giving it back |
//!
//! # What a size means
//!
//! The size asked for is usable bytes, and what comes back has the next class's and a page: a power of two from 16 KiB
//! to 64 MiB, and a page in which the first frame may begin where it likes (see `class.rs`). The guard lies below and is not part of it. So a stack
//! of 1 MiB takes 1,032 KiB of address space, and of page tables, at 4 KiB for each 2 MiB of addresses, 2,064 bytes.
//!
//! # Warm and cold
//!
//! A stack that has run is warm: its upper pages are backed by memory and may be in the processor's cache. Touching a
//! cold one costs 2 to 5 us, a thousand times what a warm one costs. So a P takes the warm stack it freed last, then
//! one that the depot got last, and only then a cold one. It does not search the stores of other Ps, which would need
//! a lock on each; up to 64 stacks a class and P can be warm there meanwhile.
//!
//! [`trim`](gmp_core::contract::StackAllocator::trim) makes warm stacks cold, except for the most recent of each
//! class, as [`Retention`] says. Address space is given back when the allocator is dropped: a slab with a stack still
//! in use is then left mapped for ever, since a suspended stack may be referred to from anywhere (clause A3).

mod class;
mod config;
mod depot;
mod slabs;
mod stacks;

pub use class::{LEAST_SIZE, MOST_SIZE};
pub use config::{Config, ConfigError, Retention};
pub use stacks::{Cache, Stacks};
