//! loom models of tasks at channels, on the real types: what is awaited by `block_on` in one plain thread, against sends,
//! receives and closes of others.
//!
//! `cargo xtask loom task`
//!
//! As in `loom_chan`: messages in loom's cells that must be handed over once, and threads that must be woken, here by
//! wakers: a bell that is not heard is a deadlock to loom. Threads: at most three. Preemptions: 3 with two threads, 2 with
//! three, or what `LOOM_MAX_PREEMPTIONS` says. Time: 10 s.

use super::block_on;
use crate::channel::chan;
use crate::channel::loom_chan::{Message, explore};
use crate::seam::RANDOM;
use crate::sync::oneshot;
use loom::thread;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

#[test]
fn loom_task_receives() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (to, from) = chan(capacity);
            let sender = thread::spawn(move || (1..=2).for_each(|n| to.send(Message::new(n)).unwrap()));
            let got = block_on(async {
                [from.recv_async().await, from.recv_async().await]
                    .map(|message| message.map_or(9, Message::read))
            });
            assert_eq!(got, [1, 2]);
            assert!(block_on(from.recv_async()).is_err(), "the last sender closes");
            sender.join().unwrap();
        });
    }
}

#[test]
fn loom_task_sends() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (to, from) = chan(capacity);
            let sender = thread::spawn(move || {
                block_on(async {
                    to.send_async(Message::new(1)).await.map_err(drop).unwrap();
                    to.send_async(Message::new(2)).await.map_err(drop).unwrap();
                });
            });
            assert_eq!([(); 2].map(|()| from.recv().map_or(9, Message::read)), [1, 2]);
            assert!(from.recv().is_err());
            sender.join().unwrap();
        });
    }
}

#[test]
fn loom_task_learns_of_a_close() {
    explore(2, || {
        let (to, from) = chan(0);
        let (closer, _kept) = (to.clone(), from.clone());
        let sender = thread::spawn(move || {
            block_on(to.send_async(Message::new(7))).map_err(|error| error.into_inner().read())
        });
        let receiver = thread::spawn(move || block_on(from.recv_async()).map(Message::read));
        assert!(closer.close());
        match (sender.join().unwrap(), receiver.join().unwrap()) {
            (Ok(()), Ok(7)) | (Err(7), Err(_)) => {}
            other => panic!("{other:?}"),
        }
    });
}

/// A receive that is given up while a value comes: the value is there for the next one.
#[test]
fn loom_task_gives_a_value_back() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (to, from) = chan(capacity);
            let sender = thread::spawn(move || to.send(Message::new(7)).is_ok());
            let came = {
                let mut future = pin!(from.recv_async());
                let mut context = Context::from_waker(Waker::noop());
                match future.as_mut().poll(&mut context) {
                    Poll::Ready(message) => Some(message),
                    Poll::Pending => None,
                }
            };
            let message = came.unwrap_or_else(|| from.recv());
            assert_eq!(message.map_or(9, Message::read), 7);
            assert!(sender.join().unwrap());
        });
    }
}

/// The waker of the last poll is the one that counts.
#[test]
fn loom_task_leaves_another_waker() {
    explore(3, || {
        let (to, from) = chan(0);
        let sender = thread::spawn(move || to.send(Message::new(7)).is_ok());
        let mut future = pin!(from.recv_async());
        let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let message = match first {
            Poll::Ready(message) => message,
            Poll::Pending => block_on(future),
        };
        assert_eq!(message.map_or(9, Message::read), 7);
        assert!(sender.join().unwrap());
    });
}

/// A future that wakes itself is polled again, whoever else rings.
#[test]
fn loom_task_remembers_a_ring() {
    explore(3, || {
        let (to, from) = chan::<Message>(0);
        let closer = thread::spawn(move || drop(to));
        let (mut polls, mut end) = (0, pin!(from.recv_async()));
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            end.as_mut().poll(context).map(drop)
        }));
        closer.join().unwrap();
    });
}

#[test]
fn loom_task_waits_for_the_end_of_a_receiver() {
    explore(3, || {
        let (mut sender, receiver) = oneshot::channel::<Message>();
        let gone = thread::spawn(move || drop(receiver));
        block_on(sender.closed_async());
        assert!(sender.is_closed());
        sender.closed();
        gone.join().unwrap();
    });
    explore(3, || {
        let (sender, receiver) = oneshot::channel::<Message>();
        let waits = thread::spawn(move || sender.closed());
        drop(receiver);
        waits.join().unwrap();
    });
}

/// A wait for the end that is over takes nothing from whoever receives.
#[test]
fn loom_task_ends_its_wait_and_sends() {
    explore(2, || {
        let (mut sender, receiver) = oneshot::channel();
        let receives = thread::spawn(move || receiver.recv().map_or(9, Message::read));
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(sender.closed_async()).poll(&mut context).is_pending());
        assert!(sender.send(Message::new(7)).is_ok());
        assert_eq!(receives.join().unwrap(), 7);
    });
}

/// A select with a future and a channel, looked at from either end.
#[test]
fn loom_task_is_an_arm_of_a_select() {
    for word in [0, u64::MAX] {
        explore(2, move || {
            RANDOM.store(word, Relaxed);
            let ((to_a, a), (to_b, b)) = (chan(0), chan(0));
            let senders = [(1, to_a), (2, to_b)]
                .map(|(n, to)| thread::spawn(move || assert!(to.send(Message::new(n)).is_ok())));
            let first = crate::select! {
                recv(a) -> message => message.map_or(9, Message::read),
                await(b.recv_async()) -> message => message.map_or(9, Message::read),
            };
            let second = if first == 1 { b.recv() } else { a.recv() };
            assert_eq!(first + second.map_or(9, Message::read), 3);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }
}
