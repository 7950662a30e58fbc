//! Timers: functions whose destructors suspend, loops of calls beside a timer that is due, and receives that are given up
//! when it is time.

use crate::account::{ACCOUNT, Ticket};
use crate::work::{Errand, World, micros};
use fastrand::Rng;
use gmp::Receiver;
use gmp::sync::WaitGroup;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Far away: no timer of these goes off.
const HOUR: Duration = Duration::from_secs(3600);
/// A loop that runs for so long has not been told of its timer.
const LOST: Duration = Duration::from_secs(20);

/// A value whose destructor suspends, starts goroutines and sets timers. It runs wherever its last owner is.
pub(crate) struct Suspends(pub(crate) u32);

impl Drop for Suspends {
    fn drop(&mut self) {
        // In a runtime that closes it may be dropped on a plain thread, which may do none of this.
        if gmp::current().is_none() {
            return;
        }
        match self.0 % 5 {
            0 => gmp::yield_now(),
            1 => gmp::sleep(Duration::from_micros(30)),
            2 => gmp::blocking(|| std::thread::sleep(Duration::from_micros(30))),
            3 => drop(gmp::time::after(HOUR)),
            _ => {}
        }
        ACCOUNT.step();
    }
}

/// Stopped timers, which lie in a heap until a timer of somebody's has it swept; then their functions are dropped.
pub(crate) fn leave_some(rng: &mut Rng) {
    for i in 0..rng.u32(1..100) {
        let suspends = Suspends(i);
        let timer = gmp::time::after_func_once(HOUR, move || {
            black_box(&suspends);
        });
        match rng.u32(..3) {
            0 => drop(timer),
            1 if !timer.stop() => ACCOUNT.complain("a timer of an hour went off at once".into()),
            _ => {
                timer.reset(HOUR);
                if !timer.stop() {
                    ACCOUNT.complain("a timer that was put off by an hour went off at once".into());
                }
            }
        }
    }
}

/// A loop of calls that never wait, until a timer goes off: somebody has to run it though this P is never idle.
///
/// At a limit of threads this may be the last one: then somebody else has a turn only if the call may suspend.
pub(crate) fn calls_beside_one(world: &World, rng: &mut Rng) {
    let (call, began) = (rng.u32(if world.enough_threads { 0..6 } else { 0..3 }), Instant::now());
    // Only whoever runs the timer ends this: a look at a timer's channel would read the clock instead.
    let gone_off = Arc::new(AtomicBool::new(false));
    let (ticket, tell) = (Ticket::new(), gone_off.clone());
    let _timer = gmp::time::after_func_once(micros(rng, 500), move || {
        let _ticket = ticket;
        tell.store(true, Relaxed);
    });
    let lock = gmp::sync::Mutex::new(());
    let (to, from) = gmp::chan(1);
    while !gone_off.load(Relaxed) {
        match call {
            0 => gmp::blocking(|| ()),
            1 => drop(lock.lock()),
            2 => {
                to.send(()).unwrap();
                from.recv().unwrap();
            }
            3 => drop(gmp::time::after(HOUR)),
            4 => drop(black_box(gmp::num_goroutines())),
            _ => gmp::select! {
                recv(from) -> _ => ACCOUNT.complain("a message that nobody sent".into()),
                default => {}
            },
        }
        if began.elapsed() > LOST {
            return ACCOUNT.complain(format!("a timer did not go off beside calls of kind {call}"));
        }
    }
}

/// A timer that is set again each time it was seen, by somebody who drops receives again and again that have been polled: a
/// time that came to one of those must come once more, and once only.
pub(crate) fn given_up(world: &World, rng: &mut Rng) {
    let timer = gmp::time::Timer::new(micros(rng, 200));
    let (seen, all) = (Arc::new(AtomicU32::new(0)), WaitGroup::new());
    let askers = rng.u32(1..4);
    all.add(askers as usize);
    for by in 0..askers {
        let (times, seen, done, mut rng) = (timer.channel().clone(), seen.clone(), all.clone(), rng.fork());
        let asks = move || {
            while let Some(came) = ask_and_drop(&times, &mut rng) {
                seen.fetch_add(u32::from(came), Relaxed);
            }
            // Before it is told that this one is done: it may be the last receiver, which stops the timer.
            drop(times);
            done.done();
        };
        // A plain thread asks, too, but never alone.
        if by == 2 {
            world.outside.send(Errand::Call(Box::new(asks))).expect("the thread listens until the end");
        } else {
            let ticket = Ticket::new();
            gmp::go(move || {
                let _ticket = ticket;
                asks();
            });
        }
    }
    let began = Instant::now();
    for set in 1..rng.u32(2..8) {
        while seen.load(Relaxed) < set && began.elapsed() < LOST {
            gmp::sleep(micros(rng, 100));
        }
        let times = seen.load(Relaxed);
        if times != set {
            ACCOUNT.complain(format!("a timer that was set {set} times was seen {times} times"));
            break;
        }
        // It has gone off, so there is nothing left to undo.
        if timer.reset(micros(rng, 200)) {
            ACCOUNT.complain("a time that was seen was still to come".into());
        }
        ACCOUNT.step();
    }
    timer.channel().close();
    all.wait();
}

/// Polls a receive a few times, and then drops it. Whether the time was seen; `None` if the channel is closed.
fn ask_and_drop(times: &Receiver<Instant>, rng: &mut Rng) -> Option<bool> {
    let pause = micros(rng, 100);
    let is_goroutine = gmp::current().is_some();
    if rng.bool() {
        return gmp::select! { await(times.recv_async()) -> at => at.ok().map(|_| true), default(pause) => Some(false) };
    }
    let mut receive = pin!(times.recv_async());
    for _ in 0..rng.u32(1..4) {
        if let Poll::Ready(at) = receive.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return at.ok().map(|_| true);
        }
        match rng.u32(..3) {
            0 if is_goroutine => gmp::yield_now(),
            1 if is_goroutine => gmp::sleep(pause),
            _ => std::thread::yield_now(),
        }
    }
    Some(false)
}
