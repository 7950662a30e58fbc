//! `broadcast`: every receiver sees every value, or is told how many it has missed.

use super::{Counted, closing, everywhere, until_waiting};
use gmp::sync::broadcast::{self, RecvError, RecvTimeoutError, TryRecvError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn every_receiver_accounts_for_every_value() {
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        for capacity in [1, 3, 64] {
            let (sender, receiver) = broadcast::channel(capacity);
            let readers: Vec<_> = (0..4)
                .map(|kind| {
                    let mut receiver = receiver.resubscribe();
                    gmp::go(move || {
                        let (mut next, mut missed) = (0, 0);
                        loop {
                            let received = match kind {
                                0 => receiver.recv(),
                                1 => gmp::block_on(receiver.recv_async()),
                                2 => gmp::select! { recv(receiver.ready()) -> _ => receiver.recv() },
                                _ => match receiver.try_recv() {
                                    Ok(value) => Ok(value),
                                    Err(TryRecvError::Lagged(n)) => Err(RecvError::Lagged(n)),
                                    Err(TryRecvError::Closed) => Err(RecvError::Closed),
                                    Err(TryRecvError::Empty) => {
                                        gmp::yield_now();
                                        continue;
                                    }
                                },
                            };
                            match received {
                                Ok(Counted(_, value)) => {
                                    assert_eq!(u64::from(value), next);
                                    next += 1;
                                }
                                Err(RecvError::Lagged(n)) => {
                                    next += n;
                                    missed += n;
                                }
                                Err(RecvError::Closed) => return (next, missed),
                            }
                        }
                    })
                })
                .collect();
            drop(receiver);
            for n in 0..60 {
                assert_eq!(sender.send(Counted::new(&living, n)).unwrap(), 4);
                if n % 8 == 0 {
                    gmp::yield_now();
                }
            }
            drop(sender);
            for reader in readers {
                let (next, missed) = reader.join().unwrap();
                assert!(next == 60 && (capacity < 60 || missed == 0), "{next} {missed}");
            }
        }
        assert_eq!(living.load(SeqCst), 0);
    });
}

#[test]
fn values_stay_until_all_have_seen_them() {
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        let (sender, mut one) = broadcast::channel(4);
        let mut two = sender.subscribe();
        (0..3).for_each(|n| _ = sender.send(Counted::new(&living, n)).unwrap());
        assert_eq!((one.recv().unwrap().1, two.recv().unwrap().1), (0, 0));
        assert_eq!((sender.len(), living.load(SeqCst)), (2, 2));
        // A receiver that is dropped takes along what it was the last to see, and nothing else.
        assert_eq!((two.recv().unwrap().1, two.len(), one.len()), (1, 1, 2));
        drop(one);
        assert_eq!((sender.len(), living.load(SeqCst)), (1, 1));
        assert_eq!(two.recv().unwrap().1, 2);
        assert!(sender.is_empty() && living.load(SeqCst) == 0);
        drop(two);
        assert_eq!(sender.send(Counted::new(&living, 9)).unwrap_err().into_inner().1, 9);
        let mut later = sender.subscribe();
        assert!(matches!(later.try_recv(), Err(TryRecvError::Empty)));
        assert_eq!(sender.send(Counted::new(&living, 10)).unwrap(), 1);
        let other = later.resubscribe();
        assert_eq!((other.is_empty(), later.recv().unwrap().1), (true, 10));
        drop((sender, later, other));
        assert_eq!(living.load(SeqCst), 0);
    });
}

#[test]
fn receivers_that_go_while_values_come() {
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        let (sender, keeps) = broadcast::channel(8);
        let come_and_go: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                gmp::go(move || {
                    for round in 0..50 {
                        let mut receiver = sender.subscribe();
                        let mut last = None;
                        for _ in 0..round % 4 {
                            if let Ok(Counted(_, value)) = receiver.try_recv() {
                                assert!(last.is_none_or(|last| value > last));
                                last = Some(value);
                            }
                            gmp::yield_now();
                        }
                    }
                })
            })
            .collect();
        for n in 0..200 {
            assert!(sender.send(Counted::new(&living, n)).unwrap() >= 1);
            if n % 4 == 0 {
                gmp::yield_now();
            }
        }
        come_and_go.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!((sender.receiver_count(), sender.sender_count(), keeps.len()), (1, 1, 200));
        drop((sender, keeps));
        assert_eq!(living.load(SeqCst), 0);
    });
}

#[test]
fn ends_that_go_wake_those_who_receive() {
    everywhere(|| {
        for round in 0..50 {
            let (sender, mut receiver) = broadcast::channel::<u32>(1);
            let mut other = receiver.resubscribe();
            let waits = gmp::go(move || receiver.recv());
            let awaits = gmp::go(move || gmp::block_on(other.recv_async()));
            if round % 2 == 0 {
                until_waiting(2);
            }
            drop(sender);
            assert_eq!(
                (waits.join().unwrap(), awaits.join().unwrap()),
                (Err(RecvError::Closed), Err(RecvError::Closed))
            );

            let (sender, receiver) = broadcast::channel::<u32>(1);
            let waits = gmp::go(move || sender.closed());
            if round % 2 == 0 {
                until_waiting(1);
            }
            drop(receiver);
            waits.join().unwrap();
        }
    });
}

#[test]
fn a_deadline_leaves_the_receiver_usable() {
    let (sender, mut receiver) = broadcast::channel(1);
    assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::TimedOut));
    (0..3).for_each(|n| _ = sender.send(n).unwrap());
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Lagged(2)));
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(2));
    drop(sender);
    let error = receiver.recv_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "receive from a broadcast that is closed, all values of which were seen");
    assert!(catch_unwind(|| broadcast::channel::<u32>(0)).is_err());
}

/// Clones and destructors that call back: no lock is held around them, and one that panics holds nobody up.
#[test]
fn values_are_cloned_and_dropped_under_no_lock() {
    struct Calls(Arc<broadcast::Sender<Calls>>, u32);
    impl Clone for Calls {
        fn clone(&self) -> Self {
            assert!(self.0.len() <= 2);
            gmp::yield_now();
            if self.1 == 13 {
                resume_unwind(Box::new("unlucky"));
            }
            Self(self.0.clone(), self.1)
        }
    }
    impl Drop for Calls {
        fn drop(&mut self) {
            assert!(self.0.len() <= 2);
            gmp::yield_now();
        }
    }
    everywhere(|| {
        let (sender, mut receiver) = broadcast::channel(2);
        let mut other = sender.subscribe();
        let sender = Arc::new(sender);
        for n in [1, 2, 3, 13, 14] {
            assert!(sender.send(Calls(sender.clone(), n)).is_ok());
        }
        assert!(matches!(receiver.recv(), Err(RecvError::Lagged(3))));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver.recv()))).is_err());
        assert_eq!(receiver.recv().map(|value| value.1).ok(), Some(14));
        assert!(matches!(other.recv(), Err(RecvError::Lagged(3))));
        // The last receiver gets the values themselves.
        assert_eq!(other.recv().map(|value| value.1).ok(), Some(13));
        drop(other);
        assert!(sender.is_empty());
    });
}

#[test]
fn threads_and_goroutines_receive_alike() {
    everywhere(|| {
        let (sender, receiver) = broadcast::channel(64);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mut receiver = receiver.resubscribe();
                std::thread::spawn(move || std::iter::from_fn(|| receiver.recv().ok()).sum::<u32>())
            })
            .collect();
        let mut receiver = receiver;
        let goroutine = gmp::go(move || std::iter::from_fn(|| receiver.recv().ok()).sum::<u32>());
        let sends = std::thread::spawn(move || (1..=50).for_each(|n| _ = sender.send(n).unwrap()));
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 1275));
        assert_eq!(goroutine.join().unwrap(), 1275);
        sends.join().unwrap();
    });
}

#[test]
fn a_runtime_that_closes_ends_those_who_receive() {
    closing(|| {
        struct Waits(broadcast::Receiver<u32>);
        impl Drop for Waits {
            fn drop(&mut self) {
                assert_eq!(self.0.recv(), Err(RecvError::Closed));
            }
        }
        let (sender, receiver) = broadcast::channel(1);
        let closed = sender.clone();
        let mut waits = Waits(receiver);
        gmp::go(move || waits.0.recv());
        gmp::go(move || closed.closed());
        until_waiting(2);
        std::mem::forget(sender);
    });
}
