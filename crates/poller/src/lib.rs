//! gmp's poller on Linux: [`Epoll`] for goroutines, [`ThreadAlarm`] for plain threads.
//!
//! Both stand on `rustix`, whose calls are safe and are one system call each. The other well-kept libraries do more than
//! the contract asks for: `polling` sets a timerfd before and arms its own eventfd again after each wait, and `mio` wants
//! the poller for itself while it waits and counts time in milliseconds.

mod alarm;
mod epoll;
mod instance;

pub use alarm::ThreadAlarm;
pub use epoll::{Epoll, make};
