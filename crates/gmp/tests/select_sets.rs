//! `Select`: sets of cases made while the program runs.

mod modes;
mod told;

use gmp::channel::{RecvError, SendError};
use gmp::{Select, chan, go, never, sleep};
use modes::{everywhere, on_go};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(2);

#[test]
fn takes_what_is_ready() {
    let ((to_a, a), (to_b, b)) = (chan(1), chan(1));
    let mut set = Select::new();
    assert_eq!(set.recv(&a), 0);
    let mut send = set.send(&to_b, String::from("b"));
    assert_eq!(send, 1);
    for round in 0..100 {
        // The buffer of b has room.
        let selected = set.select();
        assert_eq!(selected.index(), send);
        assert_eq!(selected.send(&to_b), Ok(()));
        assert_eq!(b.recv().unwrap(), "b");
        assert!(set.try_select().is_none(), "the send is gone");
        to_a.send(round).unwrap();
        let selected = set.try_select().unwrap();
        assert_eq!(selected.index(), 0);
        assert_eq!(selected.recv(&a), Ok(round));
        send = set.send(&to_b, String::from("b"));
        assert_eq!(send, 1, "the number is free again");
    }
    assert_eq!(set.withdraw(send, &to_b), "b");
    to_a.close();
    assert_eq!(set.select().recv(&a), Err(RecvError));
    set.remove(0);
    assert_eq!(format!("{set:?}"), "{}");
    assert!(set.select_timeout(SHORT).is_none());
}

#[test]
fn waits_for_the_first_of_many() {
    everywhere(2, || {
        // More than have room in a frame.
        for many in [1, 5, 40] {
            let channels: Vec<_> = (0..many).map(|_| chan(0)).collect();
            let mut set = Select::new();
            for (i, (to, from)) in channels.iter().enumerate() {
                assert_eq!(set.recv(from), i);
                let to = to.clone();
                go(move || (0..20).for_each(|n| to.send(n * 100 + i).unwrap()));
            }
            let mut next = vec![0; many];
            for _ in 0..many * 20 {
                let selected = set.select();
                let i = selected.index();
                assert_eq!(selected.recv(&channels[i].1), Ok(next[i] * 100 + i));
                next[i] += 1;
            }
            assert!(next.iter().all(|&n| n == 20));
            assert!(set.try_select().is_none());
        }
    });
}

#[test]
fn sends_that_wait_are_taken_once() {
    on_go(2, || {
        let ((to_a, a), (to_b, b)) = (chan(0), chan(0));
        let all = go(move || {
            let take = |from: gmp::Receiver<usize>| go(move || from.iter().sum::<usize>());
            take(a).join().unwrap() + take(b).join().unwrap()
        });
        let mut set = Select::new();
        let (mut expected, mut on_b) = (0, None);
        for value in 0..1000_usize {
            let on_a = set.send(&to_a, value);
            if value == 500 {
                // Now b has a receiver as well, and a none.
                to_a.close();
                on_b = Some(set.send(&to_b, 7));
            }
            loop {
                let selected = set.select();
                if selected.index() == on_a {
                    match selected.send(&to_a) {
                        Ok(()) => expected += value,
                        Err(SendError(back)) => assert_eq!(back, value),
                    }
                    break;
                }
                assert_eq!(Some(selected.index()), on_b.take());
                assert_eq!(selected.send(&to_b), Ok(()));
                expected += 7;
            }
        }
        drop(set);
        drop((to_a, to_b));
        assert_eq!(all.join().unwrap(), expected);
    });
}

#[test]
fn what_is_not_asked_for_is_dropped_once() {
    let probe = Arc::new(());
    let ((to, from), (full, _keep)) = (chan(1), chan(0));
    let mut set = Select::new();
    set.recv(&from);
    let unsent = set.send(&full, probe.clone());
    to.send(probe.clone()).unwrap();
    assert_eq!(Arc::strong_count(&probe), 3);
    // The operation has taken place, and holds the value.
    drop(set.select());
    assert_eq!(Arc::strong_count(&probe), 2);
    // One that is forgotten leaks its value, and the set goes on.
    to.send(probe.clone()).unwrap();
    std::mem::forget(set.select());
    to.send(probe.clone()).unwrap();
    assert!(Arc::ptr_eq(&set.select().recv(&from).unwrap(), &probe));
    assert_eq!(Arc::strong_count(&probe), 3);
    set.remove(unsent);
    assert_eq!(Arc::strong_count(&probe), 2);
    // A send that came up and was forgotten does not come up again.
    let sent = set.send(&to, probe.clone());
    std::mem::forget(set.select());
    assert!(Arc::ptr_eq(&from.recv().unwrap(), &probe));
    assert!(set.try_select().is_none());
    set.remove(sent);
    // What a closed channel did not take.
    to.close();
    set.remove(0);
    set.send(&to, probe.clone());
    drop(set.select());
    drop(set);
    assert_eq!(Arc::strong_count(&probe), 2, "the leaked one and ours");
}

#[test]
fn ready_says_which_and_takes_nothing() {
    on_go(2, || {
        let ((to_a, a), (to_b, b)) = (chan(0), chan(1));
        let mut set = Select::new();
        let receives = set.recv(&a);
        assert_eq!(set.try_ready(), None);
        assert_eq!(set.ready_timeout(SHORT), None);
        assert_eq!(set.ready_deadline(Instant::now()), None);
        let sends = set.send(&to_b, 1);
        assert_eq!(set.ready(), sends);
        assert!(b.is_empty());
        set.remove(sends);
        let sender = go(move || to_a.send(5));
        assert_eq!(set.ready_timeout(LONG), Some(receives));
        assert_eq!(set.ready(), receives);
        assert_eq!(a.try_recv(), Ok(5));
        sender.join().unwrap().unwrap();
        // Its only sender is gone.
        assert_eq!(set.ready(), receives);
        assert!(a.is_closed());
    });
}

/// Two selects that only ask whether a case is ready do not serve each other; one that comes to act wakes them.
#[test]
fn those_who_want_to_know_are_no_partners() {
    on_go(2, || {
        for _ in 0..50 {
            let (to, from) = chan(0);
            let (watch_to, watch_from) = (to.clone(), from.clone());
            let wants_to_send = move |timeout| {
                let mut set = Select::new();
                set.send(&watch_to, 1);
                set.ready_timeout(timeout)
            };
            let early = wants_to_send.clone();
            let send_side = go(move || early(SHORT));
            let receive_side = go(move || {
                let mut set = Select::new();
                set.recv(&watch_from);
                set.ready_timeout(SHORT)
            });
            assert_eq!((send_side.join().unwrap(), receive_side.join().unwrap()), (None, None));
            let late = go(move || wants_to_send(LONG));
            let receiver = go(move || from.recv());
            assert_eq!(late.join().unwrap(), Some(0));
            to.send(2).unwrap();
            assert_eq!(receiver.join().unwrap(), Ok(2));
        }
    });
}

#[test]
fn deadlines_pass() {
    on_go(1, || {
        let (silent, (_to, from)) = (never::<u8>(), chan::<u8>(0));
        let mut set = Select::new();
        set.recv(&silent);
        set.recv(&from);
        let before = Instant::now();
        assert!(set.select_timeout(SHORT).is_none());
        assert!(set.select_deadline(before + SHORT + SHORT).is_none());
        assert!(before.elapsed() >= SHORT + SHORT);
        go(move || sleep(LONG));
    });
}

#[test]
fn the_wrong_channel_is_refused() {
    let ((to, from), (_other_to, other)) = (chan(1), chan::<u8>(1));
    to.send(1_u8).unwrap();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut set = Select::new();
        set.recv(&from);
        set.select().recv(&other)
    }));
    assert!(refused.unwrap_err().downcast_ref::<String>().unwrap().contains("no receive from this channel"));
}

/// An empty set came back at once, where one whose cases were all removed waited.
#[test]
fn an_empty_set_waits_until_its_deadline() {
    let check = || {
        let began = Instant::now();
        assert!(Select::new().select_timeout(SHORT).is_none());
        assert!(Select::new().ready_timeout(SHORT).is_none());
        assert!(began.elapsed() >= 2 * SHORT);
        assert!(Select::new().try_select().is_none() && Select::new().try_ready().is_none());
    };
    check();
    on_go(1, check);
}

/// Where nobody may wait a select panics; it did so with its channels' locks held, and whoever used one of them next
/// spun for ever.
#[test]
fn a_refused_select_leaves_its_channels_unlocked() {
    for procs in [1, 2] {
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let check = || {
                let ((to_a, a), (to_b, b)) = (chan::<u8>(1), chan::<u8>(1));
                let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    gmp::on_system_stack(|| {
                        gmp::select! {
                            recv(a) -> _ => {}
                            recv(b) -> _ => {}
                        }
                    });
                }));
                assert!(refused.is_err());
                to_a.send(1).unwrap();
                to_b.send(2).unwrap();
                assert_eq!((a.recv(), b.recv()), (Ok(1), Ok(2)));
            };
            on_go(procs, check);
            done.send(()).unwrap();
        });
        ended.recv_timeout(LONG).expect("the channels can be used");
    }
}
