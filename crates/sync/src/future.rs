//! Futures awaited by goroutines and plain threads.

#[cfg(all(test, loom))]
mod loom_task;

use crate::context::{Context as Scope, ContextError};
use crate::wait::Bell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Runs a future to its end on the calling goroutine, which waits while the future does: its waker readies the
/// goroutine from any thread. A plain thread blocks itself. **Suspends.**
///
/// The future gets no reactor: one that needs tokio's is polled inside a tokio handle's `enter`, and tokio runs on threads
/// of its own.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// assert_eq!(gmp::block_on(async { 6 * 7 }), 42);
/// # }).unwrap();
/// ```
///
/// # Panics
/// If the future panics, and where nobody may wait: in a policy, an event sink or a call on the system stack.
#[track_caller]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    gmp_core::give_way();
    let mut future = pin!(future.into_future());
    let bell = Arc::new(Bell::new());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        bell.wait();
    }
}

/// [`block_on`] until a context is done at the latest: then the future is dropped, and what it waited for goes on
/// without it. **Suspends.**
///
/// So everything that has an async form can be cancelled: the calls of sockets (`accept_async` and its kin), channels,
/// joins, sleeps, and clients of the async world.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::context::{Context, ContextError};
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (context, _cancel) = Context::background().with_timeout(Duration::from_millis(2));
///     let (_sender, numbers) = gmp::chan::<u32>(0);
///     let received = gmp::future::block_on_with(&context, numbers.recv_async());
///     assert_eq!(received, Err(ContextError::DeadlineExceeded));
/// }).unwrap();
/// ```
///
/// # Errors
/// The context was done before the future. A future that is ready at once is not asked whether the context is done.
///
/// # Panics
/// The same as for [`block_on`].
#[track_caller]
pub fn block_on_with<F: IntoFuture>(context: &Scope, future: F) -> Result<F::Output, ContextError> {
    let mut future = pin!(future.into_future());
    let mut done = context.done().recv_async();
    block_on(poll_fn(|waker| {
        if let Poll::Ready(output) = future.as_mut().poll(waker) {
            return Poll::Ready(Ok(output));
        }
        pin!(&mut done).poll(waker).map(|_| Err(context.err().unwrap_or(ContextError::Canceled)))
    }))
}
