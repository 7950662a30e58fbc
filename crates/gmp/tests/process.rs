//! Deadlocks, panics, backtraces and memory limits, each in a process of its own.

mod harness;
mod told;

use gmp::contract::Policy;
use gmp::policy::Go;
use gmp::{Builder, DeadlockRule, JoinError, RunError};
use harness::{child, named};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::DirEntry;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

fn builder() -> Builder {
    told::moving(Builder::new())
}

/// Runs `main` and ends the process as a Go program would.
fn run_with<P: Policy>(builder: Builder<P>, main: impl FnOnce() + Send + 'static) {
    if let Err(error) = builder.build().unwrap().run(main) {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn run(main: impl FnOnce() + Send + 'static) {
    run_with(builder().procs(1), main);
}

// ---- deadlocks ----

fn deadlock() {
    run(|| {
        let waits = gmp::spawn().name("waits").go(gmp::park).unwrap();
        waits.join().unwrap();
    });
}

/// Go: TestSimpleDeadlock. The report has each sleeper's number, name, reason, age and creation site.
fn a_deadlock_is_reported_with_its_sleepers() {
    let done = child("deadlock").run();
    done.code(2).says_first("fatal error: all goroutines are asleep - deadlock!");
    let file = file!();
    for (who, reason) in [("goroutine 1 [", "join"), ("goroutine 2 [waits] [", "park")] {
        let line = done.stderr.lines().find(|line| line.starts_with(who));
        let whole = line
            .is_some_and(|line| line.contains(reason) && line.contains(&format!("]: created at {file}:")));
        done.check(whole, &format!("lists {who} with reason {reason}"));
    }
}

fn deadlock_of_locked_main() {
    run(|| {
        let _lock = gmp::lock_os_thread();
        gmp::park();
    });
}

fn deadlock_of_two_locked() {
    run(|| {
        drop(gmp::go(|| {
            let _lock = gmp::lock_os_thread();
            gmp::park();
        }));
        let _lock = gmp::lock_os_thread();
        gmp::park();
    });
}

/// Go: TestLockedDeadlock, TestLockedDeadlock2.
fn a_deadlock_of_locked_goroutines_is_reported() {
    for name in ["deadlock_of_locked_main", "deadlock_of_two_locked"] {
        child(name).run().code(2).says_first("fatal error: all goroutines are asleep - deadlock!");
    }
}

fn exit_of_main() {
    run(|| {
        drop(gmp::go(|| gmp::sleep(Duration::from_millis(20))));
        gmp::exit();
    });
}

/// Go: TestGoexitDeadlock, TestGoexitCrash. Main exits, the others end, and nobody is left.
fn main_exits_and_nobody_is_left() {
    let done = child("exit_of_main").run();
    done.code(2).says_first("fatal error: no goroutines (main called runtime.Goexit) - deadlock!");
}

fn exit_and_catch() {
    struct Late(&'static str);
    impl Drop for Late {
        fn drop(&mut self) {
            gmp::yield_now();
            println!("{}", self.0);
        }
    }
    run(|| {
        let exits = gmp::go(|| {
            let _outer = Late("outer");
            // Go: TestPanicAfterGoexit, TestRecoveredPanicAfterGoexit: a panic inside is caught, the exit goes on.
            struct Panics;
            impl Drop for Panics {
                fn drop(&mut self) {
                    println!("{}", std::panic::catch_unwind(|| panic!("inside")).is_err());
                }
            }
            let _panics = Panics;
            let _inner = Late("inner");
            gmp::exit()
        });
        let () = exits.join().map_err(|error| println!("{error:?}")).unwrap_or_default();
        let stopped = gmp::go(|| std::panic::catch_unwind(|| gmp::exit()).is_err());
        println!("{}", stopped.join().unwrap());
    });
}

/// Go: TestGoexitDefer, TestGoexitInPanic and kin: destructors run innermost first and may suspend; a `catch_unwind`
/// stops an exit, as it would any unwind.
fn an_exit_runs_destructors_and_is_stopped_by_catch_unwind() {
    child("exit_and_catch").run().code(0).prints("inner\ntrue\nouter\nExited\ntrue\n");
}

fn plain_thread_wakes() {
    run(|| {
        let main = gmp::current().unwrap().unparker();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            main.unpark();
        });
        gmp::park();
        println!("woken");
    });
}

/// A plain thread could still send, and does.
fn no_deadlock_while_a_plain_thread_lives() {
    child("plain_thread_wakes").run().code(0).prints("woken\n");
}

fn plain_thread_ends() {
    run(|| {
        std::thread::spawn(|| std::thread::sleep(Duration::from_millis(100)));
        gmp::park();
    });
}

/// When that thread has ended without a word, the deadlock is found after all.
fn a_deadlock_is_found_when_the_last_plain_thread_has_ended() {
    child("plain_thread_ends").run().code(2).says_first("fatal error: all goroutines are asleep - deadlock!");
}

fn deadlock_always() {
    std::thread::spawn(|| std::thread::sleep(Duration::from_secs(50)));
    run_with(builder().procs(2).deadlock(DeadlockRule::Always), gmp::park);
}

/// Told to, it reports whatever threads there are.
fn a_deadlock_is_always_reported_if_asked_for() {
    child("deadlock_always").run().code(2).says_first("fatal error: all goroutines are asleep - deadlock!");
}

fn deadlock_never() {
    let runtime = builder().procs(1).deadlock(DeadlockRule::Never).build().unwrap();
    let handle = runtime.handle();
    let (tell, hear) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let main: gmp::Unparker = hear.recv().unwrap();
        while handle.stats().waiting == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Time for a report.
        std::thread::sleep(Duration::from_millis(100));
        let waiting = handle.stats().waiting;
        main.unpark();
        waiting
    });
    runtime
        .run(move || {
            tell.send(gmp::current().unwrap().unparker()).unwrap();
            gmp::park();
        })
        .unwrap();
    println!("{}", thread.join().unwrap());
}

/// Told not to, it waits.
fn a_deadlock_is_never_reported_if_asked_for() {
    child("deadlock_never").run().code(0).prints("1\n");
}

// ---- the environment ----

fn procs_by_environment() {
    match builder().build() {
        Ok(runtime) => println!("{}", runtime.handle().max_procs()),
        Err(error) => println!("{error}"),
    }
}

/// `GOMAXPROCS` is the default, and one that is no number, or no text, is an error that shows it.
fn a_bad_gomaxprocs_is_an_error() {
    child("procs_by_environment").env("GOMAXPROCS", "3").run().code(0).prints("3\n");
    for (bad, shown) in [(&b"many"[..], r#"GOMAXPROCS="many""#), (b"3\xff", r#"GOMAXPROCS="3\xFF""#)] {
        let done = child("procs_by_environment").env("GOMAXPROCS", OsStr::from_bytes(bad)).run();
        done.code(0).check(done.stdout.contains(shown), "shows the value");
    }
}

/// Twenty goroutines under the policy of random choices, on one P, and the seed.
fn order_by_environment() {
    match builder().policy::<gmp::policy::Random>().procs(1).build() {
        Ok(runtime) => {
            let seed = runtime.handle().stats().seed;
            let order = runtime.run(|| {
                let (tell, told) = gmp::chan(20);
                let tell_number = |number: u32| {
                    let tell = tell.clone();
                    drop(gmp::go(move || tell.send(number).unwrap()));
                };
                (0..20).for_each(tell_number);
                told.iter().take(20).collect::<Vec<_>>()
            });
            println!("{seed} {:?}", order.unwrap().value);
        }
        Err(error) => println!("{error}"),
    }
}

/// `GMP_SEED` is the default seed, the same one replays a run, and one that is no number is an error that shows it.
fn a_seed_in_the_environment_replays_a_run() {
    let order = |seed: &str| child("order_by_environment").env("GMP_SEED", seed).run().code(0).stdout.clone();
    let seven = order("7");
    assert!(seven.starts_with("7 ["), "{seven}");
    (0..5).for_each(|_| assert_eq!(order("7"), seven));
    let orders: std::collections::HashSet<_> = (0..8).map(|seed| order(&seed.to_string())).collect();
    assert!(orders.len() > 4, "other seeds, other orders: {orders:?}");
    for bad in ["-1", "seven"] {
        let shown = order(bad);
        assert!(shown.contains(&format!("GMP_SEED={bad:?}")), "shows the value: {shown}");
    }
}

// ---- panics ----

fn panic_aborts() {
    run_with(builder().procs(2).abort_on_panic(true), || {
        drop(gmp::spawn().name("bad").go(|| panic!("seven {}", 7)).unwrap());
        gmp::sleep(Duration::from_secs(50));
    });
}

/// Go's behaviour to the letter: `panic: ...` first, exit code 2.
fn a_panic_ends_the_process_if_asked_for() {
    let done = child("panic_aborts").run();
    done.code(2).says_first("panic: seven 7").says("goroutine ").says("[bad]");
}

fn panic_is_caught_under_abort() {
    run_with(builder().procs(1).abort_on_panic(true), || {
        assert!(std::panic::catch_unwind(|| panic!("caught")).is_err());
        assert!(matches!(gmp::go(|| gmp::exit()).join(), Err::<(), _>(JoinError::Exited)));
    });
}

/// One that is caught ends nothing, and an exit is no panic.
fn a_caught_panic_ends_nothing() {
    child("panic_is_caught_under_abort").run().code(0).never_says("panic: caught");
}

fn panic_is_a_result() {
    let error = builder().procs(1).build().unwrap().run(|| {
        let error = gmp::spawn().name("bad").go(|| panic!("child")).unwrap().join().unwrap_err();
        println!("{error}");
        panic!("main");
    });
    println!("{}", error.map(|_: gmp::Finished<()>| ()).unwrap_err());
}

/// Otherwise std's hook prints as ever, gmp says which goroutine it was, and the joiner gets the payload.
fn a_panic_is_a_result() {
    let done = child("panic_is_a_result").run();
    done.code(0).prints("the goroutine panicked: child\nthe main goroutine panicked: main\n");
    done.says("panicked at").says("child").says("note: that was goroutine 2 [bad], created by");
    done.says("note: that was goroutine 1, created by");
}

/// Suspends in a destructor while its goroutine panics.
struct Suspends;

impl Drop for Suspends {
    fn drop(&mut self) {
        for _ in 0..3 {
            assert!(std::thread::panicking(), "it is this goroutine that panics");
            gmp::yield_now();
            gmp::sleep(Duration::from_micros(200));
            gmp::blocking(|| std::thread::sleep(Duration::from_micros(100)));
            gmp::go(|| assert!(!std::thread::panicking(), "a child panics not")).join().unwrap();
        }
    }
}

fn suspend_while_panicking() {
    for procs in [1, 2, 4] {
        run_with(builder().procs(procs), || {
            std::panic::set_hook(Box::new(|_| {}));
            let neighbours: Vec<_> = (0..10)
                .map(|_| {
                    gmp::go(|| {
                        for _ in 0..50 {
                            assert!(!std::thread::panicking(), "a neighbour sees no panic of another");
                            // A second panic on a panicking thread would abort.
                            assert!(std::panic::catch_unwind(|| panic!("own")).is_err());
                            gmp::yield_now();
                        }
                    })
                })
                .collect();
            let panicking: Vec<_> = (0..10)
                .map(|_| {
                    gmp::go(|| {
                        let _suspends = Suspends;
                        panic!("outer");
                    })
                })
                .collect();
            for goroutine in panicking {
                assert!(matches!(goroutine.join(), Err::<(), _>(JoinError::Panicked(_))));
            }
            neighbours.into_iter().for_each(|neighbour| neighbour.join().unwrap());
            assert!(!std::thread::panicking());
        });
    }
    println!("undisturbed");
}

/// A goroutine that suspends while it unwinds disturbs no neighbour: none sees `panicking()`, none aborts.
fn a_park_while_panicking_disturbs_no_neighbour() {
    child("suspend_while_panicking").run().code(0).prints("undisturbed\n");
}

// ---- backtraces ----

fn backtrace() {
    run(|| {
        let _ = gmp::go(|| panic!("look at my backtrace")).join();
    });
}

/// A backtrace ends at gmp's first frame: nothing that never was follows it.
fn a_backtrace_ends_at_the_first_frame() {
    let done = child("backtrace").env("RUST_BACKTRACE", "full").run();
    done.code(0).says("look at my backtrace").says("stack backtrace:");
    let is_frame = |line: &&str| {
        line.trim_start().split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    };
    let frames: Vec<&str> = done.stderr.lines().filter(is_frame).collect();
    let ours = frames.iter().position(|frame| frame.contains("goroutine_main"));
    let ours = ours.unwrap_or_else(|| panic!("no frame of ours in {frames:#?}"));
    // The assembly below it, and how std shows that there is no caller: address 0.
    let ends = match &frames[ours + 1..] {
        [first] => first.contains("first_frame"),
        [first, none] => first.contains("first_frame") && none.contains(" 0x0 - <unknown>"),
        _ => false,
    };
    done.check(ends, "ends at gmp's first frame");
}

// ---- memory ----

/// Leaves the process this much address space beside what it has.
///
/// A thread that starts maps memory (its signal stack), and std panics in it if it cannot. So those that are on their
/// way are waited for: a thread has its creator's name until it runs, and maps that soon after it has got its own.
fn limit_address_space(more: u64) {
    use nix::sys::resource::{Resource, setrlimit};
    let all_have_started = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name =
            |task: std::io::Result<DirEntry>| std::fs::read_to_string(task.unwrap().path().join("comm")).ok();
        let mut seen = HashSet::new();
        // Threads that are goroutines share their name.
        tasks.filter_map(name).all(|name| name.trim() == "gmp-hosted" || seen.insert(name))
    };
    while !all_have_started() {
        std::thread::sleep(Duration::from_millis(1));
    }
    harness::let_threads_begin();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let limit = pages * 4096 + more;
    setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
}

/// A child that will have little address space, with a heap that needs no more of it.
fn child_of_small_means(name: &'static str) -> harness::Child {
    child(name).env("MALLOC_ARENA_MAX", "1").env("MALLOC_TOP_PAD_", "16777216")
}

/// The same, with threads too large for the C library to keep the stack of an ended one for the next.
fn child_with_large_threads(name: &'static str) -> harness::Child {
    child_of_small_means(name).env("RUST_MIN_STACK", "67108864")
}

/// More goroutines of 4 MiB than fit, all suspended at once.
const MANY: usize = 500;

fn go_large<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> gmp::JoinHandle<T> {
    gmp::spawn().stack_size(4 << 20).go(f).unwrap()
}

fn stacks_run_out() {
    static HOOKED: AtomicUsize = AtomicUsize::new(0);
    static STARTED: [AtomicBool; MANY] = [const { AtomicBool::new(false) }; MANY];
    let builder = builder().procs(1).on_out_of_stacks(|_| _ = HOOKED.fetch_add(1, SeqCst));
    run_with(builder, || {
        gmp::yield_now();
        limit_address_space(256 << 20);
        let in_closure = Arc::new(());
        let all: Vec<_> = (0..MANY)
            .map(|i| {
                let in_closure = in_closure.clone();
                go_large(move || {
                    STARTED[i].store(true, SeqCst);
                    gmp::park();
                    drop(in_closure);
                })
            })
            .collect();
        let started = || STARTED.iter().filter(|one| one.load(SeqCst)).count();
        // Whoever can have a stack has one when nobody has started for a while; which of them is the policy's affair.
        let (mut before, mut quiet) = (0, 0);
        while quiet < 100 {
            gmp::yield_now();
            quiet = if started() == before { quiet + 1 } else { 0 };
            before = started();
        }
        // The others cannot have one while the first ones keep theirs and sleep for ever: nobody is left to free one, so
        // their end is OutOfStacks.
        let mut all = all;
        let without = STARTED.iter().position(|one| !one.load(SeqCst)).unwrap();
        let last = all.remove(without).join();
        println!("{}", matches!(last, Err(JoinError::OutOfStacks)));
        // Each of the others sleeps or is told the same; one that was lost would make this wait for ever.
        while gmp::stats().waiting + HOOKED.load(SeqCst) < MANY {
            gmp::yield_now();
        }
        let sleeping = gmp::stats().waiting;
        println!("{}", sleeping + HOOKED.load(SeqCst) == MANY);
        println!("{}", Arc::strong_count(&in_closure) == sleeping + 1);
    });
}

/// If no stack can come, the goroutine ends with `OutOfStacks`: its closure is dropped, the hook is told, none is lost.
fn goroutines_without_a_stack_are_told() {
    child_of_small_means("stacks_run_out").run().code(0).prints("true\ntrue\ntrue\n");
}

fn stacks_are_waited_for() {
    run(|| {
        gmp::yield_now();
        limit_address_space(256 << 20);
        let all: Vec<_> = (0..MANY)
            .map(|i| {
                go_large(move || {
                    gmp::yield_now();
                    i
                })
            })
            .collect();
        let sum: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
        println!("{}", sum == MANY * (MANY - 1) / 2);
    });
}

/// If stacks are freed, goroutines wait for them, and all run.
fn goroutines_wait_for_stacks() {
    child_of_small_means("stacks_are_waited_for").run().code(0).prints("true\n");
}

fn records_run_out() {
    // Go's queues need no memory when pushed to; one without a bound would be the first to run out.
    run_with(builder().policy::<Go>().procs(1), || {
        static RAN: AtomicUsize = AtomicUsize::new(0);
        gmp::yield_now();
        // Room for a closing thread's needs, too little for records without end.
        limit_address_space(32 << 20);
        let mut spawned = 0;
        let refused = loop {
            match gmp::try_go(|| _ = RAN.fetch_add(1, SeqCst)) {
                Ok(handle) => drop(handle),
                Err(error) => break error,
            }
            spawned += 1;
        };
        println!("{}", refused.to_string().starts_with("no memory for another goroutine's record"));
        refused.into_inner()();
        while RAN.load(SeqCst) <= spawned {
            gmp::yield_now();
        }
        println!("{}", RAN.load(SeqCst) == spawned + 1);
    });
}

/// Without memory for a record, `try_go` gives the closure back; those spawned before all run.
fn spawning_without_memory_is_an_error() {
    child("records_run_out").run().code(0).prints("true\ntrue\n");
}

fn no_thread_at_all() {
    let runtime = builder().procs(2).build().unwrap();
    limit_address_space(1 << 20);
    match runtime.run(|| ()) {
        Err(RunError::Os(error)) => println!("{}", !error.to_string().is_empty()),
        other => println!("{other:?}"),
    }
    // The thread is a plain one again.
    println!("{}", gmp::current().is_none() && std::panic::catch_unwind(gmp::yield_now).is_err());
}

/// A runtime that cannot have its first threads says so.
fn a_runtime_without_threads_is_an_error() {
    child_with_large_threads("no_thread_at_all").run().code(0).prints("true\ntrue\n");
}

fn no_more_threads() {
    run_with(builder().procs(4), || {
        gmp::yield_now();
        limit_address_space(1 << 20);
        let all: Vec<_> = (0..100)
            .map(|i| {
                gmp::go(move || {
                    gmp::blocking(|| std::thread::sleep(Duration::from_micros(200)));
                    i
                })
            })
            .collect();
        println!("{}", all.into_iter().map(|one| one.join().unwrap()).sum::<i32>());
    });
}

/// When the system gives no more threads, the goroutines share those that there are.
fn goroutines_share_the_threads_there_are() {
    child_with_large_threads("no_more_threads").run().code(0).prints("4950\n");
}

fn run_in_threads(main: impl FnOnce() + Send + 'static) {
    run_with(Builder::new().one_thread_each().procs(1), main);
}

/// Ten goroutines that are large threads and sleep, and no room for another such thread.
fn ten_large_threads() -> (Vec<gmp::JoinHandle<()>>, Vec<gmp::Unparker>) {
    let (tell, hear) = std::sync::mpsc::channel();
    let go = |_| {
        let tell = tell.clone();
        go_large(move || {
            tell.send(gmp::current().unwrap().unparker()).unwrap();
            gmp::park();
        })
    };
    let goroutines: Vec<_> = (0..10).map(go).collect();
    while gmp::stats().waiting < 10 {
        gmp::yield_now();
    }
    limit_address_space(1 << 20);
    (goroutines, hear.try_iter().collect())
}

fn threads_are_waited_for() {
    run_in_threads(|| {
        let (first, unparkers) = ten_large_threads();
        let others: Vec<_> = (0..20).map(|i| go_large(move || i)).collect();
        // Each of them is refused a thread before one comes free.
        gmp::yield_now();
        unparkers.iter().for_each(|unparker| unparker.unpark());
        first.into_iter().for_each(|one| one.join().unwrap());
        println!("{}", others.into_iter().map(|one| one.join().unwrap()).sum::<i32>());
    });
}

fn threads_run_out() {
    run_in_threads(|| {
        let _first = ten_large_threads();
        println!("{:?}", go_large(|| {}).join());
    });
}

/// Where goroutines are threads and the system gives no more of them, goroutines wait until others have ended, or are
/// told. The process aborted.
fn goroutines_without_a_thread_wait_or_are_told() {
    child_of_small_means("threads_are_waited_for").run().code(0).prints("190\n");
    child_of_small_means("threads_run_out").run().code(0).prints("Err(OutOfStacks)\n");
}

fn no_stack_for_main() {
    let runtime = builder().procs(1).stack_size(64 << 20).build().unwrap();
    limit_address_space(32 << 20);
    println!("{}", matches!(runtime.run(|| ()), Err(RunError::Os(_))));
}

/// A main that cannot have its stack never runs, and `run` says so. It spoke of a deadlock.
fn a_main_without_a_stack_is_an_error() {
    child_of_small_means("no_stack_for_main").run().code(0).prints("true\n");
}

fn main() -> ExitCode {
    harness::run(
        named![
            a_deadlock_is_reported_with_its_sleepers,
            a_deadlock_of_locked_goroutines_is_reported,
            main_exits_and_nobody_is_left,
            an_exit_runs_destructors_and_is_stopped_by_catch_unwind,
            no_deadlock_while_a_plain_thread_lives,
            a_deadlock_is_found_when_the_last_plain_thread_has_ended,
            a_deadlock_is_always_reported_if_asked_for,
            a_deadlock_is_never_reported_if_asked_for,
            a_bad_gomaxprocs_is_an_error,
            a_seed_in_the_environment_replays_a_run,
            a_panic_ends_the_process_if_asked_for,
            a_caught_panic_ends_nothing,
            a_panic_is_a_result,
            a_park_while_panicking_disturbs_no_neighbour,
            a_backtrace_ends_at_the_first_frame,
            goroutines_without_a_stack_are_told,
            goroutines_wait_for_stacks,
            spawning_without_memory_is_an_error,
            a_runtime_without_threads_is_an_error,
            goroutines_share_the_threads_there_are,
            goroutines_without_a_thread_wait_or_are_told,
            a_main_without_a_stack_is_an_error,
        ],
        named![
            deadlock,
            deadlock_of_locked_main,
            deadlock_of_two_locked,
            exit_of_main,
            exit_and_catch,
            plain_thread_wakes,
            plain_thread_ends,
            deadlock_always,
            deadlock_never,
            procs_by_environment,
            order_by_environment,
            panic_aborts,
            panic_is_caught_under_abort,
            panic_is_a_result,
            suspend_while_panicking,
            backtrace,
            stacks_run_out,
            stacks_are_waited_for,
            records_run_out,
            no_thread_at_all,
            no_more_threads,
            threads_are_waited_for,
            threads_run_out,
            no_stack_for_main,
        ],
    )
}
