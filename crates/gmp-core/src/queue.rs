//! Queues that policies build on: the intrusive list, Go's ring, the shared first-in-first-out queue, victim orders, dice.

mod block;
mod coprime;
mod dice;
pub mod idle;
#[cfg(all(test, loom))]
mod loom_block;
#[cfg(all(test, loom))]
mod loom_ring;
#[cfg(all(test, loom))]
mod loom_shared;
mod ring;
mod run_next;
mod shared_fifo;
mod weighted;

pub use crate::contract::List;
pub use block::{Blocks, BlocksThief};
pub use coprime::{Coprime, CoprimeWalk};
pub use dice::Dice;
pub use ring::{Ring, RingThief};
pub use shared_fifo::SharedFifo;
pub use weighted::{Weighted, WeightedWalk};
