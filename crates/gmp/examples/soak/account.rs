//! Accounts: which goroutines were started, which have ended, and whether anything moves at all.

use crate::refusals::spared;
use crate::weather;
use gmp::Handle;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// For how long nothing may move.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts of the whole process.
pub(crate) struct Account {
    pub(crate) spawned: AtomicU64,
    pub(crate) ended: AtomicU64,
    /// Values of goroutine-locals made and not dropped.
    pub(crate) locals: AtomicUsize,
    /// Values sent over channels: made and not dropped, and made at all.
    pub(crate) parcels: AtomicUsize,
    pub(crate) parcels_ever: AtomicU64,
    /// Goroutines that panicked in the middle of that.
    pub(crate) crashes: AtomicU64,
    /// Steps of work done; the watchdog looks at it.
    pub(crate) steps: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) resizes: AtomicU64,
    /// Runs to which the system refused something they cannot do without, perhaps with main left behind.
    pub(crate) refused_runs: AtomicU32,
    /// The most goroutines alive at once.
    pub(crate) peak: AtomicUsize,
    pub(crate) wrong: Mutex<Option<String>>,
    pub(crate) handle: Mutex<Option<Handle>>,
    pub(crate) over: AtomicBool,
}

pub(crate) static ACCOUNT: Account = Account {
    spawned: AtomicU64::new(0),
    ended: AtomicU64::new(0),
    locals: AtomicUsize::new(0),
    parcels: AtomicUsize::new(0),
    parcels_ever: AtomicU64::new(0),
    crashes: AtomicU64::new(0),
    steps: AtomicU64::new(0),
    panics: AtomicU64::new(0),
    resizes: AtomicU64::new(0),
    refused_runs: AtomicU32::new(0),
    peak: AtomicUsize::new(0),
    wrong: Mutex::new(None),
    handle: Mutex::new(None),
    over: AtomicBool::new(false),
};

impl Account {
    /// Goroutines started and not ended.
    pub(crate) fn live(&self) -> usize {
        // The ends are read first: what comes in between is one too many, never one too few.
        let ended = self.ended.load(Relaxed);
        usize::try_from(self.spawned.load(Relaxed).saturating_sub(ended)).unwrap_or(usize::MAX)
    }

    /// Whether a goroutine may panic, which is a line on standard error: few of them.
    pub(crate) fn may_panic(&self) -> bool {
        self.panics.load(Relaxed) <= self.steps.load(Relaxed) >> 17
    }

    pub(crate) fn step(&self) {
        self.steps.fetch_add(1, Relaxed);
    }

    /// Notes the first thing that is wrong.
    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap().get_or_insert(what);
    }

    pub(crate) fn complaint(&self) -> Option<String> {
        self.wrong.lock().unwrap().clone()
    }
}

/// Goes into each goroutine's closure: counted when made, counted again when dropped, wherever that is.
pub(crate) struct Ticket(());

impl Ticket {
    pub(crate) fn new() -> Self {
        ACCOUNT.spawned.fetch_add(1, Relaxed);
        ACCOUNT.peak.fetch_max(ACCOUNT.live(), Relaxed);
        Self(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        ACCOUNT.ended.fetch_add(1, Relaxed);
    }
}

/// Aborts with what can be said if nothing moves. A plain thread: while it lives, deadlocks are not reported.
pub(crate) fn watchdog() -> std::thread::JoinHandle<()> {
    spared(|| std::thread::spawn(watch))
}

fn watch() {
    let (mut seen, mut since) = (0, Instant::now());
    while !ACCOUNT.over.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let now = ACCOUNT.steps.load(Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            diagnose();
        }
    }
}

fn diagnose() -> ! {
    let _fair = weather::fair();
    eprintln!(
        "soak FAILED: nothing has moved for {PATIENCE:?}; spawned {}, ended {}, steps {}",
        ACCOUNT.spawned.load(Relaxed),
        ACCOUNT.ended.load(Relaxed),
        ACCOUNT.steps.load(Relaxed)
    );
    if let Ok(Some(handle)) = ACCOUNT.handle.try_lock().as_deref() {
        // May wait for ever if the scheduler's lock is the trouble; what matters more is out by then.
        eprintln!("{:#?}\n{}", handle.stats(), handle.dump());
    }
    if std::env::var_os("SOAK_STAY").is_some() {
        loop {
            std::thread::sleep(PATIENCE);
        }
    }
    std::process::abort()
}
