//! A TCP proxy: what comes in at one address goes out to another. A connection on which nothing moves for a while is
//! ended. SIGTERM or Control-C ends the proxy when all connections have been closed, or after a grace period.
//!
//! ```text
//! cargo run --release -p gmp --example tcp_proxy -- 127.0.0.1:8080 127.0.0.1:80
//! ```

use gmp::net::{Shutdown, TcpListener, TcpStream};
use gmp::signal::{Signal, notify};
use gmp::sync::WaitGroup;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a proxy is told.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) to: SocketAddr,
    /// How long a connection may be silent.
    pub(crate) idle: Duration,
    /// How long those who are connected may stay when the proxy is to end.
    pub(crate) grace: Duration,
}

#[gmp::main]
#[allow(dead_code, reason = "the test starts the proxy by itself")]
fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let from = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let to = arguments.next().unwrap_or_else(|| "127.0.0.1:80".into());
    let to =
        to.parse().map_err(|_| io::Error::new(ErrorKind::InvalidInput, format!("{to} is no address")))?;
    let settings = Settings { to, idle: Duration::from_secs(60), grace: Duration::from_secs(10) };
    serve(TcpListener::bind(from)?, settings)
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn serve(listener: TcpListener, settings: Settings) -> io::Result<()> {
    let stop = notify(&[Signal::TERMINATE, Signal::INTERRUPT])?;
    println!("from {} to {}", listener.local_addr()?, settings.to);
    let (listener, connected) = (Arc::new(listener), Arc::new(WaitGroup::new()));
    let accepting = gmp::go({
        let (listener, connected) = (Arc::clone(&listener), Arc::clone(&connected));
        move || accept(&listener, &connected, settings)
    });
    let signal = stop.recv();
    println!("{signal:?}: no more connections");
    listener.close()?;
    let accepted = accepting.join().unwrap_or_else(|error| Err(io::Error::other(error.to_string())));
    // It waits until all have left, or the grace is over: then the process ends, and they with it.
    let (all_left, left) = gmp::chan(1);
    gmp::go(move || {
        connected.wait();
        all_left.send(())
    });
    if left.recv_timeout(settings.grace).is_err() {
        println!("some connections are cut off");
    }
    accepted
}

fn accept(listener: &TcpListener, connected: &Arc<WaitGroup>, settings: Settings) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                connected.add(1);
                let connected = Arc::clone(connected);
                gmp::go(move || {
                    if let Err(error) = relay(client, settings) {
                        eprintln!("a connection ended: {error}");
                    }
                    connected.done();
                });
            }
            Err(error) if error.raw_os_error().is_some() => gmp::sleep(Duration::from_millis(10)),
            Err(error) => return if error.kind() == ErrorKind::NotConnected { Ok(()) } else { Err(error) },
        }
    }
}

/// Passes on what each side says, until both have ended.
fn relay(client: TcpStream, settings: Settings) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&settings.to, Duration::from_secs(5))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(settings.idle))?;
        stream.set_read_timeout(Some(settings.idle))?;
    }
    gmp::scope(|scope| {
        let back = scope.go(|| pump(&server, &client));
        let there = pump(&client, &server);
        there.and(back.join().unwrap_or_else(|error| Err(io::Error::other(error.to_string()))))
    })
}

/// Passes on what comes in one direction. An end goes on as an end, an error as one in both directions.
fn pump(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let passed = gmp::io::copy(from, to).map(drop);
    let _ = to.shutdown(Shutdown::Write);
    if passed.is_err() {
        // A goroutine that waits in the other direction need not wait any more.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
    passed
}
