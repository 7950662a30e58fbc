//! Traffic: goroutines and a plain thread that send and receive in every way there is, until it is cancelled. The
//! channels are closed and dropped meanwhile, also by panics. Each parcel is received once at most, and dropped once.

use crate::account::{ACCOUNT, Ticket};
use crate::work::{Errand, World};
use fastrand::Rng;
use gmp::channel::{SendTimeoutError, TrySendError};
use gmp::context::{Context, Never};
use gmp::future::block_on_with;
use gmp::sync::{Mutex, WaitGroup};
use gmp::{Receiver, Select, Sender, select};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};
use std::time::Duration;

/// One value on its way.
pub(crate) struct Parcel(u64);

impl Parcel {
    fn new(rng: &mut Rng) -> Self {
        ACCOUNT.parcels.fetch_add(1, Relaxed);
        ACCOUNT.parcels_ever.fetch_add(1, Relaxed);
        Self(rng.u64(..))
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        ACCOUNT.parcels.fetch_sub(1, Relaxed);
    }
}

/// What became of each parcel: what its sender was told, and which goroutine got it.
#[derive(Default)]
struct Books {
    sent: HashSet<u64>,
    refused: HashSet<u64>,
    received: HashSet<u64>,
}

/// Two channels, and a third on which the end is told.
#[derive(Clone)]
struct Road {
    to: [Sender<Parcel>; 2],
    from: [Receiver<Parcel>; 2],
    context: Context,
    books: Arc<Mutex<Books>>,
}

fn micros(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(..most))
}

/// A handful of goroutines on two channels, for a moment.
pub(crate) fn traffic(world: &World, rng: &mut Rng) {
    let [one, two] = [(); 2].map(|()| gmp::chan(rng.usize(..4)));
    let (context, cancel) = Context::background().with_cancel();
    let books = Arc::new(Mutex::new(Books::default()));
    let road = Road { to: [one.0, two.0], from: [one.1, two.1], context, books: books.clone() };
    let all = WaitGroup::new();
    for _ in 0..rng.usize(2..7) {
        let (road, ticket, done, seed) = (road.clone(), Ticket::new(), all.clone(), rng.u64(..));
        all.add(1);
        gmp::go(move || {
            let _ticket = ticket;
            // A parcel in hand, and the handles, are dropped by a panic.
            if catch_unwind(AssertUnwindSafe(|| drive(road, seed))).is_err() {
                ACCOUNT.crashes.fetch_add(1, Relaxed);
            }
            done.done();
        });
    }
    if rng.u32(..4) == 0 {
        let (road, done, mut rng) = (road.clone(), all.clone(), rng.fork());
        all.add(1);
        let errand = move || {
            (0..10).for_each(|_| step(&road, &mut rng));
            drop(road);
            done.done();
        };
        world.outside.send(Errand::Call(Box::new(errand))).expect("the thread listens until the end");
    }
    match rng.u32(..3) {
        0 => _ = road.to[0].close(),
        1 => cancel.cancel(),
        _ => {}
    }
    if rng.bool() {
        drop(road);
    }
    if !all.wait_timeout(micros(rng, 3000)) {
        cancel.cancel();
        all.wait();
    }
    drop(cancel);
    let books = books.lock();
    if !books.received.is_subset(&books.sent) {
        ACCOUNT.complain(String::from("a parcel was received that nobody has sent"));
    }
    if !books.refused.is_disjoint(&books.received) {
        ACCOUNT.complain(String::from("a parcel came back to its sender and was received"));
    }
}

/// One goroutine's way: until it has had enough, or all is over.
fn drive(road: Road, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    for _ in 0..rng.u32(1..20) {
        if road.context.err().is_some() {
            break;
        }
        match rng.u32(..12) {
            0 => late(&road, micros(&mut rng, 200)),
            _ => step(&road, &mut rng),
        }
        ACCOUNT.step();
        if rng.u32(..64) == 0 {
            let _in_hand = Parcel::new(&mut rng);
            std::panic::resume_unwind(Box::new("a crash"));
        }
    }
}

fn step(road: &Road, rng: &mut Rng) {
    let which = rng.usize(..2);
    let (to, from, pause) = (&road.to[which], &road.from[which], micros(rng, 200));
    match rng.u32(..16) {
        0 => sent(road, rng, |parcel| to.send_timeout(parcel, pause).map_err(SendTimeoutError::into_inner)),
        1..=2 => sent(road, rng, |parcel| to.try_send(parcel).map_err(TrySendError::into_inner)),
        3 => received(road, from.recv_timeout(pause).ok()),
        4 => from.try_iter().take(3).for_each(|parcel| received(road, Some(parcel))),
        5..=6 => any(road, rng, road.context.done()),
        7 => exchange(road, rng, pause),
        8 => from_a_set(road, pause),
        9 => to_a_set(road, rng, pause),
        10 if rng.u32(..30) == 0 => _ = from.close(),
        12 => awaited(road, from),
        13 => given_up(road, rng, to, from),
        _ => match select! { recv(from) -> parcel => parcel.ok(), default => None } {
            None => std::thread::yield_now(),
            parcel => received(road, parcel),
        },
    }
}

/// A receive as a future, until all is over.
fn awaited(road: &Road, from: &Receiver<Parcel>) {
    if let Ok(parcel) = block_on_with(&road.context, from.recv_async()) {
        received(road, parcel.ok());
    }
}

/// A send and a receive as futures, each dropped when it has been polled once: what the receive had got goes to others.
fn given_up(road: &Road, rng: &mut Rng, to: &Sender<Parcel>, from: &Receiver<Parcel>) {
    let parcel = Parcel::new(rng);
    road.books.lock().sent.insert(parcel.0);
    let mut nobody = std::task::Context::from_waker(Waker::noop());
    let (send, mut receive) = (pin!(to.send_async(parcel)), pin!(from.recv_async()));
    if let Poll::Ready(Err(back)) = send.poll(&mut nobody) {
        road.books.lock().refused.insert(back.into_inner().0);
    }
    for _ in 0..2 {
        match receive.as_mut().poll(&mut nobody) {
            Poll::Ready(parcel) => return received(road, parcel.ok()),
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn sent(road: &Road, rng: &mut Rng, send: impl FnOnce(Parcel) -> Result<(), Parcel>) {
    let parcel = Parcel::new(rng);
    let number = parcel.0;
    // Noted before: it may be received before the send returns.
    road.books.lock().sent.insert(number);
    if let Err(parcel) = send(parcel) {
        if parcel.0 != number {
            ACCOUNT.complain(String::from("another parcel came back than was sent"));
        }
        road.books.lock().refused.insert(number);
    }
}

fn received(road: &Road, parcel: Option<Parcel>) {
    if let Some(parcel) = parcel
        && !road.books.lock().received.insert(parcel.0)
    {
        ACCOUNT.complain(String::from("a parcel was received twice"));
    }
}

/// Whatever comes first, with the end of it all among the cases.
fn any(road: &Road, rng: &mut Rng, done: &Receiver<Never>) {
    let [from, other] = &road.from;
    sent(road, rng, |parcel| {
        let to = &road.to[1];
        select! {
            recv(from) -> got => received(road, got.ok()),
            recv(other) -> got => received(road, got.ok()),
            send(to, parcel) -> sent => return sent.map_err(|back| back.into_inner()),
            recv(done) -> _ => {}
        }
        Err(parcel)
    });
}

/// A timer's channel beside the others; only goroutines have timers.
fn late(road: &Road, pause: Duration) {
    let [from, other] = &road.from;
    let timer = gmp::time::after(pause);
    select! {
        recv(from) -> got => received(road, got.ok()),
        recv(other) -> got => received(road, got.ok()),
        recv(timer) -> at => assert!(at.is_ok()),
    }
}

/// Sends on one and receives on the other, with a time-out.
fn exchange(road: &Road, rng: &mut Rng, pause: Duration) {
    let (to, from) = (&road.to[0], &road.from[1]);
    sent(road, rng, |parcel| {
        select! {
            send(to, parcel) -> sent => sent.map_err(|back| back.into_inner()),
            recv(from) -> got => { received(road, got.ok()); Err(parcel) }
            recv(from) -> got => { received(road, got.ok()); Err(parcel) }
            default(pause) => Err(parcel),
        }
    });
}

fn from_a_set(road: &Road, pause: Duration) {
    let mut set = Select::new();
    road.from.iter().for_each(|from| _ = set.recv(from));
    if set.ready_timeout(pause).is_some()
        && let Some(selected) = set.try_select()
    {
        let from = &road.from[selected.index()];
        received(road, selected.recv(from).ok());
    }
}

fn to_a_set(road: &Road, rng: &mut Rng, pause: Duration) {
    let mut set = Select::new();
    let parcels = [Parcel::new(rng), Parcel::new(rng)];
    road.books.lock().sent.extend(parcels.iter().map(|parcel| parcel.0));
    for (to, parcel) in road.to.iter().zip(parcels) {
        set.send(to, parcel);
    }
    if let Some(selected) = set.select_timeout(pause) {
        let to = &road.to[selected.index()];
        if let Err(back) = selected.send(to) {
            road.books.lock().refused.insert(back.into_inner().0);
        }
    }
}
