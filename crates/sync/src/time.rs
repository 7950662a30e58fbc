//! Sleeping, timers and tickers.
//!
//! | to | use | Go |
//! | --- | --- | --- |
//! | wait | [`sleep_until`], or `sleep` | `Sleep` |
//! | wait in async code | [`sleep_async`] | |
//! | have a case for time in a select | [`after`] | `After` |
//! | the same, to be stopped or moved | [`Timer::new`], [`Timer::channel`] | `NewTimer`, `C` |
//! | run a function later | [`after_func`], [`after_func_once`] | `AfterFunc` |
//! | do something again and again | [`Ticker`], [`tick`] | `NewTicker`, `Tick` |
//!
//! A timer's channel behaves as if it had no buffer: its length and capacity are 0, and after a stop or a reset no
//! value of an earlier expiry is received, as in Go since 1.23. A timer belongs to the runtime in which it was set
//! last, and goes off on one of that runtime's Ps; plain threads may stop timers and receive from them, but not set
//! them. A timer from which nobody can receive any more is stopped.

mod channel_timer;
mod func_timer;
mod sleep;
mod ticker;
mod timer;

pub use sleep::{Sleep, sleep_async, sleep_until};
pub use ticker::{Ticker, tick};
pub use timer::{Timer, after, after_func, after_func_once};
