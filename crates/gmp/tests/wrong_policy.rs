//! What a safe but wrong policy can do, and what catches it: each row of the table in `docs/policies.md`.
//!
//! The wrong policy is Go's queues with one thing done wrong, once, when a child says so.

mod harness;
mod told;

use gmp::contract::queue::{Coprime, List, Ring, SharedFifo};
use gmp::contract::{
    IdlePolicy, IdleView, Policy, Popped, QueueConfig, Rules, RunQueue, SharedQueue, Slot, Spill, Steal,
    StealRound, Thief, Token,
};
use gmp::{Builder, Runtime, Unparker};
use harness::{child, named};
use std::any::Any;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// What the policy of this process does wrong. It is a value and not a type of its own, since a runtime would have to
/// be compiled for each type.
#[derive(Clone, Copy)]
enum Crime {
    DropAtPush,
    DropAtPop,
    Forget,
    Keep,
    KeepShared,
    Mix,
    CallAtPush(fn()),
    CallAtPop(fn()),
    PanicInPush,
    PanicInPop,
    PanicInIdle,
}

static CRIME: OnceLock<Crime> = OnceLock::new();

/// Whether the next call of the wrong method goes wrong.
static ARMED: AtomicBool = AtomicBool::new(false);

fn arm() {
    ARMED.store(true, Ordering::Relaxed);
}

fn armed() -> bool {
    ARMED.swap(false, Ordering::Relaxed)
}

/// What policies keep to themselves: tokens, whose type only they know.
static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

fn keep<T: Token>(token: T) -> Option<T> {
    if armed() {
        KEPT.lock().unwrap().push(Box::new(token));
        return None;
    }
    Some(token)
}

/// What `push` makes of a token.
fn pushed<T: Token>(token: T) -> Option<T> {
    match CRIME.get() {
        Some(Crime::DropAtPush) => (!armed()).then_some(token),
        Some(Crime::Forget) if armed() => {
            std::mem::forget(token);
            None
        }
        Some(Crime::Keep) => keep(token),
        Some(Crime::Mix) => {
            let token = keep(token)?;
            let Some(other) = KEPT.lock().unwrap().pop() else { return Some(token) };
            std::mem::forget(token);
            other.downcast().ok().map(|other| *other)
        }
        Some(Crime::CallAtPush(call)) => {
            if armed() {
                call();
            }
            Some(token)
        }
        Some(Crime::PanicInPush) if armed() => {
            std::mem::forget(token);
            panic!("no more room");
        }
        _ => Some(token),
    }
}

/// What `pop` makes of a token.
fn popped<T: Token>(popped: Popped<T>) -> Option<Popped<T>> {
    match CRIME.get() {
        Some(Crime::DropAtPop) => (!armed()).then_some(popped),
        Some(Crime::CallAtPop(call)) => {
            if armed() {
                call();
            }
            Some(popped)
        }
        Some(Crime::PanicInPop) if armed() => {
            std::mem::forget(popped);
            panic!("nothing here");
        }
        _ => Some(popped),
    }
}

struct Wrong;

impl Policy for Wrong {
    const NAME: &'static str = "wrong";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = Queue<T>;
    type Shared<T: Token> = Shared<T>;
    type Idle = Idle;
    type Order = Coprime;
}

struct Queue<T: Token>(Ring<T>);

impl<T: Token> RunQueue<T> for Queue<T> {
    type Thief = Thieves<T>;
    const CAPACITY: Option<usize> = Ring::<T>::CAPACITY;
    fn new(config: &QueueConfig) -> (Self, Self::Thief) {
        let (queue, thief) = Ring::new(config);
        (Self(queue), Thieves(thief))
    }
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        if let Some(token) = pushed(token) {
            self.0.push(token, slot, spill);
        }
    }
    fn push_batch(&mut self, batch: &mut List<T>) {
        self.0.push_batch(batch);
    }
    fn pop(&mut self) -> Option<Popped<T>> {
        self.0.pop().and_then(popped)
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        self.0.steal_into(&mut into.0, round)
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

struct Shared<T: Token>(SharedFifo<T>);

impl<T: Token> Default for Shared<T> {
    fn default() -> Self {
        Self(SharedFifo::default())
    }
}

impl<T: Token> SharedQueue<T> for Shared<T> {
    fn push(&self, token: T) {
        let keeps = matches!(CRIME.get(), Some(Crime::KeepShared));
        if let Some(token) = if keeps { keep(token) } else { Some(token) } {
            self.0.push(token);
        }
    }
    fn push_batch(&self, batch: List<T>) {
        self.0.push_batch(batch);
    }
    fn push_front(&self, batch: List<T>) {
        self.0.push_front(batch);
    }
    fn pop(&self) -> Option<T> {
        self.0.pop()
    }
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T> {
        self.0.pop_batch(procs, limit)
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Default)]
struct Idle;

impl IdlePolicy for Idle {
    const NAME: &'static str = "wrong";
    const STRONG: bool = true;
    fn may_spin(&self, view: IdleView) -> bool {
        2 * view.spinning < view.busy()
    }
    fn wake_on_submit(&self, view: IdleView, _: impl Fn() -> usize) -> bool {
        if matches!(CRIME.get(), Some(Crime::PanicInIdle)) && armed() {
            panic!("no opinion");
        }
        view.spinning == 0 && view.idle > 0
    }
}

fn runtime(procs: usize) -> Runtime<Wrong> {
    told::moving(Builder::new()).policy::<Wrong>().procs(procs).build().unwrap()
}

/// Starts a goroutine for the policy to go wrong with.
fn victim() {
    arm();
    drop(gmp::spawn().name("victim").go(|| println!("ran")).unwrap());
}

/// Runs `main` as a child; if a policy's crime is not found out, the exit code is 0.
fn run(crime: Crime, main: impl FnOnce() + Send + 'static) {
    CRIME.get_or_init(|| crime);
    // How it ends is the test's to judge.
    println!("{:?}", runtime(1).run(main).map(|done| done.left));
}

fn drop_at_push() {
    run(Crime::DropAtPush, victim);
}

/// A dropped `Runnable` aborts at once, with the goroutine's number and name and the policy's name.
fn a_policy_that_drops_a_goroutine() {
    child("drop_at_push").run().aborted().says("policy wrong dropped goroutine 2 [victim]");
}

fn drop_at_pop() {
    run(Crime::DropAtPop, || {
        victim();
        gmp::yield_now();
    });
}

/// The same on the scheduler's stack.
fn a_policy_that_drops_a_goroutine_on_its_way_out() {
    child("drop_at_pop").run().aborted().says("policy wrong dropped goroutine 2 [victim]");
}

fn drop_while_closing() {
    run(Crime::DropAtPop, || {
        drop(gmp::go(|| println!("ran")));
        arm();
    });
}

/// While the runtime closes, nothing would run it any more: it is leaked and counted.
fn a_policy_that_drops_a_goroutine_of_a_closing_runtime() {
    let done = child("drop_while_closing").run();
    done.code(0).prints("Ok(Leftover { suspended: 0, running: 0, never_started: 1 })\n");
}

fn forget() {
    run(Crime::Forget, || {
        victim();
        gmp::park();
    });
}

/// A forgotten `Runnable` would look like a deadlock of the user's; the ledger says that it is the policy's doing.
fn a_policy_that_forgets_a_goroutine() {
    let done = child("forget").run();
    done.aborted().says("policy wrong holds goroutine 2").never_says("asleep");
}

fn keep_pushed() {
    run(Crime::Keep, || {
        arm();
        gmp::go(|| {}).join().unwrap();
    });
}

/// One that is kept is the same.
fn a_policy_that_keeps_a_goroutine() {
    child("keep_pushed").run().aborted().says("policy wrong holds goroutine 2").never_says("asleep");
}

fn keep_shared() {
    run(Crime::KeepShared, || {
        arm();
        gmp::yield_now();
    });
}

/// A shared queue is held to the same.
fn a_shared_queue_that_keeps_a_goroutine() {
    let done = child("keep_shared").run();
    done.aborted().says("policy wrong holds goroutine 1").never_says("asleep");
}

fn mix() {
    let first = std::thread::spawn(|| {
        run(Crime::Mix, || {
            victim();
            gmp::sleep(Duration::from_secs(50));
        });
    });
    while KEPT.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    run(Crime::Mix, || gmp::go(|| {}).join().unwrap());
    first.join().unwrap();
}

/// A goroutine runs in its own runtime only.
fn a_policy_that_hands_a_goroutine_to_another_runtime() {
    child("mix").run().aborted().says("policy wrong was handed goroutine 2 [victim] of another runtime");
}

/// An unparker for a policy to misuse.
static UNPARKER: Mutex<Option<Unparker>> = Mutex::new(None);

/// A timer's channel for a policy to wait at.
static TICKS: OnceLock<gmp::Receiver<Instant>> = OnceLock::new();

/// The child of each row: the policy makes this call in `push`.
macro_rules! callers {
    ($($child:ident $call:expr;)*) => {$(
        fn $child() {
            run(Crime::CallAtPush(|| $call), || {
                TICKS.get_or_init(|| gmp::time::after(Duration::from_secs(3600)));
                let parked = gmp::go(|| {
                    *UNPARKER.lock().unwrap() = gmp::current().map(|me| me.unparker());
                    gmp::park();
                });
                gmp::yield_now();
                victim();
                drop(parked);
            });
        }
    )*};
}

callers! {
    call_go drop(gmp::go(|| {}));
    call_yield gmp::yield_now();
    call_park gmp::park();
    call_sleep gmp::sleep(Duration::from_millis(1));
    call_blocking gmp::blocking(|| {});
    call_lock drop(gmp::lock_os_thread());
    call_stats { gmp::stats(); };
    call_recv _ = pin!(TICKS.get().unwrap().recv_async()).poll(&mut Context::from_waker(Waker::noop()));
    call_unpark UNPARKER.lock().unwrap().take().unwrap().unpark();
}

/// Every call panics with the policy's name, and the panic does not leave the policy: it ends at the goroutine that the
/// policy had in its hand, or at the scheduler.
fn a_policy_that_calls_the_runtime() {
    for (name, call) in [
        ("call_go", "go"),
        ("call_yield", "yield_now"),
        ("call_park", "park"),
        ("call_sleep", "sleep"),
        ("call_blocking", "blocking"),
        ("call_lock", "lock_os_thread"),
        ("call_stats", "stats"),
        ("call_recv", "recv"),
    ] {
        let done = child(name).run();
        done.aborted();
        done.says(&format!("gmp::{call} was called from inside the scheduler, by code of policy wrong"));
        done.says("fatal error: gmp: broken invariant").says("policy wrong");
    }
}

/// Readying is no public call that could panic (it is called in destructors): it is fatal at once.
fn a_policy_that_readies_a_goroutine() {
    child("call_unpark").run().aborted().says("policy wrong readied a goroutine");
}

fn call_on_g0() {
    run(Crime::CallAtPop(gmp::yield_now), || {
        victim();
        gmp::yield_now();
    });
}

/// The same from the scheduler's own stack.
fn a_policy_that_calls_the_runtime_from_pop() {
    let done = child("call_on_g0").run();
    done.aborted();
    done.says("gmp::yield_now was called from inside the scheduler, by code of policy wrong");
}

fn panic_in_push() {
    run(Crime::PanicInPush, || {
        // Nobody's `catch_unwind` may hide it.
        let _ = std::panic::catch_unwind(victim);
    });
}

fn panic_in_pop() {
    run(Crime::PanicInPop, || {
        victim();
        gmp::yield_now();
    });
}

/// A panic in a policy ends the process.
fn a_policy_that_panics() {
    let done = child("panic_in_push").run();
    done.aborted().says("no more room").says("a panic came out of policy wrong");
    let done = child("panic_in_pop").run();
    done.aborted().says("nothing here").says("a panic came out of policy wrong");
}

fn panic_in_idle() {
    CRIME.get_or_init(|| Crime::PanicInIdle);
    println!("{:?}", runtime(2).run(victim).map(|done| done.left));
}

/// Opinions are a policy's code too.
fn an_idle_policy_that_panics() {
    child("panic_in_idle").run().aborted().says("a panic came out of policy wrong");
}

fn main() -> ExitCode {
    harness::run(
        named![
            a_policy_that_drops_a_goroutine,
            a_policy_that_drops_a_goroutine_on_its_way_out,
            a_policy_that_drops_a_goroutine_of_a_closing_runtime,
            a_policy_that_forgets_a_goroutine,
            a_policy_that_keeps_a_goroutine,
            a_shared_queue_that_keeps_a_goroutine,
            a_policy_that_hands_a_goroutine_to_another_runtime,
            a_policy_that_calls_the_runtime,
            a_policy_that_readies_a_goroutine,
            a_policy_that_calls_the_runtime_from_pop,
            a_policy_that_panics,
            an_idle_policy_that_panics,
        ],
        named![
            drop_at_push,
            drop_at_pop,
            drop_while_closing,
            forget,
            keep_pushed,
            keep_shared,
            mix,
            call_go,
            call_yield,
            call_park,
            call_sleep,
            call_blocking,
            call_lock,
            call_stats,
            call_recv,
            call_unpark,
            call_on_g0,
            panic_in_push,
            panic_in_pop,
            panic_in_idle,
        ],
    )
}
