//! The caller's own code that runs in the middle of the runtime's work (destructors, callbacks, closures on other
//! stacks), and what it may do there: on which thread and stack it runs, and what stops it where it may not call the
//! runtime.

mod harness;
mod told;

use gmp::event::{Event, EventKind, EventSink};
use gmp::{AtMainReturn, Builder, Runtime};
use harness::{child, named};
use std::cell::Cell;
use std::panic::panic_any;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

fn builder() -> Builder {
    told::moving(Builder::new())
}

/// What a destructor does.
#[derive(Clone, Copy)]
enum Does {
    Yields,
    Panics,
    Spawns,
    Exits,
}

/// A value whose destructor calls the runtime, or unwinds, and says that it ran in a goroutine.
struct Busy(Does, Sender<bool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.1.send(gmp::current().is_some()).unwrap();
        match self.0 {
            Does::Yields => gmp::yield_now(),
            Does::Panics => panic!("a destructor's"),
            Does::Spawns => gmp::go(|| ()).join().unwrap(),
            Does::Exits => gmp::exit(),
        }
    }
}

const ALL: [Does; 4] = [Does::Yields, Does::Panics, Does::Spawns, Does::Exits];

/// Runs `main` with one P until all goroutines have ended: each of the four destructors ran, in a goroutine.
fn all_are_dropped_in_goroutines(main: impl FnOnce() + Send + 'static, hear: Receiver<bool>) {
    let runtime = builder().procs(1).at_main_return(AtMainReturn::Wait).build().unwrap();
    assert!(runtime.run(main).unwrap().left.is_clean());
    assert_eq!(hear.iter().collect::<Vec<_>>(), [true; 4]);
}

/// Nobody takes the result: its destructor runs on a goroutine's stack, and what it throws goes no further.
fn unwanted_results_are_dropped_on_a_stack() {
    let (said, hear) = channel();
    let main = move || {
        for does in ALL {
            let said = said.clone();
            drop(gmp::go(move || Busy(does, said)));
        }
    };
    all_are_dropped_in_goroutines(main, hear);
}

/// A panic's payload is treated like any other value, even if the goroutine's own result needs no destructor.
fn unwanted_payloads_are_dropped_on_a_stack() {
    let (said, hear) = channel();
    let main = move || {
        for does in ALL {
            let said = said.clone();
            drop(gmp::go(move || panic_any(Busy(does, said))));
        }
    };
    all_are_dropped_in_goroutines(main, hear);
}

struct AtThreadEnd(Sender<bool>);

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        self.0.send(gmp::current().is_some()).unwrap();
    }
}

thread_local! {
    static AT_THREAD_END: Cell<Option<AtThreadEnd>> = const { Cell::new(None) };
    static MINE: Cell<bool> = const { Cell::new(false) };
}

/// Where goroutines are threads, the destructors of their thread-locals run after the goroutine has ended. Its record
/// may belong to another goroutine by then.
fn a_thread_that_was_a_goroutine_is_a_plain_one() {
    let (said, hear) = channel();
    let main = move || gmp::go(move || AT_THREAD_END.set(Some(AtThreadEnd(said)))).join().unwrap();
    Builder::new().one_thread_each().build().unwrap().run(main).unwrap();
    assert_eq!(hear.iter().collect::<Vec<_>>(), [false]);
}

/// `on_system_stack` takes closures that are not `Send`: they stay on their thread, whatever a goroutine is.
fn a_call_on_the_system_stack_stays_on_the_thread() {
    fn check() {
        MINE.set(true);
        assert!(gmp::on_system_stack(|| {
            let large = std::hint::black_box([1_u8; 256 << 10]);
            MINE.replace(false) && large[7] == 1
        }));
        assert!(!MINE.get());
    }
    builder().build().unwrap().run(check).unwrap();
    Builder::new().one_thread_each().build().unwrap().run(check).unwrap();
}

/// A sink that calls the runtime, or unwinds, at one kind of event.
struct Meddler(EventKind, fn());

impl EventSink for Meddler {
    fn event(&self, event: &Event) {
        if event.kind == self.0 {
            (self.1)();
        }
    }
}

fn with_sink(kind: EventKind, call: fn()) -> Runtime {
    builder().procs(2).events(Arc::new(Meddler(kind, call))).build().unwrap()
}

/// Enough blocking calls for every event that has to do with them.
fn block_and_spawn() {
    let calls =
        |_| gmp::go(|| (0..10).for_each(|_| gmp::blocking(|| std::thread::sleep(Duration::from_millis(1)))));
    let callers: Vec<_> = (0..8).map(calls).collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

fn sink_yields_in_a_blocking_call() {
    with_sink(EventKind::GoSyscallBegin, gmp::yield_now).run(block_and_spawn).unwrap();
}

fn sink_spawns_without_a_p() {
    with_sink(EventKind::GoSyscallEndBlocked, || drop(gmp::go(|| ()))).run(block_and_spawn).unwrap();
}

fn sink_sleeps_in_a_spawn() {
    with_sink(EventKind::GoCreate, || gmp::sleep(Duration::from_micros(50))).run(block_and_spawn).unwrap();
}

static TO_STRANGER: OnceLock<gmp::Sender<()>> = OnceLock::new();

fn sink_wakes_a_stranger() {
    let (to, from) = gmp::chan(0);
    TO_STRANGER.set(to).unwrap();
    std::thread::spawn(move || builder().build().unwrap().run(move || from.iter().for_each(drop)));
    let wake = || _ = TO_STRANGER.get().map(|to| to.try_send(()));
    with_sink(EventKind::GoSyscallBegin, wake).run(block_and_spawn).unwrap();
}

fn sink_panics() {
    with_sink(EventKind::GoUnblock, || panic!("no more events")).run(block_and_spawn).unwrap();
}

/// A sink is called between two steps of the scheduler, some of them on a goroutine's stack. If it suspended the
/// goroutine there, the goroutine would come back on another M than the step knows.
fn a_sink_may_not_call_the_runtime() {
    for (name, call) in [
        ("sink_yields_in_a_blocking_call", "gmp::yield_now"),
        ("sink_spawns_without_a_p", "gmp::go"),
        ("sink_sleeps_in_a_spawn", "gmp::sleep"),
        // Of another runtime, through a channel.
        ("sink_wakes_a_stranger", "gmp::send"),
    ] {
        let done = child(name).run();
        done.aborted().says(&format!("{call} was called from inside the scheduler"));
        done.says("a panic came out of an event sink");
    }
    child("sink_panics").run().aborted().says("no more events").says("a panic came out of an event sink");
}

fn main() -> ExitCode {
    harness::run(
        named![
            unwanted_results_are_dropped_on_a_stack,
            unwanted_payloads_are_dropped_on_a_stack,
            a_thread_that_was_a_goroutine_is_a_plain_one,
            a_call_on_the_system_stack_stays_on_the_thread,
            a_sink_may_not_call_the_runtime,
        ],
        named![
            sink_yields_in_a_blocking_call,
            sink_spawns_without_a_p,
            sink_sleeps_in_a_spawn,
            sink_wakes_a_stranger,
            sink_panics,
        ],
    )
}
