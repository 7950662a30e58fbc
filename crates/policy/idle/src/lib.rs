//! Idle rules that are independent of queues: which Ms may look for work, and which are woken.
//!
//! | rule | wakes an M for an idle P | strong law | for |
//! | --- | --- | --- | --- |
//! | `GoIdle` (`gmp-policy-go`) | at a submission, if nobody spins yet | yes | most programs |
//! | [`Eager`] | at every submission | yes | batches that are to start at once |
//! | [`Frugal`] | when two or more goroutines wait in a queue | no: bounded by 10 ms | runtimes that are mostly idle, tiny goroutines |
//!
//! Each works with any policy, through `WithIdle<P, I>`: `Builder::policy::<WithIdle<Go, Frugal>>()`.

#![forbid(unsafe_code)]

mod eager;
mod frugal;
#[cfg(all(test, loom))]
mod loom_idle;

pub use eager::Eager;
pub use frugal::Frugal;
