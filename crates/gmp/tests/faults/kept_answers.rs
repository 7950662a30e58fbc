//! An answer was kept for longer than it was true: what the system refused once counted as refused for ever, a socket that
//! had been read empty counted as empty though nobody would have told of more, and what stood in for a closed socket was
//! given away as a socket. The kind: whatever is remembered of the outside.

use super::refusals::{in_use, limit_to, no_limit};
use crate::harness::{child, named};
use gmp::net::{TcpStream, UnixStream};
use gmp::{BuildError, Builder};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_refused_close_may_be_tried_again,
        a_plain_thread_reads_on_after_a_short_read,
        a_socket_that_does_not_wait_reads_on,
        nothing_comes_of_a_closed_socket,
        a_refused_check_of_the_machine_is_made_again,
    ],
    named![refused_close, plain_thread, nonblocking, closed_socket, refused_check],
);

fn run<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> T {
    Builder::new().policy::<gmp::policy::Go>().procs(2).build().unwrap().run(main).unwrap().value
}

/// Lets the process have so many descriptors, and takes all of them.
fn take_all_descriptors(most: u64) -> Vec<std::fs::File> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the pointer is valid; a limit changes no memory.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

/// The first close of all takes a descriptor of the process's own.
fn refused_close() {
    run(|| {
        let (one, other) = UnixStream::pair().unwrap();
        let all = take_all_descriptors(100);
        one.close().unwrap_err();
        (&one).write_all(b"x").unwrap();
        drop(all);
        one.close().unwrap();
        assert_eq!((&other).read(&mut [0; 2]).unwrap(), 1);
        assert_eq!((&other).read(&mut [0; 2]).unwrap(), 0);
    });
}

fn a_refused_close_may_be_tried_again() {
    child("refused_close").run().code(0);
}

/// A stream of gmp's, and the other side of it, which is std's.
fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (TcpStream::from_std(stream).unwrap(), listener.accept().unwrap().0)
}

/// No runtime looks for a plain thread; neither for one that comes after a goroutine, nor for one beside others that wait.
fn plain_thread() {
    let talk = |stream: &mut TcpStream, other: &mut std::net::TcpStream| {
        for n in 1..=5 {
            other.write_all(&vec![7; n]).unwrap();
            assert_eq!(stream.read(&mut [0; 100]).unwrap(), n);
        }
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(stream.read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::TimedOut);
        stream.set_read_timeout(None).unwrap();
    };
    let (mut stream, mut other) = pair();
    talk(&mut stream, &mut other);
    let (mut stream, mut other) = run(move || {
        talk(&mut stream, &mut other);
        (stream, other)
    });
    talk(&mut stream, &mut other);
    run(move || {
        let (mut waits, _silent) = pair();
        drop(gmp::go(move || waits.read(&mut [0; 1])));
        talk(&mut stream, &mut other);
        gmp::blocking(move || std::thread::spawn(move || talk(&mut stream, &mut other)).join().unwrap());
    });
}

fn a_plain_thread_reads_on_after_a_short_read() {
    child("plain_thread").run().code(0);
}

fn nonblocking() {
    run(|| {
        let (mut stream, mut other) = pair();
        stream.set_nonblocking(true).unwrap();
        for n in 1..=5 {
            assert_eq!(stream.read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
            other.write_all(&vec![7; n]).unwrap();
            // What was sent may be on its way for a moment.
            let got = loop {
                match stream.read(&mut [0; 100]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => gmp::yield_now(),
                    got => break got.unwrap(),
                }
            };
            assert_eq!(got, n);
        }
        stream.set_nonblocking(false).unwrap();
        other.write_all(b"x").unwrap();
        assert_eq!(stream.read(&mut [0; 100]).unwrap(), 1);
    });
}

fn a_socket_that_does_not_wait_reads_on() {
    child("nonblocking").run().code(0);
}

fn closed_socket() {
    run(|| {
        let (stream, _other) = pair();
        stream.close().unwrap();
        let kinds = [
            stream.try_clone().map(drop),
            stream.local_addr().map(drop),
            stream.peer_addr().map(drop),
            stream.shutdown(std::net::Shutdown::Both),
            stream.take_error().map(drop),
            stream.set_nodelay(true),
            stream.into_std().map(drop),
        ]
        .map(|said| said.unwrap_err().kind());
        assert_eq!(kinds, [ErrorKind::NotConnected; 7]);
    });
}

fn nothing_comes_of_a_closed_socket() {
    child("closed_socket").run().code(0);
}

/// Whatever the first check of a process was refused, the next one has.
fn refused_check() {
    let extra: u64 = std::env::var("GMP_TEST_EXTRA").unwrap().parse().unwrap();
    limit_to(in_use() + extra);
    let first = Builder::new().build();
    no_limit();
    let missing = matches!(first, Err(BuildError::OwnThreadLocals(_)));
    match first {
        Ok(_) => println!("built"),
        Err(BuildError::Refused(_)) => println!("refused"),
        Err(error) => println!("{error}"),
    }
    if !missing {
        assert_eq!(Builder::new().build().unwrap().run(|| gmp::go(|| 3).join().unwrap()).unwrap().value, 3);
    }
}

fn a_refused_check_of_the_machine_is_made_again() {
    if gmp_arch_amd64::own_thread_locals_available().is_err() {
        return;
    }
    for kib in (0..64).map(|n| 64 * n) {
        let done = child("refused_check")
            .env("MALLOC_ARENA_MAX", "1")
            .env("GMP_TEST_EXTRA", (kib << 10).to_string())
            .run();
        let of_std = ["memory allocation of", "failed to allocate an alternative stack"];
        if of_std.iter().any(|message| done.stderr.contains(message)) {
            continue;
        }
        let told = ["built\n", "refused\n"].contains(&done.stdout.as_str());
        done.code(0).check(told, "comes to a runtime, or says that something was refused");
    }
}
