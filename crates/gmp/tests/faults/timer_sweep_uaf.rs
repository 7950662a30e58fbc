//! Setting a timer swept a heap, and the sweep ran the destructors of stopped timers' functions on the setter's stack,
//! in the middle of its call. One that suspended came back on another M, and the setter went on with the one it had
//! begun on.
//!
//! The kind: foreign code that the scheduler runs in the middle of something. Each test is a place where the scheduler
//! holds the last reference to a user's value, or calls a user's code.

use crate::harness::{child, named};
use gmp::contract::{Policy, VictimOrder, WalkStart};
use gmp::event::{Event, EventKind, EventSink};
use gmp::policy::{Go, WithOrder};
use gmp::{AtMainReturn, Builder};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_sweep_by_a_setter_drops_in_a_goroutine,
        a_sweep_after_a_resize_drops_in_a_goroutine,
        a_closure_that_never_starts_is_dropped_on_a_stack,
        a_result_that_unwinds_from_a_drop_gives_its_record_back,
        an_order_that_calls_the_runtime_when_it_goes_is_named,
        a_blocked_sink_holds_up_its_own_runtime_only,
    ],
    named![
        sweep_by_a_setter,
        sweep_after_a_resize,
        closure_that_never_starts,
        result_that_unwinds,
        order_that_calls_the_runtime,
        blocked_sink,
    ],
);

const HOUR: Duration = Duration::from_secs(3600);

fn builder() -> Builder<gmp::policy::Go> {
    crate::told::moving(Builder::new().policy::<gmp::policy::Go>())
}

gmp::g_local! {
    /// Whether this goroutine is dropping the handle of a timer.
    static LETS_GO: Cell<bool> = Cell::new(false);
}

/// Says on which goroutine it is dropped, and suspends there; 0 if that one drops its handle, which then was the last to
/// refer to it: some M has swept the heap already.
struct Suspends(Sender<Option<u64>>);

impl Drop for Suspends {
    fn drop(&mut self) {
        let on = gmp::current().map(|g| if LETS_GO.get() { 0 } else { g.number });
        self.0.send(on).unwrap();
        gmp::yield_now();
        gmp::sleep(Duration::from_micros(10));
    }
}

/// Timers that are set for an hour and stopped again, and so lie in the heap for a sweep to find.
fn stopped_timers(count: usize) -> Receiver<Option<u64>> {
    let (said, hear) = channel();
    for _ in 0..count {
        let suspends = Suspends(said.clone());
        let timer = gmp::time::after_func(HOUR, move || {
            let _ = &suspends;
        });
        assert!(timer.stop());
        LETS_GO.set(true);
        drop(timer);
        LETS_GO.set(false);
    }
    hear
}

/// Hears of `count` drops, each in a goroutine other than this one. `unheard` is called whenever there were none for a
/// while.
fn all_in_other_goroutines(hear: &Receiver<Option<u64>>, count: usize, mut unheard: impl FnMut()) {
    let me = gmp::current().unwrap().number;
    let mut heard = 0;
    while heard < count {
        match gmp::blocking(|| hear.recv_timeout(Duration::from_millis(100))) {
            Ok(on) => {
                let on = on.expect("a destructor runs in a goroutine");
                assert_ne!(on, me, "a sweep ran a destructor in the middle of a call");
                heard += 1;
            }
            Err(RecvTimeoutError::Timeout) => unheard(),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("{heard} of {count} destructors told of themselves")
            }
        }
    }
}

fn sweep_by_a_setter() {
    for procs in [1, 2, 4] {
        let main = move || {
            let hear = stopped_timers(60);
            // The 65th entry has the heap swept. Once more, if this goroutine was moved to another P's heap in between.
            let mut afters = Vec::new();
            let mut set = || afters.extend((0..10).map(|_| gmp::time::after(HOUR)));
            set();
            all_in_other_goroutines(&hear, 60, set);
        };
        let run = move || gmp::go(main).join().unwrap();
        let done =
            builder().procs(procs).at_main_return(AtMainReturn::Wait).build().unwrap().run(run).unwrap();
        assert!(done.left.is_clean(), "{:?}", done.left);
    }
}

fn a_sweep_by_a_setter_drops_in_a_goroutine() {
    child("sweep_by_a_setter").run().code(0);
}

/// A resize moves timers under the scheduler's lock.
fn sweep_after_a_resize() {
    let main = || {
        let hear = stopped_timers(63);
        let others: Vec<_> = (0..3).map(|_| gmp::go(|| stopped_timers(63))).collect();
        let others: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        for procs in [1, 4, 2, 1] {
            gmp::set_max_procs(procs);
            let _after: Vec<_> = (0..70).map(|_| gmp::time::after(HOUR)).collect();
        }
        all_in_other_goroutines(&hear, 63, || ());
        others.iter().for_each(|other| all_in_other_goroutines(other, 63, || ()));
    };
    builder().procs(4).at_main_return(AtMainReturn::Wait).build().unwrap().run(main).unwrap();
}

fn a_sweep_after_a_resize_drops_in_a_goroutine() {
    child("sweep_after_a_resize").run().code(0);
}

fn closure_that_never_starts() {
    let (said, hear) = channel();
    let main = move || {
        for _ in 0..10 {
            let suspends = Suspends(said.clone());
            drop(gmp::go(move || {
                let _ = &suspends;
            }));
        }
    };
    builder().procs(1).at_main_return(AtMainReturn::Unwind).build().unwrap().run(main).unwrap();
    let heard: Vec<_> = hear.iter().collect();
    assert!(heard.len() == 10 && heard.iter().all(Option::is_some), "{heard:?}");
}

fn a_closure_that_never_starts_is_dropped_on_a_stack() {
    child("closure_that_never_starts").run().code(0);
}

struct Unwinds;

impl Drop for Unwinds {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new(()));
    }
}

fn result_that_unwinds() {
    let main = || {
        let drop_one = || {
            let ended = gmp::go(|| Unwinds);
            while !ended.is_finished() {
                gmp::yield_now();
            }
            assert!(catch_unwind(AssertUnwindSafe(|| drop(ended))).is_err());
        };
        drop_one();
        let before = gmp::stats().records;
        (0..1000).for_each(|_| drop_one());
        assert_eq!(gmp::stats().records, before, "a record is used again though the result's drop unwound");
    };
    builder().procs(1).build().unwrap().run(main).unwrap();
}

fn a_result_that_unwinds_from_a_drop_gives_its_record_back() {
    child("result_that_unwinds").run().code(0);
}

/// A victim order that yields when it is dropped, which is when a resize has replaced it and nobody looks at it any
/// more.
struct Yields(<Go as Policy>::Order);

impl VictimOrder for Yields {
    type Walk<'a> = <<Go as Policy>::Order as VictimOrder>::Walk<'a>;

    fn new(procs: usize) -> Self {
        Self(VictimOrder::new(procs))
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> Self::Walk<'a> {
        self.0.walk(from)
    }
}

impl Drop for Yields {
    fn drop(&mut self) {
        gmp::yield_now();
    }
}

fn order_that_calls_the_runtime() {
    let main = || {
        for procs in (1..4).cycle().take(2000) {
            gmp::set_max_procs(procs);
            gmp::yield_now();
        }
    };
    let _ = builder().procs(2).policy::<WithOrder<Go, Yields>>().build().unwrap().run(main);
}

fn an_order_that_calls_the_runtime_when_it_goes_is_named() {
    let done = child("order_that_calls_the_runtime").run();
    done.aborted().says("policies do not unwind").says("a panic came out of policy");
}

/// Blocks the first thread outside that readies somebody, until it is let go.
struct Blocks {
    armed: AtomicBool,
    inside: AtomicUsize,
    open: (Mutex<bool>, Condvar),
}

struct Sink(Arc<Blocks>);

impl EventSink for Sink {
    fn event(&self, event: &Event) {
        if event.kind == EventKind::GoUnblock && event.m.is_none() && self.0.armed.swap(false, SeqCst) {
            self.0.inside.fetch_add(1, SeqCst);
            let mut open = self.0.open.0.lock().unwrap();
            while !*open {
                open = self.0.open.1.wait(open).unwrap();
            }
        }
    }
}

fn blocked_sink() {
    let state =
        Blocks { armed: AtomicBool::new(true), inside: AtomicUsize::new(0), open: Default::default() };
    let blocks = Arc::new(state);
    let (told, tell) = channel();
    let first = std::thread::spawn({
        let blocks = blocks.clone();
        let builder = builder().procs(2).events(Arc::new(Sink(blocks)));
        move || {
            let main = move || {
                told.send(gmp::current().unwrap().unparker()).unwrap();
                gmp::park();
            };
            builder.build().unwrap().run(main).unwrap();
        }
    });
    let unparker = tell.recv().unwrap();
    let waker = std::thread::spawn(move || unparker.unpark());
    while blocks.inside.load(SeqCst) == 0 {
        if waker.is_finished() {
            // The permit came before the park, so nobody was readied.
            break;
        }
        std::thread::yield_now();
    }
    // Other runtimes come and go meanwhile, and are woken from outside.
    for _ in 0..3 {
        let main = || {
            let me = gmp::current().unwrap().unparker();
            let outside = std::thread::spawn(move || me.unpark());
            gmp::park();
            gmp::blocking(|| outside.join().unwrap());
        };
        builder().procs(2).build().unwrap().run(main).unwrap();
    }
    *blocks.open.0.lock().unwrap() = true;
    blocks.open.1.notify_all();
    waker.join().unwrap();
    first.join().unwrap();
}

fn a_blocked_sink_holds_up_its_own_runtime_only() {
    child("blocked_sink").run().code(0);
}
