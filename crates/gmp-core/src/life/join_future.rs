//! `JoinFuture`: a join that is awaited.
//!
//! Its waiter lies on the heap, so that the future may be moved, and is withdrawn before it goes: by a poll with another
//! waker, by the poll that finds the goroutine ended, and by the drop. The protocol is the join word's
//! (`records/g/join.rs`).

use crate::entering::gate;
use crate::life::handle::{JoinError, JoinHandle, free_record};
use crate::records::g::join::{Joiner, Waiter};
use core::fmt;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A goroutine's end, awaited: what [`JoinHandle`] is to an `await`. Dropping it lets the goroutine go its own way.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// let answer = gmp::block_on(async {
///     let (one, other) = (gmp::go(|| 6), gmp::go(|| 7));
///     one.await.unwrap() * other.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// # }).unwrap();
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct JoinFuture<T> {
    /// `None`: the result has been taken.
    handle: Option<JoinHandle<T>>,
    offered: Option<(Box<Waiter>, Waker)>,
}

// SAFETY: what is offered is used by the finisher under the join word's protocol, from whatever thread; the rest is a
// handle.
unsafe impl<T: Send> Send for JoinFuture<T> {}
// SAFETY: a shared one can do nothing.
unsafe impl<T: Send> Sync for JoinFuture<T> {}

impl<T> IntoFuture for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinFuture<T>;

    /// The same wait for async code, on any executor.
    fn into_future(self) -> JoinFuture<T> {
        JoinFuture { handle: Some(self), offered: None }
    }
}

impl<T> JoinFuture<T> {
    /// Takes the waiter back, or waits for the moment that the finisher still needs it.
    fn withdraw(&mut self) {
        if let (Some(handle), Some((waiter, _))) = (&self.handle, &self.offered) {
            handle.g.join.withdraw(waiter);
        }
        self.offered = None;
    }
}

impl<T> Future for JoinFuture<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        gate::step_aside();
        let this = &mut *self;
        let waker = context.waker();
        if this.offered.as_ref().is_some_and(|(_, last)| !last.will_wake(waker)) {
            this.withdraw();
        }
        let Some(handle) = &this.handle else {
            panic!("a JoinFuture was polled again after it had given its result")
        };
        if this.offered.is_none() && !handle.g.join.is_done() {
            // Both clones first: a clone is foreign code, and one that unwound would leave an offer that nobody withdraws.
            let (rung, last) = (waker.clone(), waker.clone());
            let waiter = Box::new(Waiter::new(Some(Joiner::Task(rung))));
            // SAFETY: filled in, and it stays where it is until it is withdrawn.
            if unsafe { handle.g.join.wait(&waiter) } {
                this.offered = Some((waiter, last));
            }
        }
        if !handle.g.join.is_done() {
            return Poll::Pending;
        }
        this.withdraw();
        let handle = this.handle.take().map(ManuallyDrop::new).expect("looked at above");
        // SAFETY: it has ended, and the handle was taken out.
        let result = unsafe { handle.take_outcome() };
        free_record(handle.g);
        Poll::Ready(result)
    }
}

impl<T> Drop for JoinFuture<T> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinFuture").field(&self.handle).finish()
    }
}
