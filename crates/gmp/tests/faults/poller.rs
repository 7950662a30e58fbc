//! The kind: waits that end from outside the process, at the seams of the scheduler. A goroutine that sleeps there is
//! no deadlock, and a wait that will not end must not hide one; the watcher hears of timers, stops, closings and
//! submissions all the same.

use crate::harness::{child, named};
use gmp::context::Context;
use gmp::net::{Pollable, TcpListener, TcpStream, UnixStream};
use gmp::{AtMainReturn, DeadlockRule, RunError};
use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::iter;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        a_wait_outside_is_no_deadlock,
        a_descriptor_that_nobody_waits_for_hides_no_deadlock,
        locked_and_pinned_goroutines_wait_outside,
        timers_go_off_beside_waits_outside,
        a_busy_p_hears_of_descriptors,
        submissions_stops_and_resizes_reach_the_watcher,
        at_the_limit_of_threads_descriptors_are_heard,
        every_shard_is_heard_while_all_ps_have_work,
        a_runtime_ends_beside_waits_outside,
        two_runtimes_share_a_socket,
        too_many_open_files_are_told_and_no_connection_is_lost,
        a_close_needs_no_descriptor,
    ],
    named![
        waits_outside,
        deadlock_beside,
        locked_waits,
        timers_beside,
        busy_p,
        reaches_the_watcher,
        limit_of_threads,
        hears_every_shard,
        ends_beside,
        shared_socket,
        too_many_files,
        closes_at_the_limit,
    ],
);

type Builder = gmp::Builder<gmp::policy::Go>;

fn builder(procs: usize) -> Builder {
    gmp::Builder::new().policy::<gmp::policy::Go>().procs(procs)
}

fn run<T: Send + 'static>(builder: Builder, main: impl FnOnce() -> T + Send + 'static) -> T {
    builder.build().expect("a runtime").run(main).expect("main returns").value
}

/// Another process writes into the pipe, later.
fn written_later(seconds: &str) -> (std::process::Child, Pollable<PipeReader>) {
    let (reader, writer) = pipe().expect("a pipe");
    let script = format!("sleep {seconds}; echo x");
    let other = Command::new("sh").args(["-c", &script]).stdout(writer).spawn().expect("sh");
    (other, Pollable::new(reader).expect("a pollable pipe"))
}

fn waits_outside() {
    for procs in [1, 2, 4] {
        let got = run(builder(procs).deadlock(DeadlockRule::Always), || {
            let (mut other, mut reader) = written_later("0.1");
            let waiter = gmp::go(move || {
                // First as a task.
                let mut byte = [0];
                gmp::block_on(reader.read_with_async(|mut pipe| pipe.read(&mut byte)))?;
                let mut text = String::from(char::from(byte[0]));
                reader.read_to_string(&mut text).map(|_| text)
            });
            // Main waits for a goroutine that waits outside.
            let got = waiter.join().expect("it returns").expect("it reads");
            other.wait().expect("it was started");
            got
        });
        println!("{got:?}");
    }
}

fn a_wait_outside_is_no_deadlock() {
    child("waits_outside").run().code(0).prints(&"\"x\\n\"\n".repeat(3));
}

/// All are asleep, and each in turn had waited outside before: its wait ended by news, a deadline, a close.
fn deadlock_beside() {
    for procs in [1, 2, 4] {
        for end in 0..4 {
            let result = builder(procs).build().expect("a runtime").run(move || {
                let (here, there) = UnixStream::pair().expect("a pair");
                let here = Arc::new(here);
                let waiter = {
                    let here = Arc::clone(&here);
                    gmp::go(move || {
                        // The last one is a task, which is dropped.
                        if end == 3 {
                            let timeout = Duration::from_millis(1);
                            let (context, _cancel) = Context::background().with_timeout(timeout);
                            let read = gmp::future::block_on_with(&context, here.read_async(&mut [0]));
                            assert!(read.is_err(), "nothing is written");
                        } else {
                            let _end = (&*here).read(&mut [0]);
                        }
                        gmp::park();
                    })
                };
                gmp::sleep(Duration::from_millis(5));
                match end {
                    0 => (&there).write_all(b"x").expect("it is open"),
                    1 => here.set_read_deadline(Some(Instant::now())),
                    3 => {}
                    _ => here.close().expect("it is open"),
                }
                _ = waiter.join();
            });
            println!("{}", matches!(result, Err(RunError::Deadlock(report)) if report.waiting.len() == 2));
        }
    }
}

fn a_descriptor_that_nobody_waits_for_hides_no_deadlock() {
    child("deadlock_beside").run().code(0).prints(&"true\n".repeat(12));
}

fn locked_waits() {
    // SAFETY: nothing in here keeps a thread-local over a call.
    let pinned = |procs| unsafe { builder(procs).pinned() };
    let makes: [fn(usize) -> Builder; 2] = [builder, |procs| builder(procs).one_thread_each()];
    for procs in [1, 2] {
        for builder in [makes[0](procs), makes[0](procs).lock_main(true), makes[1](procs), pinned(procs)] {
            run(builder.deadlock(DeadlockRule::Always), || {
                let (other, mut reader) = written_later("0.03");
                let locked = gmp::go(move || {
                    let _lock = gmp::lock_os_thread();
                    let (_other, mut reader) =
                        (other, reader.read(&mut [0; 2]).map(|_| reader).expect("it reads"));
                    reader.read(&mut [0]).expect("it reads")
                });
                let (mut other, mut reader) = written_later("0.06");
                reader.read_exact(&mut [0; 2]).expect("main reads");
                other.wait().expect("it was started");
                println!("{}", locked.join().expect("it returns"));
            });
        }
    }
}

fn locked_and_pinned_goroutines_wait_outside() {
    child("locked_waits").run().code(0).prints(&"0\n".repeat(8));
}

/// Timers, some of them far shorter than what epoll can count, beside a goroutine that waits outside.
fn timers_beside() {
    for procs in [1, 2] {
        run(builder(procs), || {
            let (here, there) = UnixStream::pair().expect("a pair");
            let waiter = gmp::go(move || (&here).read(&mut [0]).expect("it reads"));
            let sleepers: Vec<_> = (0..8_u32)
                .map(|n| {
                    gmp::go(move || {
                        for _ in 0..30 {
                            let pause = Duration::from_micros(150) * (n + 1);
                            let begun = Instant::now();
                            gmp::sleep(pause);
                            assert!(begun.elapsed() >= pause);
                        }
                    })
                })
                .collect();
            sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("it returns"));
            drop(there);
            println!("{}", waiter.join().expect("it returns"));
        });
    }
}

fn timers_go_off_beside_waits_outside() {
    child("timers_beside").run().code(0).prints("0\n0\n");
}

/// Goroutines that yield to each other never leave the P without work: sysmon looks.
fn busy_p() {
    for procs in [1, 2] {
        run(builder(procs), || {
            static STOP: AtomicBool = AtomicBool::new(false);
            STOP.store(false, SeqCst);
            let busy: Vec<_> = (0..6)
                .map(|_| {
                    gmp::go(|| {
                        while !STOP.load(SeqCst) {
                            gmp::yield_now()
                        }
                    })
                })
                .collect();
            let (mut other, mut reader) = written_later("0.05");
            reader.read_exact(&mut [0; 2]).expect("it reads");
            STOP.store(true, SeqCst);
            busy.into_iter().for_each(|busy| busy.join().expect("it returns"));
            other.wait().expect("it was started");
            println!("heard");
        });
    }
}

fn a_busy_p_hears_of_descriptors() {
    child("busy_p").run().code(0).prints("heard\nheard\n");
}

fn reaches_the_watcher() {
    for procs in [1, 2] {
        let runtime = builder(procs).build().expect("a runtime");
        let handle = runtime.handle();
        let (here, there) = UnixStream::pair().expect("a pair");
        // A plain thread submits while all Ms sleep, one of them in the poller.
        let thread = std::thread::spawn(move || {
            for _ in 0..200 {
                std::thread::sleep(Duration::from_micros(200));
                handle.go(|| ()).expect("it runs").join().expect("it returns");
            }
            for n in [3, 1, 2] {
                std::thread::sleep(Duration::from_millis(2));
                handle.go(move || gmp::set_max_procs(n)).expect("it runs").join().expect("it returns");
            }
            (&there).write_all(b"x").expect("it is open");
        });
        let got = runtime.run(move || (&here).read(&mut [0]).expect("it reads")).expect("main returns").value;
        thread.join().expect("it returns");
        println!("{got}");
    }
}

fn submissions_stops_and_resizes_reach_the_watcher() {
    child("reaches_the_watcher").run().code(0).prints("1\n1\n");
}

fn limit_of_threads() {
    for procs in [1, 2] {
        run(builder(procs).max_threads(3), || {
            let (here, there) = UnixStream::pair().expect("a pair");
            let blocked = gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(60))));
            let reader = gmp::go(move || {
                let mut got = 0;
                while (&here).read(&mut [0]).expect("it reads") == 1 {
                    got += 1;
                }
                got
            });
            for _ in 0..20 {
                (&there).write_all(b"x").expect("it is open");
                gmp::sleep(Duration::from_millis(1));
            }
            drop(there);
            println!("{}", reader.join().expect("it returns"));
            blocked.join().expect("it returns");
        });
    }
}

fn at_the_limit_of_threads_descriptors_are_heard() {
    child("limit_of_threads").run().code(0).prints("20\n20\n").says("thread exhaustion");
}

/// Shards that are no P's own, while the Ps always have something to run.
fn hears_every_shard() {
    for procs in [1, 2] {
        run(builder(procs).poller_shards(5), move || {
            let (readers, mut others): (Vec<_>, Vec<_>) = (0..10)
                .map(|_| {
                    let (here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
                    let here = UnixStream::from_std(here).expect("it waits by the poller");
                    (gmp::go(move || (&here).read(&mut [0]).expect("it reads")), there)
                })
                .unzip();
            let writer = std::thread::spawn(move || {
                for there in &mut others {
                    std::thread::sleep(Duration::from_millis(2));
                    there.write_all(b"x").expect("it is open");
                }
                others
            });
            let busy: Vec<_> = (0..procs)
                .map(|_| {
                    gmp::go(|| {
                        while !HEARD.load(SeqCst) {
                            gmp::yield_now()
                        }
                    })
                })
                .collect();
            println!(
                "{}",
                readers.into_iter().map(|reader| reader.join().expect("it returns")).sum::<usize>()
            );
            HEARD.store(true, SeqCst);
            busy.into_iter().for_each(|busy| busy.join().expect("it returns"));
            drop(writer.join().expect("it writes"));
            HEARD.store(false, SeqCst);
        });
    }
}

static HEARD: AtomicBool = AtomicBool::new(false);

fn every_shard_is_heard_while_all_ps_have_work() {
    child("hears_every_shard").run().code(0).prints("10\n10\n");
}

fn ends_beside() {
    static UNWOUND: AtomicUsize = AtomicUsize::new(0);
    struct Counts;
    impl Drop for Counts {
        fn drop(&mut self) {
            UNWOUND.fetch_add(1, SeqCst);
        }
    }
    for procs in [1, 2] {
        for what in [AtMainReturn::Leak, AtMainReturn::Unwind] {
            UNWOUND.store(0, SeqCst);
            let runtime = builder(procs).at_main_return(what).build().expect("a runtime");
            let finished = runtime.run(|| {
                for _ in 0..10 {
                    gmp::go(|| {
                        let _counts = Counts;
                        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
                        _ = listener.accept();
                    });
                }
                while gmp::stats().waiting < 10 {
                    gmp::sleep(Duration::from_millis(1));
                }
            });
            let left = finished.expect("main returns").left;
            println!("{} {}", left.suspended, UNWOUND.load(SeqCst));
        }
    }
}

fn a_runtime_ends_beside_waits_outside() {
    child("ends_beside").run().code(0).prints(&"10 0\n0 10\n".repeat(2));
}

/// Goroutines of two runtimes and a plain thread accept at one socket, and one runtime ends before the other.
fn shared_socket() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a listener"));
    let address = listener.local_addr().expect("it is bound");
    let accept = |count: usize| {
        let listener = Arc::clone(&listener);
        move || {
            for _ in 0..count {
                let (stream, _) = listener.accept().expect("it is open");
                (&stream).write_all(b"x").expect("it is connected");
            }
        }
    };
    let accepting = [accept(5), accept(200)].map(|main| std::thread::spawn(move || run(builder(2), main)));
    let plain = std::thread::spawn(accept(100));
    for _ in 0..305 {
        let mut stream = TcpStream::connect(address).expect("somebody accepts");
        stream.read_exact(&mut [0]).expect("somebody answers");
    }
    accepting.into_iter().for_each(|thread| thread.join().expect("it returns"));
    plain.join().expect("it returns");
    println!("done");
}

fn two_runtimes_share_a_socket() {
    child("shared_socket").run().code(0).prints("done\n");
}

/// What cannot be accepted goes on waiting, and is accepted when a descriptor is free again.
fn too_many_files() {
    use nix::sys::resource::{Resource, setrlimit};
    for procs in [1, 2] {
        // To see whether a thread sleeps, sysmon opens a file: it may not be the one that had the last descriptor.
        run(builder(procs).retake(false), || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
            let address = listener.local_addr().expect("it is bound");
            setrlimit(Resource::RLIMIT_NOFILE, 40, 40).expect("it may be lowered");
            let mut clients = Vec::new();
            while let Ok(client) = TcpStream::connect(address) {
                clients.push(client);
            }
            let refused = listener.accept().expect_err("there is no descriptor for it");
            let first = clients.swap_remove(0);
            (&first).write_all(b"x").expect("it is connected");
            drop(clients.pop());
            let (stream, _) = listener.accept().expect("there is a descriptor");
            (&stream).read_exact(&mut [0]).expect("what was sent before it was accepted");
            println!("{}", refused.raw_os_error() == Some(libc::EMFILE));
        });
    }
}

fn too_many_open_files_are_told_and_no_connection_is_lost() {
    child("too_many_files").run().code(0).prints("true\ntrue\n");
}

fn closes_at_the_limit() {
    use nix::sys::resource::{Resource, setrlimit};
    run(builder(1), || {
        let (here, there) = UnixStream::pair().expect("a pair");
        // No lower than the numbers in use: the system puts no file in a place beyond the limit.
        let highest = here.as_raw_fd().max(there.as_raw_fd());
        setrlimit(Resource::RLIMIT_NOFILE, highest as u64 + 1, 40).expect("it may be lowered");
        let rest: Vec<_> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
        println!("{:?}", here.close());
        setrlimit(Resource::RLIMIT_NOFILE, 40, 40).expect("it may be raised again");
        println!("{:?}", there.close());
        drop(rest);
    });
}

/// The first close of a process makes what it puts in the place of a file. Without a descriptor for it, it failed, and so
/// did every close after it.
fn a_close_needs_no_descriptor() {
    child("closes_at_the_limit").run().code(0).prints("Ok(())\nOk(())\n");
}
