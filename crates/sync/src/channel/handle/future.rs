//! `RecvFuture` and `SendFuture`: channel operations for async code, on any executor.

use super::{Receiver, Sender};
use crate::channel::counter::Share;
use crate::channel::error::{RecvError, SendError};
use crate::channel::task::{Receiving, Sending};
use crate::seam::step_aside;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

impl<T> Receiver<T> {
    /// [`Receiver::recv`] for async code, on any executor. Never suspends: the future does the waiting.
    ///
    /// Such a receive stands in line with those of goroutines and threads. If the future is dropped after a value has
    /// come and before a poll has returned it, the value goes to the next in line, or back to the front of the channel:
    /// none is lost.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # runtime.run(|| {
    /// let (sender, numbers) = gmp::chan(0);
    /// gmp::go(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
    /// let sum = gmp::block_on(async {
    ///     let mut sum = 0;
    ///     while let Ok(n) = numbers.recv_async().await {
    ///         sum += n;
    ///     }
    ///     sum
    /// });
    /// assert_eq!(sum, 6);
    /// # }).unwrap();
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture { receiver: self, receiving: Receiving::new() }
    }
}

impl<T> Sender<T> {
    /// [`Sender::send`] for async code, on any executor. Never suspends: the future does the waiting.
    ///
    /// The value is sent when the future is polled for the first time, or waits in line from then on. It is dropped
    /// with the future if it was not sent.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # runtime.run(|| {
    /// let (sender, words) = gmp::chan(0);
    /// let reader = gmp::go(move || words.recv());
    /// assert_eq!(gmp::block_on(sender.send_async("hello")), Ok(()));
    /// assert_eq!(reader.join().unwrap(), Ok("hello"));
    /// # }).unwrap();
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture { sender: self, sending: Sending::New(value) }
    }
}

/// A receive, awaited. Made by [`Receiver::recv_async`].
#[must_use = "a future does nothing until it is awaited"]
pub struct RecvFuture<'a, T> {
    receiver: &'a Receiver<T>,
    receiving: Receiving<T>,
}

impl<T> Unpin for RecvFuture<'_, T> {}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        step_aside();
        let this = &mut *self;
        this.receiving.poll(&this.receiver.chan, context.waker()).map_err(|_| RecvError)
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        give_back(&self.receiver.chan, &mut self.receiving);
    }
}

/// Ends a receive: a value that has come meanwhile goes back to its channel.
fn give_back<T>(chan: &Share<T>, receiving: &mut Receiving<T>) {
    match receiving.cancel(chan) {
        Some(time) if chan.is_timers() => chan.return_time(&time),
        Some(value) => chan.return_value(value),
        None => {}
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(self.receiver).finish()
    }
}

/// A send, awaited. Made by [`Sender::send_async`].
#[must_use = "a future does nothing until it is awaited"]
pub struct SendFuture<'a, T> {
    sender: &'a Sender<T>,
    sending: Sending<T>,
}

impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        step_aside();
        let this = &mut *self;
        this.sending.poll(&this.sender.chan, context.waker()).map_err(SendError)
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        drop(self.sending.cancel(&self.sender.chan));
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendFuture").field(self.sender).finish()
    }
}
