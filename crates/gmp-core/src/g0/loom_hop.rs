//! loom models of a hop, and of an exit on a goroutine's own stack: what another M, a waker, a joiner or a closing
//! runtime sees of a goroutine that left for the next one. The words are the real ones; stacks and records are loom's
//! cells.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Threads: two. Preemptions: 8, or what `LOOM_MAX_PREEMPTIONS` says. Time: under a second.
//!
//! Caught when broken: a goroutine queued, or its token given away, before the switch; `m.running` set before the park is
//! made; a record touched after `finish`.

use crate::contract::SharedQueue;
use crate::ground::sync::{Arc, AtomicUsize, SpinLock, UnsafeCell};
use crate::queue::SharedFifo;
use crate::records::g::join::{Finish, JoinWord};
use crate::records::g::word::{GWord, Status, Wait};
use crate::suite::{Ledger, Probe};
use core::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(8));
    builder.check(model);
}

const NOBODY: usize = 0;
const B: usize = 2;

/// Goroutine A, which leaves, and the goroutine that its M says it runs.
struct Left {
    word: GWord,
    join: JoinWord,
    /// A's stack and saved context: 1 while A is on it, 2 when it has been left.
    context: UnsafeCell<u32>,
    running: AtomicUsize,
    token: SpinLock<Option<Wait>>,
}

impl Left {
    fn running() -> Arc<Self> {
        let word = GWord::new();
        word.to_spawned();
        word.to_running();
        Arc::new(Self {
            word,
            join: JoinWord::new(),
            context: UnsafeCell::new(1),
            running: AtomicUsize::new(1),
            token: SpinLock::new(None),
        })
    }

    /// A's half of a hop, up to the switch.
    fn leave(&self) {
        // ORDER: curg. The order of `set_running`.
        self.running.store(NOBODY, Release);
        // SAFETY: A is on its stack, and nobody else, as the models are to prove.
        self.context.with_mut(|context| unsafe { *context = 2 });
    }

    /// B has done its errand.
    fn arrived(&self) {
        // ORDER: curg. As above.
        self.running.store(B, Release);
    }

    /// Somebody else continues A.
    fn run_on(&self) {
        self.word.to_running();
        // SAFETY: A is off its stack, and its one token is ours, as the models are to prove.
        self.context.with_mut(|context| unsafe {
            assert_eq!(*context, 2, "a context that was not saved");
            *context = 1;
        });
    }
}

/// A yields for B, and another M takes A out of the shared queue.
#[test]
fn who_yields_for_another_is_off_its_stack_when_others_get_it() {
    explore(|| {
        let (ledger, left) = (Ledger::new(1), Left::running());
        let queue = Arc::new(SharedFifo::<Probe>::default());
        let thief = {
            let (queue, left) = (queue.clone(), left.clone());
            thread::spawn(move || queue.pop().map(Probe::consume).map(|_| left.run_on()).is_some())
        };
        left.leave();
        left.word.to_yielded();
        queue.push(ledger.mint());
        left.arrived();
        if !thief.join().unwrap() {
            queue.pop().expect("still queued").consume();
            left.run_on();
        }
        ledger.settle();
    });
}

/// A parks for B, and a waker gets the token that B's arrival makes.
#[test]
fn who_parks_for_another_is_off_its_stack_when_it_is_woken() {
    explore(|| {
        let left = Left::running();
        let waker = {
            let left = left.clone();
            thread::spawn(move || {
                let wait = left.token.with(Option::take);
                wait.is_some_and(|wait| {
                    assert!(left.word.to_ready(wait));
                    left.run_on();
                    true
                })
            })
        };
        left.leave();
        let wait = left.word.to_waiting();
        left.token.with(|token| *token = Some(wait));
        left.arrived();
        assert!(waker.join().unwrap() || left.word.is_in(wait));
    });
}

/// A runtime closes while A parks for B: when the M is seen to run B, A is seen to wait.
#[test]
fn a_closing_runtime_finds_the_one_that_left() {
    explore(|| {
        let left = Left::running();
        let closer = {
            let left = left.clone();
            thread::spawn(move || {
                // ORDER: curg. The order of `M::running`.
                (left.running.load(Acquire) == B).then(|| left.word.status())
            })
        };
        left.leave();
        left.word.to_waiting();
        left.arrived();
        assert_ne!(closer.join().unwrap(), Some(Status::Running));
    });
}

/// A ends on its own stack, and whoever joins it uses the record for another goroutine at once.
#[test]
fn a_record_is_let_go_of_before_its_stack() {
    explore(|| {
        let left = Left::running();
        let joiner = {
            let left = left.clone();
            thread::spawn(move || {
                // One look at any moment: a loop would need a yield, by which loom holds the joiner back.
                let done = left.join.is_done();
                if done {
                    // SAFETY: the goroutine has ended, and its handle owns the record, as the model is to prove.
                    left.context.with_mut(|context| unsafe { *context = 7 });
                    left.word.to_spawned();
                }
                done
            })
        };
        left.leave();
        left.word.to_exited();
        assert!(matches!(left.join.finish(), Finish::LeftToHandle));
        left.arrived();
        let expected = if joiner.join().unwrap() { Status::Runnable } else { Status::Free };
        assert_eq!(left.word.status(), expected);
    });
}
