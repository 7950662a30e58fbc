//! A guest book over SQLite: `cargo run --release -- 127.0.0.1:7000 book.db`, and `nc 127.0.0.1 7000`. A line is an entry
//! and is answered with its number; an empty line asks how many there are. Control-C, or SIGTERM, ends it.

use databases::sqlite::Pool;
use gmp::net::TcpListener;
use gmp::signal::{Signal, notify};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

#[gmp::main]
fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let listener = Arc::new(TcpListener::bind(arguments.next().unwrap_or_else(|| "127.0.0.1:7000".into()))?);
    let pool = Pool::open(&PathBuf::from(arguments.next().unwrap_or_else(|| "book.db".into())), 4)?;
    println!("listening at {}", listener.local_addr()?);
    let stop = notify(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    let closer = Arc::clone(&listener);
    gmp::go(move || stop.recv().map(|_| closer.close()));
    databases::book::serve(&listener, &pool)
}
