//! From a goroutine's first thread-local to the next goroutine's.
#![forbid(unsafe_code)]

use crate::harness::{Named, child, named};
use crate::{builder, in_goroutines, under_both};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const TESTS: &[Named] = named![
    destructors_run_before_a_join_is_told,
    destructors_run_in_rusts_order,
    destructors_may_use_the_runtime,
    a_destructor_that_panics_aborts_as_in_a_thread,
    the_next_goroutine_finds_everything_fresh,
    a_panic_is_its_goroutines_own,
    threads_and_goroutines_park_and_unpark_each_other,
    a_call_on_the_system_stack_has_the_goroutines_thread_locals,
    goroutines_by_turns_leave_nothing_behind,
    goroutine_locals_and_thread_locals_end_one_after_the_other,
];

pub(crate) const CHILDREN: &[Named] = named![
    told,
    order,
    using_runtime,
    panicking_destructor,
    fresh,
    panics,
    parks,
    system_stack,
    by_turns,
    both_kinds
];

fn destructors_run_before_a_join_is_told() {
    child("told").run().code(0);
}

fn destructors_run_in_rusts_order() {
    child("order").run().code(0);
}

fn destructors_may_use_the_runtime() {
    child("using_runtime").run().code(0);
}

fn a_destructor_that_panics_aborts_as_in_a_thread() {
    child("panicking_destructor").run().aborted().says("thread local panicked on drop");
}

fn the_next_goroutine_finds_everything_fresh() {
    child("fresh").run().code(0);
}

fn a_panic_is_its_goroutines_own() {
    child("panics").run().code(0);
}

fn threads_and_goroutines_park_and_unpark_each_other() {
    child("parks").run().code(0);
}

fn a_call_on_the_system_stack_has_the_goroutines_thread_locals() {
    child("system_stack").run().code(0);
}

fn goroutines_by_turns_leave_nothing_behind() {
    child("by_turns").run().code(0);
}

fn goroutine_locals_and_thread_locals_end_one_after_the_other() {
    child("both_kinds").run().code(0);
}

/// Counts its drops, and says which.
struct Noted(&'static str);

static DROPS: AtomicU32 = AtomicU32::new(0);
static NOTES: Mutex<Vec<&str>> = Mutex::new(Vec::new());

impl Drop for Noted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::Relaxed);
        NOTES.lock().unwrap().push(self.0);
    }
}

thread_local! {
    static FIRST: Noted = const { Noted("first") };
    static SECOND: Noted = const { Noted("second") };
    static KEPT: RefCell<Option<Noted>> = const { RefCell::new(None) };
    static COUNT: Cell<u32> = const { Cell::new(7) };
}

fn told() {
    under_both(|| {
        for round in 0..200 {
            gmp::go(|| FIRST.with(|_| gmp::yield_now())).join().unwrap();
            assert_eq!(DROPS.load(Ordering::Relaxed), round + 1, "the join was told too early");
        }
        DROPS.store(0, Ordering::Relaxed);
    });
}

/// As in a thread, what was registered last is dropped first.
fn order() {
    let in_thread = {
        thread::spawn(|| FIRST.with(|_| SECOND.with(|_| ()))).join().unwrap();
        std::mem::take(&mut *NOTES.lock().unwrap())
    };
    builder()
        .procs(2)
        .build()
        .unwrap()
        .run(|| gmp::go(|| FIRST.with(|_| SECOND.with(|_| ()))).join().unwrap())
        .unwrap();
    assert_eq!(*NOTES.lock().unwrap(), in_thread);
    assert_eq!(in_thread.len(), 2);
}

/// Spawns, sends, locks and suspends.
fn using_runtime() {
    struct Busy;
    static RESULTS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    impl Drop for Busy {
        fn drop(&mut self) {
            let (sender, receiver) = gmp::chan(0);
            let child = gmp::go(move || sender.send(COUNT.get()).is_ok());
            gmp::yield_now();
            let got = receiver.recv().unwrap();
            assert!(child.join().unwrap());
            gmp::sleep(Duration::from_micros(50));
            RESULTS.lock().unwrap().push(got + COUNT.get());
        }
    }
    thread_local! { static BUSY: Busy = const { Busy } }
    under_both(|| {
        in_goroutines(50, |_| {
            BUSY.with(|_| COUNT.set(1));
            gmp::yield_now();
        });
        assert_eq!(std::mem::take(&mut *RESULTS.lock().unwrap()), [8; 50]);
    });
}

fn panicking_destructor() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    thread_local! { static BAD: Bad = const { Bad } }
    builder().procs(2).build().unwrap().run(|| gmp::go(|| BAD.with(|_| ())).join().is_ok()).unwrap();
}

fn fresh() {
    under_both(|| {
        for _ in 0..50 {
            in_goroutines(40, |number| {
                assert_eq!(COUNT.get(), 7);
                assert!(KEPT.with_borrow(Option::is_none));
                COUNT.set(number);
                KEPT.set(Some(Noted("kept")));
                // What fails leaves an error number behind, which no later goroutine may see.
                assert!(std::fs::read("/nowhere").is_err());
                gmp::yield_now();
                assert_eq!(COUNT.get(), number);
            });
        }
    });
    assert_eq!(DROPS.load(Ordering::Relaxed), 2 * 50 * 40);
}

/// While one goroutine unwinds and suspends, its neighbours panic nowhere, and may panic themselves.
fn panics() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            for _ in 0..20 {
                assert!(thread::panicking());
                gmp::yield_now();
            }
        }
    }
    std::panic::set_hook(Box::new(|_| ()));
    under_both(|| {
        let panicking: Vec<_> = (0..20)
            .map(|_| {
                gmp::go(|| {
                    let _slow = Slow;
                    panic!("on purpose");
                })
            })
            .collect();
        in_goroutines(20, |_| {
            for _ in 0..50 {
                assert!(!thread::panicking());
                gmp::yield_now();
            }
        });
        assert!(panicking.into_iter().all(|handle| handle.join().is_err()));
    });
}

fn parks() {
    under_both(|| {
        for _ in 0..50 {
            let (tell, told) = mpsc::channel();
            let goroutine = gmp::go(move || {
                tell.send(thread::current()).unwrap();
                gmp::yield_now();
                // Blocks the thread that it is on, as any blocking call does.
                gmp::blocking(thread::park);
            });
            let handle = gmp::blocking(|| told.recv().unwrap());
            thread::spawn(move || handle.unpark()).join().unwrap();
            goroutine.join().unwrap();
        }
    });
}

fn system_stack() {
    under_both(|| {
        in_goroutines(50, |number| {
            COUNT.set(number);
            let me = thread::current().id();
            gmp::yield_now();
            let (seen, id) = gmp::on_system_stack(|| (COUNT.replace(number + 1), thread::current().id()));
            assert_eq!((seen, id), (number, me));
            gmp::yield_now();
            assert_eq!(COUNT.get(), number + 1);
        });
    });
}

/// Resident memory in pages.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

/// How many thousands of goroutines run in turn: 10,000 make ten million.
const TURNS: &str = "GMP_TEST_TURNS";

fn by_turns() {
    let turns = std::env::var(TURNS).map_or(70, |turns| turns.parse().unwrap());
    builder()
        .procs(2)
        .build()
        .unwrap()
        .run(move || {
            let turn = || {
                in_goroutines(1000, |_| {
                    KEPT.set(Some(Noted("turn")));
                    let _ = thread::current().id();
                    std::hint::black_box(vec![1_u8; 300]);
                });
                NOTES.lock().unwrap().clear();
            };
            let first = turns / 5;
            (0..first).for_each(|_| turn());
            let before = resident();
            (first..turns).for_each(|_| turn());
            let after = resident();
            assert_eq!(DROPS.load(Ordering::Relaxed), turns * 1000);
            // Of few the stacks and blocks of the first ones make a difference.
            let more = if turns < 1000 { before / 5 } else { before / 20 };
            assert!(after <= before + more, "{before} pages have become {after}");
        })
        .unwrap();
}

/// Goroutine-locals first; a thread-local's destructor may make one anew, and that one is dropped, too.
fn both_kinds() {
    gmp::g_local! {
        static EARLY: Noted = Noted("goroutine-local");
        static LATE: Noted = Noted("made late");
    }
    struct Maker;
    impl Drop for Maker {
        fn drop(&mut self) {
            NOTES.lock().unwrap().push("thread-local");
            LATE.with(|_| ());
        }
    }
    thread_local! { static MAKER: Maker = const { Maker } }
    builder()
        .procs(2)
        .build()
        .unwrap()
        .run(|| gmp::go(|| MAKER.with(|_| EARLY.with(|_| ()))).join().unwrap())
        .unwrap();
    assert_eq!(*NOTES.lock().unwrap(), ["goroutine-local", "thread-local", "made late"]);
}
