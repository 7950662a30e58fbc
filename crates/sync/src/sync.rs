//! Mutexes and their kin, which wake waiters in Go's order.
//!
//! | Go | here |
//! | --- | --- |
//! | `sync.Mutex` | [`Mutex`], which owns what it protects |
//! | `sync.WaitGroup` | [`WaitGroup`], a handle that is cloned |
//! | `sync.RWMutex` | [`RwLock`], which owns what it protects |
//! | `sync.Cond` | [`Cond`], given the guard each time |
//! | `sync.Once`, `sync.OnceValue` | [`Once`], [`OnceCell`], [`Lazy`] |
//! | `golang.org/x/sync/semaphore` | [`Semaphore`] |
//! | `golang.org/x/sync/errgroup` | [`errgroup`] |
//! | none | [`Barrier`] |
//! | none; tokio's modules | [`oneshot`], [`watch`], [`broadcast`] |

mod barrier;
pub mod broadcast;
mod change;
mod cond;
pub mod errgroup;
mod mutex;
mod once;
pub mod oneshot;
mod rw_lock;
mod sema;
mod semaphore;
mod wait_group;
pub mod watch;

#[cfg(all(test, loom))]
mod loom_change;
#[cfg(all(test, loom))]
mod loom_locks;
#[cfg(all(test, loom))]
mod loom_mutex;
#[cfg(all(test, loom))]
mod loom_semaphore;
#[cfg(all(test, not(loom)))]
mod tests;

pub use barrier::{Barrier, BarrierResult};
pub use cond::Cond;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Lazy, Once, OnceCell};
pub use rw_lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use wait_group::WaitGroup;
