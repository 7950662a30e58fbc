//! The contracts: what core asks of a policy, of a stack allocator and of a context switch.
//!
//! Each trait's documentation has a numbered list of clauses; `// SAFETY:` comments and the suites that judge
//! implementers cite them by number. *Opinions* (queues, idle rule, victim order) are safe traits: a wrong one costs
//! speed or ends in a clear `fatal!`, never in undefined behaviour. *Obligations* (stacks, switching) are unsafe ones.
//!
//! **What a policy may vary, and what core keeps.** A [`Policy`] names types for the left column; no choice there changes
//! what stands in the right one.
//!
//! | a policy decides | where | core keeps |
//! | --- | --- | --- |
//! | how a P keeps its goroutines: the local slot, order, bound | [`RunQueue`], [`Promise`] | each goroutine is one linear token; tokens in and out are counted |
//! | how the Ps share: the shared queue, its tick, how much leaves it at once | [`SharedQueue`], [`Rules`] | overflow, yields and foreign threads' submissions go there; it is looked at before an M sleeps |
//! | how much a thief takes, and when it backs off | [`Thief`] | who steals and when; a back-off lasts 1 ms at most |
//! | from whom first | [`VictimOrder`], [`Rules::steal_rounds`] | a walk ends after as many steps as there are Ps |
//! | who spins, who is woken | [`IdlePolicy`] | the counts of idle Ps and spinning Ms, the fences, the last look after a P was given up; work never waits more than 10 ms beside an idle P |

mod config;
mod idle_policy;
mod list;
mod only_p;
mod policy;
mod poller;
mod promise;
mod run_queue;
mod shared_queue;
mod stack_allocator;
mod switch;
mod token;
mod victim_order;
mod with_idle;
mod with_order;

pub use config::Config;
pub use idle_policy::{IdlePolicy, IdleView};
pub use list::List;
pub use only_p::OnlyP;
pub use policy::{Policy, Rules};
pub use poller::{Alarm, Poller, Ready, ReadyList, Side, Tag};
pub use promise::{BackPromise, NextPromise, Promise, StealPromise};
pub use run_queue::{Popped, QueueConfig, RunQueue, Slot, Spill, Steal, StealRound, Thief};
pub use shared_queue::SharedQueue;
pub use stack_allocator::{Region, Slab, Stack, StackAllocator, StackError, StackFigures};
pub use switch::{Carry, Context, CurrentSlot, Entry, SavedRegisters, Switch, ThreadSlice};
pub use token::{Link, Token};
pub use victim_order::{VictimOrder, Victims, WalkStart};
pub use with_idle::WithIdle;
pub use with_order::WithOrder;
