//! A program that hung showed nothing: only a debugger could tell which goroutine waited, where and for what. The kind:
//! whatever state goroutines are in, and whatever they do meanwhile, a dump shows where each stands; in every mode, and
//! when every M is stuck.

use crate::harness::{child, named};
use gmp::policy::Go;
use gmp::{Builder, Dump, RunError, Sight, State, WaitReason};
use std::hint::{black_box, spin_loop};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_dump_shows_each_where_it_stands,
        goroutines_that_go_on_are_shown_whole,
        a_stuck_program_answers_a_signal,
        a_deadlock_shows_stacks,
        what_main_leaves_behind_is_shown,
        a_word_that_means_nothing_is_refused,
        a_signal_that_means_something_else_is_refused,
        a_leak_fails_a_test,
        the_scheduler_prints_gos_line
    ],
    named![stands, moves_on, stuck, deadlocked, leaves, leaks, traced, dumps_on_faults],
);

const MODE: &str = "GMP_UNSEEN_MODE";

fn builder() -> Builder<Go> {
    let builder = Builder::new().policy::<Go>().procs(2);
    // SAFETY: nothing in this file uses a thread-local.
    unsafe {
        match std::env::var(MODE).as_deref() {
            Ok("shared") => builder.share_thread_locals(),
            Ok("pinned") => builder.pinned(),
            Ok("hosted") => builder.one_thread_each(),
            _ => builder,
        }
    }
}

fn a_dump_shows_each_where_it_stands() {
    for mode in ["own", "shared", "pinned", "hosted"] {
        child("stands").env(MODE, mode).run().code(0);
    }
}

fn name_of(sight: &Sight) -> &str {
    &sight.name
}

/// Fails with the whole dump unless the goroutine of this name is in such a state, and its innermost function's name
/// contains this.
#[track_caller]
fn check(dump: &Dump, name: &str, innermost: &str, state: impl Fn(State) -> bool) {
    let found = dump.goroutines().find(|(sight, _)| name_of(sight) == name);
    let (sight, stack) = found.unwrap_or_else(|| panic!("no {name} in {dump}"));
    assert!(state(sight.state()), "{name}: {:?} in {dump}", sight.state());
    let at = stack.first().map_or("", |frame| &frame.function);
    assert!(at.contains(innermost), "{name} is at {at:?}, not in {innermost}:\n{dump:#}");
}

fn waits(reason: WaitReason) -> impl Fn(State) -> bool {
    move |state| matches!(state, State::Waiting { reason: its, .. } if its == reason)
}

fn waits_somewhere(reason: WaitReason) -> impl Fn(State) -> bool {
    move |state| matches!(state, State::Waiting { reason: its, at: Some(_), .. } if its == reason)
}

fn start(name: &str, f: impl FnOnce() + Send + 'static) {
    drop(gmp::spawn().name(name).label("test", "unseen").go(f).unwrap());
}

#[inline(never)]
fn at_a_lock(mutex: &gmp::sync::Mutex<u32>) {
    *mutex.lock() += 1;
}

#[inline(never)]
fn at_a_channel(from: &gmp::Receiver<u32>) {
    black_box(from.recv().is_ok());
}

#[inline(never)]
fn asleep() {
    gmp::sleep(Duration::from_secs(10_000));
    black_box(());
}

#[inline(never)]
fn joining() {
    black_box(gmp::spawn().name("joined").go(parked).unwrap().join().is_ok());
}

#[inline(never)]
fn parked() {
    gmp::park();
    black_box(());
}

#[inline(never)]
fn computing(stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        spin_loop();
    }
    black_box(());
}

#[inline(never)]
fn blocked(stop: &AtomicBool) {
    gmp::blocking(|| {
        while !stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    black_box(());
}

/// How many goroutines have a thread. One that computes for longer than its slice may count as blocked: it runs on
/// without a P.
fn on_threads() -> usize {
    let stats = gmp::stats();
    stats.running + stats.blocked
}

fn stands() {
    let main = || {
        let stop = Arc::new(AtomicBool::new(false));
        let mutex = Arc::new(gmp::sync::Mutex::new(0));
        let held = mutex.lock();
        let (to, from) = gmp::chan::<u32>(0);
        for i in 0..20 {
            let from = from.clone();
            start(&format!("receiver {i}"), move || at_a_channel(&from));
        }
        start("locker", {
            let mutex = mutex.clone();
            move || at_a_lock(&mutex)
        });
        start("sleeper", asleep);
        start("joiner", joining);
        // A thread that shows itself is its M's, and a goroutine that is pinned beside one that computes would never begin.
        let whole = ["own", "shared"].map(String::from).contains(&std::env::var(MODE).unwrap());
        if whole {
            let [first, second] = [stop.clone(), stop.clone()];
            start("blocked", move || blocked(&first));
            start("computer", move || computing(&second));
        }
        while gmp::stats().waiting < 24 || whole && on_threads() < 3 {
            gmp::sleep(Duration::from_millis(1));
        }
        let dump = gmp::dump();
        check(&dump, "locker", "at_a_lock", waits_somewhere(WaitReason::Mutex));
        check(&dump, "receiver 7", "at_a_channel", waits_somewhere(WaitReason::ChanReceive));
        check(&dump, "sleeper", "asleep", waits(WaitReason::Sleep));
        check(&dump, "joiner", "joining", waits_somewhere(WaitReason::Join));
        check(&dump, "joined", "parked", waits(WaitReason::Park));
        // A thread that must share a CPU with others may not show itself in time, so a goroutine that goes on is looked
        // at again.
        let shows = |name: &str, function: &str, dump: &Dump| {
            let mut found = dump.goroutines().filter(|(sight, _)| name_of(sight) == name);
            found.any(|(_, stack)| stack.iter().any(|frame| frame.function.contains(function)))
        };
        if whole {
            while !shows("computer", "computing", &gmp::dump()) {}
            while !shows("blocked", "blocked", &gmp::dump()) {}
        }
        let largest = &dump.groups[0];
        assert_eq!((largest.goroutines.len(), largest.goroutines[3].labels.len()), (20, 1));
        let (text, json) = (dump.to_string(), dump.to_json());
        assert!(text.contains("\n20 goroutines [chan receive at 0x"), "{text}");
        assert!(json.contains("\"name\": \"locker\", \"labels\": {\"test\": \"unseen\"}"), "{json}");
        stop.store(true, Relaxed);
        drop((held, to));
    };
    builder().build().unwrap().run(main).unwrap();
}

/// Goroutines of two kinds, which come, wait, run and go as fast as they can, are each shown as one of their kind.
fn goroutines_that_go_on_are_shown_whole() {
    for mode in ["own", "shared"] {
        child("moves_on").env(MODE, mode).run().code(0);
    }
}

fn moves_on() {
    #[inline(never)]
    fn of_a(name: &'static str) {
        black_box(
            gmp::spawn().name(name).go(|| (0..3).for_each(|_| gmp::yield_now())).unwrap().join().is_ok(),
        );
    }
    let main = || {
        let stop = Arc::new(AtomicBool::new(false));
        let spawners = ["a", "b"].map(|name| {
            let stop = stop.clone();
            gmp::spawn().name(name).label("kind", name).go(move || {
                while !stop.load(Relaxed) {
                    of_a(name);
                }
            })
        });
        for _ in 0..10 {
            let dump = gmp::dump();
            assert!((3..=5).contains(&dump.len()), "{dump}");
            for (sight, _) in dump.goroutines().filter(|(sight, _)| sight.number != 1) {
                let (name, label) = (name_of(sight), &sight.labels[0].1);
                assert_eq!(name, label, "{dump}");
            }
        }
        stop.store(true, Relaxed);
        spawners.into_iter().for_each(|spawner| spawner.unwrap().join().unwrap());
    };
    builder().build().unwrap().run(main).unwrap();
}

fn a_stuck_program_answers_a_signal() {
    for mode in ["own", "shared"] {
        child("stuck").env(MODE, mode).run().code(0);
        child("stuck").env(MODE, mode).env("GMP_DEBUG", "dump").run().code(0);
    }
}

/// Both Ms compute for ever. One of them asks for a dump and reads it from the file that standard error has become.
fn stuck() {
    let file = std::env::temp_dir().join(format!("gmp-unseen-{}", std::process::id()));
    let err = std::fs::File::create(&file).unwrap();
    // SAFETY: both are open; from here on fatal errors go to the file, too.
    assert_eq!(unsafe { libc::dup2(err.as_raw_fd(), 2) }, 2);
    let builder = match std::env::var_os("GMP_DEBUG") {
        Some(_) => builder(),
        None => builder().dump_on(libc::SIGQUIT),
    };
    let main = move || -> () {
        start("other hog", || computing(&AtomicBool::new(false)));
        while on_threads() < 2 {}
        loop {
            // SAFETY: a signal to this very process, which has a handler for it.
            unsafe { libc::kill(libc::getpid(), libc::SIGQUIT) };
            std::thread::sleep(Duration::from_millis(200));
            let text = std::fs::read_to_string(&file).unwrap();
            if text.contains("[other hog] [running") && text.contains("computing") {
                let _ = std::fs::remove_file(&file);
                std::process::exit(0);
            }
        }
    };
    builder.build().unwrap().run(main).unwrap();
}

fn a_deadlock_shows_stacks() {
    child("deadlocked").run().code(0);
}

fn deadlocked() {
    let ended = builder().build().unwrap().run(|| {
        start("parked for ever", parked);
        at_a_channel(&gmp::never());
    });
    let Err(RunError::Deadlock(report)) = ended else { panic!("no deadlock") };
    let text = report.to_string();
    assert!(text.contains("at_a_channel\n\t") && text.contains("parked\n\t"), "{text}");
    assert!(report.waiting.iter().all(|waiting| !waiting.stack.addresses().is_empty()));
}

fn what_main_leaves_behind_is_shown() {
    let done = child("leaves").env("GMP_DEBUG", "leftovers").run();
    done.code(0).says("main returns and leaves these behind").says("parked\n\t");
    child("leaves").run().code(0).never_says("leaves these behind");
}

fn leaves() {
    builder().build().unwrap().run(|| (start("left", parked), gmp::yield_now())).unwrap();
}

fn a_word_that_means_nothing_is_refused() {
    let done = child("leaves").env("GMP_DEBUG", "dumb").run();
    done.code(101).says("\"dumb\" in GMP_DEBUG, which means nothing");
}

/// The fault would come again and again, and SIGURG is how a dump is made.
fn dumps_on_faults() {
    for signal in
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGURG, libc::SIGKILL, 0, 1000]
    {
        match builder().dump_on(signal).build().unwrap().run(|| ()) {
            Err(RunError::Os(error)) => {
                assert!(error.to_string().contains(&format!("signal {signal} ")), "{error}")
            }
            other => panic!("{signal}: {other:?}"),
        }
    }
    builder().dump_on(libc::SIGUSR1).build().unwrap().run(|| ()).unwrap();
}

fn a_signal_that_means_something_else_is_refused() {
    child("dumps_on_faults").run().code(0);
}

fn a_leak_fails_a_test() {
    let done = child("leaks").run();
    done.code(101).says("leak_check: goroutines are left behind: 1 goroutine in 1 group").says("parked\n\t");
}

fn leaks() {
    let ended = builder().build().unwrap().run(|| {
        gmp::go(|| ()).join().unwrap();
        gmp::test::leak_check();
        start("leaked", parked);
        gmp::test::leak_check();
    });
    ended.unwrap();
}

fn the_scheduler_prints_gos_line() {
    let line = ["SCHED ", "ms: gomaxprocs=2 idleprocs=", " runqueue=", " [ ", " ] schedticks=[ "];
    let done = child("traced").env("GMP_DEBUG", "schedtrace=5").run();
    line.iter().for_each(|part| _ = done.code(0).says(part));
    let done = child("traced").env("GMP_DEBUG", "schedtrace=5,scheddetail=1").run();
    let lines =
        [" sysmonwait=", "\n  P1: status=", "\n  M1: p=", "\n  G1: status=4(sleep) m=nil lockedm=nil"];
    lines.iter().for_each(|part| _ = done.code(0).says(part));
}

/// Lines come by the clock, so it sleeps until they must have come on the slowest of machines.
fn traced() {
    builder().build().unwrap().run(|| gmp::sleep(Duration::from_secs(2))).unwrap();
}
