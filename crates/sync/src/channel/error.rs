//! The errors of sends and receives. A value that was not sent comes back in the error.

use core::fmt;

macro_rules! sends_back {
    ($name:ident { $($variant:ident => $text:literal),+ }) => {
        impl<T> $name<T> {
            /// The value that was not sent. Never suspends.
            pub fn into_inner(self) -> T {
                match self {
                    $(Self::$variant(value) => value,)+
                }
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant(_) => concat!(stringify!($variant), "(..)"),)+
                })
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant(_) => $text,)+
                })
            }
        }

        impl<T> core::error::Error for $name<T> {}
    };
}

/// The channel is closed; the value comes back.
///
/// ```
/// let (sender, receiver) = gmp::chan(0);
/// drop(receiver);
/// let error = sender.send(7).unwrap_err();
/// assert_eq!(error.to_string(), "send on a closed channel");
/// // What `unwrap` prints says so, too.
/// assert_eq!(format!("{error:?}"), "SendError(send on a closed channel)");
/// assert_eq!(error.into_inner(), 7);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// The value that was not sent. Never suspends.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(send on a closed channel)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("send on a closed channel")
    }
}

impl<T> core::error::Error for SendError<T> {}

/// Why [`Sender::try_send`](super::Sender::try_send) did not send; the value comes back.
///
/// ```
/// use gmp::channel::TrySendError;
///
/// let (sender, _receiver) = gmp::chan(1);
/// sender.send("one").unwrap();
/// match sender.try_send("two") {
///     Err(TrySendError::Full(word)) => assert_eq!(word, "two"),
///     Err(TrySendError::Closed(_)) | Ok(()) => unreachable!(),
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The buffer is full and nobody waits for a value.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

sends_back!(TrySendError {
    Full => "send on a channel with no room and no receiver waiting",
    Closed => "send on a closed channel"
});

/// Why a send with a deadline did not send; the value comes back.
///
/// Shown at [`Sender::send_timeout`](super::Sender::send_timeout).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The deadline passed first.
    TimedOut(T),
    /// The channel is closed.
    Closed(T),
}

sends_back!(SendTimeoutError {
    TimedOut => "timed out sending on a channel",
    Closed => "send on a closed channel"
});

/// The channel is closed, and empty.
///
/// Shown at [`Receiver::recv`](super::Receiver::recv).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("receive from a closed and empty channel")]
pub struct RecvError;

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvError({self})")
    }
}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) received nothing.
///
/// Shown at [`Receiver::try_recv`](super::Receiver::try_recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// The channel is empty and no sender waits.
    #[error("receive from an empty channel")]
    Empty,
    /// The channel is closed, and empty.
    #[error("receive from a closed and empty channel")]
    Closed,
}

/// Why a receive with a deadline received nothing.
///
/// Shown at [`Receiver::recv_timeout`](super::Receiver::recv_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvTimeoutError {
    /// The deadline passed first.
    #[error("timed out receiving from a channel")]
    TimedOut,
    /// The channel is closed, and empty.
    #[error("receive from a closed and empty channel")]
    Closed,
}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        Self::Closed(value)
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        Self::Closed(value)
    }
}

impl From<RecvError> for TryRecvError {
    fn from(RecvError: RecvError) -> Self {
        Self::Closed
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(RecvError: RecvError) -> Self {
        Self::Closed
    }
}
