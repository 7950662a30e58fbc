//! What a closed runtime leaves in things that outlive it: timers that lie in no heap any more, and queues with waiters
//! that will never come.

mod told;

use gmp::sync::Semaphore;
use gmp::{AtMainReturn, Builder};
use gmp_core::timer::{Fire, Firing, Timer};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far longer than anything here takes; a test that waits for this long has failed.
const LONG: Duration = Duration::from_secs(20);

fn runtime(at_main_return: AtMainReturn) -> gmp::Runtime {
    told::moving(Builder::new()).procs(2).at_main_return(at_main_return).build().unwrap()
}

struct Beats;

impl Fire for Beats {
    fn fire(_: &Timer<Self>, firing: Firing<'_>) {
        let _ = firing.claim();
    }
}

/// A tick that came due while the runtime unwound was thrown away, but the timer's plan still said that an entry lay in
/// the heap of a P: a later stop wrote to that P's freed memory.
#[test]
fn a_beat_during_the_unwind_leaves_no_plan_behind() {
    /// Holds the unwinding up for some ticks. It is waited for, even where its P is taken meanwhile.
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let timer = Timer::new(Beats).as_any();
    let set = timer.clone();
    let out = runtime(AtMainReturn::Unwind).run(move || {
        set.reset_in(Duration::from_millis(1), Duration::from_millis(1));
        gmp::go(|| {
            let _slow = Slow;
            gmp::sleep(LONG);
        });
        gmp::sleep(Duration::from_millis(5));
    });
    assert!(out.unwrap().left.is_clean());
    assert!(!timer.is_pending(), "the runtime is gone, and the timer with it");
    assert!(!timer.stop());
}

/// A waiter that was abandoned in the queue, and asked for more than there was, kept all others from what was free:
/// those that waited behind it, and those that came later.
#[test]
fn an_abandoned_waiter_does_not_hold_a_semaphores_queue() {
    static PERMITS: Semaphore = Semaphore::new(2);
    let (done, told) = mpsc::channel();
    let out = runtime(AtMainReturn::Leak).run(move || {
        gmp::go(|| drop(PERMITS.acquire_many(3)));
        while gmp::stats().waiting < 1 {
            gmp::sleep(Duration::from_millis(1));
        }
        thread::spawn(move || {
            PERMITS.acquire().forget();
            let _ = done.send(());
        });
        thread::sleep(Duration::from_millis(20));
    });
    assert_eq!(out.unwrap().left.suspended, 1);
    // Whether the thread has queued by now or not, it is served first or takes its permit itself.
    assert_eq!(PERMITS.try_acquire().map(|permit| permit.count()), Some(1));
    told.recv_timeout(LONG).unwrap();
    assert_eq!(PERMITS.available(), 1);
}
