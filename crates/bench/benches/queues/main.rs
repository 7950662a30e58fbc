//! The queues of all policies beside crossbeam-deque's and st3's: push, pop, steal, overflow, and the look whether one
//! is empty; alone, and with a thief at work. `cargo bench -p gmp-bench --bench queues [-- FILTER]`.
//!
//! Each queue moves a word: ours a probe's address, the others a `usize`.

mod ours;
mod rivals;

use criterion::{Criterion, criterion_group, criterion_main};
use gmp::policy::{Block, Global, Go, Lifo, Random};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// How many tokens go in before they come out again, in the benches of bursts.
const BURST: usize = 64;
/// How many tokens are in a queue that is to be robbed.
const FILL: usize = 128;

/// A queue as the benches see it, the owner's half.
pub(crate) trait Owner {
    type Token: Send;
    /// What does not fit goes to `spilled`.
    fn push(&mut self, token: Self::Token, spilled: &mut Vec<Self::Token>);
    fn pop(&mut self) -> Option<Self::Token>;
}

/// The thieves' half, with a queue of the thief's own for what it stole.
pub(crate) trait Thief: Send {
    type Token: Send;
    /// Takes what one steal gives.
    fn steal(&mut self, stolen: &mut Vec<Self::Token>);
    /// `None` if its thieves can not ask.
    fn is_empty(&self) -> Option<bool>;
}

/// A queue to be measured: its name, its room if it has a bound, a way to make it, tokens.
pub(crate) trait Contestant {
    type Token: Send;
    type Owner: Owner<Token = Self::Token>;
    type Thief: Thief<Token = Self::Token>;
    fn name(&self) -> String;
    fn room(&self) -> Option<usize>;
    fn queue(&self) -> (Self::Owner, Self::Thief);
    fn tokens(&self, count: usize) -> Vec<Self::Token>;
}

fn all(c: &mut Criterion, contestant: &impl Contestant) {
    pairs(c, contestant);
    bursts(c, contestant);
    robbed(c, contestant);
    steals(c, contestant);
    overflows(c, contestant);
    empties(c, contestant);
}

fn put<O: Owner>(owner: &mut O, hand: &mut Vec<O::Token>) {
    let mut spilled = Vec::new();
    hand.drain(..).for_each(|token| owner.push(black_box(token), &mut spilled));
    hand.append(&mut spilled);
}

/// One token in, one out.
fn pairs<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let (mut owner, _) = contestant.queue();
    let (mut hand, mut spilled) = (contestant.tokens(1).pop(), Vec::new());
    c.benchmark_group("push+pop").bench_function(contestant.name(), |bencher| {
        bencher.iter(|| {
            owner.push(black_box(hand.take().expect("it came back")), &mut spilled);
            hand = owner.pop().or_else(|| spilled.pop());
        });
    });
}

/// Sixty-four tokens in, sixty-four out; the time is for all of them.
fn bursts<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let (mut owner, _) = contestant.queue();
    let mut hand = contestant.tokens(BURST);
    c.benchmark_group("64 x push, 64 x pop").bench_function(contestant.name(), |bencher| {
        bencher.iter(|| {
            put(&mut owner, &mut hand);
            hand.extend(std::iter::from_fn(|| owner.pop()));
        });
    });
}

/// The owner's burst while a thief steals all the time. What it steals goes back to the owner by a locked pile, at
/// which the owner looks once in each burst.
fn robbed<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let (mut owner, mut thief) = contestant.queue();
    let (pile, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let mut hand = contestant.tokens(BURST);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stolen = Vec::new();
            while !over.load(Relaxed) {
                thief.steal(&mut stolen);
                if !stolen.is_empty() {
                    pile.lock().expect("not poisoned").append(&mut stolen);
                }
            }
        });
        c.benchmark_group("64 x push, 64 x pop, one thief").bench_function(contestant.name(), |bencher| {
            bencher.iter(|| {
                put(&mut owner, &mut hand);
                hand.extend(std::iter::from_fn(|| owner.pop()));
                hand.append(&mut pile.lock().expect("not poisoned"));
            });
        });
        over.store(true, Relaxed);
    });
}

/// One steal of however many the policy takes, out of 128, and the way back for what was stolen.
fn steals<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let (mut owner, mut thief) = contestant.queue();
    let mut hand = contestant.tokens(FILL);
    put(&mut owner, &mut hand);
    c.benchmark_group("steal from 128 and put back").bench_function(contestant.name(), |bencher| {
        bencher.iter(|| {
            thief.steal(&mut hand);
            put(&mut owner, &mut hand);
        });
    });
}

/// A push onto a full queue; the spills that come now and then are part of it.
fn overflows<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let Some(room) = contestant.room() else { return };
    let (mut owner, _) = contestant.queue();
    let mut hand = contestant.tokens(room + 1);
    let mut spilled = Vec::new();
    for _ in 0..room {
        owner.push(hand.pop().expect("there is one for each slot"), &mut spilled);
    }
    hand.append(&mut spilled);
    c.benchmark_group("push onto a full queue").bench_function(contestant.name(), |bencher| {
        bencher.iter(|| owner.push(black_box(hand.pop().expect("as many as were spilled")), &mut hand));
    });
}

/// A thief's look at a queue with nothing in it.
fn empties<C: Contestant>(c: &mut Criterion, contestant: &C) {
    let (_owner, thief) = contestant.queue();
    if thief.is_empty().is_none() {
        return;
    }
    c.benchmark_group("is_empty").bench_function(contestant.name(), |bencher| {
        bencher.iter(|| black_box(thief.is_empty()));
    });
}

fn queues(c: &mut Criterion) {
    all(c, &ours::Ours::<Go>::new(gmp_core::contract::Slot::Next));
    all(c, &ours::Ours::<Go>::new(gmp_core::contract::Slot::Back));
    all(c, &ours::Ours::<Random>::new(gmp_core::contract::Slot::Back));
    all(c, &ours::Ours::<Block>::new(gmp_core::contract::Slot::Back));
    all(c, &ours::Ours::<Lifo>::new(gmp_core::contract::Slot::Back));
    all(c, &rivals::Crossbeam::Fifo);
    all(c, &rivals::Crossbeam::Lifo);
    all(c, &rivals::St3Fifo);
    all(c, &rivals::St3Lifo);
}

fn shared_queues(c: &mut Criterion) {
    ours::shared::<Go>(c);
    ours::shared::<Random>(c);
    ours::shared::<Global>(c);
    rivals::injector(c);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = queues, shared_queues
}
criterion_main!(benches);
