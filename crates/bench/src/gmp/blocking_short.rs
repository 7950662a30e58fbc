//! `blocking_short`: 50 connections, each served by a goroutine that reads and answers in `gmp::blocking`, so that
//! calls are short and frequent. One operation is one request; `max_ns` is the longest wait for an answer, which is
//! long where connections starve.

use crate::cell::{Cell, Figures, Result};
use crate::connections::{self, answer, read};
use std::os::unix::net::UnixStream;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    connections::measure(cell, |connections| {
        let servers: Vec<_> = connections.into_iter().map(|one| gmp::go(move || server(&one))).collect();
        Ok(servers.into_iter().map(|server| server.join().unwrap_or(0)).sum())
    })
}

/// Serves one connection to its end, and returns how many requests it answered.
fn server(connection: &UnixStream) -> u64 {
    let mut answered = 0;
    while let Some(request) = gmp::blocking(|| read(connection)) {
        answered += u64::from(gmp::blocking(|| answer(connection, request)));
    }
    answered
}
