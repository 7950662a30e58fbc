//! `gmp::go` was documented as "Never suspends", and did suspend inside `blocking` when the P had been taken meanwhile:
//! it came back on another thread, while it held a borrow of the first thread's thread-local. The kind: every call that
//! never suspends.
//!
//! `rows.rs` has a row for each of them; `listed.rs` compares the rows, and what the documentation says of every public
//! function, with `suspends.txt`.

mod listed;
mod quiet;
mod rows;

use crate::harness::{child, named};
use listed::{every_call_that_never_suspends_has_a_row, the_documentation_says_who_suspends};
use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::sleep;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        never_suspends_with_one_p,
        never_suspends_with_two_ps,
        never_suspends_with_own_thread_locals,
        never_suspends_pinned,
        never_suspends_on_threads,
        a_timer_set_inside_blocking_goes_off,
        a_timer_set_on_a_removed_p_goes_off,
        nested_blocking_keeps_the_thread,
        what_is_started_inside_blocking_runs_in_order,
        a_thread_lock_dropped_elsewhere_does_nothing,
        the_documentation_says_who_suspends,
        every_call_that_never_suspends_has_a_row,
    ],
    named![
        rows_with_one_p,
        rows_with_two_ps,
        rows_with_own_thread_locals,
        rows_pinned,
        rows_on_threads,
        timer_inside_blocking,
        timer_on_a_removed_p,
        nested_blocking,
        started_inside_blocking,
        thread_lock_elsewhere,
    ],
);

thread_local! {
    static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Goroutines that keep the Ps, and give way only to each other.
static STOP: AtomicBool = AtomicBool::new(false);
/// How often one of them got its turn.
static BEATS: AtomicU64 = AtomicU64::new(0);

/// A handle on the runtime that the rows run in.
static HANDLE: OnceLock<gmp::Handle> = OnceLock::new();

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>())
}

/// Starts goroutines that take every P, and look whether somebody left their thread's LOG borrowed.
fn keep_busy(procs: usize) -> Vec<gmp::JoinHandle<()>> {
    let busy = || {
        while !STOP.load(SeqCst) {
            BEATS.fetch_add(1, SeqCst);
            LOG.with(|log| assert!(log.try_borrow_mut().is_ok(), "a goroutine came here with its borrow"));
            gmp::yield_now();
        }
    };
    (0..procs).map(|_| gmp::go(busy)).collect()
}

/// The thread that the kernel sees: std's would be the goroutine itself where goroutines have thread-locals of their own.
fn thread() -> std::path::PathBuf {
    std::fs::read_link("/proc/thread-self").unwrap()
}

/// Calls `call` inside `blocking`, when the P has been taken, with a borrow of a thread-local held around it.
fn without_p(name: &'static str, procs: usize, call: impl FnOnce()) {
    gmp::blocking(|| {
        // Each of them has run since, and there are as many as there are Ps, so none is left for us.
        let beats = BEATS.load(SeqCst);
        while BEATS.load(SeqCst) < beats + 3 * procs as u64 {
            sleep(Duration::from_micros(50));
        }
        let before = thread();
        LOG.with_borrow_mut(|log| {
            log.push(name);
            call();
            assert_eq!(thread(), before, "{name} came back on another thread");
            assert_eq!(log.pop(), Some(name));
        });
    });
}

fn all_rows(builder: gmp::Builder<gmp::policy::Go>, procs: usize) {
    let runtime = builder.procs(procs).build().unwrap();
    HANDLE.set(runtime.handle()).unwrap();
    let finished = runtime.run(move || {
        let busy = keep_busy(procs);
        for row in rows::ROWS {
            let call = (row.prepare)();
            without_p(row.name, procs, call);
        }
        STOP.store(true, SeqCst);
        busy.into_iter().for_each(|one| one.join().unwrap());
        LOG.with(|log| assert!(log.borrow().is_empty()));
    });
    finished.unwrap();
    println!("all");
}

fn rows_with_one_p() {
    all_rows(builder(), 1);
}

fn rows_with_two_ps() {
    all_rows(builder(), 2);
}

fn rows_with_own_thread_locals() {
    all_rows(gmp::Builder::new().policy::<gmp::policy::Go>().own_thread_locals(), 2);
}

fn rows_pinned() {
    // SAFETY: LOG is never borrowed over a call that suspends, unless one that says that it does not does.
    all_rows(unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().pinned() }, 2);
}

fn rows_on_threads() {
    all_rows(gmp::Builder::new().policy::<gmp::policy::Go>().one_thread_each(), 1);
}

fn never_suspends_with_one_p() {
    child("rows_with_one_p").run().code(0).prints("all\n");
}

fn never_suspends_with_two_ps() {
    child("rows_with_two_ps").run().code(0).prints("all\n");
}

fn never_suspends_with_own_thread_locals() {
    child("rows_with_own_thread_locals").run().code(0).prints("all\n");
}

fn never_suspends_pinned() {
    child("rows_pinned").run().code(0).prints("all\n");
}

fn never_suspends_on_threads() {
    child("rows_on_threads").run().code(0).prints("all\n");
}

/// By then the P whose heap has the timer belongs to somebody else, or to nobody.
fn timer_inside_blocking() {
    for procs in 1..3 {
        builder()
            .procs(procs)
            .build()
            .unwrap()
            .run(|| {
                let timer = gmp::blocking(|| {
                    sleep(Duration::from_millis(30));
                    gmp::time::after(Duration::from_millis(5))
                });
                timer.recv().unwrap();
                // Nobody looks at a heap now but for the timer.
                let (told, hears) = gmp::chan(1);
                gmp::go(move || {
                    gmp::blocking(|| {
                        sleep(Duration::from_millis(30));
                        gmp::time::after_func(Duration::from_millis(5), move || told.send(()).unwrap());
                        sleep(Duration::from_millis(60));
                    });
                });
                hears.recv().unwrap();
            })
            .unwrap();
    }
    println!("done");
}

fn a_timer_set_inside_blocking_goes_off() {
    child("timer_inside_blocking").run().code(0).prints("done\n");
}

fn timer_on_a_removed_p() {
    static READY: AtomicBool = AtomicBool::new(false);
    static REMOVED: AtomicBool = AtomicBool::new(false);
    builder()
        .procs(4)
        .build()
        .unwrap()
        .run(|| {
            let sets: Vec<_> = (0..3)
                .map(|_| {
                    gmp::go(|| {
                        let timer = gmp::blocking(|| {
                            READY.store(true, SeqCst);
                            while !REMOVED.load(SeqCst) {
                                sleep(Duration::from_millis(1));
                            }
                            gmp::time::after(Duration::from_millis(5))
                        });
                        timer.recv().unwrap();
                    })
                })
                .collect();
            while !READY.load(SeqCst) {
                gmp::yield_now();
            }
            gmp::set_max_procs(1);
            REMOVED.store(true, SeqCst);
            sets.into_iter().for_each(|one| one.join().unwrap());
        })
        .unwrap();
    println!("done");
}

fn a_timer_set_on_a_removed_p_goes_off() {
    child("timer_on_a_removed_p").run().code(0).prints("done\n");
}

fn nested_blocking() {
    builder()
        .procs(1)
        .build()
        .unwrap()
        .run(|| {
            let busy = keep_busy(1);
            without_p("blocking", 1, || assert_eq!(gmp::blocking(|| 7), 7));
            STOP.store(true, SeqCst);
            busy.into_iter().for_each(|one| one.join().unwrap());
        })
        .unwrap();
    println!("done");
}

fn nested_blocking_keeps_the_thread() {
    child("nested_blocking").run().code(0).prints("done\n");
}

/// They run as those of plain threads do: first in, first out, if that is the policy's shared queue.
fn started_inside_blocking() {
    let order = builder().procs(1).build().unwrap().run(|| {
        let (told, hears) = gmp::chan(8);
        gmp::blocking(|| {
            for n in 0..4 {
                let told = told.clone();
                drop(gmp::go(move || told.send(n).unwrap()));
            }
        });
        drop(told);
        hears.iter().collect::<Vec<_>>()
    });
    println!("{:?}", order.unwrap().value);
}

fn what_is_started_inside_blocking_runs_in_order() {
    child("started_inside_blocking").run().code(0).prints("[0, 1, 2, 3]\n");
}

/// A guard that its goroutine has left in a thread-local. It is dropped at the thread's end, by a plain thread, and by
/// the next goroutine on that thread.
fn thread_lock_elsewhere() {
    thread_local! {
        static KEPT: RefCell<Vec<gmp::ThreadLock>> = const { RefCell::new(Vec::new()) };
    }
    // SAFETY: no borrow of the thread-local lasts over a suspension.
    let shared = || unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().share_thread_locals() };
    let keep = || KEPT.with_borrow_mut(|kept| kept.push(gmp::lock_os_thread()));
    shared().procs(1).build().unwrap().run(move || gmp::go(keep).join().unwrap()).unwrap();
    // Main is on the thread that goes on as a plain one.
    shared().build().unwrap().run(keep).unwrap();
    let locks = shared().build().unwrap().run(|| {
        let own = gmp::lock_os_thread();
        KEPT.take();
        // Out of reach of the goroutine's own code, but not of its own.
        gmp::on_system_stack(move || drop(own));
        gmp_core::goroutine::thread_locks()
    });
    println!("{}", locks.unwrap().value);
    shared().build().unwrap().run(keep).unwrap();
    println!("{}", KEPT.take().len());
}

fn a_thread_lock_dropped_elsewhere_does_nothing() {
    child("thread_lock_elsewhere").run().code(0).prints("0\n1\n");
}
