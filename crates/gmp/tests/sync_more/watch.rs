//! `watch`: nobody misses the last value, whoever waits learns of the end, and a panic in a change holds nobody up.

use super::{Counted, closing, everywhere, until_waiting};
use gmp::channel::RecvTimeoutError;
use gmp::sync::watch;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn nobody_misses_the_last_value() {
    everywhere(|| {
        for _ in 0..20 {
            let (sender, receiver) = watch::channel(0_u32);
            let all: Vec<_> = (0..4)
                .map(|kind| {
                    let mut receiver = receiver.clone();
                    gmp::go(move || {
                        let mut last = *receiver.borrow();
                        loop {
                            let told = match kind {
                                0 => receiver.changed(),
                                1 => gmp::block_on(receiver.changed_async()),
                                2 => receiver
                                    .changed_timeout(Duration::from_secs(3600))
                                    .map_err(|_| gmp::channel::RecvError),
                                _ => gmp::select! { recv(receiver.ready()) -> _ => receiver.changed() },
                            };
                            let value = *receiver.borrow_and_update();
                            assert!(value >= last);
                            last = value;
                            if told.is_err() {
                                return last;
                            }
                        }
                    })
                })
                .collect();
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let sender = sender.clone();
                    gmp::go(move || (0..50).for_each(|_| sender.send_modify(|value| *value += 1)))
                })
                .collect();
            drop((sender, receiver));
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 100));
        }
    });
}

#[test]
fn who_is_left_decides_what_a_send_and_a_wait_say() {
    everywhere(|| {
        let (sender, mut receiver) = watch::channel(1);
        assert_eq!(receiver.changed_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::TimedOut));
        sender.send(2).unwrap();
        drop(sender);
        // The last value is still to be seen; then comes the end.
        assert!(receiver.has_changed().is_err());
        assert_eq!((receiver.changed(), receiver.changed().is_err()), (Ok(()), true));
        assert_eq!(receiver.wait_for(|value| *value == 2).map(|value| *value), Ok(2));
        assert!(receiver.wait_for(|value| *value == 3).is_err());
        assert!(receiver.clone().changed().is_err());

        let (sender, receiver) = watch::channel(String::from("one"));
        assert_eq!((sender.receiver_count(), sender.sender_count()), (1, 1));
        drop(receiver);
        assert_eq!(sender.send("two".into()).unwrap_err().into_inner(), "two");
        assert_eq!(sender.send_replace("three".into()), "one");
        let mut receiver = sender.subscribe();
        assert_eq!((receiver.has_changed(), &**receiver.borrow()), (Ok(false), "three"));
        receiver.mark_changed();
        assert!(receiver.borrow_and_update().has_changed() && !receiver.borrow().has_changed());
    });
}

#[test]
fn ends_that_go_wake_those_who_wait() {
    everywhere(|| {
        for round in 0..50 {
            let (sender, mut receiver) = watch::channel(0);
            let mut other = receiver.clone();
            let waits = gmp::go(move || receiver.changed());
            let waits_for = gmp::go(move || other.wait_for(|value| *value == 1).is_err());
            if round % 2 == 0 {
                until_waiting(2);
            }
            drop(sender);
            assert!(waits.join().unwrap().is_err() && waits_for.join().unwrap());

            let (sender, receiver) = watch::channel(0);
            let other = receiver.clone();
            let waits = gmp::go(move || sender.closed());
            if round % 2 == 0 {
                until_waiting(1);
            }
            drop((receiver, other));
            waits.join().unwrap();
        }
    });
}

#[test]
fn a_panic_in_a_change_holds_nobody_up() {
    everywhere(|| {
        let (sender, mut receiver) = watch::channel(0);
        let changes = sender.clone();
        let panics = move || {
            changes.send_modify(|value| {
                *value = 1;
                resume_unwind(Box::new("in the middle"));
            });
        };
        assert!(gmp::go(panics).join().is_err());
        // Nobody was told, and what was changed can be seen.
        assert_eq!(receiver.has_changed(), Ok(false));
        assert_eq!(*receiver.borrow(), 1);
        assert!(
            catch_unwind(AssertUnwindSafe(|| _ = receiver.wait_for(|_| resume_unwind(Box::new("no")))))
                .is_err()
        );
        assert!(!sender.send_if_modified(|_| false));
        let waits = gmp::go(move || receiver.wait_for(|value| *value == 2).map(|value| *value));
        sender.send(2).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(2));
    });
}

/// The destructor of a replaced value waits, and looks at what is watched: no lock is held around it.
#[test]
fn replaced_values_are_dropped_under_no_lock() {
    struct Looks(Option<watch::Receiver<Looks>>, Counted);
    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(receiver) = self.0.take() {
                assert!(receiver.borrow().1.1 > self.1.1);
                gmp::yield_now();
            }
        }
    }
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = watch::channel(Looks(None, Counted::new(&living, 0)));
        for n in 1..50 {
            assert!(sender.send(Looks(Some(receiver.clone()), Counted::new(&living, n))).is_ok());
        }
        drop(sender.send_replace(Looks(None, Counted::new(&living, 50))));
        drop((sender, receiver));
        assert_eq!(living.load(SeqCst), 0);
    });
}

/// A clone of what `ready` returns may be closed by its owner: that wakes the others for nothing, and does no more.
#[test]
fn closing_the_channel_of_a_change_deceives_nobody() {
    everywhere(|| {
        let (sender, mut receiver) = watch::channel(0);
        let ready = receiver.ready();
        let waits = gmp::go(move || receiver.changed());
        until_waiting(1);
        ready.close();
        until_waiting(1);
        sender.send(1).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
}

#[test]
fn threads_watch_what_goroutines_change() {
    everywhere(|| {
        let (sender, receiver) = watch::channel(0);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mut receiver = receiver.clone();
                std::thread::spawn(move || receiver.wait_for(|value| *value == 20).map(|value| *value))
            })
            .collect();
        for n in 1..=20 {
            sender.send(n).unwrap();
            gmp::yield_now();
        }
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Ok(20)));
    });
}

#[test]
fn a_runtime_that_closes_ends_those_who_watch() {
    closing(|| {
        struct Waits(watch::Receiver<u32>);
        impl Drop for Waits {
            fn drop(&mut self) {
                assert!(self.0.changed().is_err());
            }
        }
        let (sender, receiver) = watch::channel(0);
        let closed = sender.clone();
        let mut waits = Waits(receiver.clone());
        gmp::go(move || waits.0.changed());
        gmp::go(move || closed.closed());
        until_waiting(2);
        std::mem::forget((sender, receiver));
    });
}

/// What is awaited moves from thread to thread with its executor's tasks.
#[test]
fn futures_may_be_sent() {
    fn sent(future: impl Future + Send) {
        drop(future);
    }
    sent(watch::channel(0).1.changed_async());
    sent(gmp::sync::broadcast::channel::<u32>(1).1.recv_async());
    sent(gmp::sync::oneshot::channel::<u32>().1.into_future());
}
