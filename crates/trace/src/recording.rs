//! `Recording`: all events of a runtime, written while it runs, by a thread that empties the rings.

use crate::clock::Clock;
use crate::go;
use crate::page;
use crate::step::{Origin, Step};
use crate::story::Story;
use crate::trace::{RECORDS, note_living};
use gmp_core::runtime::Handle;
use gmp_core::trace::Positions;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often the rings are emptied: one of 262,144 records is full after that if its P has an event each 38 ns.
const PERIOD: Duration = Duration::from_millis(10);
/// How long a part of the file is. Go: one second.
const PART: Duration = Duration::from_secs(1);
/// How much later, in nanoseconds, an event may be seen than it was timed.
const LATE: u64 = 1_000_000;

/// A recording that is under way. It ends when this is dropped.
#[derive(Debug)]
pub struct Recording {
    /// Ends the thread, and brings what it has to say.
    ends: Option<(Sender<()>, Receiver<io::Result<Summary>>)>,
    handle: Handle,
}

/// What a recording has written.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many events.
    pub events: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many records were overwritten before they could be read.
    pub lost: u64,
    /// How often the kernel took an M's thread off its CPU, as far as it has told; `None`: it does not tell.
    #[cfg(feature = "kernel-switches")]
    pub switches: Option<u64>,
}

/// How a recording is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// As `go tool trace` reads it.
    #[default]
    Go,
    /// As Perfetto reads it. With the feature `perfetto`.
    #[cfg(feature = "perfetto")]
    Perfetto,
    /// As a page that a browser shows, by itself and without a network.
    Page,
}

/// Who writes in one of the formats.
enum Writer {
    Go(Box<go::Writer>),
    #[cfg(feature = "perfetto")]
    Perfetto(Box<crate::perfetto::Writer>),
    Page(Box<page::Writer>),
}

impl Writer {
    fn new(format: Format) -> Self {
        match format {
            Format::Go => Self::Go(Box::new(go::Writer::new())),
            #[cfg(feature = "perfetto")]
            Format::Perfetto => Self::Perfetto(Box::default()),
            Format::Page => Self::Page(Box::default()),
        }
    }

    fn step(&mut self, step: &Step, origins: &HashMap<u64, Origin>) {
        match self {
            Self::Go(writer) => writer.step(step, origins),
            #[cfg(feature = "perfetto")]
            Self::Perfetto(writer) => writer.step(step, origins),
            Self::Page(writer) => writer.step(step, origins),
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Go(writer) => writer.is_full(),
            #[cfg(feature = "perfetto")]
            Self::Perfetto(_) => false,
            Self::Page(writer) => writer.is_full(),
        }
    }

    fn flip(&mut self) -> Vec<u8> {
        match self {
            Self::Go(writer) => writer.flip(),
            #[cfg(feature = "perfetto")]
            Self::Perfetto(writer) => writer.flip(),
            Self::Page(writer) => writer.flip(),
        }
    }

    /// No step comes any more.
    fn end(&mut self) {
        if let Self::Page(writer) = self {
            writer.end();
        }
    }
}

/// Writes all events from now on to `out`, in Go's format, until the result is dropped or stopped.
///
/// # Errors
/// The operating system refused a thread.
pub fn record(handle: &Handle, out: Box<dyn Write + Send>) -> io::Result<Recording> {
    record_as(handle, out, Format::Go)
}

/// Writes all events from now on to `out`, in this format, until the result is dropped or stopped.
///
/// # Errors
/// The operating system refused a thread.
pub fn record_as(handle: &Handle, out: Box<dyn Write + Send>, format: Format) -> io::Result<Recording> {
    handle.record(RECORDS);
    let begun = Clock::now().made_at();
    let ((stop, stopped), (tell, told)) = (channel::<()>(), channel());
    let of_thread = handle.clone();
    let thread = gmp_core::helpers::spawn("gmp-trace", move || {
        let period = || stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout);
        let _ = tell.send(Scribe::new(of_thread, out, format, begun).write(period));
    });
    match thread {
        Ok(()) => Ok(Recording { ends: Some((stop, told)), handle: handle.clone() }),
        Err(error) => {
            handle.end_recording();
            Err(error)
        }
    }
}

impl Recording {
    /// Ends the recording when everything is written. Blocks the thread for that long.
    ///
    /// # Errors
    /// What the writer said, at its first error.
    pub fn stop(mut self) -> io::Result<Summary> {
        self.end()
    }

    fn end(&mut self) -> io::Result<Summary> {
        let Some((stop, told)) = self.ends.take() else { return Ok(Summary::default()) };
        drop(stop);
        let summary = told.recv();
        self.handle.end_recording();
        summary.unwrap_or_else(|_| Err(io::Error::other("the thread that wrote the trace has panicked")))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        let _ = self.end();
    }
}

struct Scribe {
    handle: Handle,
    out: Box<dyn Write + Send>,
    from: Positions,
    story: Story,
    writer: Writer,
    summary: Summary,
    #[cfg(feature = "kernel-switches")]
    switches: crate::switches::Switches,
}

impl Scribe {
    fn new(handle: Handle, out: Box<dyn Write + Send>, format: Format, begun: u64) -> Self {
        let mut story = Story::default();
        note_living(&handle, &mut story);
        let (from, writer) = (Positions::default(), Writer::new(format));
        let mut scribe = Self {
            handle,
            out,
            from,
            story,
            writer,
            summary: Summary::default(),
            #[cfg(feature = "kernel-switches")]
            switches: crate::switches::Switches::new(),
        };
        // Others may have wanted events before.
        scribe.look();
        scribe.story.begin_at(begun);
        scribe.summary.lost = 0;
        scribe
    }

    fn write(mut self, goes_on: impl Fn() -> bool) -> io::Result<Summary> {
        let mut part = Instant::now();
        while goes_on() {
            let horizon = self.look().saturating_sub(LATE);
            self.tell(|story| story.until(horizon));
            #[cfg(feature = "kernel-switches")]
            self.tell_switches(horizon);
            if part.elapsed() >= PART || self.writer.is_full() {
                part = Instant::now();
                self.flip()?;
            }
        }
        // What came later has not been read from all rings.
        let end = self.look();
        self.story.end_at(end);
        self.tell(Story::rest);
        #[cfg(feature = "kernel-switches")]
        self.tell_switches(end);
        self.writer.end();
        self.flip()?;
        self.out.flush()?;
        Ok(self.summary)
    }

    /// Empties the rings; returns a moment before which everything was recorded.
    fn look(&mut self) -> u64 {
        let clock = Clock::now();
        let recorded = self.handle.recorded(&mut self.from);
        self.summary.lost += recorded.lost;
        self.story.take(recorded, &clock);
        #[cfg(feature = "kernel-switches")]
        self.look_at_switches();
        clock.made_at()
    }

    #[cfg(feature = "kernel-switches")]
    fn look_at_switches(&mut self) {
        self.switches.look(&self.handle);
        self.summary.switches = self.switches.told();
    }

    fn tell(&mut self, steps: impl FnOnce(&mut Story) -> Vec<Step>) {
        let steps = steps(&mut self.story);
        self.summary.events += steps.len() as u64;
        for step in steps {
            #[cfg(feature = "kernel-switches")]
            self.tell_switches(step.time);
            self.writer.step(&step, &self.story.origins);
        }
    }

    #[cfg(feature = "kernel-switches")]
    fn tell_switches(&mut self, until: u64) {
        while let Some(step) = self.switches.next_until(until) {
            self.writer.step(&step, &self.story.origins);
        }
    }

    fn flip(&mut self) -> io::Result<()> {
        let bytes = self.writer.flip();
        self.story.forget_ended();
        self.summary.bytes += bytes.len() as u64;
        self.out.write_all(&bytes)
    }
}
