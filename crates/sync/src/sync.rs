//! Mutexes and their kin, with Go's order of events.
//!
//! | Go | here |
//! | --- | --- |
//! | `sync.Mutex` | [`Mutex`], which owns what it protects |
//! | `sync.WaitGroup` | [`WaitGroup`], a handle that is cloned |
//! | `sync.Cond` | [`Cond`], given the guard each time |

mod cond;
mod mutex;
mod sema;
mod wait_group;

pub use cond::Cond;
pub use mutex::{Mutex, MutexGuard};
pub use wait_group::WaitGroup;
