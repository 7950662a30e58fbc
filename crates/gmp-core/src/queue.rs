//! Queues that policies build on: Go's ring, a queue of blocks, the shared first-in-first-out queue, victim orders, an
//! idle rule, random numbers.

mod ahead;
mod block;
mod coprime;
pub mod idle;
#[cfg(all(test, loom))]
mod loom_block;
#[cfg(all(test, loom))]
mod loom_ring;
#[cfg(all(test, loom))]
mod loom_shared;
mod ring;
mod rng;
mod run_next;
mod shared_fifo;
mod weighted;

pub use crate::contract::List;
pub use block::{Blocks, BlocksThief};
pub use coprime::{Coprime, CoprimeWalk};
pub use ring::{Ring, RingThief};
pub use rng::Rng;
pub use shared_fifo::SharedFifo;
pub use weighted::{Weighted, WeightedWalk};
