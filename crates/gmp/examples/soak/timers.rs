//! Timers: functions whose destructors suspend, and loops of calls beside a timer that is due.

use crate::account::{ACCOUNT, Ticket};
use crate::work::micros;
use fastrand::Rng;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Far away: no timer of these goes off.
const HOUR: Duration = Duration::from_secs(3600);
/// A loop that runs for so long has not been told of its timer.
const LOST: Duration = Duration::from_secs(20);

/// A value whose destructor suspends, starts goroutines and sets timers. It runs wherever its last owner is.
pub(crate) struct Suspends(pub(crate) u32);

impl Drop for Suspends {
    fn drop(&mut self) {
        // In a runtime that closes it may be dropped on a plain thread, which may do none of this.
        if gmp::current().is_none() {
            return;
        }
        match self.0 % 5 {
            0 => gmp::yield_now(),
            1 => gmp::sleep(Duration::from_micros(30)),
            2 => gmp::blocking(|| std::thread::sleep(Duration::from_micros(30))),
            3 => drop(gmp::time::after(HOUR)),
            _ => {}
        }
        ACCOUNT.step();
    }
}

/// Stopped timers, which lie in a heap until a timer of somebody's has it swept; then their functions are dropped.
pub(crate) fn leave_some(rng: &mut Rng) {
    for i in 0..rng.u32(1..100) {
        let suspends = Suspends(i);
        let timer = gmp::time::after_func_once(HOUR, move || {
            black_box(&suspends);
        });
        match rng.u32(..3) {
            0 => drop(timer),
            1 if !timer.stop() => ACCOUNT.complain("a timer of an hour went off at once".into()),
            _ => {
                timer.reset(HOUR);
                if !timer.stop() {
                    ACCOUNT.complain("a timer that was put off by an hour went off at once".into());
                }
            }
        }
    }
}

/// A loop of calls that never wait, until a timer goes off: somebody has to run it though this P is never idle.
pub(crate) fn calls_beside_one(rng: &mut Rng) {
    let (call, began) = (rng.u32(..6), Instant::now());
    // Only whoever runs the timer ends this: a look at a timer's channel would read the clock instead.
    let gone_off = Arc::new(AtomicBool::new(false));
    let (ticket, tell) = (Ticket::new(), gone_off.clone());
    let _timer = gmp::time::after_func_once(micros(rng, 500), move || {
        let _ticket = ticket;
        tell.store(true, Relaxed);
    });
    let lock = gmp::sync::Mutex::new(());
    let (to, from) = gmp::chan(1);
    while !gone_off.load(Relaxed) {
        match call {
            0 => drop(black_box(gmp::num_goroutines())),
            1 => drop(lock.lock()),
            2 => {
                to.send(()).unwrap();
                from.recv().unwrap();
            }
            3 => drop(gmp::time::after(HOUR)),
            4 => gmp::blocking(|| ()),
            _ => gmp::select! {
                recv(from) -> _ => ACCOUNT.complain("a message that nobody sent".into()),
                default => {}
            },
        }
        if began.elapsed() > LOST {
            return ACCOUNT.complain(format!("a timer did not go off beside calls of kind {call}"));
        }
    }
}
