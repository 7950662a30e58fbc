//! Why a receiver has got no value.

use crate::channel;

/// Why [`Receiver::recv`](super::Receiver::recv) received nothing.
///
/// Shown at [`Receiver::recv`](super::Receiver::recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvError {
    /// No sender is left, and all values were seen.
    #[error("receive from a broadcast that is closed, all values of which were seen")]
    Closed,
    /// It was too slow for the capacity, and has missed so many values. The next receive gives the oldest that is left.
    #[error("the receiver of a broadcast was too slow and has missed {0} values")]
    Lagged(u64),
}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) received nothing.
///
/// Shown at [`Receiver::try_recv`](super::Receiver::try_recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// All values that were sent were seen.
    #[error("receive from a broadcast, all values of which were seen")]
    Empty,
    /// The same as [`RecvError::Closed`].
    #[error("receive from a broadcast that is closed, all values of which were seen")]
    Closed,
    /// The same as [`RecvError::Lagged`].
    #[error("the receiver of a broadcast was too slow and has missed {0} values")]
    Lagged(u64),
}

/// Why a receive with a deadline received nothing.
///
/// Shown at [`Receiver::recv_timeout`](super::Receiver::recv_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvTimeoutError {
    /// The deadline passed first.
    #[error("timed out receiving from a broadcast")]
    TimedOut,
    /// The same as [`RecvError::Closed`].
    #[error("receive from a broadcast that is closed, all values of which were seen")]
    Closed,
    /// The same as [`RecvError::Lagged`].
    #[error("the receiver of a broadcast was too slow and has missed {0} values")]
    Lagged(u64),
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => Self::Closed,
            RecvError::Lagged(missed) => Self::Lagged(missed),
        }
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => Self::Closed,
            RecvError::Lagged(missed) => Self::Lagged(missed),
        }
    }
}

impl From<channel::RecvTimeoutError> for RecvTimeoutError {
    fn from(error: channel::RecvTimeoutError) -> Self {
        match error {
            channel::RecvTimeoutError::Closed => Self::Closed,
            channel::RecvTimeoutError::TimedOut => Self::TimedOut,
        }
    }
}
