//! Channels: typed queues between goroutines, and plain threads, with Go's order of events.

mod alarm;
mod close;
mod counter;
mod ending;
pub(crate) mod erased;
mod error;
mod glance;
mod handle;
mod iter;
pub(crate) mod protocol;
mod ring;
mod task;
mod timing;

#[cfg(all(test, loom))]
pub(crate) mod loom_chan;

pub(crate) use ending::Ending;
pub use error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub(crate) use handle::of_timer;
pub use handle::{Receiver, RecvFuture, SendFuture, Sender, chan, never};
pub use iter::{IntoIter, Iter, TryIter};
pub(crate) use task::Receiving;
