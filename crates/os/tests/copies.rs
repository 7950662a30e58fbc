//! Copies between descriptors, where the kernel does them and where it does not.

use gmp::fs::{self, File, OpenOptions};
use gmp::net::{Shutdown, TcpListener, TcpStream, UnixStream};
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// More than a pipe and the buffers of two sockets hold.
fn text() -> Vec<u8> {
    (0..3_000_000_u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect()
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("gmp-copies-{name}-{}", std::process::id()))
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Sends the text into one connection, copies from that to another, and reads there, not all at once.
fn from_socket_to_socket() {
    let ((mut source, from), (to, mut sink)) = (tcp_pair(), UnixStream::pair().unwrap());
    let sends = gmp::go(move || {
        source.write_all(&text()).unwrap();
    });
    let copies = gmp::go(move || {
        let copied = gmp::io::copy(&from, &to).unwrap();
        to.shutdown(Shutdown::Write).unwrap();
        copied
    });
    let mut got = vec![0; 10];
    sink.read_exact(&mut got).unwrap();
    gmp::sleep(Duration::from_millis(20));
    sink.read_to_end(&mut got).unwrap();
    sends.join().unwrap();
    assert_eq!(copies.join().unwrap(), got.len() as u64);
    assert!(got == text());
}

#[test]
fn what_goes_through_sockets_arrives() {
    gmp::run(from_socket_to_socket);
}

#[test]
fn with_one_p_the_others_run_meanwhile() {
    let runtime = gmp::Builder::new().procs(1).retake(false).build().unwrap();
    runtime.run(from_socket_to_socket).unwrap();
}

#[test]
fn files_are_copied_to_sockets_and_back() {
    gmp::run(|| {
        let (one, other) = (path("from"), path("to"));
        fs::write(&one, text()).unwrap();
        let (to, from) = tcp_pair();
        let (begin, end) = (one.clone(), other.clone());
        let sends = gmp::go(move || {
            let copied = gmp::io::copy(&File::open(begin).unwrap(), &to).unwrap();
            to.shutdown(Shutdown::Write).unwrap();
            copied
        });
        assert_eq!(gmp::io::copy(&from, &File::create(end).unwrap()).unwrap(), 3_000_000);
        assert_eq!(sends.join().unwrap(), 3_000_000);
        assert!(fs::read(&other).unwrap() == text());
        [one, other].iter().for_each(|path| fs::remove_file(path).unwrap());
    });
}

/// The kernel says so only once the pipe in between is full.
#[test]
fn a_file_to_which_all_is_appended_gets_all_of_it() {
    gmp::run(|| {
        let path = path("append");
        fs::write(&path, "before ").unwrap();
        let file = File::open_with(OpenOptions::new().append(true), &path).unwrap();
        let (mut source, from) = UnixStream::pair().unwrap();
        let copies = gmp::go(move || gmp::io::copy(&from, &file).unwrap());
        source.write_all(&text()).unwrap();
        drop(source);
        assert_eq!(copies.join().unwrap(), 3_000_000);
        let all = fs::read(&path).unwrap();
        assert!(all.starts_with(b"before ") && all[7..] == text());
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn deadlines_and_closes_end_a_copy() {
    gmp::run(|| {
        let ((_source, from), (to, sink)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        from.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)));
        assert_eq!(gmp::io::copy(&from, &to).unwrap_err().kind(), ErrorKind::TimedOut);
        from.set_read_deadline(None);
        gmp::scope(|scope| {
            let copies = scope.go(|| gmp::io::copy(&from, &to).map_err(|error| error.kind()));
            gmp::sleep(Duration::from_millis(5));
            from.close().unwrap();
            assert_eq!(copies.join().unwrap(), Err(ErrorKind::NotConnected));
        });
        let (mut source, from) = UnixStream::pair().unwrap();
        drop(sink);
        source.write_all(b"nobody hears it").unwrap();
        assert_eq!(gmp::io::copy(&from, &to).unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_plain_thread_copies_as_well() {
    let ((mut source, from), (to, mut sink)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let sends = std::thread::spawn(move || source.write_all(&text()));
    let copies = std::thread::spawn(move || gmp::io::copy(&from, &to));
    let mut got = Vec::new();
    sink.read_to_end(&mut got).unwrap();
    sends.join().unwrap().unwrap();
    assert_eq!(copies.join().unwrap().unwrap(), 3_000_000);
    assert!(got == text());
}
