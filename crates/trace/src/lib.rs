//! Traces: what a runtime's scheduler did, from the rings that its Ps record in to files that people look at.
//!
//! | file | is |
//! | --- | --- |
//! | `story.rs`, `story/fit.rs` | from what each ring recorded to one order of steps, each of which was possible |
//! | `step.rs`, `clock.rs` | the steps; from ticks to nanoseconds |
//! | `go.rs`, `go/` | steps as Go's `go tool trace` reads them |
//! | `trace.rs` | [`Trace`]: the last events of a program that runs on |
//! | `recording.rs` | [`Recording`]: all events, into a file, while the program runs |
//!
//! How events get into rings, and why a reader never takes a torn one, is gmp-core's part (`ground/ring.rs`,
//! `records/recorder.rs`).

mod clock;
mod go;
mod recording;
mod step;
mod story;
mod trace;

pub use recording::{Recording, Summary, record};
pub use trace::{NotRecorded, RECORDS, Trace, snapshot};
