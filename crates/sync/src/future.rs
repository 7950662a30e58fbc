//! Futures awaited by goroutines and plain threads.

mod bell;

use bell::Bell;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Runs a future to its end on the calling goroutine, which waits while the future does: its waker readies the goroutine from
/// any thread. A plain thread blocks itself. **Suspends.**
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
/// As the future does; and where nobody may wait: in a policy, an event sink or a call on the system stack.
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
