//! An allocator in `PerThread` is called with the thread's own thread-locals, wherever a goroutine allocates.

use gmp::Builder;
use gmp::alloc::PerThread;
use gmp::policy::Random;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Allocations of this size are looked at.
const MARKED: usize = 12_345;
/// The allocator needs more stack than there is for one of this size.
const TOO_DEEP: usize = 54_321;
const GOROUTINES: usize = 200;
const PROCS: usize = 2;

#[global_allocator]
static ALLOCATOR: PerThread<Watched> = PerThread::new(Watched);

thread_local! { static MINE: Cell<usize> = const { Cell::new(0) } }

/// Places at which `MINE` was found by marked calls, each once.
static PLACES: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];
static CALLS: AtomicUsize = AtomicUsize::new(0);

struct Watched;

#[inline(never)]
fn note() {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // An allocator's cache: it would be used by two threads at once if a goroutine moved in the middle.
    let place = MINE.with(|mine| {
        mine.set(mine.get() + 1);
        std::ptr::from_ref(mine).addr()
    });
    for slot in &PLACES {
        let found = slot.compare_exchange(0, place, Ordering::Relaxed, Ordering::Relaxed);
        if found.is_ok() || found == Err(place) {
            return;
        }
    }
}

// SAFETY: passed on to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == MARKED {
            note();
        } else if layout.size() == TOO_DEEP {
            std::hint::black_box(deep(1 << 40));
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() == MARKED {
            note();
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

fn deep(levels: u64) -> u64 {
    let frame = std::hint::black_box([levels; 32]);
    if levels == 0 { 0 } else { deep(levels - 1) + frame[7] }
}

/// Allocates on the goroutine's stack and on the thread's, over a suspension, and when its thread-locals end.
fn allocates(places: &std::sync::Mutex<Vec<usize>>) {
    struct Last(Vec<u8>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0 = Vec::with_capacity(MARKED);
        }
    }
    thread_local! { static LAST: Cell<Option<Last>> = const { Cell::new(None) } }
    LAST.set(Some(Last(Vec::with_capacity(MARKED))));
    let block = Vec::<u8>::with_capacity(MARKED);
    gmp::yield_now();
    drop(block);
    gmp::on_system_stack(|| drop(Vec::<u8>::with_capacity(MARKED)));
    MINE.with(|mine| {
        assert_eq!(mine.get(), 0, "the allocator has used the goroutine's");
        places.lock().unwrap().push(std::ptr::from_ref(mine).addr());
    });
}

#[test]
fn an_allocators_cache_is_the_threads() {
    let runtime = match Builder::new().own_thread_locals().policy::<Random>().procs(PROCS).build() {
        Ok(runtime) => runtime,
        Err(why) => return println!("skipped: {why}"),
    };
    let goroutines = std::sync::Mutex::new(Vec::with_capacity(2 * GOROUTINES));
    runtime
        .run(move || {
            gmp::scope(|scope| {
                // A join is told when a goroutine's thread-locals have ended, a scope before that.
                let all: Vec<_> = (0..GOROUTINES).map(|_| scope.go(|| allocates(&goroutines))).collect();
                all.into_iter().for_each(|one| one.join().unwrap());
            });
            let theirs = goroutines.into_inner().unwrap();
            assert_eq!(theirs.len(), GOROUTINES);
            let seen = PLACES.iter().map(|place| place.load(Ordering::Relaxed)).filter(|&place| place != 0);
            let seen: Vec<_> = seen.collect();
            assert!((1..PLACES.len()).contains(&seen.len()), "{} caches", seen.len());
            assert!(seen.iter().all(|place| !theirs.contains(place)), "a goroutine's was used");
        })
        .unwrap();
    // Each of the four blocks of a goroutine was taken and given back.
    assert_eq!(CALLS.load(Ordering::Relaxed), 8 * GOROUTINES);
}

/// Set for the process that overflows.
const CHILD: &str = "GMP_TEST_CHILD";

#[test]
fn an_overflow_in_an_allocator_is_reported() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = Builder::new().own_thread_locals().procs(PROCS).build().unwrap();
        let allocates = || drop(std::hint::black_box(Vec::<u8>::with_capacity(TOO_DEEP)));
        runtime.run(move || gmp::spawn().name("deep").go(allocates).unwrap().join().unwrap()).unwrap();
        return;
    }
    if let Err(why) = Builder::new().own_thread_locals().build() {
        return println!("skipped: {why}");
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "an_overflow_in_an_allocator_is_reported", "--nocapture"]).env(CHILD, "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("[deep] overflowed its stack"), "{said}");
}
