//! Queues that policies build on: the intrusive list, Go's ring, the shared first-in-first-out queue, victim orders.

mod coprime;
mod list;

pub use coprime::{Coprime, CoprimeWalk};
pub use list::List;
