//! Go's own tests of channels and select (`runtime/chan_test.go`, `chanbarrier_test.go`), as far as they have a
//! counterpart: there is no garbage collector, and stacks do not move. Barriers become counts of drops.

mod modes;
mod told;

use gmp::channel::TryRecvError;
use gmp::{Receiver, Sender, chan, go, never, select, sleep, yield_now};
use modes::{everywhere, on_go};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(1);

fn fill(to: &Sender<usize>) {
    (0..to.capacity()).for_each(|i| to.send(i).unwrap());
}

fn an_empty_channel_blocks_receives(capacity: usize) {
    let (to, from) = chan(capacity);
    let received = Arc::new(AtomicU32::new(0));
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let (from, received) = (from.clone(), received.clone());
            go(move || {
                assert_eq!(from.recv(), Ok(0));
                received.fetch_add(1, SeqCst);
            })
        })
        .collect();
    sleep(TICK);
    assert_eq!(received.load(SeqCst), 0);
    assert_eq!(from.try_recv(), Err(TryRecvError::Empty));
    select! {
        recv(from) -> value => panic!("received {value:?}"),
        default => {}
    }
    to.send(0).unwrap();
    to.send(0).unwrap();
    receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
}

fn a_full_channel_blocks_sends(capacity: usize) {
    let (to, from) = chan(capacity);
    fill(&to);
    let sent = Arc::new(AtomicBool::new(false));
    let sender = {
        let (to, sent) = (to.clone(), sent.clone());
        go(move || {
            to.send(0).unwrap();
            sent.store(true, SeqCst);
        })
    };
    sleep(TICK);
    assert!(!sent.load(SeqCst));
    assert!(to.try_send(0).is_err());
    select! {
        send(to, 0) -> _ => panic!("sent"),
        default => {}
    }
    from.recv().unwrap();
    sender.join().unwrap();
}

fn a_closed_channel_gives_what_it_has(capacity: usize) {
    let (to, from) = chan(capacity);
    fill(&to);
    assert!(to.close());
    (0..capacity).for_each(|i| assert_eq!(from.recv(), Ok(i)));
    assert!(from.recv().is_err());
    assert_eq!(from.try_recv(), Err(TryRecvError::Closed));
}

fn a_close_unblocks_a_receive(capacity: usize) {
    let (to, from) = chan::<usize>(capacity);
    let receiver = go(move || from.recv().is_err());
    sleep(TICK);
    to.close();
    assert!(receiver.join().unwrap());
}

fn values_come_whole_and_in_order(capacity: usize) {
    const GOROUTINES: usize = 4;
    const EACH: usize = 100;
    let (to, from) = chan(capacity);
    let feeder = to.clone();
    go(move || (0..100).for_each(|i| feeder.send(i).unwrap()));
    (0..100).for_each(|i| assert_eq!(from.recv(), Ok(i)));

    let (totals, all) = chan(0);
    for _ in 0..GOROUTINES {
        let (to, from, totals) = (to.clone(), from.clone(), totals.clone());
        go(move || (0..EACH).for_each(|i| to.send(i).unwrap()));
        go(move || {
            let mut seen = HashMap::new();
            (0..EACH).for_each(|_| *seen.entry(from.recv().unwrap()).or_insert(0) += 1);
            totals.send(seen).unwrap();
        });
    }
    let mut seen = HashMap::new();
    for one in all.iter().take(GOROUTINES) {
        one.into_iter().for_each(|(value, times)| *seen.entry(value).or_insert(0) += times);
    }
    assert_eq!(seen.len(), EACH);
    assert!(seen.values().all(|&times| times == GOROUTINES));
}

fn lengths_count_the_buffer(capacity: usize) {
    let (to, from) = chan(capacity);
    assert_eq!((to.len(), from.capacity()), (0, capacity));
    fill(&to);
    assert_eq!((from.len(), to.capacity()), (capacity, capacity));
}

/// Go: TestChan.
#[test]
fn channels_of_every_capacity() {
    everywhere(4, || {
        for capacity in (0..20).chain([100, 199]) {
            an_empty_channel_blocks_receives(capacity);
            a_full_channel_blocks_sends(capacity);
            a_closed_channel_gives_what_it_has(capacity);
            a_close_unblocks_a_receive(capacity);
            values_come_whole_and_in_order(capacity);
            lengths_count_the_buffer(capacity);
        }
    });
}

/// Go: TestNonblockRecvRace.
#[test]
fn a_receive_that_does_not_wait_sees_value_or_close() {
    for procs in [1, 2, 4] {
        on_go(procs, || {
            for _ in 0..2_000 {
                let (to, from) = chan(1);
                to.send(1).unwrap();
                let other = from.clone();
                let looked = go(move || select! { recv(other) -> _ => true, default => false });
                to.close();
                let _ = from.recv();
                assert!(looked.join().unwrap(), "the channel was ready all the time");
            }
        });
    }
}

/// One of two channels is ready at each moment: `second` makes the second ready before the first one ceases to be.
fn one_is_always_ready(second: fn(&Sender<u8>), capacity: usize) {
    for _ in 0..5_000 {
        let ((to_1, from_1), (to_2, from_2)) = (chan(1), chan(capacity));
        to_1.send(1).unwrap();
        let (other_1, other_2) = (from_1.clone(), from_2.clone());
        let looked =
            go(move || select! { recv(other_1) -> _ => true, recv(other_2) -> _ => true, default => false });
        second(&to_2);
        select! { recv(from_1) -> _ => {}, default => {} }
        assert!(looked.join().unwrap(), "one of the channels was ready all the time");
    }
}

/// Go: TestNonblockSelectRace. A select sees all its channels at one moment.
#[test]
fn a_select_that_does_not_wait_sees_one_moment() {
    for procs in [1, 2, 4] {
        on_go(procs, || one_is_always_ready(|to| to.send(1).unwrap(), 1));
    }
}

/// Go: TestNonblockSelectRace2.
#[test]
fn a_select_that_does_not_wait_sees_a_close() {
    for procs in [1, 2, 4] {
        on_go(procs, || one_is_always_ready(|to| assert!(to.close()), 0));
    }
}

/// Go: TestSelfSelect.
#[test]
fn a_select_never_meets_itself() {
    everywhere(2, || {
        for capacity in [0, 10] {
            let (to, from) = chan(capacity);
            let halves: Vec<_> = (0..2)
                .map(|me| {
                    let (to, from) = (to.clone(), from.clone());
                    go(move || {
                        let got = |value: usize| assert!(capacity > 0 || value != me, "received its own");
                        for i in 0..1000 {
                            if me == 0 || i % 2 == 0 {
                                select! {
                                    send(to, me) -> sent => sent.unwrap(),
                                    recv(from) -> value => got(value.unwrap()),
                                }
                            } else {
                                select! {
                                    recv(from) -> value => got(value.unwrap()),
                                    send(to, me) -> sent => sent.unwrap(),
                                }
                            }
                        }
                    })
                })
                .collect();
            halves.into_iter().for_each(|half| half.join().unwrap());
        }
    });
}

type Four = [(Sender<u8>, Receiver<u8>); 4];

fn send_to_all(channels: Four, each: usize) {
    let mut sent = [0; 4];
    let mut to = channels.clone().map(|(to, _)| to);
    // Go sets a channel to nil; here, to one that nobody receives from.
    let (off, _nobody) = chan(0);
    let mut count = |which: usize, to: &mut [Sender<u8>; 4]| {
        sent[which] += 1;
        if sent[which] == each {
            to[which] = off.clone();
        }
    };
    for _ in 0..4 * each {
        select! {
            send(to[3], 0) -> sent => { sent.unwrap(); count(3, &mut to) }
            send(to[2], 0) -> sent => { sent.unwrap(); count(2, &mut to) }
            send(to[0], 0) -> sent => { sent.unwrap(); count(0, &mut to) }
            send(to[1], 0) -> sent => { sent.unwrap(); count(1, &mut to) }
        }
    }
    assert_eq!(sent, [each; 4]);
}

fn receive_from_all(channels: Four, each: usize) {
    let mut received = [0; 4];
    let mut from = channels.clone().map(|(_, from)| from);
    let mut count = |which: usize, from: &mut [Receiver<u8>; 4]| {
        received[which] += 1;
        if received[which] == each {
            from[which] = never();
        }
    };
    for _ in 0..4 * each {
        select! {
            recv(from[0]) -> value => { value.unwrap(); count(0, &mut from) }
            recv(from[1]) -> value => { value.unwrap(); count(1, &mut from) }
            recv(from[2]) -> value => { value.unwrap(); count(2, &mut from) }
            recv(from[3]) -> value => { value.unwrap(); count(3, &mut from) }
        }
    }
    assert_eq!(received, [each; 4]);
}

/// Go: TestSelectStress.
#[test]
fn plain_operations_and_selects_on_the_same_channels() {
    const EACH: usize = 3_000;
    for procs in [1, 2, 10] {
        on_go(procs, || {
            let four: Four = [0, 0, 2, 3].map(chan);
            let mut all = Vec::new();
            for (to, from) in four.clone() {
                all.push(go(move || (0..EACH).for_each(|_| to.send(0).unwrap())));
                all.push(go(move || (0..EACH).for_each(|_| assert_eq!(from.recv(), Ok(0)))));
            }
            let (sends, receives) = (four.clone(), four.clone());
            all.push(go(move || send_to_all(sends, EACH)));
            all.push(go(move || receive_from_all(receives, EACH)));
            all.into_iter().for_each(|one| one.join().unwrap());
            assert!(four.iter().all(|(to, _)| to.is_empty()));
        });
    }
}

/// Go: TestSelectFairness.
#[test]
fn two_that_are_always_ready_come_up_equally_often() {
    const TRIALS: usize = 10_000;
    for procs in [1, 2] {
        on_go(procs, || {
            let ((to_1, from_1), (to_2, from_2)) = (chan(TRIALS + 1), chan(TRIALS + 1));
            for _ in 0..=TRIALS {
                to_1.send(0).unwrap();
                to_2.send(1).unwrap();
            }
            let ((out, outs), (stop, stopped)) = (chan(0), chan::<()>(0));
            let (idle_1, idle_2) = (never(), never());
            let chooser = go(move || {
                loop {
                    let which: usize = select! {
                        recv(idle_1) -> which => which.unwrap(),
                        recv(idle_2) -> which => which.unwrap(),
                        recv(from_1) -> which => which.unwrap(),
                        recv(from_2) -> which => which.unwrap(),
                    };
                    select! {
                        send(out, which) -> sent => sent.unwrap(),
                        recv(stopped) -> _ => return,
                    }
                }
            });
            let mut counts = [0_usize; 2];
            outs.iter().take(TRIALS).for_each(|which| counts[which] += 1);
            stop.close();
            chooser.join().unwrap();
            // Ten times the standard deviation of a fair coin, which is 50.
            assert!(counts[0].abs_diff(TRIALS / 2) < 500, "{counts:?}");
        });
    }
}

/// Go: TestPseudoRandomSend.
#[test]
fn a_select_between_two_values_sends_both() {
    const N: usize = 100;
    for procs in [1, 2] {
        for capacity in [0, N] {
            let ones = on_go(procs, move || {
                let (to, from) = chan(capacity);
                let reader = go(move || {
                    let read = |_| {
                        yield_now();
                        from.recv().unwrap()
                    };
                    (0..N).map(read).sum::<usize>()
                });
                for _ in 0..N {
                    select! {
                        send(to, 1) -> sent => sent.unwrap(),
                        send(to, 0) -> sent => sent.unwrap(),
                    }
                }
                reader.join().unwrap()
            });
            assert!(ones > N / 10 && ones < N - N / 10, "{ones} of {N} with capacity {capacity}");
        }
    }
}

/// Go: TestMultiConsumer.
#[test]
fn many_consumers_pass_on_all_that_is_fed() {
    const WORKERS: usize = 23;
    const VALUES: usize = 27_183;
    const PRIMES: [usize; 10] = [2, 3, 7, 11, 13, 17, 19, 23, 27, 31];
    for procs in [1, 2, 4] {
        on_go(procs, || {
            let ((feed, fed), (results, all)) = (chan(WORKERS * 3), chan(WORKERS * 3));
            for worker in 0..WORKERS {
                let (fed, results) = (fed.clone(), results.clone());
                go(move || {
                    for value in fed {
                        // Disturbs the order in which the workers come by.
                        if PRIMES[worker % PRIMES.len()] == value {
                            yield_now();
                        }
                        results.send(value).unwrap();
                    }
                });
            }
            // The last worker that ends closes the results.
            drop(results);
            let values = || (0..VALUES).map(|i| PRIMES[i % PRIMES.len()]);
            go(move || values().for_each(|value| feed.send(value).unwrap()));
            let (count, sum) = all.iter().fold((0, 0), |(count, sum), value| (count + 1, sum + value));
            assert_eq!((count, sum), (VALUES, values().sum::<usize>()));
        });
    }
}

/// Go: TestSelectDuplicateChannel.
#[test]
fn a_channel_may_stand_in_several_cases() {
    everywhere(2, || {
        for _ in 0..20 {
            let ((to_c, c), (to_d, d), (to_e, e)) = (chan(0), chan(0), chan(0));
            let also_c = c.clone();
            go(move || {
                select! {
                    recv(c) -> _ => panic!("nothing was sent there"),
                    recv(c) -> _ => panic!("nothing was sent there"),
                    recv(d) -> value => assert_eq!(value, Ok(7)),
                }
                to_e.send(9).unwrap();
            });
            sleep(TICK);
            let second = go(move || also_c.recv());
            sleep(TICK);
            to_d.send(7).unwrap();
            assert_eq!(e.recv(), Ok(9));
            // The first has taken both its places off the queue: this reaches the second.
            to_c.send(8).unwrap();
            assert_eq!(second.join().unwrap(), Ok(8));
        }
    });
}

/// Counts itself out.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn request(with_select: bool, drops: &Arc<AtomicUsize>) {
    let ((to, from), (_done, done)) = (chan(0), chan::<()>(0));
    let counted = Counted(drops.clone());
    go(move || {
        let value = Box::new(counted);
        if with_select {
            select! {
                send(to, value) -> sent => assert!(sent.is_ok()),
                recv(done) -> _ => {}
            }
        } else {
            assert!(to.send(value).is_ok());
        }
    });
    let got = from.recv().unwrap();
    yield_now();
    assert!(Arc::ptr_eq(&got.0, drops));
    assert_eq!(drops.load(SeqCst), 0);
}

/// Go: TestChanSendBarrier, TestChanSendSelectBarrier. What is on its way is dropped once, by the one who gets it.
#[test]
fn values_on_their_way_are_dropped_once() {
    const OUTER: usize = 10;
    const INNER: usize = 300;
    for (procs, with_select) in [(1, false), (1, true), (4, false), (4, true)] {
        on_go(procs, move || {
            let outer: Vec<_> = (0..OUTER)
                .map(|_| {
                    go(move || {
                        for _ in 0..INNER {
                            let drops = Arc::new(AtomicUsize::new(0));
                            request(with_select, &drops);
                            assert_eq!(drops.load(SeqCst), 1);
                        }
                    })
                })
                .collect();
            outer.into_iter().for_each(|one| one.join().unwrap());
        });
    }
}
