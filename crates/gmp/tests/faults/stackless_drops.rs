//! The fault: a detached goroutine had ended with a value, no stack could be had on which to drop it, and the scheduler
//! dropped it as if it were the goroutine's closure, which had lain in the same place: a wild pointer. The soak with
//! faults found it.
//!
//! The kind: every place that drops a record's content must ask what that content is.

use super::refusals::{no_limit, no_more_threads};
use super::undeclared_blocking::one_p;
use crate::harness::{child, named};
use gmp::RunError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) const FAULT: crate::Fault = (
    named![a_value_that_gets_no_stack_is_dropped_as_what_it_is],
    named![value_without_a_stack, payload_without_a_stack],
);

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Value(u64);

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(self.0, 9);
        DROPPED.fetch_add(1, Relaxed);
    }
}

/// The first goroutine ends when hardly any address space is left, the others take its stack and park for ever, and main
/// waits for ever: then it is known that no stack will be freed.
fn without_a_stack(first: impl FnOnce() -> Value + Send + 'static) {
    const STACK: usize = 64 << 20;
    let captured = Arc::new(());
    let still = Arc::clone(&captured);
    let ended = one_p().procs(1).build().unwrap().run(move || {
        for _ in 0..8 {
            drop(gmp::spawn().stack_size(STACK).go(gmp::park).unwrap());
        }
        // Runs first.
        let first = move || {
            let _captured = captured;
            no_more_threads();
            first()
        };
        drop(gmp::spawn().stack_size(STACK).go(first).unwrap());
        gmp::park();
    });
    no_limit();
    assert!(matches!(ended, Err(RunError::Deadlock(_))));
    assert_eq!((DROPPED.load(Relaxed), Arc::strong_count(&still)), (1, 1));
}

fn value_without_a_stack() {
    without_a_stack(|| Value(9));
}

fn payload_without_a_stack() {
    without_a_stack(|| std::panic::resume_unwind(Box::new(Value(9))));
}

fn a_value_that_gets_no_stack_is_dropped_as_what_it_is() {
    child("value_without_a_stack").run().code(0);
    child("payload_without_a_stack").run().code(0);
}
