//! loom models of parking: the G word and the permit word, on the real types.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: one goroutine's park (`goroutine::park` and `G0::park`), with the goroutine going on in the thread of
//! whoever readied it, as if that thread had popped it; a waker by permit; the timer's twin of the token. What the waker
//! wrote and what the goroutine left are in loom's cells, so an ordering that does not hand them over is a failure.
//! Threads: at most three. Preemptions: unbounded with two threads, 5 with three, or what `LOOM_MAX_PREEMPTIONS` says.
//! Time: 7 s.
//!
//! Caught when broken: `to_waiting` without its Release; waits of one goroutine not told apart (no serial number); `unpark`
//! Relaxed; `unpark` that asks for the owner's number once, before its loop; `withdraw` that takes no notice of an unparker
//! who has the offer.

use super::permit::{Permit, Unpark};
use super::word::{GWord, Serial, Wait};
use crate::ground::sync::{Arc, AtomicUsize, SpinLock, UnsafeCell};
use core::sync::atomic::Ordering::Relaxed;
use loom::thread;

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(model);
}

/// A record's words, what is handed over, and what is counted.
struct Record {
    word: GWord,
    permit: Permit,
    owner: Serial,
    /// What the goroutine left on its stack and in its record.
    context: UnsafeCell<u32>,
    /// What the waker prepared.
    gift: UnsafeCell<u32>,
    /// The twin in the timers.
    twin: SpinLock<Option<Wait>>,
    /// Parks that returned Woken, and parks that returned at all.
    woken: AtomicUsize,
    returned: AtomicUsize,
}

impl Record {
    fn running() -> Arc<Self> {
        let word = GWord::new();
        word.to_spawned();
        word.to_running();
        let permit = Permit::new();
        permit.own_up(word.serial());
        let owner = permit.owner();
        Arc::new(Self {
            word,
            permit,
            owner,
            context: UnsafeCell::new(0),
            gift: UnsafeCell::new(0),
            twin: SpinLock::new(None),
            woken: AtomicUsize::new(0),
            returned: AtomicUsize::new(0),
        })
    }

    fn touch(cell: &UnsafeCell<u32>) {
        // SAFETY: what the model is to prove; loom complains if it is not so.
        cell.with_mut(|value| unsafe { *value += 1 });
    }

    /// `goroutine::park` up to the point where the goroutine is off its stack and its M goes on.
    fn park(&self) {
        if self.permit.take(self.owner) {
            return self.returns(true);
        }
        Self::touch(&self.context);
        let wait = self.word.to_waiting();
        if !self.permit.offer(wait, self.owner) {
            assert!(self.word.to_resumed(wait), "nobody else knew of this wait");
            self.word.to_running();
            return self.returns(true);
        }
        if self.word.is_in(wait) {
            self.twin.with(|twin| *twin = Some(wait));
        }
    }

    /// The goroutine goes on after its wait was ended.
    fn goes_on(&self, woken: bool) {
        self.word.to_running();
        Self::touch(&self.context);
        self.returns(woken || !self.permit.withdraw(self.owner));
    }

    fn returns(&self, woken: bool) {
        self.returned.fetch_add(1, Relaxed);
        if woken {
            Self::touch(&self.gift);
            self.woken.fetch_add(1, Relaxed);
        }
    }

    /// `Unparker::unpark`.
    fn unpark(&self) {
        Self::touch(&self.gift);
        if let Unpark::Ready(wait) = self.permit.unpark(self.owner)
            && self.word.to_ready(wait)
        {
            self.goes_on(true);
        }
    }

    /// `run_timers`.
    fn time_out(&self) {
        let twin = self.twin.with(Option::take);
        if let Some(wait) = twin
            && self.word.to_ready(wait)
        {
            self.goes_on(false);
        }
    }
}

/// A park, its waker and its deadline: one of them ends the wait, once, and the permit is used or kept, never lost.
#[test]
fn a_wait_ends_once_and_no_permit_is_lost() {
    explore(Some(5), || {
        let g = Record::running();
        let waker = {
            let g = g.clone();
            thread::spawn(move || g.unpark())
        };
        let timer = {
            let g = g.clone();
            thread::spawn(move || g.time_out())
        };
        g.park();
        waker.join().unwrap();
        timer.join().unwrap();
        // A deadline that came too early for the model comes now.
        g.time_out();
        assert_eq!(g.returned.load(Relaxed), 1, "one park returns once");
        let kept = usize::from(g.permit.take(g.owner));
        assert_eq!(g.woken.load(Relaxed) + kept, 1, "one unpark wakes once");
    });
}

/// A waker late by one wait: it ends the wait that it was offered or none.
#[test]
fn a_late_waker_leaves_the_next_wait_alone() {
    explore(None, || {
        let g = Record::running();
        let ended = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let waker = {
            let (g, ended) = (g.clone(), ended.clone());
            thread::spawn(move || {
                if let Unpark::Ready(wait) = g.permit.unpark(g.owner)
                    && g.word.to_ready(wait)
                {
                    ended.0.fetch_add(1, Relaxed);
                    return Some(wait);
                }
                None
            })
        };
        let first = g.word.to_waiting();
        let offered = g.permit.offer(first, g.owner);
        let mut second = None;
        // Its deadline passes at once; then it waits for something that no permit ends.
        if g.word.to_ready(first) {
            g.word.to_running();
            if offered {
                let _ = g.permit.withdraw(g.owner);
            }
            second = Some(g.word.to_waiting());
        }
        let by_waker = waker.join().unwrap();
        match second {
            Some(second) => {
                assert_eq!(by_waker, None, "the deadline was first");
                assert!(g.word.is_in(second), "a stale token ended a later wait");
            }
            None => assert_eq!(by_waker, Some(first)),
        }
    });
}

/// An `Unparker` of a goroutine that ended does nothing to the next one in its record.
#[test]
fn an_earlier_goroutines_unparker_changes_nothing() {
    explore(None, || {
        let g = Record::running();
        let stale = {
            let g = g.clone();
            thread::spawn(move || g.permit.unpark(g.owner))
        };
        g.word.to_exited();
        g.word.to_spawned();
        g.word.to_running();
        g.permit.own_up(g.word.serial());
        let later = g.permit.owner();
        let wait = g.word.to_waiting();
        assert!(g.permit.offer(wait, later), "a new goroutine has no permit");
        assert_eq!(stale.join().unwrap(), Unpark::Done);
        assert!(g.word.is_in(wait) && g.permit.withdraw(later));
    });
}

/// A closing runtime finds a wait by the word alone: it sees what the goroutine left.
#[test]
fn a_wait_found_in_the_word_hands_over_the_context() {
    explore(None, || {
        let g = Record::running();
        let closer = {
            let g = g.clone();
            thread::spawn(move || {
                if let Some(wait) = g.word.present_wait()
                    && g.word.to_ready(wait)
                {
                    g.goes_on(true);
                }
            })
        };
        Record::touch(&g.context);
        let wait = g.word.to_waiting();
        if g.word.to_ready(wait) {
            g.goes_on(true);
        }
        closer.join().unwrap();
        assert_eq!(g.returned.load(Relaxed), 1);
    });
}
