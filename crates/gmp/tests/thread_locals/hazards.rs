//! The hazards of docs/thread-locals.md, and the programs of the issues that found them, in safe code.
#![forbid(unsafe_code)]

use crate::harness::{Named, child, named};
use crate::{SHARED, in_goroutines, under_both};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

pub(crate) const TESTS: &[Named] = named![
    cached_addresses,
    borrows_over_a_switch,
    values_that_are_not_send,
    checks_of_identity,
    a_reentrant_lock_over_suspensions,
    an_rc_out_of_a_thread_local,
    a_generator_that_moves,
    a_thread_local_borrowed_while_others_run,
    a_thread_local_read_on_both_sides_of_a_switch,
    shared_thread_locals_break_the_programs,
];

pub(crate) const CHILDREN: &[Named] =
    named![addresses, borrows, not_send, identity, reentrant, may_6, generator_58, coroutine_31, llvm_98479];

/// How many goroutines run each program, and how often each suspends in it.
const GOROUTINES: u32 = 100;
const ROUNDS: u32 = 20;

fn right(name: &'static str) {
    child(name).run().code(0);
}

fn cached_addresses() {
    right("addresses");
}

fn borrows_over_a_switch() {
    right("borrows");
}

fn values_that_are_not_send() {
    right("not_send");
}

fn checks_of_identity() {
    right("identity");
}

fn a_reentrant_lock_over_suspensions() {
    right("reentrant");
}

fn an_rc_out_of_a_thread_local() {
    right("may_6");
}

fn a_generator_that_moves() {
    right("generator_58");
}

fn a_thread_local_borrowed_while_others_run() {
    right("coroutine_31");
}

fn a_thread_local_read_on_both_sides_of_a_switch() {
    right("llvm_98479");
}

/// The same programs where the promise is not kept.
fn shared_thread_locals_break_the_programs() {
    let programs = ["addresses", "borrows", "identity", "coroutine_31", "llvm_98479"];
    let wrong = programs.iter().filter(|name| !child(name).env(SHARED, "1").run().status.success());
    assert!(wrong.count() >= 2, "the programs show nothing");
}

thread_local! {
    static HITS: Cell<u32> = const { Cell::new(0) };
    static LOG: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static NAME: Rc<str> = Rc::from("x");
}

/// Hazard 1: the compiler computes the address once.
fn addresses() {
    under_both(|| {
        in_goroutines(GOROUTINES, |_| {
            for round in 0..ROUNDS {
                HITS.set(HITS.get() + 1);
                gmp::yield_now();
                HITS.set(HITS.get() + 1);
                assert_eq!(HITS.get(), 2 * round + 2);
            }
        });
    });
}

/// Hazard 2: an exclusive borrow lasts over suspensions.
fn borrows() {
    under_both(|| {
        in_goroutines(GOROUTINES, |number| {
            LOG.with_borrow_mut(|log| {
                for round in 0..ROUNDS {
                    log.push(number);
                    gmp::yield_now();
                    assert_eq!(log.len() as u32, round + 1);
                }
            });
            assert!(LOG.take().iter().all(|&entry| entry == number));
        });
    });
}

/// Hazard 3: an `Rc` is cloned out of a thread-local, and counted on many threads.
fn not_send() {
    under_both(|| {
        in_goroutines(GOROUTINES, |_| {
            for _ in 0..ROUNDS {
                let mine: Vec<_> = (0..10).map(|_| NAME.with(Rc::clone)).collect();
                gmp::yield_now();
                assert_eq!(NAME.with(Rc::strong_count), 11);
                drop(mine);
            }
            assert_eq!(NAME.with(Rc::strong_count), 1);
        });
    });
}

/// Hazard 4: the lock of standard output belongs to a thread, which may take it again. Who waits for it blocks its thread.
fn reentrant() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    under_both(|| {
        in_goroutines(20, |_| {
            let outer = std::io::stdout().lock();
            assert_eq!(INSIDE.fetch_add(1, Ordering::Relaxed), 0, "two have the lock");
            for _ in 0..ROUNDS {
                gmp::yield_now();
                drop(std::io::stdout().lock());
            }
            INSIDE.fetch_sub(1, Ordering::Relaxed);
            drop(outer);
        });
    });
}

/// Hazard 4: who am I?
fn identity() {
    under_both(|| {
        static TAKEN: [Mutex<u32>; GOROUTINES as usize] = [const { Mutex::new(0) }; GOROUTINES as usize];
        static SEEN: Mutex<Vec<thread::ThreadId>> = Mutex::new(Vec::new());
        in_goroutines(GOROUTINES, |number| {
            let me = thread::current().id();
            let mut guard = TAKEN[number as usize].lock().unwrap();
            for _ in 0..ROUNDS {
                gmp::yield_now();
                assert_eq!(thread::current().id(), me);
                *guard += 1;
            }
            drop(guard);
            // A thread that ends wakes the one that scoped it, by its handle.
            let mut borrowed = 0;
            if number.is_multiple_of(10) {
                thread::scope(|scope| {
                    scope.spawn(|| borrowed = number);
                });
                assert_eq!(borrowed, number);
            }
            SEEN.lock().unwrap().push(me);
        });
        let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
        seen.sort_by_key(|id| format!("{id:?}"));
        seen.dedup();
        assert_eq!(seen.len() as u32, GOROUTINES, "each goroutine is another thread");
    });
}

/// may#6: a closure that is `Send` pulls what is not out of a thread-local, moves, and puts it elsewhere.
fn may_6() {
    thread_local! { static SHELF: RefCell<Vec<Rc<Cell<u32>>>> = const { RefCell::new(Vec::new()) } }
    under_both(|| {
        in_goroutines(GOROUTINES, |_| {
            SHELF.with_borrow_mut(|shelf| shelf.push(Rc::new(Cell::new(0))));
            for round in 0..ROUNDS {
                let counter = SHELF.with_borrow(|shelf| shelf[0].clone());
                gmp::yield_now();
                counter.set(counter.get() + 1);
                SHELF.with_borrow_mut(|shelf| shelf.push(counter));
                let last = SHELF.with_borrow(|shelf| shelf[0].get());
                assert_eq!(last, round + 1);
            }
            let shelf = SHELF.take();
            assert_eq!(Rc::strong_count(&shelf[0]), ROUNDS as usize + 1);
        });
    });
}

/// generator-rs#58: values on a stack that moves, made before and used after.
fn generator_58() {
    under_both(|| {
        in_goroutines(GOROUTINES, |number| {
            let kept = NAME.with(Rc::clone);
            let mut made: Vec<Rc<u32>> = Vec::new();
            for round in 0..ROUNDS {
                made.push(Rc::new(number + round));
                let twice = made.clone();
                gmp::yield_now();
                assert!(Rc::ptr_eq(&kept, &NAME.with(Rc::clone)), "the thread-local is the one that it was");
                assert!(twice.iter().all(|value| Rc::strong_count(value) == 2));
            }
        });
    });
}

/// coroutine-rs#31: a shared borrow of a thread-local, while others on the thread write to theirs.
fn coroutine_31() {
    under_both(|| {
        in_goroutines(GOROUTINES, |number| {
            LOG.set(vec![number; 8]);
            LOG.with(|log| {
                let log = log.borrow();
                for _ in 0..ROUNDS {
                    gmp::yield_now();
                    assert_eq!(*log, [number; 8]);
                }
            });
        });
    });
}

/// llvm#98479: read, switch, read, in one function.
fn llvm_98479() {
    static WRONG: AtomicU32 = AtomicU32::new(0);
    under_both(|| {
        in_goroutines(GOROUTINES, |number| {
            for round in 0..ROUNDS {
                HITS.with(|hits| hits.set(number ^ round));
                let before = HITS.with(std::ptr::from_ref);
                gmp::yield_now();
                let after = HITS.with(std::ptr::from_ref);
                let moved = before != after || HITS.get() != number ^ round;
                WRONG.fetch_add(moved.into(), Ordering::Relaxed);
            }
        });
        assert_eq!(WRONG.load(Ordering::Relaxed), 0);
    });
}
