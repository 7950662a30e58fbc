//! What the programs of `tcp_echo` share: connections on loopback, each with a client that sends 64 bytes and waits until
//! they come back. Clients and servers are both the library's own, so both sides are measured.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use std::time::Instant;

/// A message.
pub(crate) const SIZE: usize = 64;

/// Connections of `tcp_echo`.
pub(crate) const MANY: u64 = 100;

/// Measures `n` messages over this many connections: `run` is told how many each client sends, and returns how long
/// each of them took, in nanoseconds. The wall time counts.
pub(crate) fn measure(
    cell: &Cell,
    connections: u64,
    run: impl FnOnce(u64) -> Result<Vec<f64>>,
) -> Result<Figures> {
    let each = (cell.n / connections).max(1);
    let mut latencies = Vec::new();
    let timed = measure::once(cell, each * connections, || {
        latencies = run(each)?;
        expect("messages that came back", latencies.len() as u64, each * connections)
    })?;
    Ok(Latencies::of(latencies).beside(timed))
}

/// Nanoseconds since `sent`.
pub(crate) fn since(sent: Instant) -> f64 {
    sent.elapsed().as_nanos() as f64
}
