//! Futures and goroutines: each waits for the other.
//!
//! | a goroutine waits for | by |
//! | --- | --- |
//! | a future | [`block_on`] |
//! | a future, or the end of a context | [`block_on_with`] |
//! | a future, as a case of a select | `await(future) -> output => ...` in [`select!`](crate::select!) |
//! | a future in a goroutine of its own, by a channel | [`receiver`] |
//!
//! | async code waits for | by |
//! | --- | --- |
//! | a goroutine | `handle.await`: [`JoinHandle`](crate::JoinHandle) is [`IntoFuture`] |
//! | a value, room for one | [`Receiver::recv_async`](crate::Receiver::recv_async), [`Sender::send_async`](crate::Sender::send_async) |
//! | a moment | [`time::sleep_async`](crate::time::sleep_async) |
//! | the end of a context | `context.done().recv_async()` |
//!
//! What async code waits for may be awaited on any executor, and costs no thread. Its wakers run in the middle of a send, a
//! close or a goroutine's end, or on the scheduler's own stack: they must not wait for anything of this crate's, and a
//! panic that comes out of one ends the process.

use crate::{Receiver, chan, go};

#[doc(inline)]
pub use gmp_core::JoinFuture;
#[doc(inline)]
pub use gmp_sync::channel::{RecvFuture, SendFuture};
#[doc(inline)]
pub use gmp_sync::future::{block_on, block_on_with};
#[doc(inline)]
pub use gmp_sync::time::Sleep;

/// Awaits a future in a goroutine of its own, and returns a channel that gets the future's output, so that a future can
/// be a case of a [`Select`](crate::Select). Never suspends. In [`select!`](crate::select!) a future is a case as it is.
///
/// The future goes on when nobody receives any more, until it ends or its goroutine's runtime closes. If it panics, the
/// channel closes.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// let (_sender, numbers) = gmp::chan::<u32>(0);
/// let answer = gmp::future::receiver(async { 6 * 7 });
/// gmp::select! {
///     recv(numbers) -> _ => panic!("nobody sends"),
///     recv(answer) -> answer => assert_eq!(answer, Ok(42)),
/// }
/// # }).unwrap();
/// ```
///
/// # Panics
/// The same as for [`go`]: outside a goroutine, or if there is no memory for one.
#[track_caller]
pub fn receiver<F>(future: F) -> Receiver<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (sender, receiver) = chan(1);
    go(move || {
        // Nobody may want it any more.
        let _ = sender.send(block_on(future));
    });
    receiver
}
