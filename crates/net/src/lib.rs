//! Sockets, for goroutines and for plain threads: [`TcpListener`], [`TcpStream`], [`UdpSocket`], [`UnixListener`],
//! [`UnixStream`], [`UnixDatagram`], and [`Pollable`] for whatever else has a file descriptor that epoll knows.
//!
//! Names and signatures are std's. A goroutine that waits for a socket gives its P away, and its thread; a plain thread
//! blocks itself, as with std's types. So a server is a goroutine for each connection:
//!
//! ```
//! use gmp::net::{TcpListener, TcpStream};
//! use std::io::{self, Read, Write};
//!
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! gmp::go(move || {
//!     for stream in listener.incoming() {
//!         let mut stream = stream.unwrap();
//!         gmp::go(move || io::copy(&mut &stream, &mut stream.try_clone()?));
//!     }
//! });
//! let mut stream = TcpStream::connect(address)?;
//! stream.write_all(b"hello")?;
//! let mut answer = [0; 5];
//! stream.read_exact(&mut answer)?;
//! assert_eq!(&answer, b"hello");
//! # io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```
//!
//! Beyond std there are:
//!
//! - **Deadlines**: `set_read_deadline` and its kin name a moment, not a duration, and may be called while others wait:
//!   those heed it at once. A moment that is past ends all waits; in this way a [context](https://docs.rs/gmp) cancels
//!   what waits for a socket. Time-outs count for each call, as std's do. Both end in
//!   [`TimedOut`](std::io::ErrorKind::TimedOut).
//! - **`close`** ends a socket while others use it. They are woken, and get an error, and so does every later call.
//! - A socket may be used from several goroutines, threads and runtimes at once.
//!
//! # Async code
//!
//! Calls have an async form where that makes sense (`accept_async`, `read_async`), to be awaited on a goroutine by
//! [`block_on`](https://docs.rs/gmp), by itself or beside other futures: in this way what waits for a socket can also
//! wait for a context. The features `futures-io`, `tokio` and `hyper` give streams the traits of those crates. Tasks
//! are woken by the runtime of the goroutine that polls, as goroutines are.
//!
//! # What it costs
//!
//! A call tries first. Only if it would block does the goroutine wait. The first wait registers the descriptor with the
//! runtime's poller, once for the descriptor's life. Names are resolved inside `blocking`.

#[cfg(any(feature = "futures-io", feature = "tokio", feature = "hyper"))]
mod adapters;
mod addr;
mod calls;
mod endpoint;
mod pollable;
mod raw;
mod socket;
mod task;
mod tcp;
mod terms;
mod thread;
mod udp;
mod unix;

pub use pollable::Pollable;
pub use raw::RawConn;
pub use std::net::Shutdown;
pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixIncoming, UnixListener, UnixStream};
