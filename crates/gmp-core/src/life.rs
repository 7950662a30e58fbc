//! A goroutine's life, as its own code sees it: spawn, join, locals, scopes, timers, blocking calls, panics.

pub(crate) mod blocking;
pub(crate) mod handle;
pub(crate) mod join_future;
pub mod local;
pub(crate) mod panics;
pub mod scope;
pub(crate) mod spawn;
pub mod timer;
