//! An answer was kept for longer than it was true: a socket that had been read empty counted as empty though nobody
//! would have told of more, and what stood in for a closed socket was given away as a socket. The kind: whatever is
//! remembered of the outside.

use crate::harness::{child, named};
use gmp::Builder;
use gmp::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_plain_thread_reads_on_after_a_short_read,
        a_socket_that_does_not_wait_reads_on,
        nothing_comes_of_a_closed_socket,
    ],
    named![plain_thread, nonblocking, closed_socket],
);

fn run<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> T {
    Builder::new().policy::<gmp::policy::Go>().procs(2).build().unwrap().run(main).unwrap().value
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
