//! Goroutine stacks: where they come from, what keeps them warm, and when their memory is given back.
//!
//! ```text
//!    P's cache         P's cache          LIFO, at most 64 a class, no lock, no locked instruction
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
//! | `config.rs` | [`Config`], [`Retention`] and their errors |
//! | `class.rs` | size classes |
//! | `stacks.rs` | [`Stacks`], the allocator, and [`Cache`], a P's cache |
//! | `depot.rs` | what all Ps share of one class |
//! | `slabs.rs` | reserving address space, carving stacks from it, giving it back |
//!
//! # What a size means
//!
//! The size that is asked for is in usable bytes. The stack has the size of the next class, a power of two from 16
//! KiB to 64 MiB, and an additional page in which the first frame may begin anywhere (see `class.rs`). The guard lies
//! below and is not part of it. So a stack of 1 MiB takes 1,032 KiB of address space, and of page tables, at 4 KiB
//! for each 2 MiB of addresses, 2,064 bytes.
//!
//! # Warm and cold
//!
//! A stack that has run is warm: its upper pages are backed by memory and may be in the processor's cache. Touching a
//! cold one costs 2 to 5 us, a thousand times what a warm one costs. So a P takes the warm stack that it freed last,
//! then the one that came to the depot last, and only then a cold one. It does not search the caches of other Ps,
//! which would need a lock on each; up to 64 stacks a class and P can be warm there meanwhile.
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
