//! An HTTP server on hyper: `cargo run --release -- 127.0.0.1:8080`, and `wrk -t2 -c100 http://127.0.0.1:8080/`; with
//! `127.0.0.1:8080 http2` it speaks HTTP/2, and `h2load -c20 -m10 -n100000 http://127.0.0.1:8080/` is a client. Control-C,
//! or SIGTERM, ends it.

use gmp::signal::{Signal, notify};
use std::io;

#[gmp::main]
fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let talk = match std::env::args().nth(2).as_deref() {
        None => async_world::http::talk,
        Some("http2") => async_world::http::talk_http2,
        Some(other) => return Err(io::Error::other(format!("no protocol {other:?}; there is: http2"))),
    };
    let listener = std::sync::Arc::new(gmp::net::TcpListener::bind(address)?);
    println!("listening at {}", listener.local_addr()?);
    let stop = notify(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    let closer = std::sync::Arc::clone(&listener);
    gmp::go(move || stop.recv().map(|_| closer.close()));
    async_world::for_each_connection(&listener, talk)
}
