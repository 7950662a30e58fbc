//! Values on channels are dropped exactly once: at a close, when a side is dropped, after a panic or a time-out, or at
//! the end of a runtime.

mod modes;
mod told;

use gmp::{AtMainReturn, chan, go, select, sleep, yield_now};
use modes::{builder, everywhere, on_go};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(1);

/// Counts how many of these there are.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, SeqCst) > 0, "dropped twice");
    }
}

fn alive() -> Arc<AtomicUsize> {
    Arc::default()
}

#[test]
fn a_close_gives_back_what_waits_and_leaves_the_buffer() {
    everywhere(2, || {
        let count = alive();
        let (to, from) = chan(2);
        let senders: Vec<_> = (0..5)
            .map(|_| {
                let (to, value) = (to.clone(), Counted::new(&count));
                go(move || to.send(value).is_ok())
            })
            .collect();
        sleep(SHORT);
        to.close();
        let sent = senders.into_iter().map(|s| s.join().unwrap()).filter(|&sent| sent).count();
        assert_eq!(sent, from.len());
        assert_eq!(count.load(SeqCst), sent, "those that failed dropped theirs");
        assert_eq!(from.iter().count(), sent);
        assert_eq!(count.load(SeqCst), 0);
    });
}

#[test]
fn the_last_receiver_takes_the_buffer_along() {
    for procs in [1, 2] {
        on_go(procs, || {
            let count = alive();
            let (to, from) = chan(3);
            (0..3).for_each(|_| to.send(Counted::new(&count)).unwrap());
            let (also_to, value) = (to.clone(), Counted::new(&count));
            let waiting = go(move || also_to.send(value).is_err());
            yield_now();
            let second = from.clone();
            drop(from);
            assert_eq!(count.load(SeqCst), 4);
            drop(second);
            assert!(waiting.join().unwrap());
            assert_eq!(count.load(SeqCst), 0);
            assert!(to.send(Counted::new(&count)).is_err());
            assert_eq!(count.load(SeqCst), 0);
        });
    }
}

#[test]
fn a_panic_drops_what_is_in_hand() {
    on_go(2, || {
        let count = alive();
        let (to, from) = chan(0);
        let (feed, expected) = (to.clone(), Counted::new(&count));
        go(move || feed.send(expected));
        let receiver = go(move || {
            let _in_hand = from.recv().unwrap();
            std::panic::resume_unwind(Box::new("in hand"));
        });
        assert!(receiver.join().is_err());
        // The panic took the last receiver along.
        assert!(to.send(Counted::new(&count)).is_err());
        // A value that is made while others already wait in the select.
        let (to, _from) = chan(1);
        let no_value = || -> Counted { std::panic::resume_unwind(Box::new("no value")) };
        let made = count.clone();
        let broken = go(move || {
            select! {
                send(to, Counted::new(&made)) -> _ => {}
                send(to, no_value()) -> _ => {}
            }
        });
        assert!(broken.join().is_err());
        assert_eq!(count.load(SeqCst), 0);
    });
}

#[test]
fn a_time_out_gives_the_value_back() {
    everywhere(2, || {
        let count = alive();
        let (to, from) = chan(0);
        drop(to.send_timeout(Counted::new(&count), SHORT).unwrap_err().into_inner());
        let kept = Counted::new(&count);
        select! {
            send(to, kept) -> _ => unreachable!("nobody receives"),
            send(to, Counted::new(&count)) -> _ => unreachable!("nobody receives"),
            default(SHORT) => assert_eq!(count.load(SeqCst), 2),
        }
        assert_eq!(count.load(SeqCst), 1, "the variable is still ours, the other value is gone");
        drop(kept);
        assert!(from.try_recv().is_err());
        assert_eq!(count.load(SeqCst), 0);
    });
}

#[test]
fn empty_and_large_values_arrive() {
    on_go(2, || {
        let ((to_large, large), (to_empty, empty)) = (chan(0), chan(1));
        go(move || {
            for i in 0..100_u8 {
                select! { send(to_large, [i; 1000]) -> sent => sent.unwrap() }
                select! { send(to_empty, ()) -> sent => sent.unwrap(), default(Duration::MAX) => {} }
            }
        });
        for i in 0..100_u8 {
            let got =
                select! { recv(large) -> got => got.unwrap(), recv(gmp::never()) -> got => got.unwrap() };
            assert!(got == [i; 1000]);
            empty.recv().unwrap();
        }
    });
}

/// Goroutines that wait in every way while their runtime ends. Two ends of channels at which they wait are kept
/// outside.
fn left_waiting(at_main_return: AtMainReturn, count: &Arc<AtomicUsize>) {
    let ((to, from), (full, keeps)) = (chan::<Counted>(0), chan(1));
    full.send(Counted::new(count)).unwrap();
    let (outside, at_work) = ((to.clone(), keeps.clone()), count.clone());
    let runtime = builder().procs(2).at_main_return(at_main_return).build().unwrap();
    let finished = runtime.run(move || {
        for _ in 0..10 {
            let (value, other, more) =
                (Counted::new(&at_work), Counted::new(&at_work), Counted::new(&at_work));
            let (from, also_from, full, also_full) = (from.clone(), from.clone(), full.clone(), full.clone());
            go(move || full.send(value).is_ok());
            go(move || from.recv().is_ok());
            go(move || {
                select! {
                    send(also_full, other) -> _ => {}
                    send(also_full, { more }) -> _ => {}
                    recv(also_from) -> _ => {}
                }
            });
        }
        while gmp::stats().waiting < 30 {
            sleep(SHORT);
        }
    });
    let left = finished.unwrap().left;
    let (to, keeps) = outside;
    if at_main_return == AtMainReturn::Unwind {
        assert_eq!((left.suspended, left.never_started), (0, 0));
        // A goroutine may still be running its destructors, on its way out.
        let late = Instant::now() + Duration::from_secs(60);
        while count.load(SeqCst) > 1 && Instant::now() < late {
            std::thread::sleep(SHORT);
        }
    } else {
        assert_eq!(left.suspended, 30);
    }
    // Nobody waits any more: no value goes to a receiver that will never run, and none comes from such a sender.
    assert!(to.try_send(Counted::new(count)).is_err());
    assert!(keeps.try_recv().is_ok());
    assert!(keeps.try_recv().is_err());
}

#[test]
fn a_closing_runtime_drops_what_its_goroutines_hold() {
    for _ in 0..20 {
        let count = alive();
        left_waiting(AtMainReturn::Unwind, &count);
        assert_eq!(count.load(SeqCst), 0);
    }
}

#[test]
fn goroutines_that_are_left_behind_are_passed_over() {
    for _ in 0..20 {
        let count = alive();
        left_waiting(AtMainReturn::Leak, &count);
        assert_eq!(count.load(SeqCst), 30, "those in the leaked stacks");
    }
}

/// A destructor that selects while its goroutine unwinds because the runtime closes waits for nothing.
#[test]
fn destructors_of_a_closing_runtime_do_not_wait() {
    struct Late(gmp::Receiver<u8>, gmp::Sender<u8>, Arc<AtomicUsize>);
    impl Drop for Late {
        fn drop(&mut self) {
            let (from, to) = (&self.0, &self.1);
            assert!(from.recv().is_err() && to.send(1).is_err());
            select! {
                recv(from) -> got => assert!(got.is_err()),
                send(to, 1) -> sent => assert!(sent.is_err()),
            }
            select! {
                recv(from) -> _ => unreachable!(),
                recv(from) -> _ => unreachable!(),
                default(Duration::from_secs(60)) => {}
            }
            let mut set = gmp::Select::new();
            let gone = set.recv(from);
            let left = set.recv(from);
            set.remove(gone);
            assert_eq!(set.ready(), left, "a removed case comes up for nobody");
            assert!(set.select().recv(from).is_err());
            self.2.fetch_add(1, SeqCst);
        }
    }
    let count = alive();
    let told = count.clone();
    let runtime = builder().procs(2).at_main_return(AtMainReturn::Unwind).build().unwrap();
    let left = runtime.run(move || {
        let ((to, from), (full, keep)) = (chan(0), chan(0));
        for _ in 0..10 {
            let late = Late(from.clone(), full.clone(), told.clone());
            go(move || {
                let _late = late;
                gmp::block_forever()
            });
        }
        // One that never started would be dropped in the scheduler's place.
        while gmp::stats().waiting < 10 {
            sleep(SHORT);
        }
        // The other ends live on in a goroutine that is never woken.
        std::mem::forget((to, keep));
    });
    assert_eq!(left.unwrap().left.suspended, 0);
    let late = Instant::now() + Duration::from_secs(60);
    while count.load(SeqCst) < 10 && Instant::now() < late {
        std::thread::sleep(SHORT);
    }
    assert_eq!(count.load(SeqCst), 10);
}
