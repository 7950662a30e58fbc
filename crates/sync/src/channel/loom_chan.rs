//! loom models of the channel, on the real type, between plain threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-sync --release --lib loom_chan`
//!
//! What is sent is a message in loom's cell, written before the send and read after the receive, so an ordering that
//! does not hand it over is a failure, and so is a message that is lost, given out twice, or leaked. A thread that is
//! never woken is a deadlock to loom. A deadline in a model has always passed: the wait begins and ends at once.
//! Threads: at most three. Preemptions: 3 with two threads, 2 with three, or what `LOOM_MAX_PREEMPTIONS` says. Time: 10
//! s.
//!
//! Caught when broken: `fire` Relaxed; a `close` that leaves the senders waiting; a lock given back Relaxed; a glance
//! that looks at `closed` first, or at `len` Relaxed; a receive that takes a value out before it puts the waiting
//! sender's in.

use super::{RecvTimeoutError, SendTimeoutError, TryRecvError, chan};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::time::Duration;

pub(crate) fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

/// Written by the sender, read by the receiver; leaked or freed twice if it is not handed over once.
pub(crate) struct Message(Arc<UnsafeCell<u32>>);

// SAFETY: this is what the models are to prove; loom complains if it is not so.
unsafe impl Send for Message {}

impl Message {
    pub(crate) fn new(number: u32) -> Self {
        let message = Arc::new(UnsafeCell::new(0));
        // SAFETY: as above.
        message.with_mut(|text| unsafe { *text = number });
        Self(message)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: as above.
        self.0.with_mut(|text| unsafe { core::mem::take(&mut *text) })
    }
}

#[test]
fn loom_chan_a_value_is_handed_over() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (to, from) = chan(capacity);
            let sender = thread::spawn(move || (1..=2).for_each(|n| to.send(Message::new(n)).unwrap()));
            assert_eq!(from.recv().map(Message::read), Ok(1));
            assert_eq!(from.recv().map(Message::read), Ok(2));
            assert!(from.recv().is_err(), "the last sender closes");
            sender.join().unwrap();
        });
    }
}

#[test]
fn loom_chan_two_senders() {
    for capacity in [0, 1] {
        explore(2, move || {
            let (to, from) = chan(capacity);
            let senders = [1, 2].map(|n| {
                let to = to.clone();
                thread::spawn(move || to.send(Message::new(n)).unwrap())
            });
            drop(to);
            let got = [(); 2].map(|()| from.recv().map(Message::read).unwrap());
            assert!(got == [1, 2] || got == [2, 1], "{got:?}");
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }
}

#[test]
fn loom_chan_two_receivers() {
    explore(2, || {
        let (to, from) = chan(0);
        let receivers = [(); 2].map(|()| {
            let from = from.clone();
            thread::spawn(move || from.recv().map(Message::read).unwrap_or(0))
        });
        to.send(Message::new(1)).unwrap();
        drop(to);
        let got: u32 = receivers.map(|receiver| receiver.join().unwrap()).iter().sum();
        assert_eq!(got, 1, "one got it, the other the close");
    });
}

#[test]
fn loom_chan_close_against_a_send_and_a_receive() {
    explore(2, || {
        let (to, from) = chan(0);
        let (closer, _kept) = (to.clone(), from.clone());
        let sender =
            thread::spawn(move || to.send(Message::new(7)).map_err(|error| error.into_inner().read()));
        let receiver = thread::spawn(move || from.recv().map(Message::read));
        assert!(closer.close());
        match (sender.join().unwrap(), receiver.join().unwrap()) {
            (Ok(()), Ok(7)) | (Err(7), Err(_)) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn loom_chan_the_last_receiver_leaves_nothing_behind() {
    explore(3, || {
        let (to, from) = chan(1);
        let sender = thread::spawn(move || {
            let first = to.send(Message::new(1)).is_ok();
            // Nobody receives: it comes back, sooner or later.
            assert_eq!(to.send(Message::new(2)).unwrap_err().into_inner().read(), 2);
            first
        });
        drop(from);
        sender.join().unwrap();
    });
}

#[test]
fn loom_chan_a_time_out_on_either_side() {
    const SOON: Duration = Duration::from_millis(1);
    explore(3, || {
        let (to, from) = chan(0);
        let sender = thread::spawn(move || match to.send_timeout(Message::new(7), SOON) {
            Ok(()) => true,
            Err(SendTimeoutError::TimedOut(message) | SendTimeoutError::Closed(message)) => {
                assert_eq!(message.read(), 7);
                false
            }
        });
        let got = match from.recv_timeout(SOON) {
            Ok(message) => message.read() == 7,
            Err(RecvTimeoutError::TimedOut | RecvTimeoutError::Closed) => false,
        };
        drop(from);
        assert_eq!(sender.join().unwrap(), got, "both or none");
    });
}

#[test]
fn loom_chan_a_time_out_among_others() {
    const SOON: Duration = Duration::from_millis(1);
    explore(2, || {
        let (to, from) = chan(0);
        let hasty = from.clone();
        let hasty = thread::spawn(move || hasty.recv_timeout(SOON).map_or(0, Message::read));
        let patient = thread::spawn(move || from.recv().map_or(0, Message::read));
        // The message reaches one of them, whether the hasty one is in line, on its way out, or gone.
        to.send(Message::new(1)).unwrap();
        drop(to);
        assert_eq!(hasty.join().unwrap() + patient.join().unwrap(), 1);
    });
}

#[test]
fn loom_chan_try_operations() {
    explore(3, || {
        let (to, from) = chan(1);
        let sender = thread::spawn(move || {
            let sent = [1, 2].map(|n| to.try_send(Message::new(n)).is_ok());
            assert!(sent[0]);
            sent[1]
        });
        let mut got = 0;
        loop {
            match from.try_recv() {
                Ok(message) => {
                    got += 1;
                    assert_eq!(message.read(), got);
                }
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Closed) => break,
            }
        }
        assert_eq!(sender.join().unwrap(), got == 2);
    });
}

#[test]
fn loom_chan_a_glance_knows_what_came_before() {
    explore(3, || {
        let (to, from) = chan(1);
        to.try_send(Message::new(7)).map_err(drop).unwrap();
        let (closer, other) = (to.clone(), from.clone());
        let closer = thread::spawn(move || {
            assert!(closer.close());
            other.recv().map(Message::read).ok()
        });
        // It is never empty before it is closed.
        match (from.try_recv().map(Message::read), closer.join().unwrap()) {
            (Ok(7), None) | (Err(TryRecvError::Closed), Some(7)) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn loom_chan_what_stays_full_is_never_seen_empty() {
    explore(2, || {
        let (to, from) = chan(1);
        to.try_send(Message::new(1)).map_err(drop).unwrap();
        let other = from.clone();
        let sender = thread::spawn(move || to.send(Message::new(2)).is_ok());
        // We look under the lock, since a glance may see what was true a moment ago.
        let waits = !from.chan().lock.lock().senders.is_empty();
        let looker = thread::spawn(move || other.try_recv().map(Message::read));
        let mut got = from.recv().map_or(0, Message::read);
        // With a sender in line there is a message for each receiver.
        match looker.join().unwrap() {
            Ok(number) => got += number,
            Err(refusal) => {
                assert!(!waits, "{refusal:?}");
                got += from.recv().map_or(0, Message::read);
            }
        }
        assert_eq!(got, 3);
        assert!(sender.join().unwrap());
    });
}
