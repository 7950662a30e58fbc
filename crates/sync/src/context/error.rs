//! Why a context is done, and what its channel carries: nothing.

use core::convert::Infallible;
use core::fmt;
use std::error::Error;
use std::sync::Arc;

/// What the channel of [`Context::done`](super::Context::done) never carries: it only closes.
///
/// Shown at [`Context::done`](super::Context::done).
pub type Never = Infallible;

/// Why a context was cancelled, in more detail than a [`ContextError`].
///
/// Shown at [`Cancel::cancel_because`](super::Cancel::cancel_because).
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a context is done.
///
/// Shown at [`Context`](super::Context) and [`Context::with_deadline`](super::Context::with_deadline).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// It, or one that it was derived from, was cancelled.
    Canceled,
    /// Its deadline has passed, or that of one that it was derived from.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canceled => "context canceled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}
