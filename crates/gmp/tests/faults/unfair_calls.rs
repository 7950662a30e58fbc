//! Loops of calls that never need to wait kept their P for ever. The kind: every call of the runtime ends a time slice
//! that is over: one that suspends yields, one that never does lends its P out and keeps its thread; and a timer that is
//! due on the P of a goroutine that calls nothing at all is run by sysmon.

use crate::harness::{child, named};
use gmp::context::Context;
use gmp::sync::{Barrier, Cond, Mutex, Once, OnceCell, RwLock, Semaphore, WaitGroup};
use gmp::{chan, select};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        every_call_gives_way_with_one_p,
        every_call_gives_way_with_two_ps,
        every_call_gives_way_on_threads,
        a_call_that_never_suspends_keeps_its_thread,
        whoever_stepped_aside_can_end,
        a_spawn_comes_back_to_an_idle_p,
        timers_go_off_beside_a_hog,
        short_blocking_calls_take_turns,
    ],
    named![
        one_p,
        two_ps,
        threads,
        keeps_its_thread,
        ends_aside,
        back_at_a_spawn,
        hog_and_timers,
        short_blocking
    ],
);

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>())
}

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A call, and what it needs.
type Call = (&'static str, fn() -> Box<dyn FnMut() + Send>);

macro_rules! call {
    ($name:literal, $call:expr) => {
        ($name, || Box::new($call))
    };
    ($name:literal, $($prepare:stmt);+ => $call:expr) => {
        ($name, || {
            $($prepare)+
            Box::new(move || $call)
        })
    };
}

const CALLS: &[Call] = &[
    call!("yield_now", gmp::yield_now),
    call!("sleep of zero", || gmp::sleep(Duration::ZERO)),
    call!("blocking", || gmp::blocking(|| ())),
    call!("go", || drop(gmp::go(|| ()))),
    call!("go and join", || gmp::go(|| ()).join().unwrap()),
    call!("scope", || gmp::scope(|_| ())),
    call!("join", || _ = gmp::join(|| (), || ())),
    call!("park with a permit", || {
        gmp::current().unwrap().unparker().unpark();
        gmp::park();
    }),
    call!("num_goroutines", || _ = gmp::num_goroutines()),
    call!("stats", || _ = gmp::stats()),
    call!("current", || _ = gmp::current()),
    call!("set_max_procs to what it is", || _ = gmp::set_max_procs(gmp::max_procs())),
    call!("send and recv", let (tx, rx) = chan(1) => { tx.send(1).unwrap(); rx.recv().unwrap(); }),
    call!("try_send and try_recv", let (tx, rx) = chan(1) => { tx.try_send(1).unwrap(); rx.try_recv().unwrap(); }),
    call!("recv of a closed channel", let (_, rx) = chan::<()>(0) => _ = rx.recv().unwrap_err()),
    call!("try_recv in vain", let (tx, rx) = chan::<()>(0) => { let _open = &tx; rx.try_recv().unwrap_err(); }),
    call!("recv_timeout of zero", let (tx, rx) = chan::<()>(0) => {
        let _open = &tx;
        rx.recv_timeout(Duration::ZERO).unwrap_err();
    }),
    call!("is_empty", let (_, rx) = chan::<()>(0) => _ = rx.is_empty()),
    call!("select with a default", let (tx, rx) = chan::<()>(0) => {
        let _open = &tx;
        select! { recv(rx) -> _ => (), default => () }
    }),
    call!("select of ready cases", let ((_, a), (_, b)) = (chan::<()>(0), chan::<()>(0)) => {
        select! { recv(a) -> _ => (), recv(b) -> _ => () }
    }),
    call!("Mutex", let m = Mutex::new(0) => *m.lock() += 1),
    call!("Mutex::try_lock", let m = Mutex::new(0) => *m.try_lock().unwrap() += 1),
    call!("RwLock", let m = RwLock::new(0) => { drop(m.read()); *m.write() += 1; }),
    call!("Semaphore", let s = Semaphore::new(1) => { drop(s.acquire()); drop(s.try_acquire()); }),
    call!("WaitGroup", let g = WaitGroup::new() => { g.add(1); g.done(); g.wait(); }),
    call!("Once", let o = Once::new() => o.call_once(|| ())),
    call!("OnceCell", let o = OnceCell::new() => _ = o.get_or_init(|| 1)),
    call!("Cond", let c = Cond::new() => { c.notify_one(); c.notify_all(); }),
    call!("Barrier", let b = Barrier::new(1) => _ = b.wait()),
    call!("Context::err", let (c, cancel) = Context::background().with_cancel() => { let _on = &cancel; _ = c.err(); }),
    call!("Context::deadline", let c = Context::background() => _ = c.deadline()),
    call!("Context::with_cancel", let c = Context::background() => drop(c.with_cancel())),
    call!("Cancel::cancel", let (_, cancel) = Context::background().with_cancel() => cancel.cancel()),
    call!("sleep_until what is past", let at = Instant::now() => gmp::time::sleep_until(at)),
    call!("Timer::stop", let timer = gmp::time::Timer::new(HOUR) => _ = timer.stop()),
    call!("Ticker::stop", let ticker = gmp::time::Ticker::new(HOUR) => ticker.stop()),
    call!("close", let (tx, _) = chan::<()>(0) => _ = tx.close()),
    call!("capacity", let (tx, _) = chan::<()>(0) => _ = tx.capacity()),
    call!("Semaphore::available", let s = Semaphore::new(1) => _ = s.available()),
    call!("Semaphore::add_permits", let s = Semaphore::new(0) => s.add_permits(1)),
    call!("Handle::go", || drop(handle().go(|| ()))),
    call!("Handle::num_goroutines", || _ = handle().num_goroutines()),
    call!("Handle::stats", || _ = handle().stats()),
    call!("Handle::max_procs", || _ = handle().max_procs()),
    call!("Handle::is_closed", || _ = handle().is_closed()),
    call!("Handle::trace", || _ = handle().trace(false)),
    call!("block_on a future that wakes itself", || gmp::block_on(async {
        for _ in 0..1000 {
            let mut woken = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut woken, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    })),
    call!("Child::try_wait", || _ = child_process().try_wait()),
    call!("local_addr", || _ = listener().local_addr()),
    call!("set_read_timeout", || socket().set_read_timeout(Some(HOUR)).unwrap()),
];

/// One of the runtime that a loop over calls runs in.
static HANDLE: std::sync::Mutex<Option<gmp::Handle>> = std::sync::Mutex::new(None);

fn handle() -> gmp::Handle {
    HANDLE.lock().unwrap().clone().unwrap()
}

/// A process that has ended.
fn child_process() -> &'static gmp::process::Child {
    static CHILD: OnceLock<gmp::process::Child> = OnceLock::new();
    CHILD.get_or_init(|| {
        let mut child = gmp::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child
    })
}

fn listener() -> &'static gmp::net::TcpListener {
    static LISTENER: OnceLock<gmp::net::TcpListener> = OnceLock::new();
    LISTENER.get_or_init(|| gmp::net::TcpListener::bind("127.0.0.1:0").unwrap())
}

fn socket() -> &'static gmp::net::UdpSocket {
    static SOCKET: OnceLock<gmp::net::UdpSocket> = OnceLock::new();
    SOCKET.get_or_init(|| gmp::net::UdpSocket::bind("127.0.0.1:0").unwrap())
}

/// As many loops over each call as there are Ps end when a sleeper has slept three times.
fn loops_end(
    builder: gmp::Builder<gmp::policy::Go>,
    procs: usize,
    calls: impl Iterator<Item = Call> + Send + 'static,
) {
    // sysmon takes no P: whoever does not give way keeps it.
    let runtime = builder.procs(procs).retake(false).build().unwrap();
    *HANDLE.lock().unwrap() = Some(runtime.handle());
    let finished = runtime.run(move || {
        for (name, prepare) in calls {
            let over = Arc::new(AtomicBool::new(false));
            let loops: Vec<_> = (0..procs)
                .map(|_| {
                    let over = over.clone();
                    gmp::go(move || {
                        let mut call = prepare();
                        while !over.load(SeqCst) {
                            call();
                        }
                    })
                })
                .collect();
            (0..3).for_each(|_| gmp::sleep(MS));
            over.store(true, SeqCst);
            loops.into_iter().for_each(|one| one.join().unwrap());
            println!("{name}");
        }
    });
    finished.unwrap();
}

fn one_p() {
    loops_end(builder(), 1, CALLS.iter().copied());
}

fn two_ps() {
    loops_end(builder(), 2, CALLS.iter().copied());
}

/// Without the loops over `go` alone, which leave some hundred thousand threads to be made: minutes that tell nothing which
/// `go and join` does not.
fn on_threads() -> impl Iterator<Item = Call> + Send + 'static {
    CALLS.iter().copied().filter(|&(name, _)| !["go", "Handle::go"].contains(&name))
}

fn threads() {
    loops_end(gmp::Builder::new().policy::<gmp::policy::Go>().one_thread_each(), 1, on_threads());
}

#[track_caller]
fn all_were_made(name: &'static str, calls: impl Iterator<Item = Call>) {
    let done = child(name).run();
    let names: Vec<_> = calls.map(|(name, _)| name).collect();
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), names);
}

fn every_call_gives_way_with_one_p() {
    all_were_made("one_p", CALLS.iter().copied());
}

fn every_call_gives_way_with_two_ps() {
    all_were_made("two_ps", CALLS.iter().copied());
}

fn every_call_gives_way_on_threads() {
    all_were_made("threads", on_threads());
}

thread_local! {
    /// Whether a goroutine on this thread counts on staying here.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Counts for as long as `over` is not set, and gives way each time.
fn beats(over: &Arc<AtomicBool>, beats: &Arc<AtomicU64>) -> gmp::JoinHandle<()> {
    let (over, beats) = (over.clone(), beats.clone());
    gmp::go(move || {
        while !over.load(SeqCst) {
            assert!(!HELD.get(), "a goroutine that never suspended has left this thread");
            beats.fetch_add(1, SeqCst);
            gmp::yield_now();
        }
    })
}

fn keeps_its_thread() {
    let finished = builder().procs(1).build().unwrap().run(|| {
        let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let others = beats(&over, &count);
        for round in 1..=5 {
            // The only P is ours until the slice is over; then it is the others', and we run on.
            HELD.set(true);
            let thread = std::thread::current().id();
            let before = count.load(SeqCst);
            while count.load(SeqCst) < before + 10 {
                drop(gmp::go(|| ()));
                _ = gmp::num_goroutines();
            }
            assert_eq!(std::thread::current().id(), thread);
            HELD.set(false);
            // Back on a P, in turn with the others.
            (0..3).for_each(|_| gmp::yield_now());
            println!("{round}");
        }
        over.store(true, SeqCst);
        others.join().unwrap();
    });
    finished.unwrap();
}

fn a_call_that_never_suspends_keeps_its_thread() {
    assert_eq!(child("keeps_its_thread").run().stdout, "1\n2\n3\n4\n5\n");
}

/// A goroutine that has stepped aside returns, exits, panics, is locked to its thread, blocks: each works as always.
fn ends_aside() {
    let finished = builder().procs(1).build().unwrap().run(|| {
        let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let others = beats(&over, &count);
        let aside = move || {
            let before = count.load(SeqCst);
            while count.load(SeqCst) < before + 3 {
                _ = gmp::num_goroutines();
            }
        };
        let go = |end: fn()| {
            let aside = aside.clone();
            gmp::go(move || {
                aside();
                end();
            })
        };
        go(|| ()).join().unwrap();
        assert!(matches!(go(|| gmp::exit()).join(), Err(gmp::JoinError::Exited)));
        let panics = go(|| std::panic::resume_unwind(Box::new("so")));
        assert!(matches!(panics.join(), Err(gmp::JoinError::Panicked(_))));
        go(|| drop(gmp::lock_os_thread())).join().unwrap();
        go(|| {
            let _lock = gmp::lock_os_thread();
            gmp::yield_now();
        })
        .join()
        .unwrap();
        go(|| gmp::blocking(gmp::yield_now)).join().unwrap();
        go(|| gmp::scope(|s| s.go(gmp::yield_now).join().unwrap())).join().unwrap();
        go(|| gmp::sleep(MS)).join().unwrap();
        aside();
        over.store(true, SeqCst);
        others.join().unwrap();
        aside_in_main();
        println!("all");
    });
    finished.unwrap();
}

/// Main returns while it is aside.
fn aside_in_main() {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let others = beats(&over, &count);
    while count.load(SeqCst) < 3 {
        _ = gmp::num_goroutines();
    }
    over.store(true, SeqCst);
    drop(others);
}

fn whoever_stepped_aside_can_end() {
    assert_eq!(child("ends_aside").run().stdout, "all\n");
}

/// A goroutine that has stepped aside spawns again, now and then: once the others are through it has a P.
fn back_at_a_spawn() {
    for procs in 1..=2 {
        let finished = builder().procs(procs).build().unwrap().run(|| {
            let spawner = gmp::go(|| {
                let thread = std::thread::current().id();
                for _ in 0..3 {
                    while gmp::stats().blocked == 0 {
                        (0..1000).for_each(|_| drop(gmp::go(|| ())));
                    }
                    while gmp::stats().blocked != 0 {
                        std::thread::sleep(MS);
                        drop(gmp::go(|| ()));
                    }
                    assert_eq!(std::thread::current().id(), thread);
                }
            });
            spawner.join().unwrap();
            println!("{}", gmp::max_procs());
        });
        finished.unwrap();
    }
}

fn a_spawn_comes_back_to_an_idle_p() {
    assert_eq!(child("back_at_a_spawn").run().stdout, "1\n2\n");
}

/// Goroutines that call nothing keep all Ps until a plain thread has seen timers go off, once and again and again.
fn hog_and_timers() {
    // Where no P is taken from a hog, sysmon runs all of the timers itself, without a P.
    for (procs, builder) in
        [(1, builder()), (2, builder()), (1, builder().max_overruns(0)), (2, builder().max_overruns(0))]
    {
        let finished = builder.procs(procs).build().unwrap().run(move || {
            let over = Arc::new(AtomicBool::new(false));
            let (context, _cancel) = Context::background().with_timeout(3 * MS);
            let once = gmp::time::after(2 * MS);
            let ticker = gmp::time::tick(MS);
            let (ran, runs) = chan(1);
            let later = gmp::time::after_func(MS, move || _ = ran.try_send(()));
            let seen = std::thread::spawn({
                let over = over.clone();
                move || {
                    once.recv().unwrap();
                    (0..3).for_each(|_| _ = ticker.recv().unwrap());
                    over.store(true, SeqCst);
                }
            });
            let hogs: Vec<_> = (0..procs)
                .map(|_| {
                    let over = over.clone();
                    gmp::go(move || {
                        while !over.load(SeqCst) {
                            std::hint::spin_loop();
                        }
                    })
                })
                .collect();
            hogs.into_iter().for_each(|hog| hog.join().unwrap());
            // What sysmon has spawned comes to run, too.
            runs.recv().unwrap();
            context.done().recv().unwrap_err();
            drop(later);
            gmp::blocking(|| seen.join().unwrap());
            println!("{procs}");
        });
        finished.unwrap();
    }
}

fn timers_go_off_beside_a_hog() {
    assert_eq!(child("hog_and_timers").run().stdout, "1\n2\n1\n2\n");
}

/// Many goroutines ask plain threads by pipes, in calls that block shortly: all get through.
fn short_blocking() {
    use std::io::{Read, Write};
    for procs in 1..=2 {
        let finished = builder().procs(procs).build().unwrap().run(move || {
            let asks = |n: u8| {
                let ((mut question, mut ask), (mut answer, mut reply)) =
                    (std::io::pipe().unwrap(), std::io::pipe().unwrap());
                let thread = std::thread::spawn(move || {
                    let mut byte = [0];
                    while question.read(&mut byte).unwrap() == 1 {
                        reply.write_all(&byte).unwrap();
                    }
                });
                gmp::go(move || {
                    for _ in 0..200 {
                        let mut byte = [0];
                        gmp::blocking(|| ask.write_all(&[n]).unwrap());
                        gmp::blocking(|| answer.read_exact(&mut byte).unwrap());
                        assert_eq!(byte, [n]);
                    }
                    drop(ask);
                    gmp::blocking(|| thread.join().unwrap());
                })
            };
            let all: Vec<_> = (0..12).map(asks).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            println!("{procs}");
        });
        finished.unwrap();
    }
}

fn short_blocking_calls_take_turns() {
    assert_eq!(child("short_blocking").run().stdout, "1\n2\n");
}
