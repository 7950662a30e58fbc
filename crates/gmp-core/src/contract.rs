//! The contracts: what core asks of a policy, of a stack allocator and of a context switch.
//!
//! Each trait's documentation has a numbered list of clauses; `// SAFETY:` comments and the suites that judge
//! implementers cite them by number. *Opinions* (queues, idle rule, victim order) are safe traits: a wrong one costs
//! speed or ends in a clear `fatal!`, never in undefined behaviour. *Obligations* (stacks, switching) are unsafe ones.

mod idle_policy;
mod policy;
mod run_queue;
mod shared_queue;
mod sole;
mod stack_allocator;
mod switch;
mod token;
mod victim_order;
mod with_order;

pub use idle_policy::{IdlePolicy, IdleView};
pub use policy::{Policy, Rules};
pub use run_queue::{Popped, QueueConfig, RunQueue, Slot, Spill, Steal, StealRound, Thief};
pub use shared_queue::SharedQueue;
pub use sole::Sole;
pub use stack_allocator::{Region, Slab, Stack, StackAllocator, StackError, StackFigures};
pub use switch::{Carry, Context, CurrentSlot, Entry, Switch};
pub use token::{Link, Token};
pub use victim_order::{Lookout, VictimOrder, Victims};
pub use with_order::WithOrder;
