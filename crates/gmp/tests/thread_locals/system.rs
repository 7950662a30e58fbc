//! What the system does to a goroutine with thread-locals of its own: signals, faults, forks, libraries loaded late.

use crate::builder;
use crate::harness::{Named, child, named};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) const TESTS: &[Named] = named![
    a_fork_in_a_goroutine_leaves_a_child_that_works,
    a_child_may_run_a_runtime_of_its_own,
    commands_run_with_and_without_code_before_exec,
    changing_the_user_reaches_all_threads,
    an_overflow_is_reported,
    a_wild_access_is_a_plain_segmentation_fault,
    signals_meet_switches_anywhere,
    abort_and_raise_are_as_ever,
    a_panic_has_a_backtrace,
    values_of_pthread_keys_are_dropped,
    errno_stays_with_its_goroutine,
    the_kernel_has_no_thread_for_a_goroutine,
    names_of_hosts_are_looked_up,
];

pub(crate) const CHILDREN: &[Named] = named![
    fork,
    fork_and_run,
    commands,
    set_user,
    overflow,
    wild,
    storm,
    abort,
    raise,
    backtrace,
    keys,
    errno,
    stack,
    hosts
];

fn a_fork_in_a_goroutine_leaves_a_child_that_works() {
    child("fork").run().code(0);
}

fn a_child_may_run_a_runtime_of_its_own() {
    child("fork_and_run").run().code(0);
}

fn commands_run_with_and_without_code_before_exec() {
    child("commands").run().code(0);
}

fn changing_the_user_reaches_all_threads() {
    child("set_user").run().code(0);
}

fn an_overflow_is_reported() {
    child("overflow").run().aborted().says("overflowed its stack of ");
}

fn a_wild_access_is_a_plain_segmentation_fault() {
    let done = child("wild").run();
    done.check(done.status.signal() == Some(libc::SIGSEGV), "ends by SIGSEGV");
}

fn signals_meet_switches_anywhere() {
    child("storm").run().code(0);
}

fn abort_and_raise_are_as_ever() {
    child("abort").run().aborted();
    let done = child("raise").run();
    done.check(done.status.signal() == Some(libc::SIGTERM), "ends by SIGTERM");
}

fn a_panic_has_a_backtrace() {
    child("backtrace").env("RUST_BACKTRACE", "1").run().code(0).says("somewhere_in_the_middle");
}

fn values_of_pthread_keys_are_dropped() {
    child("keys").run().code(0);
}

fn errno_stays_with_its_goroutine() {
    child("errno").run().code(0);
}

fn the_kernel_has_no_thread_for_a_goroutine() {
    child("stack").run().code(0);
}

fn names_of_hosts_are_looked_up() {
    child("hosts").run().code(0);
}

fn on_two(main: impl FnOnce() + Send + 'static) {
    builder().procs(2).build().unwrap().run(main).unwrap();
}

/// Forks, calls `f` in the child, and gives the child's exit code.
fn fork_with(f: impl FnOnce() -> i32) -> i32 {
    // SAFETY: what the child does is what is being tried.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = f();
        // SAFETY: the child ends here.
        unsafe { libc::_exit(code) };
    }
    assert!(pid > 0);
    let mut status = 0;
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "the child died: {status:#x}");
    libc::WEXITSTATUS(status)
}

fn fork() {
    on_two(|| {
        let busy = gmp::go(|| (0..2000).for_each(|_| gmp::yield_now()));
        for round in 0..20 {
            gmp::yield_now();
            let me = thread::current().id();
            let code = fork_with(|| {
                let heap = vec![1_u8; 5000];
                let same = thread::current().id() == me;
                let length = thread::spawn(move || heap.len()).join().unwrap_or(0);
                i32::from(same && length == 5000) + round
            });
            assert_eq!(code, round + 1);
            assert_eq!(thread::current().id(), me);
        }
        busy.join().unwrap();
    });
}

fn fork_and_run() {
    on_two(|| gmp::go(|| ()).join().unwrap());
    let code = fork_with(|| {
        let runtime = builder().procs(2).build().unwrap();
        let sum = runtime.run(|| {
            let handles: Vec<_> = (0..200)
                .map(|number| {
                    gmp::go(move || {
                        gmp::yield_now();
                        number
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).sum::<u32>()
        });
        i32::from(sum.unwrap().value == 19900)
    });
    assert_eq!(code, 1);
}

fn commands() {
    on_two(|| {
        let handles: Vec<_> = (0..8)
            .map(|number| {
                gmp::go(move || {
                    gmp::yield_now();
                    let mut command = Command::new("echo");
                    command.arg(number.to_string());
                    if number % 2 == 1 {
                        // SAFETY: it does nothing that a child of a fork may not do.
                        unsafe { command.pre_exec(|| std::env::set_current_dir("/")) };
                    }
                    let output = gmp::blocking(|| command.output().unwrap());
                    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{number}\n"));
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
}

fn set_user() {
    on_two(|| {
        let busy = gmp::go(|| (0..5000).for_each(|_| gmp::yield_now()));
        for _ in 0..10 {
            // SAFETY: sets the user that it is.
            assert_eq!(unsafe { libc::setuid(libc::getuid()) }, 0);
            gmp::yield_now();
        }
        busy.join().unwrap();
    });
}

fn overflow() {
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { deeper(depth + 1) + frame[1] }
    }
    on_two(|| {
        gmp::go(|| deeper(0)).join().unwrap();
    });
}

fn wild() {
    on_two(|| {
        gmp::yield_now();
        // SAFETY: none: that is the test.
        unsafe { std::hint::black_box(std::ptr::without_provenance_mut::<u64>(8)).write_volatile(1) };
    });
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
    // A system call that fails: the handler's errno is that of whom it interrupts, and it puts it back.
    // SAFETY: as a handler may.
    unsafe {
        let before = *libc::__errno_location();
        libc::close(-1);
        *libc::__errno_location() = before;
    }
}

fn storm() {
    static STOP: AtomicBool = AtomicBool::new(false);
    // SAFETY: the handler does what a handler may.
    unsafe {
        let handler = count_signal as *const () as libc::sighandler_t;
        libc::signal(libc::SIGPROF, handler);
        libc::signal(libc::SIGUSR1, handler);
        let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        assert_eq!(libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()), 0);
    }
    let sender = thread::spawn(|| {
        while !STOP.load(Ordering::Relaxed) {
            // SAFETY: a signal to ourselves.
            unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(50));
        }
    });
    on_two(|| {
        let handles: Vec<_> = (0..8)
            .map(|number| {
                gmp::go(move || {
                    for _ in 0..20_000 {
                        // SAFETY: this goroutine's own errno.
                        unsafe { *libc::__errno_location() = number };
                        gmp::yield_now();
                        // SAFETY: as above.
                        assert_eq!(unsafe { *libc::__errno_location() }, number);
                    }
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
    STOP.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    assert!(SIGNALS.load(Ordering::Relaxed) > 50);
}

fn abort() {
    on_two(|| {
        gmp::yield_now();
        std::process::abort();
    });
}

fn raise() {
    on_two(|| {
        gmp::yield_now();
        // SAFETY: a signal to ourselves.
        unsafe { libc::raise(libc::SIGTERM) };
    });
}

#[inline(never)]
fn somewhere_in_the_middle() {
    gmp::yield_now();
    panic!("with a backtrace");
}

fn backtrace() {
    on_two(|| assert!(gmp::go(somewhere_in_the_middle).join().is_err()));
}

fn keys() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    static AGAIN: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn end(value: *mut libc::c_void) {
        ENDED.fetch_add(value.addr(), Ordering::Relaxed);
        if value.addr() == 2 {
            // POSIX: a destructor that leaves a value behind is called again.
            let key = u32::try_from(AGAIN.load(Ordering::Relaxed)).unwrap();
            // SAFETY: a key that lives; the value is never followed.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
        }
    }
    let mut made = [0; 40];
    for key in &mut made {
        // SAFETY: a valid place and a function of ours.
        assert_eq!(unsafe { libc::pthread_key_create(key, Some(end)) }, 0);
    }
    AGAIN.store(made[39] as usize, Ordering::Relaxed);
    on_two(move || {
        for _ in 0..100 {
            gmp::go(move || {
                for key in made {
                    // SAFETY: keys that live; the values are never followed.
                    unsafe {
                        assert!(libc::pthread_getspecific(key).is_null());
                        libc::pthread_setspecific(key, std::ptr::without_provenance(2));
                    }
                    gmp::yield_now();
                }
            })
            .join()
            .unwrap();
        }
    });
    // 39 values of 2 each; the destructor of each leaves a 1 under the last key, which is the value found there then.
    assert_eq!(ENDED.load(Ordering::Relaxed), 100 * (39 * 2 + 1));
}

fn errno() {
    on_two(|| {
        let handles: Vec<_> = (1..50)
            .map(|number| {
                gmp::go(move || {
                    // SAFETY: this goroutine's own errno.
                    unsafe {
                        assert_eq!(*libc::__errno_location(), 0);
                        *libc::__errno_location() = number;
                        gmp::yield_now();
                        assert_eq!(*libc::__errno_location(), number);
                    }
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
}

/// `pthread_self` names the goroutine. What acts on the caller works, and what asks the kernel for a thread of the
/// goroutine's number is told that there is none.
fn stack() {
    on_two(|| {
        gmp::yield_now();
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: the calling thread, as far as glibc knows, and a valid place.
        unsafe {
            assert_eq!(libc::pthread_kill(libc::pthread_self(), 0), 0);
            assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()), libc::ESRCH);
        }
    });
}

fn hosts() {
    use std::net::ToSocketAddrs;
    on_two(|| {
        let handles: Vec<_> = (0..10)
            .map(|_| {
                gmp::go(|| {
                    gmp::yield_now();
                    assert!(("localhost", 80).to_socket_addrs().unwrap().next().is_some());
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
}
