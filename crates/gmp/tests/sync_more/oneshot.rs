//! `oneshot`: a value arrives once, comes back, or is dropped; and whoever waits learns that none comes.

use super::{Counted, closing, everywhere, until_waiting};
use gmp::channel::{RecvError, RecvTimeoutError, TryRecvError};
use gmp::sync::oneshot;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[test]
fn values_arrive_and_come_back() {
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        for round in 0..200 {
            let (sender, receiver) = oneshot::channel();
            let value = Counted::new(&living, round);
            let sends = gmp::go(move || sender.send(value).is_ok());
            match round % 4 {
                0 => assert_eq!(receiver.recv().unwrap().1, round),
                1 => assert_eq!(gmp::block_on(async { receiver.await }).unwrap().1, round),
                2 => assert_eq!(gmp::block_on(receiver.recv_async()).unwrap().1, round),
                // Sent or not, the value is dropped once.
                _ => drop(receiver),
            }
            assert!(sends.join().unwrap() || round % 4 == 3);
        }
        assert_eq!(living.load(SeqCst), 0);
    });
}

#[test]
fn a_dropped_sender_wakes_whoever_waits() {
    everywhere(|| {
        for round in 0..100 {
            let (sender, receiver) = oneshot::channel::<u32>();
            let waits = gmp::go(move || match round % 3 {
                0 => receiver.recv(),
                1 => gmp::block_on(async { receiver.await }),
                _ => gmp::select! { recv(receiver.channel()) -> answer => answer },
            });
            if round % 2 == 0 {
                until_waiting(1);
            }
            drop(sender);
            assert_eq!(waits.join().unwrap(), Err(RecvError));
        }
    });
}

#[test]
fn a_sender_that_panics_is_a_sender_that_goes() {
    everywhere(|| {
        let (sender, receiver) = oneshot::channel::<u32>();
        gmp::go(move || {
            let _sender = sender;
            std::panic::resume_unwind(Box::new("no answer"));
        });
        assert_eq!(receiver.recv(), Err(RecvError));
    });
}

#[test]
fn the_value_comes_back_from_a_receiver_that_went() {
    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    let error = sender.send(String::from("hello")).unwrap_err();
    assert_eq!(error.to_string(), "send on a closed channel");
    assert_eq!(error.into_inner(), "hello");
    // Closing is not dropping: what was sent before can be received.
    let (sender, receiver) = oneshot::channel();
    sender.send(7).unwrap();
    assert!(!receiver.close());
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(7), Err(TryRecvError::Closed)));
}

#[test]
fn threads_and_goroutines_meet() {
    everywhere(|| {
        for _ in 0..20 {
            let (question, asked) = oneshot::channel();
            let (answer, answered) = oneshot::channel();
            let thread = std::thread::spawn(move || {
                answer.send(asked.recv().unwrap() + 1).unwrap();
            });
            question.send(41).unwrap();
            assert_eq!(answered.recv(), Ok(42));
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_deadline_leaves_the_receiver_usable() {
    everywhere(|| {
        let (sender, receiver) = oneshot::channel();
        assert_eq!(receiver.recv_deadline(Instant::now()), Err(RecvTimeoutError::TimedOut));
        assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::TimedOut));
        sender.send(7).unwrap();
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(7));
        assert_eq!(receiver.recv(), Err(RecvError));
    });
}

/// A future that is dropped after the value has come to it: the borrowing one leaves the value where it was, the owning
/// one takes it along.
#[test]
fn futures_that_go_lose_nothing_of_others() {
    let mut context = Context::from_waker(Waker::noop());
    let (sender, receiver) = oneshot::channel();
    {
        let mut future = pin!(receiver.recv_async());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Pending);
        sender.send(7).unwrap();
    }
    assert_eq!(receiver.try_recv(), Ok(7));

    let living = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = oneshot::channel();
    let mut future = Box::pin(receiver.into_future());
    assert!(future.as_mut().poll(&mut context).is_pending());
    sender.send(Counted::new(&living, 1)).unwrap();
    drop(future);
    let (sender, receiver) = oneshot::channel();
    let mut future = Box::pin(receiver.into_future());
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop(future);
    drop(sender.send(Counted::new(&living, 2)).unwrap_err());
    assert_eq!(living.load(SeqCst), 0);
}

#[test]
fn a_runtime_that_closes_ends_those_who_wait() {
    closing(|| {
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        struct Waits(Option<oneshot::Receiver<u32>>);
        impl Drop for Waits {
            fn drop(&mut self) {
                // A wait in an unwind of a closing runtime ends at once.
                assert!(self.0.take().unwrap().recv().is_err());
                ENDED.fetch_add(1, SeqCst);
            }
        }
        let (kept, receiver) = oneshot::channel::<u32>();
        let (also_kept, second) = oneshot::channel::<u32>();
        gmp::go(move || {
            let _waits = Waits(Some(second));
            receiver.recv()
        });
        until_waiting(1);
        // The senders outlive the runtime: nobody tells the receivers.
        std::mem::forget((kept, also_kept));
    });
}

#[test]
fn a_sender_learns_that_nobody_waits() {
    everywhere(|| {
        for round in 0..100 {
            let (mut sender, receiver) = oneshot::channel::<u32>();
            assert!(!sender.closed_timeout(Duration::ZERO));
            let waits = gmp::go(move || match round % 4 {
                0 => sender.closed(),
                1 => assert!(sender.closed_timeout(Duration::from_secs(60))),
                2 => gmp::block_on(sender.closed_async()),
                _ => gmp::select! {
                    recv(gmp::never::<u32>()) -> _ => unreachable!(),
                    await(sender.closed_async()) -> () => {}
                },
            });
            if round % 3 == 0 {
                until_waiting(1);
            }
            if round % 5 == 0 {
                receiver.close();
                waits.join().unwrap();
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
            } else {
                drop(receiver);
                waits.join().unwrap();
            }
        }
    });
}

/// A receiver that waits, and a sender that waits for it to go, do not see each other; the value comes all the same.
#[test]
fn a_wait_for_the_end_takes_no_value() {
    everywhere(|| {
        for round in 0..100 {
            let (mut sender, receiver) = oneshot::channel();
            assert!(!sender.closed_deadline(Instant::now()));
            let mut context = Context::from_waker(Waker::noop());
            match round % 3 {
                0 => assert!(pin!(sender.closed_async()).poll(&mut context).is_pending()),
                // Its end is never told: the sender takes it out of the line.
                1 => {
                    let mut leaked = Box::pin(sender.closed_async());
                    assert!(leaked.as_mut().poll(&mut context).is_pending());
                    std::mem::forget(leaked);
                }
                _ => {}
            }
            let waits = gmp::go(move || receiver.recv());
            if round % 2 == 0 {
                until_waiting(1);
            }
            if round % 5 == 0 {
                drop(sender);
                assert_eq!(waits.join().unwrap(), Err(RecvError));
            } else {
                sender.send(round).unwrap();
                assert_eq!(waits.join().unwrap(), Ok(round));
            }
        }
    });
}

#[test]
fn a_runtime_that_closes_ends_a_sender_that_waits() {
    closing(|| {
        struct Waits(Option<oneshot::Sender<u32>>);
        impl Drop for Waits {
            fn drop(&mut self) {
                self.0.take().unwrap().closed();
            }
        }
        let (sender, kept) = oneshot::channel::<u32>();
        let (second, also_kept) = oneshot::channel::<u32>();
        gmp::go(move || {
            let _waits = Waits(Some(second));
            sender.closed();
        });
        until_waiting(1);
        std::mem::forget((kept, also_kept));
    });
}
