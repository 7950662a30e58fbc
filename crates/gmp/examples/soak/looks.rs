//! Looks: once a second a plain thread sends a storm of signals to whoever runs, makes a dump, reads the metrics, and takes
//! a snapshot of what the flight recorder has, while the work goes on. Every snapshot must be sound by the rules of Go's
//! parser. With the feature `profile` there are profiles, too, of each kind, of the CPU's during the storm; and once a
//! second a goroutine asks who leaks (`leaks.rs`).

use crate::account::ACCOUNT;
use crate::refusals::spared;
use crate::weather;
use core::fmt;
use fastrand::Rng;
use gmp::Handle;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// How long a storm lasts.
const STORM: Duration = Duration::from_millis(100);
/// How far back a snapshot goes.
pub(crate) const WINDOW: Duration = Duration::from_millis(200);

static LOOKS: AtomicU64 = AtomicU64::new(0);
static GOROUTINES: AtomicU64 = AtomicU64::new(0);
static EVENTS: AtomicU64 = AtomicU64::new(0);
static MARKS: AtomicU64 = AtomicU64::new(0);

/// What the work marks its traces with (`work.rs`): regions, and messages with their kind in front.
pub(crate) const REGIONS: [&str; 3] = ["a call on the system stack", "on the system stack", "a pause there"];
pub(crate) const MESSAGES: [&str; 2] = ["before the pause", "after the pause"];
/// The kind of these messages.
pub(crate) const KIND: &str = "soak";

/// What has been seen so far.
pub(crate) struct Seen;

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [looks, goroutines, events, marks] =
            [&LOOKS, &GOROUTINES, &EVENTS, &MARKS].map(|count| count.load(Relaxed));
        let signals = weather::signals();
        write!(
            f,
            "{looks} looks in {signals} signals: {goroutines} goroutines, {events} events, {marks} marks"
        )?;
        #[cfg(feature = "profile")]
        {
            let (samples, (asked, told)) = (profiles::samples(), crate::leaks::counts());
            write!(f, ", {samples} samples, {told} leaks told in {asked} searches")?;
        }
        Ok(())
    }
}

impl Seen {
    /// Whether anything was seen at all.
    pub(crate) fn is_something(&self) -> bool {
        [&LOOKS, &GOROUTINES, &EVENTS].iter().all(|count| count.load(Relaxed) != 0)
    }
}

/// Makes a dump, and thereby has the tables of symbols read, which the crate backtrace keeps for good: 70 MiB of this
/// program's.
pub(crate) fn read_symbols() -> Result<(), String> {
    let runtime = gmp::Builder::new().build().map_err(|error| error.to_string())?;
    runtime.run(|| drop(gmp::dump())).map(drop).map_err(|error| error.to_string())
}

/// Looks at a runtime until it is dropped.
pub(crate) struct Looks(Option<(Sender<()>, JoinHandle<()>)>);

impl Looks {
    pub(crate) fn begin(handle: Handle, seed: u64) -> Self {
        weather::hear_signals();
        #[cfg(feature = "profile")]
        profiles::begin();
        let (stop, stopped) = channel::<()>();
        let thread = spared(|| {
            std::thread::spawn(move || {
                // Not at the same moment of each runtime's life.
                let mut wait = PERIOD.mul_f64(Rng::with_seed(seed).f64() / 4.0);
                while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                    look(&handle);
                    wait = PERIOD;
                }
            })
        });
        Self(Some((stop, thread)))
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        let Some((stop, thread)) = self.0.take() else { return };
        drop(stop);
        if thread.join().is_err() {
            ACCOUNT.complain(String::from("the thread that looks panicked"));
        }
    }
}

fn look(handle: &Handle) {
    // Dumps and snapshots are made on threads of their own, and say that they panic if there are none.
    let _fair = weather::fair();
    let storm = spared(|| std::thread::spawn(|| weather::storm(STORM)));
    let dump = handle.dump();
    GOROUTINES.fetch_add(dump.len() as u64, Relaxed);
    if !dump.to_json().starts_with('{') || dump.to_string().is_empty() {
        ACCOUNT.complain(String::from("a dump is none"));
    }
    let metrics = handle.metrics();
    if metrics.value("/sched/gomaxprocs:threads").is_none_or(|procs| procs < 1.0)
        || metrics.to_string().is_empty()
    {
        ACCOUNT.complain(format!("metrics are wrong: {metrics}"));
    }
    #[cfg(feature = "profile")]
    profiles::make();
    match handle.snapshot() {
        Ok(trace) => {
            match crate::check::read(&trace.to_go()) {
                Ok(read) => {
                    EVENTS.fetch_add(read.events as u64, Relaxed);
                    MARKS.fetch_add(read.marks.len() as u64, Relaxed);
                    if let Some(strange) = read.marks.iter().find(|mark| !is_ours(mark)) {
                        ACCOUNT.complain(format!("a mark that nobody makes: {strange}"));
                    }
                }
                Err(error) => ACCOUNT.complain(format!("a snapshot is not sound: {error}")),
            }
            std::hint::black_box(trace.to_html());
        }
        Err(error) => ACCOUNT.complain(error.to_string()),
    }
    if storm.join().is_err() {
        ACCOUNT.complain(String::from("the thread that sends signals panicked"));
    }
    LOOKS.fetch_add(1, Relaxed);
}

/// Whether the work makes such a mark.
fn is_ours(mark: &str) -> bool {
    let message = mark.strip_prefix(KIND).and_then(|rest| rest.strip_prefix(": "));
    REGIONS.contains(&mark) || message.is_some_and(|message| MESSAGES.contains(&message))
}

#[cfg(feature = "profile")]
mod profiles {
    //! Profiles of all kinds, as text and as pprof reads them.
    use gmp::profile::{self, Profile};
    use std::hint::black_box;
    use std::sync::Once;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    /// For how long the CPU's time is sampled.
    const SAMPLED: Duration = Duration::from_millis(100);

    static SAMPLES: AtomicU64 = AtomicU64::new(0);

    pub(super) fn samples() -> u64 {
        SAMPLES.load(Relaxed)
    }

    /// Waits and releases are sampled from now on.
    pub(super) fn begin() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            profile::set_block_rate(100_000);
            profile::set_mutex_fraction(10);
        });
    }

    pub(super) fn make() {
        let add = |profile: &Profile| {
            black_box((profile.to_string(), profile.to_pprof()));
            SAMPLES.fetch_add(profile.samples.len() as u64, Relaxed);
        };
        add(&profile::cpu(SAMPLED));
        add(&profile::block());
        add(&profile::mutex());
    }
}
