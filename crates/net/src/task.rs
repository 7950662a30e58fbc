//! Waits of async code: each poll tries an operation, and if that would block, leaves the waker at the descriptor.

use crate::endpoint::Endpoint;
use gmp_core::contract::Side;
use gmp_core::descriptor::{Listed, Ticket};
use gmp_core::step_aside;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

/// The key of those who poll a socket itself: there is one for each side, and the last who polled is woken.
#[cfg(any(feature = "futures-io", feature = "tokio", feature = "hyper"))]
pub(crate) const WHOLE: u64 = 0;

/// The keys of futures.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl<T: AsFd> Endpoint<T> {
    /// Does `operation`, or leaves the waker if that would block.
    pub(crate) fn poll<R>(
        &self,
        side: Side,
        key: u64,
        waker: &Waker,
        mut operation: impl FnMut(&T, Ticket) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        step_aside();
        loop {
            let ticket = match self.attempt(side, &mut operation) {
                ControlFlow::Break(done) => return Poll::Ready(done),
                ControlFlow::Continue(ticket) => ticket,
            };
            let fd = self.io().as_fd();
            match self.descriptor.list_task(fd, side, ticket, key, waker, gmp_poller::make)? {
                Listed::Listed => return Poll::Pending,
                Listed::TryAgain => {}
                Listed::NoGoroutine => return Poll::Ready(Err(no_goroutine())),
            }
        }
    }

    /// A future that does `operation`.
    pub(crate) fn attempts<R, F>(&self, side: Side, operation: F) -> Attempts<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        Attempts { endpoint: self, side, key: NEXT.fetch_add(1, Relaxed), operation }
    }
}

/// An operation, awaited.
pub(crate) struct Attempts<'a, T: AsFd, F> {
    endpoint: &'a Endpoint<T>,
    side: Side,
    key: u64,
    operation: F,
}

impl<T: AsFd, F> Unpin for Attempts<'_, T, F> {}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for Attempts<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { endpoint, side, key, operation } = &mut *self;
        endpoint.poll(*side, *key, context.waker(), |io, _| operation(io))
    }
}

impl<T: AsFd, F> Drop for Attempts<'_, T, F> {
    fn drop(&mut self) {
        self.endpoint.descriptor.unlist_task(self.side, self.key);
    }
}

fn no_goroutine() -> io::Error {
    io::Error::other(
        "a socket of gmp's was polled outside a goroutine, where no runtime looks whether it is ready; await it by \
         gmp::block_on in a goroutine",
    )
}
