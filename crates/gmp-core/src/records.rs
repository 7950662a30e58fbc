//! Records: what the scheduler keeps of each goroutine (G), machine (M) and processor (P), and of a runtime as its
//! goroutines see it. They are words and plain fields; each file's head says who may change what.

pub(crate) mod attention;
pub(crate) mod g;
pub mod latency;
pub(crate) mod living;
pub(crate) mod m;
pub(crate) mod outsiders;
pub(crate) mod p;
pub(crate) mod record;
pub(crate) mod recorder;
pub(crate) mod rt;
pub mod schedule;
pub mod sight;
pub(crate) mod source;
pub mod standing;
pub mod stats;
mod ties;
pub mod trace;
pub(crate) mod waits_at;
