//! loom models of select, on the real type, between plain threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-sync --release --lib loom_select`
//!
//! As in `loom_chan`: messages in loom's cells that must be handed over once, threads that must be woken, deadlines
//! that have always passed. Each model runs with two random words, so that selects look from either end. Threads: at
//! most three. Preemptions: 3 with two threads, 2 with three, or what `LOOM_MAX_PREEMPTIONS` says. Time: 20 s.
//!
//! Caught when broken: a claim that counts as fired (the waiter goes on while the value is being moved); the nodes of
//! the other cases left where they are; locks waited for in the order of looking.

use crate::channel::loom_chan::{Message, explore};
use crate::channel::{TrySendError, chan};
use crate::seam::RANDOM;
use crate::select;
use loom::thread;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(1);

/// Explores the model with the cases looked at in the order in which they stand, and the other way round.
fn both_ways(preemptions: usize, model: fn()) {
    for word in [0, u64::MAX] {
        explore(preemptions, move || {
            RANDOM.store(word, Relaxed);
            model();
        });
    }
}

#[test]
fn loom_select_between_two_senders() {
    both_ways(2, || {
        let ((to_a, a), (to_b, b)) = (chan(0), chan(0));
        let senders = [(1, to_a), (2, to_b)]
            .map(|(n, to)| thread::spawn(move || assert!(to.send(Message::new(n)).is_ok())));
        let (mut from_a, mut from_b) = (0, 0);
        while from_a == 0 || from_b == 0 {
            // A sender that is through has closed its channel.
            select! {
                recv(a) -> message => from_a = message.map_or(from_a, Message::read),
                recv(b) -> message => from_b = message.map_or(from_b, Message::read),
            }
            if from_a > 0 && from_b == 0 {
                from_b = b.recv().map_or(9, Message::read);
            } else if from_b > 0 && from_a == 0 {
                from_a = a.recv().map_or(9, Message::read);
            }
        }
        assert_eq!((from_a, from_b), (1, 2));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn loom_select_against_a_close() {
    both_ways(3, || {
        let ((to_a, a), (to_b, b)) = (chan::<Message>(0), chan::<Message>(0));
        let closer = thread::spawn(move || drop(to_a));
        select! {
            recv(a) -> message => assert!(message.is_err()),
            recv(b) -> _ => unreachable!("its sender does nothing"),
        }
        drop(to_b);
        closer.join().unwrap();
    });
}

/// Two selects that can only meet each other, on either of two channels, named in opposite orders.
#[test]
fn loom_select_meets_select() {
    both_ways(3, || {
        let ((to_c, c), (to_d, d)) = (chan(0), chan(0));
        let (also_to_d, also_c) = (to_d.clone(), c.clone());
        let other = thread::spawn(move || {
            select! {
                send(also_to_d, Message::new(4)) -> sent => (sent.is_ok(), 0),
                recv(also_c) -> message => (false, message.map_or(9, Message::read)),
            }
        });
        let mine = select! {
            send(to_c, Message::new(3)) -> sent => (sent.is_ok(), 0),
            recv(d) -> message => (false, message.map_or(9, Message::read)),
        };
        match (mine, other.join().unwrap()) {
            ((true, 0), (false, 3)) | ((false, 4), (true, 0)) => {}
            other => panic!("{other:?}"),
        }
    });
}

/// Both sides of one channel in each of two selects: neither meets itself.
#[test]
fn loom_select_does_not_meet_itself() {
    both_ways(3, || {
        let (to, from) = chan(0);
        let (also_to, also_from) = (to.clone(), from.clone());
        let other = thread::spawn(move || {
            select! {
                send(also_to, Message::new(2)) -> sent => { assert!(sent.is_ok()); 0 }
                recv(also_from) -> message => message.map_or(9, Message::read),
            }
        });
        let mine = select! {
            recv(from) -> message => message.map_or(9, Message::read),
            send(to, Message::new(1)) -> sent => { assert!(sent.is_ok()); 0 }
        };
        match (mine, other.join().unwrap()) {
            (2, 0) | (0, 1) => {}
            other => panic!("{other:?}"),
        }
    });
}

/// Two senders race for one wait: one gets it, the other finds nobody.
#[test]
fn loom_select_is_claimed_once() {
    both_ways(2, || {
        let ((to_a, a), (to_b, b)) = (chan(0), chan(0));
        let senders = [(1, to_a.clone()), (2, to_b.clone())].map(|(n, to)| {
            thread::spawn(move || match to.try_send(Message::new(n)) {
                Ok(()) => n,
                Err(TrySendError::Full(message) | TrySendError::Closed(message)) => message.read() - n,
            })
        });
        let got = select! {
            recv(a) -> message => message.map_or(9, Message::read),
            recv(b) -> message => message.map_or(9, Message::read),
            default(SOON) => 0,
        };
        let sent: u32 = senders.map(|sender| sender.join().unwrap()).iter().sum();
        assert_eq!(got, sent);
    });
}

/// A select that has ended is off the queues of its other channels: the next one in line is served.
#[test]
fn loom_select_leaves_the_line() {
    both_ways(2, || {
        let ((to_a, a), (to_b, b)) = (chan(0), chan(1));
        let also_a = a.clone();
        let selects = thread::spawn(move || {
            select! {
                recv(also_a) -> message => message.map_or(9, Message::read),
                recv(b) -> message => message.map_or(9, Message::read),
            }
        });
        let waits = thread::spawn(move || a.recv().map_or(9, Message::read));
        assert!(to_b.send(Message::new(2)).is_ok());
        assert!(to_a.send(Message::new(1)).is_ok());
        // One of them takes it; the other one gets the close, if it looks there.
        drop(to_a);
        match (selects.join().unwrap(), waits.join().unwrap()) {
            (2, 1) | (1, 9) | (9, 1) => {}
            other => panic!("{other:?}"),
        }
    });
}

/// A default comes up only if there was a moment at which nothing was ready.
#[test]
fn loom_select_sees_one_moment() {
    both_ways(3, || {
        let ((to_a, a), (to_b, b)) = (chan(1), chan(1));
        assert!(to_a.send(Message::new(1)).is_ok());
        let (also_a, also_b) = (a.clone(), b.clone());
        let looks = thread::spawn(move || {
            select! {
                recv(also_a) -> message => message.map_or(9, Message::read),
                recv(also_b) -> message => message.map_or(9, Message::read),
                default => 0,
            }
        });
        assert!(to_b.send(Message::new(2)).is_ok());
        let mine = a.try_recv().map_or(0, Message::read);
        let theirs = looks.join().unwrap();
        assert!(theirs == 2 || (theirs == 1 && mine == 0), "{theirs} {mine}");
    });
}

/// The same channel in two cases, and a partner that comes once.
#[test]
fn loom_select_has_a_channel_twice() {
    both_ways(3, || {
        let (to, from) = chan(0);
        let sender = thread::spawn(move || assert!(to.send(Message::new(1)).is_ok()));
        let got = select! {
            recv(from) -> message => message.map_or(9, Message::read),
            recv(from) -> message => message.map_or(9, Message::read),
        };
        assert_eq!(got, 1);
        sender.join().unwrap();
        assert!(from.recv().is_err());
    });
}

/// A select that only asks whether a case is ready is told, and the value is still there.
#[test]
fn loom_select_ready() {
    both_ways(2, || {
        let ((to_a, a), (_to_b, b)) = (chan(0), chan::<Message>(0));
        let sender = thread::spawn(move || assert!(to_a.send(Message::new(1)).is_ok()));
        let mut set = crate::select::Select::new();
        let (on_a, _) = (set.recv(&a), set.recv(&b));
        assert_eq!(set.ready(), on_a);
        assert_eq!(a.try_recv().map(Message::read), Ok(1));
        sender.join().unwrap();
    });
}
