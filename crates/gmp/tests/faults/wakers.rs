//! A context told its tasks that it was done while it held its own lock, and a waker that asked the context waited for
//! ever. The kind: wakers are foreign code. They are rung, cloned and dropped under no lock, and what unwinds out of a
//! clone leaves nothing half offered.

use crate::harness::{child, named};
use crate::undeclared_blocking::one_p;
use gmp::context::Context;
use gmp::{chan, go};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{self, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![a_waker_may_ask_the_context_that_ends, a_clone_that_unwinds_leaves_no_offer],
    named![asks_its_context, clone_unwinds],
);

const MS: Duration = Duration::from_millis(1);

/// Asks its context, as the poll of a task does that is run where it is woken.
struct Asks(Context, AtomicUsize);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        assert!(self.0.err().is_some(), "it is done");
        assert!(self.0.done().try_recv().is_err());
        let (derived, _cancel) = self.0.with_cancel();
        assert!(derived.err().is_some());
        self.1.fetch_add(1, SeqCst);
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(waker))
}

fn asks_its_context() {
    for procs in [1, 2] {
        one_p()
            .procs(procs)
            .build()
            .unwrap()
            .run(|| {
                let (parent, cancel) = Context::background().with_cancel();
                let (child, _of_child) = parent.with_cancel();
                let (late, _of_late) = Context::background().with_timeout(MS);
                for context in [&parent, &child, &late] {
                    let asks = Arc::new(Asks(context.clone(), AtomicUsize::new(0)));
                    let waker = Waker::from(asks.clone());
                    let mut done = pin!(context.done().recv_async());
                    let _ = poll(done.as_mut(), &waker);
                    if context.deadline().is_none() {
                        cancel.cancel();
                    }
                    while context.err().is_none() {
                        gmp::sleep(MS);
                    }
                    while asks.1.load(SeqCst) == 0 && poll(done.as_mut(), Waker::noop()).is_pending() {
                        gmp::sleep(MS);
                    }
                }
            })
            .unwrap();
    }
    println!("done");
}

fn a_waker_may_ask_the_context_that_ends() {
    child("asks_its_context").run().code(0).prints("done\n");
}

/// Before so many clones more, none unwinds.
static CLONES: AtomicUsize = AtomicUsize::new(0);

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        if CLONES.fetch_sub(1, SeqCst) == 1 {
            std::panic::resume_unwind(Box::new("a clone"));
        }
        RawWaker::new(data, &TABLE)
    },
    |_| (),
    |_| (),
    |_| (),
);

/// A waker whose clone unwinds the `nth` time.
fn unwinds_at(nth: usize) -> Waker {
    CLONES.store(nth, SeqCst);
    // SAFETY: the table's functions do nothing with the data, on any thread.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// Polls with wakers whose clones unwind, until all that a poll clones has been cloned; then the future is as it was, and
/// `come` makes what it waits for come.
fn survives<F: Future + Unpin>(mut future: F, come: impl FnOnce()) -> F::Output {
    for nth in 1..6 {
        let waker = unwinds_at(nth);
        let polled = catch_unwind(AssertUnwindSafe(|| poll(Pin::new(&mut future), &waker).is_pending()));
        assert_ne!(polled.ok(), Some(false), "nothing has come");
        // Whatever was freed is somebody else's now.
        let others: Vec<_> = (0..64).map(|n| Box::new([n; 6])).collect();
        drop(others);
    }
    come();
    gmp::block_on(future)
}

fn clone_unwinds() {
    for procs in [1, 2] {
        one_p()
            .procs(procs)
            .build()
            .unwrap()
            .run(|| {
                for _ in 0..20 {
                    let (go_on, waits) = chan::<()>(0);
                    let handle = go(move || waits.recv().is_err());
                    assert!(survives(handle.into_future(), move || drop(go_on)).unwrap());
                }
                let (send, receive) = chan(0);
                let come = || drop(go(move || send.send(7).unwrap()));
                assert_eq!(survives(receive.recv_async(), come), Ok(7));
            })
            .unwrap();
    }
    println!("done");
}

/// A join that was offered and then lost in the unwind was told to freed memory, and its goroutine's record was freed
/// while that ran.
fn a_clone_that_unwinds_leaves_no_offer() {
    child("clone_unwinds").run().code(0).prints("done\n");
}
