//! Goroutines that get their stack at the second asking, as when another ends in between.

use gmp::policy::Go;
use gmp::{AtMainReturn, DeadlockRule};
use gmp_arch_amd64::{Amd64, Guarded};
use gmp_core::contract::{Stack, StackAllocator, StackError, StackFigures};
use gmp_core::settings::{DEFAULT_MAX_THREADS, Settings};
use gmp_core::{Config, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

type Inner = gmp_stack::Stacks<Guarded>;

/// Real stacks, of which, once told to, each asking that comes at an even turn gets none.
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

struct Made;

impl Config for Made {
    type Policy = Go;
    type Stacks = Scarce;
    type Switch = Amd64;
}

fn settings() -> Settings {
    Settings {
        procs: 1,
        max_threads: DEFAULT_MAX_THREADS,
        stack_size: 64 << 10,
        thread_name: "scarce".to_owned(),
        seed: 1,
        pinned: false,
        at_main_return: AtMainReturn::Leak,
        deadlock: DeadlockRule::Never,
        abort_on_panic: false,
        lock_main: false,
        ancestors: 0,
        on_out_of_stacks: None,
        events: None,
    }
}

/// Such a goroutine was queued once more, as one that has run. Another that parked went straight to it, and its park was
/// never made.
#[test]
fn who_gets_a_stack_late_starts_like_any_other() {
    const MANY: usize = 20;
    let scarce = Arc::new(AtomicBool::new(false));
    let inner = Inner::new(Guarded::default(), gmp_stack::Config::default()).unwrap();
    let stacks = Scarce { inner, scarce: Arc::clone(&scarce), asked: AtomicUsize::new(0) };
    // SAFETY: the stacks are those that the switch is made for, and nothing here holds anything of a thread-local.
    let runtime = unsafe { runtime::Runtime::<Made>::new(settings(), stacks) };
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
