//! A policy's code was called without a word: mere looks (`is_empty`, `len`), the end of a walk over victims, the making of
//! a queue, an order. Safe code that called the runtime there suspended a goroutine between two steps of the scheduler,
//! or waited for a lock that its own thread held. The kind: every call of what a policy brings is announced, so whatever
//! it calls refuses it; and a sink on a plain thread is inside the scheduler, too.

use crate::harness::{child, named};
use gmp::contract::queue::{Coprime, CoprimeWalk, List, Ring, SharedFifo};
use gmp::contract::{
    Policy, Popped, QueueConfig, Rules, RunQueue, SharedQueue, Slot, Spill, Steal, StealRound, Thief, Token,
    VictimOrder, WalkStart,
};
use gmp::event::{Event, EventSink};
use gmp::policy::Go;
use gmp::{AtMainReturn, Builder, DeadlockRule, go};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![every_call_of_a_policy_is_announced, a_sink_on_a_plain_thread_may_not_run_a_runtime],
    named![looks, sink_runs],
);

const MS: Duration = Duration::from_millis(1);

/// Whether calls are judged: the policy's code that a builder runs is the builder's caller's.
static JUDGES: AtomicBool = AtomicBool::new(false);
/// Where the policy was called and not taken for one.
static UNANNOUNCED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
/// Where it was called at all.
static CALLED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// The policy is called at `place`: a call of the runtime that never suspends says whether it knows.
fn called(place: &'static str) {
    if !JUDGES.load(Relaxed) {
        return;
    }
    CALLED.lock().unwrap().insert(place);
    let refused = catch_unwind(AssertUnwindSafe(gmp::max_procs));
    let said = refused.err().and_then(|payload| payload.downcast::<String>().ok());
    if !said.is_some_and(|said| said.contains("inside the scheduler, by ") && said.contains("policy looks")) {
        UNANNOUNCED.lock().unwrap().insert(place);
    }
}

struct Looks;

impl Policy for Looks {
    const NAME: &'static str = "looks";
    const RULES: Rules = Rules { timers_wait_at: 128, ..Rules::GO };
    type Queue<T: Token> = Queue<T>;
    type Shared<T: Token> = Shared<T>;
    type Idle = <Go as Policy>::Idle;
    type Order = Order;
}

struct Queue<T: Token>(Ring<T>);

impl<T: Token> RunQueue<T> for Queue<T> {
    type Thief = Thieves<T>;
    const CAPACITY: Option<usize> = Ring::<T>::CAPACITY;
    fn new(config: &QueueConfig) -> (Self, Self::Thief) {
        called("Queue::new");
        let (queue, thief) = Ring::new(config);
        (Self(queue), Thieves(thief))
    }
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        called("Queue::push");
        self.0.push(token, slot, spill);
    }
    fn push_batch(&mut self, batch: &mut List<T>) {
        called("Queue::push_batch");
        self.0.push_batch(batch);
    }
    fn pop(&mut self) -> Option<Popped<T>> {
        called("Queue::pop");
        self.0.pop()
    }
    fn is_empty(&self) -> bool {
        called("Queue::is_empty");
        self.0.is_empty()
    }
}

impl<T: Token> Drop for Queue<T> {
    fn drop(&mut self) {
        called("Queue::drop");
    }
}

struct Thieves<T: Token>(<Ring<T> as RunQueue<T>>::Thief);

impl<T: Token> Clone for Thieves<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Token> Thief<T> for Thieves<T> {
    type Queue = Queue<T>;
    fn steal_into(&self, into: &mut Queue<T>, round: StealRound) -> Steal<T> {
        called("Thief::steal_into");
        self.0.steal_into(&mut into.0, round)
    }
    fn is_empty(&self) -> bool {
        called("Thief::is_empty");
        self.0.is_empty()
    }
    fn len(&self) -> usize {
        called("Thief::len");
        self.0.len()
    }
}

struct Shared<T: Token>(SharedFifo<T>);

impl<T: Token> Default for Shared<T> {
    fn default() -> Self {
        Self(SharedFifo::default())
    }
}

impl<T: Token> Drop for Shared<T> {
    fn drop(&mut self) {
        called("Shared::drop");
    }
}

impl<T: Token> SharedQueue<T> for Shared<T> {
    fn push(&self, token: T) {
        called("Shared::push");
        self.0.push(token);
    }
    fn push_batch(&self, batch: List<T>) {
        called("Shared::push_batch");
        self.0.push_batch(batch);
    }
    fn push_front(&self, batch: List<T>) {
        called("Shared::push_front");
        self.0.push_front(batch);
    }
    fn pop(&self) -> Option<T> {
        called("Shared::pop");
        self.0.pop()
    }
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T> {
        called("Shared::pop_batch");
        self.0.pop_batch(procs, limit)
    }
    fn is_empty(&self) -> bool {
        called("Shared::is_empty");
        self.0.is_empty()
    }
    fn len(&self) -> usize {
        called("Shared::len");
        self.0.len()
    }
}

struct Order(Coprime);

struct Walk(CoprimeWalk);

impl Iterator for Walk {
    type Item = usize;
    fn next(&mut self) -> Option<usize> {
        called("Walk::next");
        self.0.next()
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        called("Walk::drop");
    }
}

impl VictimOrder for Order {
    type Walk<'a> = Walk;
    fn new(procs: usize) -> Self {
        called("Order::new");
        Self(Coprime::new(procs))
    }
    fn walk<'a>(&'a self, from: WalkStart<'a>) -> Walk {
        called("Order::walk");
        let _hint = from.victims.queued(0);
        Walk(self.0.walk(from))
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        called("Order::drop");
    }
}

fn builder(procs: usize) -> Builder<Looks> {
    Builder::new().policy::<Looks>().procs(procs)
}

/// Runs `main` in a runtime whose policy is judged from the beginning of the run to the last handle's end.
fn run(builder: Builder<Looks>, main: fn()) -> String {
    let runtime = builder.build().unwrap();
    let handle = runtime.handle();
    JUDGES.store(true, Relaxed);
    let early = handle.go(gmp::yield_now).unwrap();
    let ended = match runtime.run(main) {
        Ok(_) => "ended".to_owned(),
        Err(error) => error.to_string(),
    };
    drop((early, handle));
    JUDGES.store(false, Relaxed);
    ended
}

/// Queues and looks of all kinds.
fn work() {
    let sleeps = |n: u64| go(move || gmp::sleep(MS * (n % 3) as u32));
    let blocks = |_| go(|| (0..5).for_each(|_| gmp::blocking(|| std::thread::sleep(MS))));
    let yields = |_| go(|| (0..200).for_each(|_| gmp::yield_now()));
    let all: Vec<_> = (0..300).map(sleeps).chain((0..20).map(blocks)).chain((0..20).map(yields)).collect();
    for procs in [1, 3, 2, 1, 4] {
        gmp::set_max_procs(procs);
        gmp::join(gmp::yield_now, || go(|| ()).join().unwrap());
        gmp::sleep(MS * 3);
        let _stats = gmp::stats();
    }
    // Without a word, and beyond the slice.
    let computes = go(|| {
        std::thread::sleep(MS * 25);
        let begun = std::time::Instant::now();
        while begun.elapsed() < MS * 25 {
            std::hint::spin_loop();
        }
    });
    let locked = go(|| {
        let _lock = gmp::lock_os_thread();
        (0..10).for_each(|_| gmp::yield_now());
    });
    all.into_iter().chain([computes, locked]).for_each(|handle| handle.join().unwrap());
    // Some are left behind: queued, asleep, and in a call.
    (0..200).for_each(|_| drop(go(|| ())));
    drop(go(|| gmp::blocking(|| std::thread::sleep(MS * 2))));
}

fn looks() {
    std::panic::set_hook(Box::new(|_| ()));
    for procs in [1, 2, 4] {
        for at_return in [AtMainReturn::Wait, AtMainReturn::Unwind, AtMainReturn::Leak] {
            assert_eq!(run(builder(procs).at_main_return(at_return), work), "ended");
        }
        assert_eq!(run(builder(procs).max_threads(3), work), "ended");
        let asleep = run(builder(procs).deadlock(DeadlockRule::Always), || {
            drop(go(gmp::park));
            gmp::park();
        });
        assert!(asleep.contains("asleep"), "{asleep}");
    }
    // A runtime that never runs.
    let runtime = builder(2).build().unwrap();
    JUDGES.store(true, Relaxed);
    drop(runtime.handle().go(|| ()));
    drop(runtime);
    JUDGES.store(false, Relaxed);
    println!("unannounced: {:?}", UNANNOUNCED.lock().unwrap());
    eprintln!("called: {:?}", CALLED.lock().unwrap());
}

fn every_call_of_a_policy_is_announced() {
    let mut looks = child("looks");
    if cfg!(feature = "dump") {
        looks = looks.env("GMP_DEBUG", "schedtrace=3,scheddetail=1");
    }
    let done = looks.run();
    done.code(0).prints("unannounced: {}\n");
    for place in ["Queue::is_empty", "Queue::new", "Thief::is_empty", "Thief::len", "Shared::is_empty"] {
        done.says(place);
    }
    for place in
        ["Shared::len", "Shared::push_front", "Walk::drop", "Order::new", "Order::drop", "Queue::drop"]
    {
        done.says(place);
    }
}

/// Runs another runtime as soon as it is called.
struct Runs;

impl EventSink for Runs {
    fn event(&self, _: &Event) {
        match Builder::new().build().unwrap().run(|| ()) {
            Err(gmp::RunError::Nested) => println!("refused"),
            other => println!("{other:?}"),
        }
    }
}

fn sink_runs() {
    let runtime = Builder::new().events(Arc::new(Runs)).build().unwrap();
    // On this thread, which is a plain one.
    drop(runtime.handle().go(|| ()));
}

/// It ran a second runtime in the middle of the first, which may hold its locks.
fn a_sink_on_a_plain_thread_may_not_run_a_runtime() {
    child("sink_runs").run().code(0).prints("refused\n");
}
