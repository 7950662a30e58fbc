//! A goroutine of a closing runtime was unwound out of the destructor of its thread-local, or out of a scope in a
//! destructor that ran because it unwound already: either ends the process. The kind: destructors that wait, at the very
//! end of a goroutine and in the middle of its unwinding; and values that the scheduler is left with, dropped off its own
//! stack.

use crate::harness::{child, named};
use crate::undeclared_blocking::one_p;
use gmp::event::{Event, EventKind, EventSink};
use gmp::sync::{Mutex, RwLock, Semaphore, WaitGroup};
use gmp::time::Timer;
use gmp::{AtMainReturn, Builder, JoinHandle, chan, go};
use gmp_core::timer::{Fire, Firing, Timer as CoreTimer};
use std::cell::Cell;
use std::panic::{Location, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        thread_locals_may_wait_while_a_runtime_unwinds,
        scopes_in_destructors_may_meet_the_end_of_their_runtime,
        what_a_callback_lets_go_of_is_dropped_in_a_goroutine,
        a_sink_drops_a_timer_under_the_schedulers_lock,
        closures_that_never_ran_may_join_each_other,
    ],
    named![thread_locals_wait, scopes_in_destructors, callback_lets_go, sink_drops_a_timer, unrun_joins],
);

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Does something when it is dropped.
struct AtEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

type Boxed = Box<dyn FnMut()>;

thread_local! {
    static LAST: Cell<Option<AtEnd<Boxed>>> = const { Cell::new(None) };
}

/// Runs `f` in the destructor of one of the calling goroutine's thread-locals.
fn at_the_very_end(f: impl FnMut() + 'static) {
    LAST.set(Some(AtEnd(Box::new(f))));
}

/// Until so many are ready, and some milliseconds more.
fn sleep_until_all(ready: &AtomicUsize, count: usize) {
    while ready.load(SeqCst) < count {
        gmp::sleep(MS);
    }
    gmp::sleep(MS * 5);
}

fn unwinding(procs: usize) -> Builder<gmp::policy::Go> {
    one_p().procs(procs).at_main_return(AtMainReturn::Unwind)
}

/// Waits of every kind, of which a closing runtime ends some, and a goroutine that unwinds the others.
fn waits() -> Vec<Box<dyn FnMut() + Send>> {
    let (send, receive) = chan::<u32>(0);
    let (full, _kept) = (send.clone(), receive.clone());
    let (silent, hears) = chan::<u32>(0);
    let (mutex, lock) = (Arc::new(Mutex::new(())), Arc::new(RwLock::new(())));
    let (permits, group) = (Arc::new(Semaphore::new(1)), WaitGroup::new());
    group.add(1);
    let (m, l, p, g) = (mutex.clone(), lock.clone(), permits.clone(), group.clone());
    let held = go(move || {
        let _held = (m.lock(), l.write(), p.acquire());
        let _done = AtEnd(|| g.done());
        let _channels = (&send, &receive, &silent, &_kept);
        gmp::park();
    });
    gmp::yield_now();
    drop(held);
    vec![
        Box::new(|| gmp::sleep(HOUR)),
        Box::new(gmp::yield_now),
        Box::new(gmp::park),
        Box::new(move || _ = full.send(1)),
        Box::new(move || _ = hears.recv()),
        Box::new(move || drop(mutex.lock())),
        Box::new(move || drop(lock.read())),
        Box::new(move || drop(permits.acquire())),
        Box::new(move || group.wait()),
        Box::new(|| _ = go(|| gmp::sleep(HOUR)).join()),
        Box::new(|| _ = gmp::set_max_procs(1)),
        Box::new(|| gmp::scope(|scope| drop(scope.go(|| gmp::sleep(HOUR))))),
        Box::new(|| gmp::blocking(|| ())),
    ]
}

fn thread_locals_wait() {
    for procs in [1, 2] {
        let ended = Arc::new(AtomicUsize::new(0));
        let count = ended.clone();
        let main = move || {
            let ready = Arc::new(AtomicUsize::new(0));
            // Some wait when the runtime begins to unwind, others begin to wait when it does.
            for early in [true, false] {
                for mut wait in waits() {
                    let (count, ready) = (count.clone(), ready.clone());
                    drop(go(move || {
                        at_the_very_end(move || {
                            wait();
                            count.fetch_add(1, SeqCst);
                        });
                        ready.fetch_add(1, SeqCst);
                        if !early {
                            gmp::park();
                        }
                    }));
                }
            }
            sleep_until_all(&ready, 26);
        };
        let left = unwinding(procs).build().unwrap().run(main).unwrap().left;
        // On a loaded machine some may not be through when their time is over.
        assert!(ended.load(SeqCst) + left.running + left.suspended >= 26, "{left:?}");
    }
    println!("done");
}

fn thread_locals_may_wait_while_a_runtime_unwinds() {
    child("thread_locals_wait").run().code(0).prints("done\n");
}

fn scopes_in_destructors() {
    for procs in [1, 2] {
        let returned = Arc::new(AtomicUsize::new(0));
        let count = returned.clone();
        let main = move || {
            let ready = Arc::new(AtomicUsize::new(0));
            for _ in 0..4 {
                let (count, ready) = (count.clone(), ready.clone());
                drop(go(move || {
                    let _at_end = AtEnd(|| {
                        let mut parts = [0; 2];
                        gmp::scope(|scope| {
                            for part in &mut parts {
                                scope.go(move || *part = 1);
                            }
                        });
                        gmp::join(gmp::yield_now, || parts[0] = 2);
                        assert_eq!(parts[0], 2);
                        count.fetch_add(1, SeqCst);
                    });
                    ready.fetch_add(1, SeqCst);
                    gmp::park();
                }));
            }
            sleep_until_all(&ready, 4);
        };
        let left = unwinding(procs).build().unwrap().run(main).unwrap().left;
        assert!(returned.load(SeqCst) + left.running + left.suspended >= 4, "{left:?}");
    }
    println!("done");
}

fn scopes_in_destructors_may_meet_the_end_of_their_runtime() {
    child("scopes_in_destructors").run().code(0).prints("done\n");
}

/// A payload that calls the runtime when it goes, and says whether it was in a goroutine.
struct Busy(mpsc::Sender<bool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send(gmp::current().is_some()).unwrap();
        gmp::yield_now();
    }
}

/// Starts a goroutine that panics, and lets go of its handle at the next tick.
struct Starts {
    said: std::sync::Mutex<Option<mpsc::Sender<bool>>>,
    handle: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Fire for Starts {
    fn fire(timer: &CoreTimer<Self>, firing: Firing<'_>) {
        let mut kept = timer.callback().handle.lock().unwrap();
        if let Some(said) = timer.callback().said.lock().unwrap().take() {
            *kept = firing.spawn(Location::caller(), move || panic_any(Busy(said))).ok();
        } else if kept.as_ref().is_some_and(JoinHandle::is_finished) {
            *kept = None;
            firing.stop();
        }
    }
}

fn callback_lets_go() {
    for procs in [1, 2] {
        let main = || {
            let (said, hear) = mpsc::channel();
            let timer = CoreTimer::new(Starts { said: Some(said).into(), handle: None.into() }).as_any();
            timer.reset_in(MS, MS);
            loop {
                if let Ok(in_goroutine) = hear.try_recv() {
                    return in_goroutine;
                }
                gmp::sleep(MS);
            }
        };
        println!("{}", one_p().procs(procs).build().unwrap().run(main).unwrap().value);
    }
}

/// The payload of the goroutine's panic was dropped on the scheduler's stack.
fn what_a_callback_lets_go_of_is_dropped_in_a_goroutine() {
    child("callback_lets_go").run().code(0).prints("true\ntrue\n");
}

static TIMER: std::sync::Mutex<Option<Timer>> = std::sync::Mutex::new(None);

/// Drops what is there when a P is given up, which happens under the scheduler's lock.
struct Drops;

impl EventSink for Drops {
    fn event(&self, event: &Event) {
        if event.kind == EventKind::ProcStop {
            drop(TIMER.lock().unwrap().take());
        }
    }
}

fn sink_drops_a_timer() {
    for procs in [1, 2] {
        let runtime = one_p().procs(procs).events(Arc::new(Drops)).build().unwrap();
        runtime
            .run(|| {
                for _ in 0..10 {
                    let (said, hear) = mpsc::channel();
                    let loud = AtEnd(move || said.send(()).unwrap());
                    let timer = gmp::time::after_func(Duration::ZERO, move || _ = &loud);
                    gmp::sleep(MS * 2);
                    *TIMER.lock().unwrap() = Some(timer);
                    while hear.try_recv().is_err() {
                        gmp::sleep(MS);
                    }
                }
            })
            .unwrap();
    }
    println!("done");
}

/// A goroutine was to be started for it, for which its own thread's lock was waited for.
fn a_sink_drops_a_timer_under_the_schedulers_lock() {
    child("sink_drops_a_timer").run().code(0).prints("done\n");
}

/// Of two goroutines of a runtime that goes without having run, the closure of the first joins the second.
fn unrun_joins() {
    let runtime = one_p().build().unwrap();
    let second = Arc::new(std::sync::Mutex::new(None::<JoinHandle<u8>>));
    let later = second.clone();
    let joins = AtEnd(move || {
        let handle = later.lock().unwrap().take().unwrap();
        println!("{:?}", handle.join());
    });
    let first = runtime.handle().go(move || drop(joins)).unwrap();
    *second.lock().unwrap() = Some(runtime.handle().go(|| 7).unwrap());
    drop(runtime);
    println!("{:?}", first.join());
}

/// The thread waited for what it was to do itself a moment later.
fn closures_that_never_ran_may_join_each_other() {
    child("unrun_joins").run().code(0).prints("Err(Abandoned)\nErr(Abandoned)\n");
}
