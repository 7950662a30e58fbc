//! Servers of the async world on goroutines.

pub mod http;
pub mod https;

use gmp::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// A goroutine for each connection, until the listener is closed.
pub fn for_each_connection(listener: &TcpListener, talk: fn(TcpStream)) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => drop(gmp::go(move || talk(stream))),
            // Too many open files: one of those who are connected may leave soon.
            Err(error) if error.raw_os_error().is_some() => gmp::sleep(Duration::from_millis(10)),
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
