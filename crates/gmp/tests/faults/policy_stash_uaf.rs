//! A policy in safe code kept goroutines of a runtime that was dropped without having run; what it kept read the freed
//! runtime when it was dropped at last. The kind: whatever a policy does with what it was given, for however long.

use crate::harness::{child, named};
use gmp::contract::queue::List;
use gmp::contract::{Policy, Rules, SharedQueue, Token};
use gmp::policy::Go;
use gmp::{Builder, JoinError};
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

pub(crate) const FAULT: crate::Fault = (
    named![
        what_is_kept_beyond_a_runtime_is_harmless,
        what_is_kept_and_queued_elsewhere_is_refused,
        what_is_dropped_in_a_runtime_is_named,
        what_a_queue_drops_with_its_runtime_is_harmless,
        what_is_kept_when_main_returns_is_told,
    ],
    named![
        kept_beyond,
        kept_and_queued_elsewhere,
        dropped_in_a_runtime,
        dropped_with_its_runtime,
        kept_when_main_returns,
    ],
);

type Kept = Box<dyn Any + Send>;

/// What the policy has kept.
static STASH: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
/// It gives out what it has kept, whichever runtime asks.
static GIVES: AtomicBool = AtomicBool::new(false);

/// A shared queue that is a static.
#[derive(Default)]
struct Keeper;

impl<T: Token> SharedQueue<T> for Keeper {
    fn push(&self, token: T) {
        STASH.lock().unwrap().push(Box::new(token));
    }
    fn push_batch(&self, batch: List<T>) {
        batch.for_each(|token| SharedQueue::<T>::push(self, token));
    }
    fn push_front(&self, batch: List<T>) {
        SharedQueue::<T>::push_batch(self, batch);
    }
    fn pop(&self) -> Option<T> {
        if !GIVES.load(SeqCst) {
            return None;
        }
        STASH.lock().unwrap().pop().map(|kept| *kept.downcast::<T>().unwrap())
    }
    fn pop_batch(&self, _: usize, _: usize) -> List<T> {
        let mut list = List::new();
        SharedQueue::<T>::pop(self).into_iter().for_each(|token| list.push_back(token));
        list
    }
    fn len(&self) -> usize {
        if GIVES.load(SeqCst) { STASH.lock().unwrap().len() } else { 0 }
    }
}

struct Keeps;

impl Policy for Keeps {
    const NAME: &'static str = "keeps";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = <Go as Policy>::Queue<T>;
    type Shared<T: Token> = Keeper;
    type Idle = <Go as Policy>::Idle;
    type Order = <Go as Policy>::Order;
}

fn keeping() -> gmp::Runtime<Keeps> {
    Builder::new().one_thread_each().policy::<Keeps>().build().unwrap()
}

/// Has the policy keep three goroutines of a runtime that goes without having run.
fn keep_three() {
    let runtime = keeping();
    let dropped = Arc::new(());
    let spawn = || {
        let captured = dropped.clone();
        runtime.handle().go(move || drop(captured)).unwrap()
    };
    let (joined, _detached) = (spawn(), drop(spawn()));
    let early = spawn();
    let waiter = std::thread::spawn(move || early.join());
    drop(runtime);
    for join in [joined.join(), waiter.join().unwrap()] {
        assert!(matches!(join, Err(JoinError::Abandoned)), "{join:?}");
    }
    assert_eq!(Arc::strong_count(&dropped), 1, "closures that never ran are dropped");
}

/// Uses every record there is, and the memory that the runtime had.
fn run_others() {
    let main = || {
        let all: Vec<_> = (0..500).map(|n| gmp::go(move || n)).collect();
        assert!(all.into_iter().enumerate().all(|(n, one)| one.join().unwrap() == n));
    };
    for _ in 0..3 {
        Builder::new().policy::<gmp::policy::Go>().one_thread_each().build().unwrap().run(main).unwrap();
    }
}

fn kept_beyond() {
    for _ in 0..20 {
        keep_three();
    }
    run_others();
    assert_eq!(STASH.lock().unwrap().len(), 60);
    let stash = std::mem::take(&mut *STASH.lock().unwrap());
    std::thread::spawn(move || drop(stash)).join().unwrap();
    run_others();
}

fn what_is_kept_beyond_a_runtime_is_harmless() {
    child("kept_beyond").run().code(0);
}

fn kept_and_queued_elsewhere() {
    keep_three();
    GIVES.store(true, SeqCst);
    let _ = keeping().run(|| gmp::yield_now());
}

fn what_is_kept_and_queued_elsewhere_is_refused() {
    let done = child("kept_and_queued_elsewhere").run();
    done.aborted().says("policy keeps was handed goroutine").says("of another runtime");
}

fn dropped_in_a_runtime() {
    let main = || {
        // It lies in the stash from its first yield on.
        drop(gmp::go(gmp::yield_now));
        while STASH.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        STASH.lock().unwrap().clear();
    };
    let _ = keeping().run(move || gmp::blocking(main));
}

fn what_is_dropped_in_a_runtime_is_named() {
    let done = child("dropped_in_a_runtime").run();
    done.aborted()
        .says("a policy gives back every goroutine it was given")
        .says("policy keeps dropped goroutine");
}

/// A shared queue that gives nothing back and drops what it has when it goes.
struct Buries(Mutex<Vec<Kept>>);

impl Default for Buries {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T: Token> SharedQueue<T> for Buries {
    fn push(&self, token: T) {
        self.0.lock().unwrap().push(Box::new(token));
    }
    fn push_batch(&self, batch: List<T>) {
        batch.for_each(|token| SharedQueue::<T>::push(self, token));
    }
    fn push_front(&self, batch: List<T>) {
        SharedQueue::<T>::push_batch(self, batch);
    }
    fn pop(&self) -> Option<T> {
        None
    }
    fn pop_batch(&self, _: usize, _: usize) -> List<T> {
        List::new()
    }
    fn len(&self) -> usize {
        0
    }
}

struct Graves;

impl Policy for Graves {
    const NAME: &'static str = "graves";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = <Go as Policy>::Queue<T>;
    type Shared<T: Token> = Buries;
    type Idle = <Go as Policy>::Idle;
    type Order = <Go as Policy>::Order;
}

fn dropped_with_its_runtime() {
    let runtime = Builder::new().one_thread_each().policy::<Graves>().build().unwrap();
    let handle = runtime.handle().go(|| ()).unwrap();
    drop(runtime);
    assert!(matches!(handle.join(), Err(JoinError::Abandoned)));
    run_others();
}

fn what_a_queue_drops_with_its_runtime_is_harmless() {
    child("dropped_with_its_runtime").run().code(0);
}

fn kept_when_main_returns() {
    for at_return in [gmp::AtMainReturn::Leak, gmp::AtMainReturn::Unwind] {
        let runtime =
            Builder::new().one_thread_each().policy::<Keeps>().at_main_return(at_return).build().unwrap();
        let captured = Arc::new(());
        let ours = captured.clone();
        // What a plain thread starts goes to the shared queue, which keeps it. Main never comes to that queue.
        let kept = runtime.handle().go(move || drop(captured)).unwrap();
        let done = runtime.run(|| ()).unwrap();
        assert_eq!(done.left.never_started, 1, "{:?}", done.left);
        assert!(matches!(kept.join(), Err(JoinError::Abandoned)));
        assert_eq!(Arc::strong_count(&ours), 1, "its closure is dropped");
        STASH.lock().unwrap().clear();
    }
    println!("done");
}

/// Whoever joined it waited for ever.
fn what_is_kept_when_main_returns_is_told() {
    child("kept_when_main_returns").run().code(0).prints("done\n");
}
