//! loom models of the scope word: children that end against the goroutine that waits, on the real type.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: tickets, the end of a scope, and its frame, which is freed as soon as the wait is over. The token is a
//! note that loom knows. Threads: three. Preemptions: unbounded. Time: a few seconds.
//!
//! Caught when broken: `leave` without acquire, or without release; `offer` Relaxed; `is_done` Relaxed; a `leave` that
//! takes the token whenever it is the last.

use super::word::ScopeWord;
use crate::ground::sync::{Arc, AtomicBool, UnsafeCell};
use core::sync::atomic::Ordering;
use loom::thread;

/// Readies the waiter, once: the stand-in for `Parked`.
struct Token(Arc<AtomicBool>);

impl Token {
    fn ready(self) {
        // ORDER: stands for the hand-over by a queue.
        assert!(!self.0.swap(true, Ordering::Release), "readied twice");
    }
}

/// A scope's frame: the word, and what the children borrow.
struct Frame {
    word: ScopeWord<Token>,
    borrowed: [UnsafeCell<u32>; 2],
}

/// A pointer into the frame, as children have it.
#[derive(Clone, Copy)]
struct InFrame(*const Frame);

// SAFETY: as the model is to prove.
unsafe impl Send for InFrame {}

impl InFrame {
    fn work_and_leave(self, which: usize) {
        // SAFETY: as the model is to prove.
        let frame = unsafe { &*self.0 };
        // SAFETY: each child has a place of its own.
        frame.borrowed[which].with_mut(|place| unsafe { *place += 1 });
        if let Some(token) = frame.word.leave() {
            token.ready();
        }
    }
}

/// The end of a scope: waits, then reads what the children wrote, and frees the frame. It looks once whether it was woken;
/// if not, it waits for the children's `ends`. A loop of looks would need a yield, by which loom holds the waiter back.
fn end_of_scope(frame: Box<Frame>, children: u32, ends: impl FnOnce()) {
    let woken = Arc::new(AtomicBool::new(false));
    if !frame.word.is_done() && frame.word.offer(Token(woken.clone())).is_none() {
        // ORDER: stands for the hand-over by a queue.
        if !woken.load(Ordering::Acquire) {
            ends();
            assert!(woken.load(Ordering::Acquire), "nobody woke it");
        }
    }
    assert!(frame.word.is_done());
    // SAFETY: no child is left, as the model is to prove.
    let sum: u32 = frame.borrowed.iter().map(|place| place.with_mut(|place| unsafe { *place })).sum();
    assert_eq!(sum, children, "a child's work is not seen");
}

fn frame() -> Box<Frame> {
    Box::new(Frame { word: ScopeWord::new(), borrowed: [UnsafeCell::new(0), UnsafeCell::new(0)] })
}

#[test]
fn a_scope_ends_after_its_children() {
    loom::model(|| {
        let frame = frame();
        let there = InFrame(&raw const *frame);
        let mut children: Vec<_> = (0..2)
            .map(|which| {
                frame.word.enter();
                thread::spawn(move || there.work_and_leave(which))
            })
            .collect();
        end_of_scope(frame, 2, || children.drain(..).for_each(|child| child.join().unwrap()));
        children.into_iter().for_each(|child| child.join().unwrap());
    });
}

#[test]
fn a_child_may_start_another() {
    loom::model(|| {
        let frame = frame();
        let there = InFrame(&raw const *frame);
        frame.word.enter();
        let child = thread::spawn(move || {
            // SAFETY: as the model is to prove.
            unsafe { &*there.0 }.word.enter();
            let sibling = thread::spawn(move || there.work_and_leave(1));
            there.work_and_leave(0);
            sibling
        });
        let mut child = Some(child);
        let mut ends = || child.take().into_iter().for_each(|child| child.join().unwrap().join().unwrap());
        end_of_scope(frame, 2, &mut ends);
        ends();
    });
}
