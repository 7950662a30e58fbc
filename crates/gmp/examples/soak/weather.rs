//! Weather: a plain thread makes the system refuse now this, now that, for some milliseconds at a time, with calm in
//! between: threads, mappings (which are stacks), descriptors. It also sends storms of signals, which arrive during
//! switches as well. What waits for something refused gets it when the weather is over.

use crate::refusals::{ALWAYS, MAPPINGS, THREADS, spared};
use core::ffi::c_int;
use core::fmt;
use fastrand::Rng;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one kind of weather lasts at most.
const LONGEST: Duration = Duration::from_millis(40);

/// Held while the weather is bad.
static SKY: Mutex<()> = Mutex::new(());
/// How many threads want it to be fair.
static FAIR: AtomicUsize = AtomicUsize::new(0);
static OVER: AtomicBool = AtomicBool::new(false);
static SIGNALS: AtomicU64 = AtomicU64::new(0);
static FRONTS: AtomicU64 = AtomicU64::new(0);

fn sky() -> MutexGuard<'static, ()> {
    SKY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for fair weather, which lasts as long as what it returns.
pub(crate) fn fair() -> Fair {
    FAIR.fetch_add(1, Relaxed);
    drop(sky());
    Fair(())
}

/// The weather is fair for as long as this lives.
pub(crate) struct Fair(());

impl Drop for Fair {
    fn drop(&mut self) {
        FAIR.fetch_sub(1, Relaxed);
    }
}

/// Bad weather, until it is dropped.
pub(crate) struct Weather(Option<JoinHandle<()>>);

impl Weather {
    pub(crate) fn begin(seed: u64) -> Self {
        hear_signals();
        Self(Some(spared(|| std::thread::spawn(move || change(&mut Rng::with_seed(seed))))))
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        OVER.store(true, Relaxed);
        // It does not panic, but if it did, that would be known by its message.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// What has been refused so far.
pub(crate) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (threads, mappings) = (THREADS.count(), MAPPINGS.count());
        let (fronts, signals) = (FRONTS.load(Relaxed), signals());
        write!(
            f,
            "{fronts} times of pressure, refused {threads} threads and {mappings} mappings, {signals} signals"
        )
    }
}

fn change(rng: &mut Rng) {
    while !OVER.load(Relaxed) {
        {
            let _sky = sky();
            if FAIR.load(Relaxed) == 0 {
                FRONTS.fetch_add(1, Relaxed);
                front(rng);
            }
        }
        std::thread::sleep(span(rng));
    }
}

fn span(rng: &mut Rng) -> Duration {
    LONGEST.mul_f64(rng.f64())
}

/// One kind of it, or several at once.
fn front(rng: &mut Rng) {
    let (kinds, span) = (rng.u32(1..16), span(rng));
    let odds = [ALWAYS, ALWAYS, 192, 64][rng.usize(..4)];
    if kinds & 1 != 0 {
        THREADS.set(odds);
    }
    if kinds & 2 != 0 {
        MAPPINGS.set(odds);
    }
    let taken = (kinds & 4 != 0).then(no_more_descriptors);
    if kinds & 8 != 0 {
        storm(span);
    } else {
        std::thread::sleep(span);
    }
    THREADS.set(0);
    MAPPINGS.set(0);
    if let Some(Taken { now, most, .. }) = taken {
        setrlimit(Resource::RLIMIT_NOFILE, now, most).expect("it was so before");
    }
}

/// All descriptors that there may be.
struct Taken {
    _rest: Vec<File>,
    /// The limits as they were.
    now: u64,
    most: u64,
}

/// Takes them: only those that others close can be had again. The limit is above every number that is in use, or the
/// system would not let a file be put in the place of another there.
fn no_more_descriptors() -> Taken {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    let numbers = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let highest = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max();
    setrlimit(Resource::RLIMIT_NOFILE, highest.unwrap_or(2) + 1, most).expect("it may be lowered");
    Taken { _rest: iter::from_fn(|| File::open("/dev/null").ok()).collect(), now, most }
}

/// How many signals have arrived so far.
pub(crate) fn signals() -> u64 {
    SIGNALS.load(Relaxed)
}

extern "C" fn heard(_: c_int) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// Signals that come in storms do no harm from now on.
pub(crate) fn hear_signals() {
    let handler = heard as *const () as libc::sighandler_t;
    for signal in [libc::SIGUSR1, libc::SIGPROF] {
        // SAFETY: it does what a handler may.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Signals to whoever runs, by the clock of the CPU's time and by this thread.
pub(crate) fn storm(span: Duration) {
    let clock = |microseconds| {
        let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: the pointer is valid; nobody asks for the timer as it was.
        unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, core::ptr::null_mut()) }
    };
    clock(1000);
    let began = Instant::now();
    while began.elapsed() < span {
        // SAFETY: a signal to ourselves, which has a handler.
        unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
        std::thread::sleep(Duration::from_micros(50));
    }
    clock(0);
}
