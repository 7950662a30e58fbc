//! The servers of `examples/`, driven by clients that know nothing of gmp.

#[path = "../examples/kv_server.rs"]
mod kv_server;
#[path = "../examples/tcp_proxy.rs"]
mod tcp_proxy;

use gmp::net::TcpListener;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Runs the server on `procs` Ps while `client`, on a plain thread, uses it.
fn beside_server(procs: usize, client: impl FnOnce(SocketAddr) + Send + 'static) {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let closer = Arc::clone(&listener);
    let client = std::thread::spawn(move || {
        client(address);
        closer.close().unwrap();
    });
    gmp::Builder::new()
        .procs(procs)
        .build()
        .unwrap()
        .run(move || kv_server::serve(&listener))
        .unwrap()
        .value
        .unwrap();
    client.join().unwrap();
}

/// Sends a request, and compares the answer.
fn ask(stream: &mut TcpStream, request: &str, answer: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut got = vec![0; answer.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), answer, "to {request:?}");
}

#[test]
fn the_key_value_server_answers() {
    for procs in [1, 2] {
        beside_server(procs, |address| {
            let mut one = TcpStream::connect(address).unwrap();
            ask(&mut one, "PING\r\n", "+PONG\r\n");
            ask(&mut one, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n", "+OK\r\n");
            // Another connection sees it; several requests in one piece, and one in many.
            let mut other = TcpStream::connect(address).unwrap();
            ask(&mut other, "GET k\r\nDEL k nothing\r\nGET k\r\n", "$5\r\nva\r\nl\r\n:1\r\n$-1\r\n");
            for byte in b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r" {
                other.write_all(&[*byte]).unwrap();
            }
            ask(&mut other, "\n", ":1\r\n");
            ask(&mut other, "FLY me\r\n", "-ERR");
            // Nonsense ends its own connection, and no other.
            let mut bad = TcpStream::connect(address).unwrap();
            bad.write_all(b"*1\r\n$99999999999999\r\n").unwrap();
            assert_eq!(bad.read(&mut [0; 8]).unwrap(), 0);
            ask(&mut one, "INCR n\r\n", ":2\r\n");
        });
    }
}

/// A real client under load, if there is one on this machine.
#[test]
fn redis_benchmark_ends_without_an_error() {
    if Command::new("redis-benchmark").arg("--version").output().is_err() {
        println!("no redis-benchmark here (Debian: redis-tools)");
        return;
    }
    beside_server(2, |address| {
        for more in [&["-c", "50"][..], &["-c", "20", "-P", "16"]] {
            let port = address.port().to_string();
            let fixed = ["-p", &port, "-t", "ping_mbulk,set,get,incr", "-n", "20000", "-q"];
            let output = Command::new("redis-benchmark").args(fixed).args(more).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.to_lowercase().contains("error"), "{said}");
            assert_eq!(said.matches("requests per second").count(), 4, "{said}");
        }
    });
}

/// A proxy before an echoing server: what is silent is ended, what talks may finish after SIGTERM, and then it ends.
#[test]
fn the_proxy_ends_when_it_is_told_to() {
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = echo.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (grace, idle) = (Duration::from_secs(60), Duration::from_secs(5));
    let client = std::thread::spawn(move || {
        let mut talks = TcpStream::connect(address).unwrap();
        ask(&mut talks, "hello", "hello");
        // Nothing moves on this one, and it is ended.
        let mut silent = TcpStream::connect(address).unwrap();
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        let mut talks = TcpStream::connect(address).unwrap();
        ask(&mut talks, "again", "again");
        let this = std::process::id().to_string();
        assert!(Command::new("kill").args(["-TERM", &this]).status().unwrap().success());
        while TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
        // Those who are connected may finish.
        ask(&mut talks, "to the end", "to the end");
        talks.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(talks.read(&mut [0]).unwrap(), 0);
    });
    let settings = tcp_proxy::Settings { to, idle, grace };
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    runtime.run(move || tcp_proxy::serve(listener, settings)).unwrap().value.unwrap();
    client.join().unwrap();
}
