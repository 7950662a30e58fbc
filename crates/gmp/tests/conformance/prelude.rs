//! What every scenario stands on: events kept in memory, a known phase of the 61 rule, and Go's `go` and `defer`.
//!
//! `align_tick`, `setup` and `twice` are what the Go programs have, line by line, on gmp's own spawn and yield.

use gmp::event::{Event, EventKind, EventSink};
use gmp::sync::WaitGroup;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Events, written at the end only: a write is a system call.
static OUT: Mutex<String> = Mutex::new(String::new());

fn out() -> MutexGuard<'static, String> {
    OUT.lock().unwrap()
}

pub(crate) fn ev(event: &str) {
    write!(out(), "{event} ").unwrap();
}

pub(crate) fn evn(event: &str, number: impl TryInto<i64>) {
    let number = number.try_into().unwrap_or(i64::MIN);
    write!(out(), "{event}{number} ").unwrap();
}

pub(crate) fn nl() {
    let mut out = out();
    if out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

pub(crate) fn flush() {
    nl();
    let text = std::mem::take(&mut *out());
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

/// Writes `numbers` with runs of consecutive ones as a-b.
pub(crate) fn ranges(numbers: &[i64]) {
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        match run {
            [one] => evn("", *one),
            [first, .., last] => {
                write!(out(), "{first}-").unwrap();
                evn("", *last);
            }
            [] => {}
        }
    }
}

/// Starts a goroutine that nobody joins. It gets clones of what stands before the closure: where Go's closures share
/// variables, ours share what the clones lead to, and no end of a channel is the last one while the scenario runs.
macro_rules! go {
    ($($shared:ident,)* || $body:expr) => {{
        $(let $shared = $shared.clone();)*
        drop(gmp::go(move || $body));
    }};
}
pub(crate) use go;

/// A variable that goroutines share. Its lock is never held across a suspension.
pub(crate) fn shared<T>(value: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(value))
}

/// Brings the only P's tick to 1 (mod 61): main waits in the shared queue behind a long local one, so it comes back
/// exactly when the tick is 0 (mod 61), and counts on from there.
pub(crate) fn align_tick() {
    const N: usize = 122;
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..N {
        go!(ran, || ran.fetch_add(1, Relaxed));
    }
    gmp::yield_now();
    let mut tick = 1;
    while ran.load(Relaxed) < N {
        let was = ran.load(Relaxed);
        gmp::yield_now();
        tick += ran.load(Relaxed) - was + 1;
        if was == 0 {
            // The one that was next inherits its slice: no tick.
            tick -= 1;
        }
    }
    while tick % 61 != 1 {
        gmp::yield_now();
        tick += 1;
    }
}

pub(crate) fn setup() {
    for _ in 0..16 {
        gmp::yield_now();
    }
    align_tick();
}

/// How often sysmon has ended a slice.
static SLICES_ENDED: AtomicUsize = AtomicUsize::new(0);

/// Counts the slices that sysmon ends.
pub(crate) struct SlicesEnded;

impl EventSink for SlicesEnded {
    fn event(&self, event: &Event) {
        if event.kind == EventKind::GoPreempt {
            SLICES_ENDED.fetch_add(1, Relaxed);
        }
    }
}

/// Runs `scenario`, each time from tick 1 (mod 61), until the same events came twice. In a process that was stopped for
/// over 10 ms sysmon ends a slice, which is not the subject. A run in which that is known to have happened does not
/// count, for two minutes: on a busy machine another run comes out better.
pub(crate) fn twice(scenario: impl Fn()) {
    let base = out().len();
    let mut seen = HashSet::new();
    let start = Instant::now();
    while seen.len() < 9 {
        out().truncate(base);
        align_tick();
        let before = SLICES_ENDED.load(Relaxed);
        scenario();
        if SLICES_ENDED.load(Relaxed) != before && start.elapsed() < Duration::from_secs(120) {
            continue;
        }
        if !seen.insert(out()[base..].to_owned()) {
            return;
        }
    }
}

/// Runs `scenario`, each time from tick 1 (mod 61), until it says that its events count.
pub(crate) fn again_until(mut scenario: impl FnMut() -> bool) {
    let base = out().len();
    loop {
        out().truncate(base);
        align_tick();
        if scenario() {
            return;
        }
    }
}

/// How late the events of a run were: if the process was held up for half of the gap between two of them, their order
/// says nothing.
#[derive(Clone)]
pub(crate) struct Lateness {
    start: Instant,
    worst: Arc<Mutex<Duration>>,
}

impl Lateness {
    /// Notes that an event which was due this long after the start happens now.
    pub(crate) fn of(&self, due: Duration) {
        let mut worst = self.worst.lock().unwrap();
        *worst = (*worst).max(self.start.elapsed().saturating_sub(due));
    }
}

/// Runs `scenario`, whose events are 50 ms apart, until none was late by half of that. Each time it is told by how much
/// to stretch the gaps.
pub(crate) fn until_timely(scenario: impl Fn(u32, &Lateness)) {
    let mut stretch = 1;
    again_until(|| {
        let lateness = Lateness { start: Instant::now(), worst: shared(Duration::ZERO) };
        scenario(stretch, &lateness);
        let timely = *lateness.worst.lock().unwrap() < Duration::from_millis(25) * stretch;
        stretch *= 2;
        timely
    });
}

/// Calls `f` when dropped: Go's `defer`.
pub(crate) fn defer<F: FnOnce()>(f: F) -> impl Drop + use<F> {
    struct Defer<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Defer<F> {
        fn drop(&mut self) {
            if let Some(f) = self.0.take() {
                f();
            }
        }
    }
    Defer(Some(f))
}

/// Go's `defer wg.Done()`.
pub(crate) fn done_at_end(group: &WaitGroup) -> impl Drop + use<> {
    let group = group.clone();
    defer(move || group.done())
}

/// FNV-1a over little-endian 32-bit words, and how many they were.
pub(crate) struct Hash {
    hash: u64,
    pub(crate) events: usize,
}

impl Hash {
    pub(crate) const fn new() -> Self {
        Self { hash: 14_695_981_039_346_656_037, events: 0 }
    }

    pub(crate) fn word(&mut self, word: u32) {
        for byte in word.to_le_bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        }
        self.events += 1;
    }

    pub(crate) fn line(&self) {
        write!(out(), "events={} fnv1a={:x} ", self.events, self.hash).unwrap();
    }
}
