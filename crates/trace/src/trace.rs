//! `Trace`: the last events of a program, taken while it runs on.

use crate::clock::Clock;
use crate::go;
use crate::page;
use crate::step::{Act, Origin, Step};
use crate::story::{Story, function_of};
use core::fmt;
use core::ops::Range;
use gmp_core::contract::{Context, SavedRegisters};
use gmp_core::runtime::Handle;
use gmp_core::sight::{Look, Sight};
use gmp_core::ticks::Moment;
use gmp_core::trace::Positions;
use std::collections::HashMap;
use std::time::Duration;

/// How many records a P's ring has: 4 MiB of them.
pub const RECORDS: usize = 1 << 18;

/// The last events of a runtime's scheduler.
///
/// Its `Display` says how many events of which kind there are; [`Trace::to_go`] is for `go tool trace`, `to_perfetto` for
/// Perfetto, and [`Trace::to_html`] for a browser.
#[derive(Debug)]
pub struct Trace {
    pub(crate) steps: Vec<Step>,
    pub(crate) origins: HashMap<u64, Origin>,
    overwritten: bool,
}

/// Nothing has been recorded: the runtime was built without a flight recorder, and no recording is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this runtime records no events: build it with Builder::flight_recorder, or start a recording first",
        )
    }
}

impl std::error::Error for NotRecorded {}

/// The events of the last `window`, as far as the rings go back. For a thread that is no M, with stack to spare.
///
/// # Errors
/// [`NotRecorded`].
pub fn snapshot(handle: &Handle, window: Duration) -> Result<Trace, NotRecorded> {
    if !handle.is_recording() {
        return Err(NotRecorded);
    }
    let mut story = Story::default();
    // What comes later is not read from all rings.
    let end = Moment::now().ticks;
    let recorded = handle.recorded(&mut Positions::default());
    let overwritten = recorded.lost != 0;
    // Made afterwards: every event is older.
    let clock = Clock::now();
    let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
    // By the same clock as the events: two clocks differ by what happened to their makers in between.
    let end = clock.nanos(end);
    story.take(recorded, &clock);
    story.end_at(end);
    note_living(handle, &mut story);
    story.begin_at(end.saturating_sub(window));
    let steps = story.rest();
    Ok(Trace { steps, origins: story.origins, overwritten })
}

/// Notes what every goroutine that lives now is.
pub(crate) fn note_living(handle: &Handle, story: &mut Story) {
    struct Names<'a>(&'a mut Story);
    impl Look for Names<'_> {
        fn copy(&mut self, _: Context, _: SavedRegisters, _: Range<usize>) {}
        fn capture(&mut self, _: i32, _: usize) {}
        fn forget(&mut self) {}
        fn see(&mut self, sight: Sight) {
            let function = if sight.number == 1 { "main" } else { sight.function };
            let origin = Origin {
                function: function_of(function, sight.system),
                file: sight.created_at.file().into(),
                line: sight.created_at.line(),
                name: sight.name,
            };
            self.0.note_origin(sight.number, origin);
        }
    }
    handle.look(&mut Names(story));
}

impl Trace {
    /// The trace as `go tool trace` of Go 1.23 and later reads it, in a file of any name. Never suspends.
    #[must_use]
    pub fn to_go(&self) -> Vec<u8> {
        let mut writer = go::Writer::new();
        self.steps.iter().for_each(|step| writer.step(step, &self.origins));
        writer.flip()
    }

    /// The trace as Perfetto reads it, in a file that is called `it.pftrace`, say. With the feature `perfetto`. Never
    /// suspends.
    #[cfg(feature = "perfetto")]
    #[must_use]
    pub fn to_perfetto(&self) -> Vec<u8> {
        let mut writer = crate::perfetto::Writer::default();
        self.steps.iter().for_each(|step| writer.step(step, &self.origins));
        writer.flip()
    }

    /// The trace as a page that a browser shows, by itself and without a network: a timeline by P, and goroutines by kind.
    /// Never suspends.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut writer = page::Writer::default();
        self.steps.iter().for_each(|step| writer.step(step, &self.origins));
        writer.end();
        String::from_utf8_lossy(&writer.flip()).into_owned()
    }

    /// Whether the rings were too small for the whole time that was asked for. Never suspends.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.overwritten
    }

    /// From the first event to the last one. Never suspends.
    #[must_use]
    pub fn length(&self) -> Duration {
        let ends = self.steps.first().zip(self.steps.last());
        ends.map_or(Duration::ZERO, |(first, last)| Duration::from_nanos(last.time - first.time))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |of: fn(&Act) -> bool| self.steps.iter().filter(|step| of(&step.act)).count();
        let cut = if self.overwritten { ", and what was before is overwritten" } else { "" };
        writeln!(f, "{} events in {:.2?}{cut}", self.steps.len(), self.length())?;
        writeln!(f, "goroutines started {}", count(|act| matches!(act, Act::GoCreate(_))))?;
        writeln!(f, "           ended   {}", count(|act| matches!(act, Act::GoDestroy(_))))?;
        writeln!(f, "           run     {} times", count(|act| matches!(act, Act::GoStart { .. })))?;
        writeln!(f, "           parked  {} times", count(|act| matches!(act, Act::GoBlock(..))))?;
        writeln!(f, "blocking calls     {}", count(|act| matches!(act, Act::GoSyscallBegin(_))))?;
        writeln!(f, "Ps taken from them {}", count(|act| matches!(act, Act::ProcSteal(_))))?;
        write!(f, "steals             {}", count(|act| matches!(act, Act::Steal { .. })))
    }
}
