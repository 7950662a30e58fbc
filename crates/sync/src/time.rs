//! Sleeping, timers and tickers.
//!
//! | to | use | Go |
//! | --- | --- | --- |
//! | wait | [`sleep_until`], or `sleep` | `Sleep` |
//! | have a case for time in a select | [`after`] | `After` |
//! | the same, to be stopped or moved | [`Timer::new`], [`Timer::channel`] | `NewTimer`, `C` |
//! | run a function later | [`after_func`], [`after_func_once`] | `AfterFunc` |
//! | do something again and again | [`Ticker`], [`tick`] | `NewTicker`, `Tick` |
//!
//! A timer's channel is as if it had no buffer: its length and capacity are 0, and after a stop or a reset nothing
//! comes of what was before, as in Go since 1.23. Timers lie on the Ps of the runtime in which they were set last, and
//! go off there; plain threads may stop them and receive from them, but not set them. A timer that nobody can receive
//! from any more is stopped.

mod channel_timer;
mod func_timer;
mod sleep;
mod ticker;
mod timer;

pub use sleep::sleep_until;
pub use ticker::{Ticker, tick};
pub use timer::{Timer, after, after_func, after_func_once};
