//! Traces: what a runtime's scheduler did, from the rings that its Ps record in to files that people look at.
//!
//! | file | is |
//! | --- | --- |
//! | `story.rs`, `story/fit.rs`, `story/marks.rs` | from what each ring recorded to one order of steps, each of which was possible |
//! | `step.rs`, `clock.rs` | the steps; from ticks to nanoseconds |
//! | `lengths.rs` | how long the queues were, for the writers that show it |
//! | `switches.rs` | steps that the kernel tells of: who is off their CPUs. With the feature `kernel-switches` |
//! | `go.rs`, `go/` | steps as Go's `go tool trace` reads them |
//! | `perfetto.rs`, `perfetto/` | steps as Perfetto reads them, with what the policy decided. With the feature `perfetto` |
//! | `page.rs`, `page/` | steps as a page for a browser |
//! | `trace.rs` | [`Trace`]: the last events of a program that runs on |
//! | `recording.rs` | [`Recording`]: all events, into a file, while the program runs |
//!
//! How events get into rings, and why a reader never takes a torn one, is gmp-core's part (`ground/ring.rs`,
//! `records/recorder.rs`).

mod clock;
mod go;
mod lengths;
mod page;
#[cfg(feature = "perfetto")]
mod perfetto;
mod recording;
mod step;
mod story;
#[cfg(feature = "kernel-switches")]
mod switches;
mod trace;

pub use recording::{Format, Recording, Summary, record, record_as};
pub use trace::{NotRecorded, RECORDS, Trace, snapshot};
