//! A context that ended woke those who waited for that while it held its lock: a task's waker that asked the context why it
//! was done waited for itself. The kind: foreign code that a context's end runs, and what is still to be done then.

use crate::harness::{child, named};
use gmp::context::{Context, ContextError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{self, Wake, Waker};

pub(crate) const FAULT: crate::Fault = (
    named![a_waker_may_ask_the_context_that_rings_it, a_destructor_that_panics_keeps_no_child_alive],
    named![waker_asks, destructor_panics],
);

/// Asks the context in all ways, and derives others from it.
struct Asks(Context, Mutex<Option<ContextError>>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        assert_eq!(self.0.cause().unwrap().to_string(), "enough");
        assert!(self.0.done().is_closed());
        assert!(self.0.with_cancel().0.err().is_some());
        *self.1.lock().unwrap() = self.0.err();
    }
}

fn waker_asks() {
    let (parent, cancel) = Context::background().with_cancel();
    let (context, _cancel) = parent.with_cancel();
    let asks = Arc::new(Asks(context.clone(), Mutex::new(None)));
    let waker = Waker::from(Arc::clone(&asks));
    let mut done = pin!(context.done().recv_async());
    assert!(done.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
    cancel.cancel_because("enough");
    assert_eq!(*asks.1.lock().unwrap(), Some(ContextError::Canceled));
    assert!(done.poll(&mut task::Context::from_waker(&waker)).is_ready());
}

fn a_waker_may_ask_the_context_that_rings_it() {
    child("waker_asks").run().code(0);
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

/// A function that would have to run in a runtime that has ended is dropped; the others run, and the children end.
fn destructor_panics() {
    let (context, cancel) = Context::background().with_cancel();
    let (child, _cancel) = context.with_cancel();
    let ended = context.clone();
    gmp::run(move || {
        let panics = Panics;
        ended.after_func(move || drop(panics));
    });
    static RAN: AtomicBool = AtomicBool::new(false);
    gmp::run(move || {
        let (ran, told) = gmp::chan(1);
        context.after_func(move || {
            RAN.store(true, SeqCst);
            ran.send(()).unwrap();
        });
        catch_unwind(AssertUnwindSafe(|| cancel.cancel())).unwrap();
        assert_eq!(child.err(), Some(ContextError::Canceled));
        told.recv().unwrap();
    });
    assert!(RAN.load(SeqCst));
}

fn a_destructor_that_panics_keeps_no_child_alive() {
    child("destructor_panics").run().code(0);
}
