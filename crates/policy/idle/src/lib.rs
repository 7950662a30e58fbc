//! Idle rules apart from queues: who may look for work, and who is woken.
//!
//! | rule | wakes an M for an idle P | strong law | for |
//! | --- | --- | --- | --- |
//! | `GoIdle` (`gmp-policy-go`) | at a submission, if nobody spins yet | yes | most programs |
//! | [`Eager`] | at every submission | yes | batches that are to start at once |
//! | [`Frugal`] | when two goroutines or more wait in line | no: bounded by 10 ms | much idleness, tiny goroutines |
//!
//! Each goes with any policy, by `WithIdle<P, I>`: `Builder::policy::<WithIdle<Go, Frugal>>()`.

#![forbid(unsafe_code)]

mod eager;
mod frugal;

pub use eager::Eager;
pub use frugal::Frugal;
