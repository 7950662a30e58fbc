//! Functions that wait for a context, Go's tests of them (`context/x_test.go`, Go 1.27, named after Go's; see
//! LICENSE-THIRD-PARTY), and what Go's contexts do not have.

use gmp::chan;
use gmp::channel::TryRecvError;
use gmp::context::{Context, ContextError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

mod modes;
mod told;

const SHORT: Duration = Duration::from_millis(1);
const VERY_LONG: Duration = Duration::from_secs(1000 * 60 * 60);
/// Whatever takes longer than this hangs.
const STUCK: Duration = Duration::from_secs(60);

fn blocks(context: &Context) -> bool {
    context.done().try_recv() == Err(TryRecvError::Empty)
}

#[track_caller]
fn check(context: &Context, error: ContextError) {
    assert_eq!(context.done().try_recv(), Err(TryRecvError::Closed));
    assert_eq!(context.err(), Some(error));
}

#[test]
fn after_func_called_after_cancel() {
    modes::everywhere(2, || {
        let (context, cancel) = Context::background().with_cancel();
        let (called, calls) = chan(1);
        let after = context.after_func(move || called.send(()).unwrap());
        assert!(calls.recv_timeout(SHORT).is_err());
        cancel.cancel();
        assert!(calls.recv_timeout(STUCK).is_ok());
        assert!(!after.stop());
    });
}

#[test]
fn after_func_called_after_timeout() {
    modes::everywhere(2, || {
        let (context, _cancel) = Context::background().with_timeout(SHORT);
        let (called, calls) = chan(1);
        context.after_func(move || called.send(()).unwrap());
        assert!(calls.recv_timeout(STUCK).is_ok());
    });
}

#[test]
fn after_func_called_immediately() {
    modes::everywhere(2, || {
        let (context, cancel) = Context::background().with_cancel();
        cancel.cancel();
        let (called, calls) = chan(1);
        let after = context.after_func(move || called.send(()).unwrap());
        assert!(calls.recv_timeout(STUCK).is_ok());
        assert!(!after.stop());
    });
}

#[test]
fn after_func_not_called_after_stop() {
    modes::everywhere(2, || {
        let (context, cancel) = Context::background().with_cancel();
        let (called, calls) = chan(1);
        assert!(context.after_func(move || called.send(()).unwrap()).stop());
        cancel.cancel();
        assert!(calls.recv().is_err(), "the function was dropped uncalled");
        assert!(Context::background().after_func(|| unreachable!()).stop());
    });
}

/// Cancelling does not wait for the functions.
#[test]
fn after_func_called_asynchronously() {
    modes::everywhere(2, || {
        let (context, cancel) = Context::background().with_cancel();
        let (called, calls) = chan(0);
        context.after_func(move || called.send(()).unwrap());
        cancel.cancel();
        assert!(calls.recv_timeout(STUCK).is_ok());
    });
}

#[test]
fn dropping_the_last_cancel_cancels() {
    modes::everywhere(1, || {
        let (context, cancel) = Context::background().with_cancel();
        drop(cancel.clone());
        assert!(blocks(&context));
        drop(cancel);
        check(&context, ContextError::Canceled);
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (detached, cancel) = parent.with_cancel();
        cancel.detach();
        assert!(blocks(&detached));
        cancel_parent.cancel();
        check(&detached, ContextError::Canceled);
    });
}

/// A plain thread waits for a context and cancels one; only timers and functions need a goroutine.
#[test]
fn on_plain_threads() {
    let (context, cancel) = Context::background().with_cancel();
    let (child, _cancel) = context.with_cancel();
    let waits = std::thread::spawn(move || child.done().recv().unwrap_err());
    let told = Arc::new(AtomicUsize::new(0));
    let theirs = told.clone();
    modes::on_go(2, move || {
        let (called, calls) = chan(1);
        context.after_func(move || called.send(theirs.fetch_add(1, SeqCst)).unwrap());
        let cancels = std::thread::spawn(move || cancel.cancel());
        assert!(calls.recv_timeout(STUCK).is_ok());
        gmp::blocking(|| cancels.join().unwrap());
    });
    waits.join().unwrap();
    assert_eq!(told.load(SeqCst), 1);
    let (context, _cancel) = Context::background().with_cancel();
    let in_vain = AssertUnwindSafe(|| drop(context.with_timeout(VERY_LONG)));
    assert!(catch_unwind(in_vain).is_err());
    let in_vain = AssertUnwindSafe(|| drop(context.after_func(|| ())));
    assert!(catch_unwind(in_vain).is_err());
}

/// Trees and chains of values far deeper than a goroutine's stack.
#[test]
fn deep_trees() {
    modes::everywhere(1, || {
        let (root, cancel) = Context::background().with_cancel();
        let (mut context, mut cancels) = (root, vec![cancel]);
        for depth in 0..20_000_u32 {
            let (child, cancel) = context.with_value(depth).with_cancel();
            context = child;
            cancels.push(cancel);
        }
        assert!(blocks(&context));
        cancels[0].cancel();
        check(&context, ContextError::Canceled);
        assert_eq!(context.value::<u32>(), Some(&19_999));
        assert_eq!(context.value::<u64>(), None);
    });
}
