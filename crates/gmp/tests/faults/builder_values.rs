//! Values of a builder that did not do what their documentation says. The kind: each of them, and each limit that the
//! documentation names, tried from outside. (`at_main_return`, `deadlock`, `abort_on_panic`, `on_out_of_stacks` and the
//! environment have tests of their own: `main_return.rs`, `process.rs`, `stack_size.rs`.)

use crate::harness::{child, named};
use gmp::event::{Event, EventKind, EventSink};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        each_value_does_what_its_documentation_says,
        a_value_out_of_range_is_an_error_with_value_and_range,
        a_large_guard_stops_what_steps_over_a_small_one,
        guards_by_mprotect_are_mappings,
        free_stacks_keep_what_the_retention_says,
        two_hundred_thousand_ps_are_no_fault,
        a_limit_that_is_passed_says_so_and_breaks_nothing,
        unwinding_goroutines_pass_the_limit_of_threads_by_one_each,
    ],
    named![
        each_value,
        out_of_range,
        large_guard,
        mprotect_guards,
        nothing_retained,
        much_retained,
        many_ps,
        passed_limits,
        ten_unwind,
    ],
);

fn builder() -> gmp::Builder<gmp::policy::Go> {
    // SAFETY: no child holds a borrow of a thread-local across a suspension.
    unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().share_thread_locals() }
}

/// What `main` returns in a runtime of this builder.
fn run<T: Send + 'static>(
    builder: gmp::Builder<gmp::policy::Go>,
    main: impl FnOnce() -> T + Send + 'static,
) -> T {
    builder.build().unwrap().run(main).unwrap().value
}

/// Uses this many bytes of the stack, page by page, however large a frame is.
fn use_stack(bytes: usize) {
    fn down(top: usize, bytes: usize) {
        let frame = black_box([1_u8; 256]);
        if top - frame.as_ptr().addr() < bytes {
            down(top, bytes);
        }
        black_box(&frame);
    }
    let top = 0_u8;
    down((&raw const top).addr(), bytes);
}

fn names_of_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

#[derive(Default)]
struct Created(AtomicU64);

impl EventSink for Created {
    fn event(&self, event: &Event) {
        if event.kind == EventKind::GoCreate {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

fn each_value() {
    assert_eq!(run(builder().procs(3), || (gmp::stats().procs, gmp::max_procs())), (3, 3));
    assert_eq!(run(builder().seed(9), || gmp::stats().seed), 9);

    // A thread gives itself its name once it runs, so this waits for a second one; without it, it would not end.
    run(builder().procs(2).thread_name("abc"), || {
        while names_of_threads().iter().filter(|name| name.starts_with("abc-")).count() < 2 {
            gmp::go(|| ()).join().unwrap();
            gmp::sleep(Duration::from_millis(1));
        }
    });

    // Rounded up: a stack of 128 KiB. And that much is usable.
    run(builder().stack_size(100_000), || gmp::go(|| use_stack(110 << 10)).join().unwrap());
    run(builder().stack_size(16 << 10), || gmp::go(|| use_stack(6 << 10)).join().unwrap());
    run(builder().stack_size(64 << 20), || gmp::go(|| use_stack(63 << 20)).join().unwrap());
    for guard in [4 << 10, 64 << 10, 1 << 20] {
        run(builder().guard_size(guard), || gmp::go(|| use_stack(900 << 10)).join().unwrap());
    }

    let ancestors = |depth| {
        run(builder().ancestors(depth), || {
            let third = || gmp::current().unwrap().ancestors.iter().map(|one| one.number).collect::<Vec<_>>();
            let second = move || (gmp::current().unwrap().number, gmp::go(third).join().unwrap());
            gmp::go(second).join().unwrap()
        })
    };
    assert_eq!(ancestors(0).1, []);
    assert!(matches!(ancestors(1), (parent, of) if of == [parent]));
    assert!(matches!(ancestors(2), (parent, of) if of == [parent, 1]));
    assert!(matches!(ancestors(usize::MAX), (parent, of) if of == [parent, 1]));

    let (here, stayed) = run(builder().procs(2).lock_main(true), || {
        let thread = || std::thread::current().id();
        let first = thread();
        let stays = |_| {
            gmp::sleep(Duration::from_millis(1));
            gmp::yield_now();
            thread() == first
        };
        (first, (0..20).all(stays))
    });
    assert_eq!((here, stayed), (std::thread::current().id(), true));

    let (sink, off) = (Arc::new(Created::default()), Arc::new(Created::default()));
    let spawn = || (0..10).for_each(|_| gmp::go(|| ()).join().unwrap());
    run(builder().events(sink.clone()), spawn);
    // Main is created, too.
    assert!(sink.0.load(Relaxed) >= 10, "{}", sink.0.load(Relaxed));
    let runtime = builder().events(off.clone()).build().unwrap();
    let handle = runtime.handle();
    handle.trace(false);
    runtime.run(spawn).unwrap();
    assert_eq!(off.0.load(Relaxed), 0);
    println!("done");
}

fn each_value_does_what_its_documentation_says() {
    child("each_value").run().code(0).prints("done\n");
}

fn out_of_range() {
    type Change = fn(gmp::Builder<gmp::policy::Go>) -> gmp::Builder<gmp::policy::Go>;
    let all: [(Change, &str); 16] = [
        (|b| b.procs(0), "procs(0): allowed are 1 to 1048576"),
        (|b| b.procs((1 << 20) + 1), "procs(1048577): allowed are 1 to 1048576"),
        (|b| b.max_threads(2), "max_threads(2): allowed are 3 to 1048576"),
        (|b| b.max_threads(usize::MAX), "max_threads(18446744073709551615): allowed are 3 to"),
        (|b| b.poller_shards(0), "poller_shards(0): allowed are 1 to 1024"),
        (|b| b.poller_shards(1025), "poller_shards(1025): allowed are 1 to 1024"),
        (|b| b.stack_size(0), "stack_size(0): allowed are 16384 to 67108864"),
        (|b| b.stack_size(16383), "stack_size(16383): allowed are"),
        (|b| b.stack_size((64 << 20) + 1), "stack_size(67108865): allowed are"),
        (|b| b.stack_size(usize::MAX), "stack_size(18446744073709551615): allowed are"),
        (|b| b.guard_size(0), "a guard of 0 bytes is not possible"),
        (|b| b.guard_size(1000), "a guard of 1000 bytes is not possible"),
        (|b| b.guard_size(2 << 20), "a guard of 2097152 bytes is not possible"),
        (|b| b.guard_size(usize::MAX), "bytes is not possible"),
        (|b| b.thread_name("a\0b"), r#"thread_name("a\0b"): a thread's name cannot have a zero byte"#),
        (|b| b.thread_name("\0"), "cannot have a zero byte"),
    ];
    for (change, part) in all {
        let error = change(builder()).build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} is to have {part:?}");
    }
    println!("done");
}

fn a_value_out_of_range_is_an_error_with_value_and_range() {
    child("out_of_range").run().code(0).prints("done\n");
}

/// Writes 24 KiB below the stack's end, as code without probes may.
fn large_guard() {
    run(builder().stack_size(64 << 10).guard_size(64 << 10), || {
        gmp::go(|| {
            let local = 0_u8;
            // At most 8 KiB above: a page of colour, and the first frames.
            let below = (&raw const local).addr() - (64 << 10) - (24 << 10);
            // SAFETY: it is not: that a guard lies there, and ends the process, is what is tried.
            unsafe { std::ptr::with_exposed_provenance_mut::<u8>(below).write_volatile(1) };
            println!("stepped over the guard");
        })
        .join()
        .unwrap();
    });
}

fn a_large_guard_stops_what_steps_over_a_small_one() {
    let done = child("large_guard").run();
    done.aborted().says("overflow").prints("");
}

/// The mappings that a hundred parked goroutines add.
fn mprotect_guards() {
    let count = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let added = run(builder().mprotect_guards(), move || {
        let before = count();
        let (release, wait) = gmp::chan::<()>(0);
        let all: Vec<_> = (0..100)
            .map(|_| {
                let wait = wait.clone();
                gmp::go(move || wait.recv().is_err())
            })
            .collect();
        while gmp::stats().waiting < 100 {
            gmp::yield_now();
        }
        let added = count() - before;
        drop(release);
        assert!(all.into_iter().all(|one| one.join().unwrap()));
        added
    });
    assert!(added >= 190, "{added} mappings");
    println!("done");
}

fn guards_by_mprotect_are_mappings() {
    child("mprotect_guards").run().code(0).prints("done\n");
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What the deep stacks of a burst have made resident, and how much of it `stays` when the runtime has been idle.
fn burst(retention: gmp::Retention, stays: fn(kept: usize, touched: usize) -> bool) {
    run(builder().procs(1).stack_retention(retention), move || {
        let before = resident();
        let (release, wait) = gmp::chan::<()>(0);
        let all: Vec<_> = (0..200)
            .map(|_| {
                let wait = wait.clone();
                gmp::go(move || {
                    use_stack(256 << 10);
                    wait.recv().is_err()
                })
            })
            .collect();
        while gmp::stats().waiting < 200 {
            gmp::yield_now();
        }
        let touched = resident() - before;
        assert!(touched >= 200 * (240 << 10), "{touched}");
        drop(release);
        all.into_iter().for_each(|one| assert!(one.join().unwrap()));
        let began = Instant::now();
        // It is given back after a second without anything to do.
        loop {
            gmp::sleep(Duration::from_millis(1500));
            let kept = resident().saturating_sub(before);
            if stays(kept, touched) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(100), "{kept} of {touched} stay");
        }
    });
    println!("done");
}

fn nothing_retained() {
    burst(gmp::Retention { warm: 0, keep_bytes: 0 }, |kept, touched| kept < touched / 4);
}

fn much_retained() {
    burst(gmp::Retention { warm: 1000, keep_bytes: 1 << 20 }, |kept, touched| kept > touched * 3 / 4);
}

fn free_stacks_keep_what_the_retention_says() {
    for name in ["nothing_retained", "much_retained"] {
        child(name).run().code(0).prints("done\n");
    }
}

fn many_ps() {
    let sum = run(builder().procs(200_000), || {
        let all: Vec<_> = (0..100).map(|i| gmp::go(move || i)).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum::<u32>()
    });
    println!("{sum}");
}

fn two_hundred_thousand_ps_are_no_fault() {
    child("many_ps").run().code(0).prints("4950\n");
}

/// Calls `f`, which is to panic; its message.
fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

fn passed_limits() {
    std::panic::set_hook(Box::new(|_| ()));
    run(builder().procs(2), || {
        let locks: Vec<_> = (0..65_535).map(|_| gmp::lock_os_thread()).collect();
        assert!(message(|| drop(gmp::lock_os_thread())).contains("at most 65,535 times"));
        drop(locks);
        // The count is right again: one more lock and its drop leave it at none.
        drop(gmp::lock_os_thread());
        gmp::yield_now();
        // Who holds them all may suspend while it unwinds, for which it is locked once more otherwise.
        let unwinds = || {
            let _locks: Vec<_> = (0..65_535).map(|_| gmp::lock_os_thread()).collect();
            let _yields = Yields;
            panic!("with all locks");
        };
        assert_eq!(message(unwinds), "with all locks");
        gmp::yield_now();

        let most = gmp::sync::Semaphore::MAX_PERMITS;
        let permits = gmp::sync::Semaphore::new(most - 1);
        permits.add_permits(1);
        for more in [1, 1 << 20, (1 << 20) + 1, most, usize::MAX] {
            assert!(
                message(|| permits.add_permits(more)).contains(&format!("at most {most} permits are free"))
            );
            assert_eq!(permits.available(), most);
        }
        drop(permits.acquire_many(most));
        assert_eq!(permits.available(), most);
        let new = || _ = gmp::sync::Semaphore::new(most + 1);
        assert!(message(new).contains("more permits than Semaphore::MAX_PERMITS"));

        let group = gmp::sync::WaitGroup::new();
        group.add(0x7fff_ffff);
        assert!(message(|| group.add(1)).contains("2147483647"));
        (0..10).for_each(|_| group.done());

        assert!(message(|| drop(gmp::chan::<u64>(usize::MAX))).contains("capacity"));
        // 128 TiB, which is all that a process has addresses for.
        assert!(
            message(|| drop(gmp::chan::<u64>(1 << 44))).contains("no memory: a channel for 17592186044416")
        );
        let news = |capacity| message(move || drop(gmp::sync::broadcast::channel::<u64>(capacity)));
        for capacity in [1 << 44, usize::MAX] {
            assert!(news(capacity).contains(&format!("broadcast::channel({capacity}): ")));
        }
        for procs in [0, (1 << 20) + 1] {
            let said = message(|| _ = gmp::set_max_procs(procs));
            assert!(said.contains("must be from 1 to 1048576"), "{said}");
        }
        assert_eq!(gmp::max_procs(), 2);
        assert_eq!(gmp::go(|| 7).join().unwrap(), 7);
    });
    println!("done");
}

fn a_limit_that_is_passed_says_so_and_breaks_nothing() {
    child("passed_limits").run().code(0).prints("done\n");
}

struct Yields;

impl Drop for Yields {
    fn drop(&mut self) {
        gmp::yield_now();
    }
}

/// Suspends in its destructor, so that a goroutine that unwinds through it keeps its thread.
struct Waits(gmp::Receiver<()>);

impl Drop for Waits {
    fn drop(&mut self) {
        assert!(self.0.recv().is_err());
    }
}

/// Each of ten goroutines that suspend while they unwind keeps a thread: there are that many threads more than allowed,
/// and no more.
fn ten_unwind() {
    std::panic::set_hook(Box::new(|_| ()));
    run(builder().procs(2).max_threads(6), || {
        let (release, wait) = gmp::chan::<()>(0);
        let all: Vec<_> = (0..10)
            .map(|_| {
                let wait = wait.clone();
                gmp::go(move || {
                    let _waits = Waits(wait);
                    panic!("unwinds");
                })
            })
            .collect();
        while gmp::stats().waiting < 10 {
            gmp::sleep(Duration::from_millis(1));
        }
        let threads = names_of_threads().len();
        assert!(threads <= 6 + 10, "{threads} threads");
        // And all else goes on.
        assert_eq!(gmp::go(|| 7).join().unwrap(), 7);
        drop(release);
        assert!(all.into_iter().all(|one| one.join().is_err()));
        assert_eq!(gmp::go(|| gmp::blocking(|| 7)).join().unwrap(), 7);
    });
    println!("done");
}

fn unwinding_goroutines_pass_the_limit_of_threads_by_one_each() {
    child("ten_unwind").run().code(0).prints("done\n");
}
