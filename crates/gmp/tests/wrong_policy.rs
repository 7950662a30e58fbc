//! What a safe but wrong policy can do, and what catches it: each row of the table in `docs/policies.md`.
//!
//! The wrong policies are Go's queues with one thing done wrong, once, when a child says so.

mod harness;

use gmp::contract::queue::{Coprime, List, Ring, SharedFifo};
use gmp::contract::{
    IdlePolicy, IdleView, Policy, Popped, QueueConfig, Rules, RunQueue, SharedQueue, Slot, Spill, Steal,
    StealRound, Thief, Token,
};
use gmp::{Builder, Runtime, Unparker};
use harness::{child, named};
use std::any::Any;
use std::marker::PhantomData;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether the next call of the wrong method goes wrong.
static ARMED: AtomicBool = AtomicBool::new(false);

fn arm() {
    ARMED.store(true, Ordering::Relaxed);
}

fn armed() -> bool {
    ARMED.swap(false, Ordering::Relaxed)
}

/// What a policy does wrong; by default nothing.
trait Wrong: Send + Sync + 'static {
    const NAME: &'static str;
    fn push<T: Token>(token: T) -> Option<T> {
        Some(token)
    }
    fn push_shared<T: Token>(token: T) -> Option<T> {
        Some(token)
    }
    fn pop<T: Token>(popped: Popped<T>) -> Option<Popped<T>> {
        Some(popped)
    }
    fn asked() {}
}

struct With<W>(PhantomData<fn() -> W>);

impl<W: Wrong> Policy for With<W> {
    const NAME: &'static str = W::NAME;
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = Queue<T, W>;
    type Shared<T: Token> = Shared<T, W>;
    type Idle = Idle<W>;
    type Order = Coprime;
}

struct Queue<T: Token, W>(Ring<T>, PhantomData<fn() -> W>);

impl<T: Token, W: Wrong> RunQueue<T> for Queue<T, W> {
    type Thief = Thieves<T, W>;
    const CAPACITY: Option<usize> = Ring::<T>::CAPACITY;
    fn new(config: &QueueConfig) -> (Self, Self::Thief) {
        let (queue, thief) = Ring::new(config);
        (Self(queue, PhantomData), Thieves(thief, PhantomData))
    }
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        if let Some(token) = W::push(token) {
            self.0.push(token, slot, spill);
        }
    }
    fn push_batch(&mut self, batch: &mut List<T>) {
        self.0.push_batch(batch);
    }
    fn pop(&mut self) -> Option<Popped<T>> {
        self.0.pop().and_then(W::pop)
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Thieves<T: Token, W>(<Ring<T> as RunQueue<T>>::Thief, PhantomData<fn() -> W>);

impl<T: Token, W> Clone for Thieves<T, W> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T: Token, W: Wrong> Thief<T> for Thieves<T, W> {
    type Queue = Queue<T, W>;
    fn steal_into(&self, into: &mut Queue<T, W>, round: StealRound) -> Steal<T> {
        self.0.steal_into(&mut into.0, round)
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

struct Shared<T: Token, W>(SharedFifo<T>, PhantomData<fn() -> W>);

impl<T: Token, W> Default for Shared<T, W> {
    fn default() -> Self {
        Self(SharedFifo::default(), PhantomData)
    }
}

impl<T: Token, W: Wrong> SharedQueue<T> for Shared<T, W> {
    fn push(&self, token: T) {
        if let Some(token) = W::push_shared(token) {
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

struct Idle<W>(PhantomData<fn() -> W>);

impl<W> Default for Idle<W> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<W: Wrong> IdlePolicy for Idle<W> {
    const NAME: &'static str = "wrong";
    const STRONG: bool = true;
    fn may_spin(&self, view: IdleView) -> bool {
        2 * view.spinning < view.busy()
    }
    fn wake_on_submit(&self, view: IdleView, _: impl Fn() -> usize) -> bool {
        W::asked();
        view.spinning == 0 && view.idle > 0
    }
}

fn runtime<W: Wrong>(procs: usize) -> Runtime<With<W>> {
    // SAFETY: no child holds a borrow of a thread-local across a suspension.
    unsafe { Builder::new().share_thread_locals() }.policy::<With<W>>().procs(procs).build().unwrap()
}

/// Starts a goroutine for the policy to go wrong with.
fn victim() {
    arm();
    drop(gmp::spawn().name("victim").go(|| println!("ran")).unwrap());
}

/// Runs `main` as a child; a policy's crime that is not found out ends in exit code 0.
fn run<W: Wrong>(main: impl FnOnce() + Send + 'static) {
    // How it ends is the test's to judge.
    println!("{:?}", runtime::<W>(1).run(main).map(|done| done.left));
}

struct DropsAtPush;
impl Wrong for DropsAtPush {
    const NAME: &'static str = "drops-at-push";
    fn push<T: Token>(token: T) -> Option<T> {
        (!armed()).then_some(token)
    }
}

fn drop_at_push() {
    run::<DropsAtPush>(victim);
}

/// A dropped `Runnable` aborts at once, with the goroutine's number and name and the policy's name.
fn a_policy_that_drops_a_goroutine() {
    child("drop_at_push").run().aborted().says("policy drops-at-push dropped goroutine 2 [victim]");
}

struct DropsAtPop;
impl Wrong for DropsAtPop {
    const NAME: &'static str = "drops-at-pop";
    fn pop<T: Token>(popped: Popped<T>) -> Option<Popped<T>> {
        (!armed()).then_some(popped)
    }
}

fn drop_at_pop() {
    run::<DropsAtPop>(|| {
        victim();
        gmp::yield_now();
    });
}

/// The same on the scheduler's stack.
fn a_policy_that_drops_a_goroutine_on_its_way_out() {
    child("drop_at_pop").run().aborted().says("policy drops-at-pop dropped goroutine 2 [victim]");
}

fn drop_while_closing() {
    run::<DropsAtPop>(|| {
        drop(gmp::go(|| println!("ran")));
        arm();
    });
}

/// While the runtime closes, nothing would run it any more: it is leaked and counted.
fn a_policy_that_drops_a_goroutine_of_a_closing_runtime() {
    let done = child("drop_while_closing").run();
    done.code(0).prints("Ok(Leftover { suspended: 0, running: 0, never_started: 1 })\n");
}

struct Forgets;
impl Wrong for Forgets {
    const NAME: &'static str = "forgets";
    fn push<T: Token>(token: T) -> Option<T> {
        if armed() {
            std::mem::forget(token);
            return None;
        }
        Some(token)
    }
}

fn forget() {
    run::<Forgets>(|| {
        victim();
        gmp::park();
    });
}

/// A forgotten `Runnable` would look like a deadlock of the user's; the ledger says that it is the policy's doing.
fn a_policy_that_forgets_a_goroutine() {
    let done = child("forget").run();
    done.aborted().says("policy forgets holds goroutine 2").never_says("asleep");
}

/// What policies keep to themselves: tokens, whose type only they know.
static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

fn keep_armed<T: Token>(token: T) -> Option<T> {
    if armed() {
        KEPT.lock().unwrap().push(Box::new(token));
        return None;
    }
    Some(token)
}

struct Keeps;
impl Wrong for Keeps {
    const NAME: &'static str = "keeps";
    fn push<T: Token>(token: T) -> Option<T> {
        keep_armed(token)
    }
}

fn keep() {
    run::<Keeps>(|| {
        arm();
        gmp::go(|| {}).join().unwrap();
    });
}

/// One that is kept is the same.
fn a_policy_that_keeps_a_goroutine() {
    child("keep").run().aborted().says("policy keeps holds goroutine 2").never_says("asleep");
}

struct KeepsShared;
impl Wrong for KeepsShared {
    const NAME: &'static str = "keeps-shared";
    fn push_shared<T: Token>(token: T) -> Option<T> {
        keep_armed(token)
    }
}

fn keep_shared() {
    run::<KeepsShared>(|| {
        arm();
        gmp::yield_now();
    });
}

/// A shared queue is held to the same.
fn a_shared_queue_that_keeps_a_goroutine() {
    let done = child("keep_shared").run();
    done.aborted().says("policy keeps-shared holds goroutine 1").never_says("asleep");
}

struct Mixes;
impl Wrong for Mixes {
    const NAME: &'static str = "mixes";
    fn push<T: Token>(token: T) -> Option<T> {
        let token = keep_armed(token)?;
        let Some(other) = KEPT.lock().unwrap().pop() else { return Some(token) };
        std::mem::forget(token);
        other.downcast().ok().map(|other| *other)
    }
}

fn mix() {
    let first = std::thread::spawn(|| {
        run::<Mixes>(|| {
            victim();
            gmp::sleep(Duration::from_secs(50));
        });
    });
    while KEPT.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    run::<Mixes>(|| gmp::go(|| {}).join().unwrap());
    first.join().unwrap();
}

/// A goroutine runs in its own runtime only.
fn a_policy_that_hands_a_goroutine_to_another_runtime() {
    child("mix").run().aborted().says("policy mixes was handed goroutine 2 [victim] of another runtime");
}

/// An unparker for a policy to misuse.
static UNPARKER: Mutex<Option<Unparker>> = Mutex::new(None);

/// A policy that calls the runtime from `push`, in one of several ways.
macro_rules! callers {
    ($($policy:ident $name:literal $child:ident $call:expr;)*) => {$(
        struct $policy;
        impl Wrong for $policy {
            const NAME: &'static str = $name;
            fn push<T: Token>(token: T) -> Option<T> {
                if armed() {
                    $call;
                }
                Some(token)
            }
        }
        fn $child() {
            run::<$policy>(|| {
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
    Spawns "spawns" call_go drop(gmp::go(|| {}));
    Yields "yields" call_yield gmp::yield_now();
    Parks "parks" call_park gmp::park();
    Sleeps "sleeps" call_sleep gmp::sleep(Duration::from_millis(1));
    Blocks "blocks" call_blocking gmp::blocking(|| {});
    Locks "locks" call_lock drop(gmp::lock_os_thread());
    Counts "counts" call_stats { gmp::stats(); };
    Readies "readies" call_unpark UNPARKER.lock().unwrap().take().unwrap().unpark();
}

/// Every call panics with the policy's name, and the panic does not get out of the policy: it meets the goroutine that
/// the policy had in its hand, or the scheduler.
fn a_policy_that_calls_the_runtime() {
    for (name, policy, call) in [
        ("call_go", "spawns", "go"),
        ("call_yield", "yields", "yield_now"),
        ("call_park", "parks", "park"),
        ("call_sleep", "sleeps", "sleep"),
        ("call_blocking", "blocks", "blocking"),
        ("call_lock", "locks", "lock_os_thread"),
        ("call_stats", "counts", "stats"),
    ] {
        let done = child(name).run();
        done.aborted();
        done.says(&format!("gmp::{call} was called from inside the scheduler, by code of policy {policy}"));
        done.says("fatal error: gmp: broken invariant").says(&format!("policy {policy}"));
    }
}

/// Readying is no public call that could panic (it is called in destructors): it is fatal at once.
fn a_policy_that_readies_a_goroutine() {
    child("call_unpark").run().aborted().says("policy readies readied a goroutine");
}

struct CallsOnG0;
impl Wrong for CallsOnG0 {
    const NAME: &'static str = "calls-on-g0";
    fn pop<T: Token>(popped: Popped<T>) -> Option<Popped<T>> {
        if armed() {
            gmp::yield_now();
        }
        Some(popped)
    }
}

fn call_on_g0() {
    run::<CallsOnG0>(|| {
        victim();
        gmp::yield_now();
    });
}

/// The same from the scheduler's own stack.
fn a_policy_that_calls_the_runtime_from_pop() {
    let done = child("call_on_g0").run();
    done.aborted();
    done.says("gmp::yield_now was called from inside the scheduler, by code of policy calls-on-g0");
}

struct PanicsInPush;
impl Wrong for PanicsInPush {
    const NAME: &'static str = "panics-in-push";
    fn push<T: Token>(token: T) -> Option<T> {
        if armed() {
            std::mem::forget(token);
            panic!("no more room");
        }
        Some(token)
    }
}

fn panic_in_push() {
    run::<PanicsInPush>(|| {
        // Nobody's `catch_unwind` may hide it.
        let _ = std::panic::catch_unwind(victim);
    });
}

struct PanicsInPop;
impl Wrong for PanicsInPop {
    const NAME: &'static str = "panics-in-pop";
    fn pop<T: Token>(popped: Popped<T>) -> Option<Popped<T>> {
        if armed() {
            std::mem::forget(popped);
            panic!("nothing here");
        }
        Some(popped)
    }
}

fn panic_in_pop() {
    run::<PanicsInPop>(|| {
        victim();
        gmp::yield_now();
    });
}

/// A panic in a policy is the policy's end and everybody's.
fn a_policy_that_panics() {
    let done = child("panic_in_push").run();
    done.aborted().says("no more room").says("a panic came out of policy panics-in-push");
    let done = child("panic_in_pop").run();
    done.aborted().says("nothing here").says("a panic came out of policy panics-in-pop");
}

struct PanicsInIdle;
impl Wrong for PanicsInIdle {
    const NAME: &'static str = "panics-in-idle";
    fn asked() {
        if armed() {
            panic!("no opinion");
        }
    }
}

fn panic_in_idle() {
    println!("{:?}", runtime::<PanicsInIdle>(2).run(victim).map(|done| done.left));
}

/// Opinions are a policy's code too.
fn an_idle_policy_that_panics() {
    child("panic_in_idle").run().aborted().says("a panic came out of policy panics-in-idle");
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
            keep,
            keep_shared,
            mix,
            call_go,
            call_yield,
            call_park,
            call_sleep,
            call_blocking,
            call_lock,
            call_stats,
            call_unpark,
            call_on_g0,
            panic_in_push,
            panic_in_pop,
            panic_in_idle,
        ],
    )
}
