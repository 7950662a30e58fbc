//! Runtimes that close while goroutines wait, run and have not started, and while a plain thread uses them.

use crate::account::ACCOUNT;
use crate::options::{Mode, Options};
use crate::refusals::spared;
use crate::soak::{builder, max_threads};
use crate::timers::Suspends;
use fastrand::Rng;
use gmp::contract::Policy;
use gmp::{AtMainReturn, BuildError, RunError};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Runtimes closed between two generations.
const AT_ONCE: u32 = 12;
/// Leaked stacks are never freed: no more runtimes than this leak any.
const MOST_LEAKS: u32 = 60;

/// What a goroutine does that blocks, and is queued afterwards.
const COMES_BACK: u32 = 3;

/// The plain thread starts no more goroutines while so many have not ended.
const FAR_AHEAD: usize = 500;

/// Goroutines of one runtime: some may end long after it has closed, so these are books of their own.
#[derive(Clone, Default)]
struct Book(Arc<(AtomicUsize, AtomicUsize)>);

impl Book {
    fn ticket(&self) -> Ticket {
        self.0.0.fetch_add(1, Relaxed);
        Ticket(self.clone())
    }

    fn live(&self) -> usize {
        let ended = self.0.1.load(Relaxed);
        self.0.0.load(Relaxed).saturating_sub(ended)
    }
}

struct Ticket(Book);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, Relaxed);
    }
}

/// How many runtimes were closed, and how.
#[derive(Default)]
pub(crate) struct Closings {
    leaks: u32,
    waits: u32,
    unwinds: u32,
}

impl fmt::Display for Closings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closed {} by leak, {} by wait, {} by unwind", self.leaks, self.waits, self.unwinds)
    }
}

impl Closings {
    /// Runtimes that may have goroutines left behind.
    pub(crate) fn leaks(&self) -> u32 {
        self.leaks
    }

    pub(crate) fn some<P: Policy>(&mut self, options: &Options, rng: &mut Rng) -> Result<(), String> {
        for _ in 0..AT_ONCE {
            let how = match rng.u32(..3) {
                0 if self.leaks < MOST_LEAKS && options.mode != Mode::OneThreadEach => AtMainReturn::Leak,
                1 if options.mode != Mode::OneThreadEach => AtMainReturn::Unwind,
                _ => AtMainReturn::Wait,
            };
            match how {
                AtMainReturn::Leak => self.leaks += 1,
                AtMainReturn::Unwind => self.unwinds += 1,
                _ => self.waits += 1,
            }
            // Two at a time: what one runtime does must not hold up another.
            let (mode, mut beside) = (mode(options, rng), rng.fork());
            std::thread::scope(|scope| {
                let (faults, wait) = (options.faults, AtMainReturn::Wait);
                let beside = spared(|| scope.spawn(move || close_one::<P>(mode, &mut beside, wait, faults)));
                close_one::<P>(mode, rng, how, faults)?;
                beside.join().map_err(|_| String::from("a runtime beside another one panicked"))?
            })?;
            ACCOUNT.step();
        }
        Ok(())
    }
}

/// The mode of a runtime that closes: pinned goroutines that unwind are in every soak but that of one thread each.
fn mode(options: &Options, rng: &mut Rng) -> Mode {
    match options.mode {
        Mode::OneThreadEach => Mode::OneThreadEach,
        mode => [mode, Mode::Pinned, Mode::Migrating][rng.usize(..3)],
    }
}

/// A few goroutines in all states, and main returns in the middle of it.
fn close_one<P: Policy>(mode: Mode, rng: &mut Rng, how: AtMainReturn, faults: bool) -> Result<(), String> {
    let seed = rng.u64(..);
    let built = builder::<P>(mode)
        .procs(rng.usize(1..=4))
        .max_threads(max_threads(rng))
        .seed(seed)
        .at_main_return(how)
        .build();
    let runtime = match built {
        Err(BuildError::Refused(_)) if faults => return Ok(()),
        built => built.map_err(|error| error.to_string())?,
    };
    let handle = runtime.handle();
    let closed = Arc::new(AtomicBool::new(false));
    let (unparkers, targets) = std::sync::mpsc::channel::<gmp::Unparker>();
    let (book, waits, leaks) = (Book::default(), how == AtMainReturn::Wait, how == AtMainReturn::Leak);
    let nuisance = {
        let (closed, book) = (closed.clone(), book.clone());
        spared(|| {
            std::thread::spawn(move || {
                let mut sleepers = Vec::new();
                while !closed.load(Relaxed) {
                    sleepers.extend(targets.try_iter().take(4));
                    sleepers.iter().for_each(gmp::Unparker::unpark);
                    // On a busy machine it would get ever farther ahead of the runtime.
                    if !waits && book.live() < FAR_AHEAD {
                        let ticket = book.ticket();
                        // It runs, or is given back, or is dropped with the runtime.
                        drop(handle.go(move || drop(ticket)));
                    }
                    std::thread::sleep(Duration::from_micros(30));
                }
            })
        })
    };
    let books = book.clone();
    let finished = runtime.run(move || {
        let mut rng = Rng::with_seed(seed);
        // Now and then one alone, which comes back from user code at about the time at which main returns.
        let alone = rng.u32(..4) == 0;
        for i in 0..if alone { 1 } else { rng.u32(4..40) } {
            let (ticket, unparkers) = (books.ticket(), unparkers.clone());
            let kind = if alone { COMES_BACK } else { rng.u32(..10) };
            // Dropped handles: results that matter are dropped by the runtime.
            drop(gmp::go(move || {
                let _ticket = ticket;
                match kind {
                    0 => gmp::yield_now(),
                    1 => gmp::sleep(Duration::from_micros(200)),
                    2 if !waits => {
                        // Parked, until the plain thread or nobody wakes us.
                        let _ = unparkers.send(gmp::current().unwrap().unparker());
                        drop(unparkers);
                        for _ in 0..3 {
                            gmp::park();
                        }
                    }
                    COMES_BACK => {
                        gmp::blocking(|| std::thread::sleep(Duration::from_micros(300)));
                        gmp::yield_now();
                    }
                    4 => {
                        let _lock = gmp::lock_os_thread();
                        gmp::sleep(Duration::from_micros(100));
                    }
                    5 => {
                        // It ends while it is locked, and its thread with it.
                        core::mem::forget(gmp::lock_os_thread());
                        gmp::yield_now();
                    }
                    6 => {
                        // Unwinds, if the runtime does, through a destructor that suspends.
                        let _suspends = Suspends(i);
                        gmp::scope(|s| {
                            s.go(gmp::yield_now);
                        });
                    }
                    7 => {
                        let suspends = Suspends(i);
                        let wait = Duration::from_micros(u64::from(i));
                        let (ended, end) = gmp::chan(1);
                        drop(gmp::time::after_func_once(wait, move || {
                            drop(suspends);
                            let _ = ended.send(());
                        }));
                        if waits {
                            // A timer is no goroutine: `run` does not wait for what it starts as `run` ends.
                            let _ = end.recv();
                        } else {
                            gmp::park_timeout(Duration::from_millis(3));
                        }
                    }
                    // Never waits, and runs no more once the runtime has closed.
                    8 if leaks => loop {
                        gmp::checkpoint();
                    },
                    _ => drop(gmp::go(move || i.to_string())),
                }
                vec![i]
            }));
        }
        drop(unparkers);
        if rng.bool() {
            gmp::sleep(Duration::from_micros(rng.u64(..400)));
        }
        7
    });
    closed.store(true, Relaxed);
    nuisance.join().map_err(|_| String::from("the plain thread panicked"))?;
    if faults && matches!(finished, Err(RunError::Os(_))) {
        ACCOUNT.refused_runs.fetch_add(1, Relaxed);
        return Ok(());
    }
    let finished = finished.map_err(|error| format!("closing by {how:?}: {error}"))?;
    settle(how, &finished, &book)
}

/// After `Wait` and `Unwind` nobody is left; after `Leak` those that `run` has counted.
fn settle(how: AtMainReturn, finished: &gmp::Finished<i32>, book: &Book) -> Result<(), String> {
    let left = finished.left;
    let stays = left.suspended + left.running;
    // The destructor of a last result may have begun when the last goroutine was seen to have ended.
    if finished.value != 7 || (how == AtMainReturn::Wait && left.suspended != 0) {
        return Err(format!("closing by {how:?} came to {finished:?}"));
    }
    for _ in 0..10_000 {
        if book.live() <= stays {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(format!("closing by {how:?}: {} goroutines are unaccounted for beside {left:?}", book.live()))
}
