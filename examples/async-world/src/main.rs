//! An HTTP/1.1 server on hyper: `cargo run --release -- 127.0.0.1:8080`, and `wrk -t2 -c100 http://127.0.0.1:8080/`.
//! Control-C, or SIGTERM, ends it.

use gmp::signal::{Signal, notify};
use std::io;

#[gmp::main]
fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = std::sync::Arc::new(gmp::net::TcpListener::bind(address)?);
    println!("listening at {}", listener.local_addr()?);
    let stop = notify(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    let closer = std::sync::Arc::clone(&listener);
    gmp::go(move || stop.recv().map(|_| closer.close()));
    async_world::for_each_connection(&listener, async_world::http::talk)
}
