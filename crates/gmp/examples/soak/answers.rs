//! What is told: oneshots, watched values, broadcasts, groups of goroutines, and futures as cases of a select, whose ends
//! are dropped, closed and given up meanwhile.

use crate::account::{ACCOUNT, Ticket};
use crate::work::micros;
use fastrand::Rng;
use gmp::context::Context;
use gmp::select;
use gmp::sync::errgroup::Group;
use gmp::sync::{broadcast, oneshot, watch};
use gmp::time::sleep_async;

pub(crate) fn step(rng: &mut Rng) {
    match rng.u32(..4) {
        0 => answer(rng),
        1 => watched(rng),
        2 => broadcasts(rng),
        _ => group(rng),
    }
    ACCOUNT.step();
}

fn complain_unless(right: bool, what: &str) {
    if !right {
        ACCOUNT.complain(format!("answers: {what}"));
    }
}

/// A question, of which either side may be given up.
fn answer(rng: &mut Rng) {
    let (mut sender, receiver) = oneshot::channel();
    let (ticket, mut theirs, number) = (Ticket::new(), rng.fork(), rng.u64(..));
    let asked = gmp::go(move || {
        let _ticket = ticket;
        let (pause, patience) = (micros(&mut theirs, 200), micros(&mut theirs, 200));
        match theirs.u32(..5) {
            // Whether it is answered or nobody waits any more, it ends.
            0 => select! {
                await(sender.closed_async()) -> () => false,
                await(sleep_async(pause)) -> () => sender.send(number).is_ok(),
            },
            1 => !sender.closed_timeout(patience) && sender.send(number).is_ok(),
            2 => (drop(sender), false).1,
            3 => {
                gmp::sleep(pause);
                sender.send(number).is_ok()
            }
            _ => sender.send(number).is_ok(),
        }
    });
    let pause = micros(rng, 200);
    let got = match rng.u32(..5) {
        0 => receiver.recv().ok(),
        1 => receiver.recv_timeout(pause).ok(),
        2 => select! { await(receiver) -> got => got.ok(), default(pause) => None },
        3 => {
            let mut early = receiver.into_future();
            // It is asked once, and then waits on.
            match select! { await(&mut early) -> got => Some(got.ok()), default => None } {
                Some(got) => got,
                None => select! { await(early) -> got => got.ok(), await(sleep_async(pause)) -> () => None },
            }
        }
        _ => (drop(receiver), None).1,
    };
    let sent = asked.join().unwrap_or_default();
    complain_unless(got.is_none_or(|got| sent && got == number), "an answer that nobody has given");
}

/// A number that grows, and goroutines that see it grow, until its sender goes.
fn watched(rng: &mut Rng) {
    let (sender, receiver) = watch::channel(0);
    let last = rng.u32(1..20);
    let watchers: Vec<_> = (0..rng.usize(1..4))
        .map(|n| {
            let (mut receiver, ticket) = (receiver.clone(), Ticket::new());
            gmp::go(move || {
                let (_ticket, mut seen) = (ticket, 0);
                loop {
                    let told = match n {
                        0 => receiver.changed(),
                        1 => select! {
                            recv(receiver.ready()) -> _ => receiver.has_changed().map(drop),
                        },
                        _ => gmp::block_on(receiver.changed_async()),
                    };
                    let now = *receiver.borrow_and_update();
                    complain_unless(now >= seen, "a watched number that shrinks");
                    seen = now;
                    if told.is_err() {
                        return seen;
                    }
                }
            })
        })
        .collect();
    drop(receiver);
    for n in 1..=last {
        sender.send_replace(n);
        if rng.u32(..4) == 0 {
            gmp::sleep(micros(rng, 50));
        }
    }
    drop(sender);
    let all = watchers.into_iter().all(|watcher| watcher.join().is_ok_and(|seen| seen == last));
    complain_unless(all, "the last value was not seen by all");
}

/// Each receiver gets each value, or learns how many it has missed.
fn broadcasts(rng: &mut Rng) {
    let (sender, receiver) = broadcast::channel(rng.usize(1..8));
    let many = rng.u64(1..30);
    let receivers: Vec<_> = (0..rng.usize(1..4))
        .map(|n| {
            let (mut receiver, ticket) = (receiver.resubscribe(), Ticket::new());
            gmp::go(move || {
                let (_ticket, mut counted) = (ticket, 0);
                loop {
                    let got = match n % 2 {
                        0 => receiver.recv(),
                        _ => gmp::block_on(receiver.recv_async()),
                    };
                    match got {
                        Ok(number) => {
                            complain_unless(number == counted, "a broadcast out of order");
                            counted += 1;
                        }
                        Err(broadcast::RecvError::Lagged(missed)) => counted += missed,
                        Err(broadcast::RecvError::Closed) => return counted,
                    }
                }
            })
        })
        .collect();
    drop(receiver);
    for number in 0..many {
        complain_unless(sender.send(number).is_ok(), "a broadcast without receivers");
        if rng.u32(..4) == 0 {
            gmp::yield_now();
        }
    }
    drop(sender);
    let all = receivers.into_iter().all(|receiver| receiver.join().is_ok_and(|counted| counted == many));
    complain_unless(all, "a value was neither received nor missed");
}

/// Goroutines of which some fail: the first error ends those who listen.
fn group(rng: &mut Rng) {
    let (group, context) = Group::with_context(&Context::background());
    let (limit, fails) = (rng.bool().then(|| rng.usize(1..4)), rng.bool());
    group.set_limit(limit);
    for n in 0..rng.u32(1..6) {
        let (context, ticket, mut theirs) = (context.clone(), Ticket::new(), rng.fork());
        group.go(move || {
            let _ticket = ticket;
            match theirs.u32(..3) {
                0 if fails => Err(format!("part {n}")),
                1 => {
                    let pause = micros(&mut theirs, 200);
                    select! {
                        recv(context.done()) -> _ => {},
                        await(sleep_async(pause)) -> () => {},
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        });
    }
    let ended = loop {
        if let Some(ended) = group.wait_timeout(micros(rng, 300)) {
            break ended;
        }
    };
    complain_unless(ended.is_ok() || fails, "an error that no part has returned");
    complain_unless(context.err().is_some(), "a group that ended and left its context");
}
