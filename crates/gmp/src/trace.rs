//! Traces: what the scheduler did, event by event, as Go's `go tool trace` shows it, or a browser by itself. With the
//! feature `trace`, which is on by default.
//!
//! | to | use |
//! | --- | --- |
//! | trace a program from its beginning | `GMP_TRACE=FILE` in the environment; a page for a browser if it ends in `.html`, for Perfetto if in `.pftrace` |
//! | have the last seconds at hand, when something goes wrong | [`Builder::flight_recorder`](crate::Builder::flight_recorder), [`snapshot`] |
//! | trace a part of a program | [`start`], [`Recording::stop`] |
//! | see one's own work in it | [`region`], [`log`]; spans of the crate `tracing` by `TracingLayer` |
//!
//! ```
//! let builder = gmp::Builder::new().flight_recorder(std::time::Duration::from_secs(5));
//! builder.build().unwrap().run(|| {
//!     gmp::go(|| {
//!         let _region = gmp::trace::region("decode");
//!     }).join().unwrap();
//!     let trace = gmp::trace::snapshot().unwrap();
//!     println!("{trace}");
//!     let file = std::env::temp_dir().join(format!("{}.trace", std::process::id()));
//!     std::fs::write(&file, trace.to_go()).unwrap(); // go tool trace FILE; `to_html` is for a browser
//! # std::fs::remove_file(file).unwrap();
//! }).unwrap();
//! ```
//!
//! While nothing is recorded a program pays nothing for this. An event costs one look at the processor's clock and three
//! stores; each P has a ring of 262,144 records of 16 bytes, whose memory is used as it fills.

#[cfg(feature = "tracing")]
mod layer;

use crate::Handle;
use core::marker::PhantomData;
use gmp_core::runtime as core_runtime;
use gmp_core::runtime::marks::{Mark, mark};
use std::io::{self, Write};
use std::time::Duration;

#[cfg(feature = "tracing")]
pub use layer::TracingLayer;

#[doc(inline)]
pub use gmp_trace::{Format, NotRecorded, Recording, Summary, Trace};

/// The last events of the caller's runtime: of the time that [`Builder::flight_recorder`](crate::Builder::flight_recorder)
/// was given, or of as long as the rings go back. The program runs on meanwhile. **Suspends**, as
/// [`blocking`](crate::blocking) does.
///
/// # Errors
/// [`NotRecorded`]: there is no flight recorder, and no recording is under way.
///
/// # Panics
/// Outside a goroutine, where [`Handle::snapshot`] is at hand, and if the operating system refuses a thread.
#[doc(alias = "FlightRecorder")]
#[track_caller]
pub fn snapshot() -> Result<Trace, NotRecorded> {
    gmp_core::goroutine::with_runtime("trace::snapshot", core_runtime::Handle::clone).snapshot_here()
}

/// Writes all events of the caller's runtime to `out` from now on, in this format, until the result is stopped or dropped.
/// A thread made for it does that, about once a second. **Suspends**, as [`blocking`](crate::blocking) does.
///
/// # Errors
/// The operating system refused the thread.
///
/// # Panics
/// Outside a goroutine, where [`Handle::start_trace`] is at hand.
#[doc(alias = "trace.Start")]
#[track_caller]
pub fn start(out: impl Write + Send + 'static, format: Format) -> io::Result<Recording> {
    let handle = gmp_core::goroutine::with_runtime("trace::start", core_runtime::Handle::clone);
    crate::blocking(|| gmp_trace::record_as(&handle, Box::new(out), format))
}

trait SnapshotHere {
    fn snapshot_here(&self) -> Result<Trace, NotRecorded>;
}

impl SnapshotHere for core_runtime::Handle {
    /// On a thread with stack to spare, which is no M.
    fn snapshot_here(&self) -> Result<Trace, NotRecorded> {
        let window = self.flight_recorder().unwrap_or(Duration::MAX);
        let taken = || std::thread::scope(|scope| scope.spawn(|| gmp_trace::snapshot(self, window)).join());
        crate::blocking(taken).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Handle {
    /// The last events of this runtime, as [`trace::snapshot`](snapshot) takes them, on any thread. **Suspends** a
    /// goroutine, as [`blocking`](crate::blocking) does.
    ///
    /// # Errors
    /// [`NotRecorded`].
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    pub fn snapshot(&self) -> Result<Trace, NotRecorded> {
        self.0.snapshot_here()
    }

    /// Writes all events of this runtime to `out` from now on, as [`trace::start`](start) does, on any thread.
    /// **Suspends** a goroutine, as [`blocking`](crate::blocking) does.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start_trace(&self, out: impl Write + Send + 'static, format: Format) -> io::Result<Recording> {
        crate::blocking(|| gmp_trace::record_as(&self.0, Box::new(out), format))
    }
}

/// A region of the caller's work, which ends when the result is dropped: a bar on the goroutine's track. Regions nest: if
/// one ends before another that began in it, that other one is shown in two parts. Where nothing is recorded, and outside
/// goroutines, it is nothing. Never suspends.
///
/// Go's format knows a goroutine's marks only while that runs on a P. What begins or ends while it has none (in
/// [`blocking`](crate::blocking), or once it has overrun its slice) is shown there from when it has one again, and what
/// begins and ends meanwhile is left out. Perfetto's shows all of it.
#[doc(alias = "WithRegion")]
#[doc(alias = "StartRegion")]
#[must_use = "the region ends when this is dropped"]
pub fn region(name: &'static str) -> Region {
    mark(Mark::RegionBegin(name));
    Region { name, of_goroutine: PhantomData }
}

/// A region that is under way: see [`region`]. It stays in its goroutine.
#[derive(Debug)]
pub struct Region {
    name: &'static str,
    of_goroutine: PhantomData<*mut ()>,
}

impl Drop for Region {
    fn drop(&mut self) {
        mark(Mark::RegionEnd(self.name));
    }
}

/// A message on the goroutine's track, with a category to find it by; cut after 1,800 bytes. It is nothing where a
/// [`region`] is nothing: [`is_enabled`] tells before a message is put together whether anything is recorded. Go's format
/// shows it when the goroutine runs on a P, as with regions. Never suspends.
#[doc(alias = "Log")]
#[doc(alias = "Logf")]
pub fn log(category: &str, message: &str) {
    mark(Mark::Log(category, message));
}

/// Whether the caller is a goroutine whose events are recorded. Never suspends.
#[doc(alias = "IsEnabled")]
#[must_use]
pub fn is_enabled() -> bool {
    gmp_core::runtime::marks::is_recorded()
}

/// The trace that the environment asks for.
pub(crate) mod by_environment {
    use crate::BuildError;
    use gmp_core::runtime::Handle;
    use gmp_trace::Format;
    use std::ffi::OsString;
    use std::fs::File;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    /// A file that is open, for the first runtime of the process.
    #[derive(Debug)]
    pub(crate) struct Asked(OsString, File);

    /// A recording that goes to it.
    pub(crate) struct Begun(OsString, Option<gmp_trace::Recording>);

    /// Opens the file that `GMP_TRACE` names, once in a process.
    pub(crate) fn asked() -> Result<Option<Asked>, BuildError> {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let Some(name) = std::env::var_os("GMP_TRACE").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if ASKED.swap(true, Relaxed) {
            return Ok(None);
        }
        match File::create(&name) {
            Ok(file) => Ok(Some(Asked(name, file))),
            Err(error) => {
                ASKED.store(false, Relaxed);
                Err(BuildError::Trace(name, error))
            }
        }
    }

    /// By how the file is called: as pages are, or as Perfetto's files are, or else.
    fn format_of(name: &OsString) -> Format {
        match std::path::Path::new(name).extension().and_then(|of| of.to_str()) {
            #[cfg(feature = "perfetto")]
            Some("pftrace" | "perfetto-trace") => Format::Perfetto,
            Some("html" | "htm") => Format::Page,
            _ => Format::Go,
        }
    }

    impl Asked {
        pub(crate) fn begin(self, handle: &Handle) -> io::Result<Begun> {
            let Self(name, file) = self;
            let format = format_of(&name);
            Ok(Begun(name, Some(gmp_trace::record_as(handle, Box::new(file), format)?)))
        }
    }

    impl Drop for Begun {
        fn drop(&mut self) {
            let Some(recording) = self.1.take() else { return };
            match recording.stop() {
                Err(error) => eprintln!("GMP_TRACE={:?}: the trace is not whole: {error}", self.0),
                Ok(summary) if summary.lost != 0 => {
                    eprintln!(
                        "GMP_TRACE={:?}: {} events came too fast and are missing",
                        self.0, summary.lost
                    );
                }
                #[cfg(feature = "kernel-switches")]
                Ok(summary) if summary.switches.is_none() => {
                    eprintln!(
                        "GMP_TRACE={:?}: the kernel does not tell when it ran others (it does where \
                         /proc/sys/kernel/perf_event_paranoid is 2 or less)",
                        self.0
                    );
                }
                Ok(_) => {}
            }
        }
    }
}
