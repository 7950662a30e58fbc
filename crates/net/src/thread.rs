//! How a plain thread waits for a socket: it blocks itself, and hears of a close or of new terms by an alarm of its own.

use gmp_core::contract::{Alarm, Side};
use gmp_core::descriptor::{Descriptor, Ticket};
use gmp_poller::ThreadAlarm;
use std::cell::OnceCell;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

thread_local! {
    static ALARM: OnceCell<Arc<ThreadAlarm>> = const { OnceCell::new() };
}

/// The calling thread's alarm, which is made when the thread first waits. A thread that is ending has none any more,
/// and makes another for each wait.
fn alarm() -> io::Result<Arc<ThreadAlarm>> {
    let own = ALARM.try_with(|own| match own.get() {
        Some(alarm) => Ok(Arc::clone(alarm)),
        None => {
            let alarm = Arc::new(ThreadAlarm::new()?);
            Ok(Arc::clone(own.get_or_init(|| alarm)))
        }
    });
    own.unwrap_or_else(|_| Ok(Arc::new(ThreadAlarm::new()?)))
}

/// Blocks the calling thread until it is worth while to try; `false`: `deadline` came first.
pub(crate) fn wait(
    descriptor: &Descriptor,
    fd: BorrowedFd<'_>,
    side: Side,
    ticket: Ticket,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    let alarm = alarm()?;
    let listed: Arc<dyn Alarm> = alarm.clone();
    if !descriptor.list_thread(side, ticket, &listed) {
        return Ok(true);
    }
    let ready = alarm.wait(fd, side, deadline);
    descriptor.unlist_thread(side, &listed);
    ready
}
