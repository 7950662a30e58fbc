//! The group `go-benchmarks`: the loops of Go's own benchmarks on gmp, under Go's names, one file a family. The same
//! loops stand in Go beside `crates/bench/go/benchmarks.go`, which also says where an operation is not Go's.
//!
//! The benchmarks follow those of the Go project, whose licence is in `LICENSE-THIRD-PARTY`.

mod chan;
mod parts;
mod rw_sema;
mod sched;
mod select;
mod sync;
mod time;

use crate::workload::Benchmark;

/// All of them, by family.
pub(super) const FAMILIES: [&[Benchmark]; 6] =
    [chan::ALL, select::ALL, sync::ALL, rw_sema::ALL, time::ALL, sched::ALL];
