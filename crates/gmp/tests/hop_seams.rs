//! Runtimes over stacks and a switch of the tests' own, to meet a hop with things that come late.

use gmp::DeadlockRule;
use gmp::policy::Go;
use gmp_arch_amd64::{Amd64, Guarded};
use gmp_core::contract::{Carry, Context, Entry, Stack, StackAllocator, StackError, StackFigures, Switch};
use gmp_core::settings::Settings;
use gmp_core::{Config, Leftover, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

type Inner = gmp_stack::Stacks<Guarded>;

fn inner() -> Inner {
    Inner::new(Guarded::default(), gmp_stack::Config::default()).unwrap()
}

fn settings(procs: usize) -> Settings {
    Settings {
        procs,
        thread_name: "late".to_owned(),
        seed: 1,
        deadlock: DeadlockRule::Never,
        ..Settings::default()
    }
}

/// Real stacks; once told to, it refuses every second request.
struct Scarce {
    inner: Inner,
    scarce: Arc<AtomicBool>,
    asked: AtomicUsize,
}

// SAFETY: all clauses are kept by the allocator within; refusing costs nothing.
unsafe impl StackAllocator for Scarce {
    type Cache = <Inner as StackAllocator>::Cache;

    fn cache(&self) -> Self::Cache {
        self.inner.cache()
    }

    fn allocate(&self, cache: &mut Self::Cache, size: usize) -> Result<Stack, StackError> {
        if self.scarce.load(SeqCst) && self.asked.fetch_add(1, SeqCst).is_multiple_of(2) {
            return Err(StackError::OutOfMemory { errno: libc::ENOMEM });
        }
        self.inner.allocate(cache, size)
    }

    unsafe fn free(&self, cache: &mut Self::Cache, stack: Stack) {
        // SAFETY: A5, as the caller promises: it came from there.
        unsafe { self.inner.free(cache, stack) };
    }

    fn flush(&self, cache: &mut Self::Cache) {
        self.inner.flush(cache);
    }

    fn trim(&self) {
        self.inner.trim();
    }

    fn figures(&self) -> StackFigures {
        self.inner.figures()
    }
}

struct OnScarce;

impl Config for OnScarce {
    type Policy = Go;
    type Stacks = Scarce;
    type Switch = Amd64;
}

/// A goroutine that gets its stack at the second request, as when another ends in between, was queued once more, as one
/// that has already run. Another goroutine that parked hopped straight to it, and its park was never made.
#[test]
fn who_gets_a_stack_late_starts_like_any_other() {
    const MANY: usize = 20;
    let scarce = Arc::new(AtomicBool::new(false));
    let stacks = Scarce { inner: inner(), scarce: Arc::clone(&scarce), asked: AtomicUsize::new(0) };
    // SAFETY: the stacks are those that the switch is made for, and nothing here holds anything of a thread-local.
    let runtime = unsafe { runtime::Runtime::<OnScarce>::new(settings(1), stacks) };
    let total = runtime.run(move || {
        // From here on main is on an M like any other.
        gmp::yield_now();
        scarce.store(true, SeqCst);
        let (to, from) = gmp::chan::<usize>(0);
        let all: Vec<_> = (0..MANY)
            .map(|_| {
                let from = from.clone();
                gmp::go(move || from.recv().unwrap())
            })
            .collect();
        // Each of them parks as soon as it runs, with others behind it.
        (0..4).for_each(|_| gmp::yield_now());
        (1..=MANY).for_each(|n| to.send(n).unwrap());
        all.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
    });
    assert_eq!(total.unwrap().value, MANY * (MANY + 1) / 2);
}

const TICK: Duration = Duration::from_millis(1);

/// Whether the next switch is to take its time.
static TOLD: AtomicBool = AtomicBool::new(false);
/// Whether it does so now.
static SLOW: AtomicBool = AtomicBool::new(false);
/// `run` has returned.
static OVER: AtomicBool = AtomicBool::new(false);

/// The usual switch, slow when told to be.
struct Slow;

// SAFETY: all clauses are kept by the switch within; to sleep before it changes nothing that it could see.
unsafe impl Switch for Slow {
    type Slot = <Amd64 as Switch>::Slot;
    type Thread = <Amd64 as Switch>::Thread;

    fn heavy_fence() -> Option<fn()> {
        Amd64::heavy_fence()
    }

    fn attach_thread() -> std::io::Result<Self::Thread> {
        Amd64::attach_thread()
    }

    unsafe fn init(stack: &Stack, entry: Entry) -> std::io::Result<Context> {
        // SAFETY: as the caller promises.
        unsafe { Amd64::init(stack, entry) }
    }

    unsafe fn init_again(stack: &Stack, entry: Entry) -> Context {
        // SAFETY: as the caller promises.
        unsafe { Amd64::init_again(stack, entry) }
    }

    unsafe fn switch(save: *mut Context, to: Context, carry: Carry) -> Carry {
        if TOLD.swap(false, SeqCst) {
            SLOW.store(true, SeqCst);
            std::thread::sleep(300 * TICK);
        }
        // SAFETY: as the caller promises.
        unsafe { Amd64::switch(save, to, carry) }
    }
}

struct OnSlow;

impl Config for OnSlow {
    type Policy = Go;
    type Stacks = Inner;
    type Switch = Slow;
}

/// A runtime closes while a goroutine parks and hops to another. It was taken for one that runs, since the next one
/// counted as running before it had made that park: `run` did not wait for it, and nobody was told that it would not
/// come.
#[test]
fn who_parks_for_another_is_suspended_when_run_returns() {
    // SAFETY: the stacks are those that the switch is made for, and nothing here holds anything of a thread-local.
    let runtime = unsafe { runtime::Runtime::<OnSlow>::new(settings(2), inner()) };
    let finished = runtime.run(move || {
        gmp::go(|| {
            let ((tell, told), (wake, woken)) = (gmp::chan(0), gmp::chan::<()>(0));
            gmp::go(move || {
                tell.send(()).unwrap();
                woken.recv().unwrap();
                // In its own code for longer than the runtime lives.
                while !OVER.load(SeqCst) {
                    std::thread::sleep(TICK);
                }
            });
            told.recv().unwrap();
            gmp::yield_now();
            // It waits, and is the next one here from now on: main keeps the other P to itself.
            wake.send(()).unwrap();
            TOLD.store(true, SeqCst);
            gmp::park();
        });
        while !SLOW.load(SeqCst) {
            std::thread::sleep(TICK);
        }
    });
    OVER.store(true, SeqCst);
    assert_eq!(finished.unwrap().left, left(1, 1));
}

fn left(suspended: usize, running: usize) -> Leftover {
    let mut left = Leftover::default();
    (left.suspended, left.running) = (suspended, running);
    left
}
