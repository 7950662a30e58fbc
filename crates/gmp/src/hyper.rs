//! hyper on goroutines: an executor and a timer, beside hyper's traits for the streams of [`net`](crate::net). With the feature
//! `hyper`.
//!
//! A connection is a future that its goroutine awaits by [`block_on`](crate::block_on). `examples/async-world` has whole
//! servers and clients.
//!
//! ```no_run
//! # fn serve(stream: gmp::net::TcpStream) -> hyper::Result<()> {
//! # struct Connection;
//! # impl Connection { fn http1(_: gmp::net::TcpStream, _: gmp::hyper::Timer) -> std::future::Ready<hyper::Result<()>> { todo!() } }
//! let connection = Connection::http1(stream, gmp::hyper::Timer);
//! gmp::block_on(connection)
//! # }
//! ```

use crate::time::{Sleep, sleep_async};
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Starts a goroutine for each future, as HTTP/2 wants. Where it is used there must be a goroutine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        crate::go(move || drop(crate::block_on(future)));
    }
}

/// Times what hyper times, by the timers of the runtime whose goroutine asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// hyper's trait is not for us to implement on [`Sleep`], whose crate knows no hyper.
struct Asleep(Sleep);

impl Future for Asleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl hyper::rt::Sleep for Asleep {}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Asleep(sleep_async(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}
