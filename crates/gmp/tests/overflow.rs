//! Stack overflows: the report and the abort, on every kind of guard and while locks are held; and faults that are no
//! overflow.

mod harness;
mod told;

use gmp::Builder;
use harness::{Done, child, named};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The system's allocator behind one lock, which can be told to overflow the stack while it holds that.
struct Locked {
    locked: AtomicBool,
}

thread_local! {
    static OVERFLOW_NEXT: Cell<bool> = const { Cell::new(false) };
}

#[global_allocator]
static ALLOCATOR: Locked = Locked { locked: AtomicBool::new(false) };

impl Locked {
    fn with<R>(&self, call: impl FnOnce() -> R) -> R {
        while self.locked.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        let result = call();
        self.locked.store(false, Ordering::Release);
        result
    }
}

// SAFETY: it is the system's allocator, called under a lock.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.with(|| {
            // A thread that is being set up or torn down has no such cell, and is not the one to overflow.
            if OVERFLOW_NEXT.try_with(Cell::take).unwrap_or(false) {
                black_box(recurse(usize::MAX));
            }
            // SAFETY: the caller keeps the contract of `alloc`.
            unsafe { System.alloc(layout) }
        })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        self.with(|| unsafe { System.dealloc(pointer, layout) });
    }
}

/// Calls itself until it has used `bytes` of stack; says how many calls that took.
fn recurse(bytes: usize) -> usize {
    #[inline(never)]
    fn level(from: usize, bytes: usize) -> usize {
        let frame = black_box([from; 16]);
        let here = (&raw const frame).addr();
        if from - here >= bytes { 1 } else { level(from, bytes) + black_box(&frame).len() / 16 }
    }
    let frame = black_box(0);
    level((&raw const frame).addr(), bytes)
}

/// Which builder a child's runtime is made by.
const MODE: &str = "GMP_OVERFLOW_MODE";

/// Where the kernel does not allow what a child needs.
const NOT_ALLOWED: i32 = 77;

fn builder() -> Builder {
    let builder = Builder::new().procs(1);
    match std::env::var(MODE).as_deref() {
        Ok("threads") => builder.one_thread_each(),
        // SAFETY: no child holds a borrow of a thread-local across a suspension.
        Ok("pinned") => unsafe { builder.pinned() },
        Ok("mprotect") => told::moving(builder).mprotect_guards(),
        Ok("mlockall") => {
            lock_memory(libc::MCL_CURRENT | libc::MCL_FUTURE);
            told::moving(builder)
        }
        Ok("mlockall on fault") => {
            lock_memory(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT);
            told::moving(builder)
        }
        _ => told::moving(builder),
    }
}

fn lock_memory(how: i32) {
    // SAFETY: changes how memory is kept, not what is in it.
    if unsafe { libc::mlockall(how) } != 0 {
        std::process::exit(NOT_ALLOWED);
    }
}

/// Runs `f` in a goroutine named "deep", and a few others around it.
fn run(f: impl FnOnce() + Send + 'static) {
    let main = move || {
        let others: Vec<_> = (0..4).map(|_| gmp::go(gmp::yield_now)).collect();
        gmp::spawn().name("deep").go(f).unwrap().join().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
    };
    builder().build().unwrap().run(main).unwrap();
}

fn overflow() {
    run(|| _ = black_box(recurse(usize::MAX)));
}

fn overflow_in_allocator() {
    run(|| {
        OVERFLOW_NEXT.set(true);
        drop(black_box(Box::new(1)));
    });
}

fn overflow_with_stderr_locked() {
    run(|| {
        let _locked = std::io::stderr().lock();
        black_box(recurse(usize::MAX));
    });
}

fn overflow_of_large_stack() {
    run(|| {
        let large = gmp::spawn().name("large").stack_size(4 << 20);
        large.go(|| black_box(recurse(usize::MAX))).unwrap().join().unwrap();
    });
}

fn overflow_of_main() {
    builder().build().unwrap().run(|| black_box(recurse(usize::MAX))).unwrap();
}

fn overflow_while_unwinding() {
    run(|| {
        struct Deep;
        impl Drop for Deep {
            fn drop(&mut self) {
                black_box(recurse(usize::MAX));
            }
        }
        let _deep = Deep;
        gmp::exit();
    });
}

fn deep_but_fitting() {
    run(|| {
        assert!(recurse(1000 << 10) > 100);
        let large = gmp::spawn().stack_size(16 << 20);
        assert!(large.go(|| recurse(15 << 20)).unwrap().join().unwrap() > 10_000);
        assert!(gmp::on_system_stack(|| recurse(1 << 20)) > 1_000);
    });
}

fn fault_elsewhere() {
    run(|| {
        let nowhere = black_box(std::ptr::without_provenance_mut::<u8>(8));
        // SAFETY: it is not: that is the point.
        unsafe { nowhere.write_volatile(1) };
    });
}

fn overflow_after_run() {
    run(|| {});
    black_box(recurse(usize::MAX));
}

/// All the ways to guard a stack.
const GUARDS: [&str; 5] = ["install", "mprotect", "pinned", "mlockall", "mlockall on fault"];

/// Runs a child under every kind of guard, where the system allows it.
fn each_guard(name: &'static str, check: impl Fn(&Done)) {
    for mode in GUARDS {
        let done = child(name).env(MODE, mode).run();
        if done.status.code() == Some(NOT_ALLOWED) {
            println!("(no memory may be locked here: {name} left out under {mode})");
            continue;
        }
        check(&done);
    }
}

fn reports(done: &Done, who: &str, size: &str) {
    let line = format!("goroutine {who} overflowed its stack of {size}; created by ");
    done.aborted().says(&line).says("; set GMP_STACK_SIZE=").never_says("gmp: broken invariant");
}

/// Go: TestStackOverflow. The report names goroutine, size and creator; the process aborts.
fn an_overflow_is_reported() {
    each_guard("overflow", |done| {
        reports(done, "6 [deep]", "1024 KiB");
        done.says("tests/overflow.rs:");
    });
}

/// It works while the allocator's lock is held: the report allocates nothing.
fn an_overflow_in_the_allocator_is_reported() {
    each_guard("overflow_in_allocator", |done| reports(done, "6 [deep]", "1024 KiB"));
}

/// It works while the lock of standard error is held.
fn an_overflow_with_stderr_locked_is_reported() {
    each_guard("overflow_with_stderr_locked", |done| reports(done, "6 [deep]", "1024 KiB"));
}

fn an_overflow_of_a_larger_stack_is_reported() {
    each_guard("overflow_of_large_stack", |done| reports(done, "7 [large]", "4096 KiB"));
}

fn an_overflow_of_main_is_reported() {
    each_guard("overflow_of_main", |done| reports(done, "1", "1024 KiB"));
}

fn an_overflow_in_a_destructor_while_unwinding_is_reported() {
    each_guard("overflow_while_unwinding", |done| reports(done, "6 [deep]", "1024 KiB"));
}

/// Deep recursion that fits passes, on default, large and system stacks.
fn a_deep_recursion_that_fits_passes() {
    each_guard("deep_but_fitting", |done| _ = done.code(0));
    child("deep_but_fitting").env(MODE, "threads").run().code(0);
}

/// A fault that is no overflow is not called one: it ends as it would have without us.
fn a_fault_elsewhere_goes_to_the_handler_before_ours() {
    each_guard("fault_elsewhere", |done| {
        use std::os::unix::process::ExitStatusExt;
        done.check(done.status.signal() == Some(libc::SIGSEGV), "ends by SIGSEGV");
        done.never_says("overflowed");
    });
}

/// After `run` the thread has its own signal stack again: std reports an overflow as ever.
fn the_signal_stack_of_m0_is_given_back() {
    each_guard("overflow_after_run", |done| _ = done.aborted().says("thread 'main'").says("overflowed"));
}

/// Where goroutines are threads, std reports their overflows.
fn an_overflow_of_a_thread_is_reported_by_std() {
    let done = child("overflow").env(MODE, "threads").run();
    done.aborted().says("overflowed its stack");
}

fn main() -> ExitCode {
    harness::run(
        named![
            an_overflow_is_reported,
            an_overflow_in_the_allocator_is_reported,
            an_overflow_with_stderr_locked_is_reported,
            an_overflow_of_a_larger_stack_is_reported,
            an_overflow_of_main_is_reported,
            an_overflow_in_a_destructor_while_unwinding_is_reported,
            a_deep_recursion_that_fits_passes,
            a_fault_elsewhere_goes_to_the_handler_before_ours,
            the_signal_stack_of_m0_is_given_back,
            an_overflow_of_a_thread_is_reported_by_std,
        ],
        named![
            overflow,
            overflow_in_allocator,
            overflow_with_stderr_locked,
            overflow_of_large_stack,
            overflow_of_main,
            overflow_while_unwinding,
            deep_but_fitting,
            fault_elsewhere,
            overflow_after_run,
        ],
    )
}
