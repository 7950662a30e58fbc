//! The local run queue beside crossbeam-deque and st3: what a push and a pop cost, alone and with a thief at work.
//!
//! Each queue moves a word: the ring a probe's address, the others a `usize`. `cargo bench -p gmp-policy-go`.

use criterion::{Criterion, criterion_group, criterion_main};
use gmp_core::contract::{RunQueue, SharedQueue, Slot, Steal, Thief};
use gmp_core::queue::{List, Ring, SharedFifo};
use gmp_core::suite::{CONFIG, Ledger, Probe, TAKE_ANY};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// How many tokens go in before they come out again, in the benches of bursts.
const BURST: usize = 64;

/// A queue as the benches see it: tokens that are pushed, popped and stolen.
trait Bench {
    type Token;
    fn push(&mut self, token: Self::Token);
    fn pop(&mut self) -> Option<Self::Token>;
}

struct GoRing(Ring<Probe>, Slot);

impl Bench for GoRing {
    type Token = Probe;

    fn push(&mut self, token: Probe) {
        self.0.push(token, self.1, &mut |batch: List<Probe>| drop(batch));
    }

    fn pop(&mut self) -> Option<Probe> {
        self.0.pop().map(|popped| popped.token)
    }
}

impl Bench for crossbeam_deque::Worker<usize> {
    type Token = usize;

    fn push(&mut self, token: usize) {
        crossbeam_deque::Worker::push(self, token);
    }

    fn pop(&mut self) -> Option<usize> {
        crossbeam_deque::Worker::pop(self)
    }
}

impl Bench for st3::fifo::Worker<usize> {
    type Token = usize;

    /// A thief that lost its CPU in the middle of a steal holds st3's slots until it is back: then there is no room.
    fn push(&mut self, mut token: usize) {
        while let Err(back) = st3::fifo::Worker::push(self, token) {
            token = back;
            thread::yield_now();
        }
    }

    fn pop(&mut self) -> Option<usize> {
        st3::fifo::Worker::pop(self)
    }
}

/// One in, one out.
fn pairs<B: Bench>(c: &mut Criterion, name: &str, mut queue: B, token: B::Token) {
    let mut hand = Some(token);
    c.bench_function(&format!("push+pop/{name}"), |bencher| {
        bencher.iter(|| {
            queue.push(black_box(hand.take().expect("it came back")));
            hand = queue.pop();
        });
    });
}

/// Sixty-four in, sixty-four out; the time is for all of them.
fn bursts<B: Bench>(c: &mut Criterion, name: &str, mut queue: B, tokens: Vec<B::Token>) {
    let mut hand = tokens;
    c.bench_function(&format!("64 x push, 64 x pop/{name}"), |bencher| {
        bencher.iter(|| {
            hand.drain(..).for_each(|token| queue.push(black_box(token)));
            hand.extend(std::iter::from_fn(|| queue.pop()));
        });
    });
}

/// The owner's burst while a thief steals halves all the time; what it steals goes back to the owner by a locked pile,
/// which the owner looks at once a burst.
fn robbed<B: Bench>(
    c: &mut Criterion,
    name: &str,
    mut queue: B,
    tokens: Vec<B::Token>,
    mut steal: impl FnMut(&mut Vec<B::Token>) + Send,
) where
    B::Token: Send,
{
    let (pile, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let mut hand = tokens;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut loot = Vec::new();
            while !over.load(Relaxed) {
                steal(&mut loot);
                if !loot.is_empty() {
                    pile.lock().expect("not poisoned").append(&mut loot);
                }
            }
        });
        c.bench_function(&format!("64 x push, 64 x pop, one thief/{name}"), |bencher| {
            bencher.iter(|| {
                hand.drain(..).for_each(|token| queue.push(black_box(token)));
                hand.extend(std::iter::from_fn(|| queue.pop()));
                hand.append(&mut pile.lock().expect("not poisoned"));
            });
        });
        over.store(true, Relaxed);
    });
}

fn run_queues(c: &mut Criterion) {
    let ledger = Ledger::new(10 * BURST);
    let probes = || -> Vec<Probe> { (0..BURST).map(|_| ledger.mint()).collect() };
    let numbers = || -> Vec<usize> { (0..BURST).collect() };
    let ring = |slot| GoRing(Ring::new(&CONFIG).0, slot);

    pairs(c, "ring, Back", ring(Slot::Back), ledger.mint());
    pairs(c, "ring, Next", ring(Slot::Next), ledger.mint());
    pairs(c, "crossbeam-deque fifo", crossbeam_deque::Worker::new_fifo(), 1);
    pairs(c, "st3 fifo", st3::fifo::Worker::new(256), 1);

    bursts(c, "ring, Back", ring(Slot::Back), probes());
    bursts(c, "ring, Next", ring(Slot::Next), probes());
    bursts(c, "crossbeam-deque fifo", crossbeam_deque::Worker::new_fifo(), numbers());
    bursts(c, "st3 fifo", st3::fifo::Worker::new(256), numbers());

    let (victim, thief) = Ring::new(&CONFIG);
    let mut own = Ring::new(&CONFIG).0;
    robbed(c, "ring, Back", GoRing(victim, Slot::Back), probes(), |loot| {
        if let Steal::Taken(probe) = thief.steal_into(&mut own, TAKE_ANY) {
            loot.push(probe);
            loot.extend(std::iter::from_fn(|| own.pop()).map(|popped| popped.token));
        }
    });
    let (victim, own) = (crossbeam_deque::Worker::new_fifo(), crossbeam_deque::Worker::new_fifo());
    let thief = victim.stealer();
    robbed(c, "crossbeam-deque fifo", victim, numbers(), move |loot| {
        loot.extend(thief.steal_batch_and_pop(&own).success());
        loot.extend(std::iter::from_fn(|| own.pop()));
    });
    let (victim, own) = (st3::fifo::Worker::new(256), st3::fifo::Worker::new(256));
    let thief = victim.stealer();
    robbed(c, "st3 fifo", victim, numbers(), move |loot| {
        if let Ok((number, _)) = thief.steal_and_pop(&own, |queued| queued.div_ceil(2)) {
            loot.push(number);
            loot.extend(std::iter::from_fn(|| own.pop()));
        }
    });

    let shared = SharedFifo::default();
    let mut hand = Some(ledger.mint());
    c.bench_function("push+pop/shared fifo", |bencher| {
        bencher.iter(|| {
            shared.push(black_box(hand.take().expect("it came back")));
            hand = shared.pop();
        });
    });
}

criterion_group!(benches, run_queues);
criterion_main!(benches);
