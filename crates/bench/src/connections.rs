//! The other side of `blocking_short`: a client on a plain thread that holds many connections and keeps one request under
//! way on each, as `redis-benchmark` does. The servers, one for each connection, are the library's.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Connections of a run, as many as `redis-benchmark` holds by default.
pub(crate) const CONNECTIONS: u64 = 50;

/// A request, and its answer: a number, and that number plus one.
pub(crate) type Message = [u8; 8];

/// Reads one request; `None` when the client has hung up.
pub(crate) fn read(mut connection: &UnixStream) -> Option<Message> {
    let mut request = Message::default();
    connection.read_exact(&mut request).ok().map(|()| request)
}

/// Answers a request.
pub(crate) fn answer(mut connection: &UnixStream, request: Message) -> bool {
    let answer = u64::from_ne_bytes(request).wrapping_add(1);
    connection.write_all(&answer.to_ne_bytes()).is_ok()
}

/// Measures `n` requests: `serve` is given the servers' ends, starts a server for each and returns when all have ended,
/// with the number of requests that they answered. The wall time counts; `max_ns` is the longest wait for an answer.
pub(crate) fn measure(cell: &Cell, serve: impl FnOnce(Vec<UnixStream>) -> Result<u64>) -> Result<Figures> {
    let mut latencies = Vec::new();
    let each = (cell.n / CONNECTIONS).max(1);
    let timed = measure::once(cell, each * CONNECTIONS, || {
        let pairs = (0..CONNECTIONS).map(|_| UnixStream::pair()).collect::<std::io::Result<Vec<_>>>()?;
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let client = std::thread::spawn(move || drive(&ours, each));
        let answered = serve(theirs)?;
        latencies = client.join().map_err(|_| "the client panicked")??;
        expect("requests answered", answered, each * CONNECTIONS)
    })?;
    expect("latencies", latencies.len() as u64, each * CONNECTIONS)?;
    Ok(Latencies::of(latencies).beside(timed))
}

/// One connection, as the client sees it.
struct Pending {
    sent: Instant,
    request: u64,
}

/// Sends `each` requests over each connection, one at a time. Returns how many nanoseconds each answer took.
fn drive(connections: &[UnixStream], each: u64) -> Result<Vec<f64>> {
    let mut latencies = Vec::with_capacity(connections.len() * each as usize);
    let mut pending = Vec::with_capacity(connections.len());
    for mut connection in connections {
        connection.set_nonblocking(true)?;
        connection.write_all(&0u64.to_ne_bytes())?;
        pending.push(Pending { sent: Instant::now(), request: 0 });
    }
    let mut ready: Vec<_> = connections.iter().map(wait_for_answer).collect();
    while latencies.len() < connections.len() * each as usize {
        // SAFETY: a live array of that many; it waits without a limit, and the cell's own limit ends what hangs.
        if unsafe { libc::poll(ready.as_mut_ptr(), ready.len() as libc::nfds_t, -1) } < 0 {
            match std::io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => continue,
                error => return Err(error.into()),
            }
        }
        for ((mut connection, pending), ready) in connections.iter().zip(&mut pending).zip(&mut ready) {
            if ready.revents == 0 {
                continue;
            }
            let mut answer = Message::default();
            match connection.read_exact(&mut answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                result => result?,
            }
            latencies.push(pending.sent.elapsed().as_nanos() as f64);
            pending.request += 1;
            expect("answer", u64::from_ne_bytes(answer), pending.request)?;
            if pending.request == each {
                // The server reads the end, and `poll` leaves out negative descriptors.
                connection.shutdown(std::net::Shutdown::Both)?;
                ready.fd = -1;
            } else {
                pending.sent = Instant::now();
                connection.write_all(&pending.request.to_ne_bytes())?;
            }
        }
    }
    Ok(latencies)
}

fn wait_for_answer(connection: &UnixStream) -> libc::pollfd {
    libc::pollfd { fd: connection.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}
