//! Go's tests of contexts: `context/x_test.go` and `context/context_test.go` (Go 1.27), ported; each test is named after
//! Go's. Not ported: what tests foreign implementations of the interface, allocation counts and the texts of `String`.
//! See LICENSE-THIRD-PARTY.

use gmp::context::{Cancel, Cause, Context, ContextError, Never};
use gmp::sync::WaitGroup;
use gmp::{Receiver, chan};
use std::time::{Duration, Instant};

mod modes;
mod told;

const SHORT: Duration = Duration::from_millis(1);
const VERY_LONG: Duration = Duration::from_secs(1000 * 60 * 60);
/// Whatever takes longer than this hangs.
const STUCK: Duration = Duration::from_secs(60);

fn blocks(context: &Context) -> bool {
    context.done().try_recv() == Err(gmp::channel::TryRecvError::Empty)
}

#[track_caller]
fn wait(done: &Receiver<Never>) {
    assert!(matches!(done.recv_timeout(STUCK), Err(gmp::channel::RecvTimeoutError::Closed)), "stuck");
}

#[track_caller]
fn check(context: &Context, error: ContextError) {
    assert!(!blocks(context));
    assert_eq!(context.err(), Some(error));
}

fn cause_of(context: &Context) -> Option<String> {
    context.cause().map(|cause: Cause| cause.to_string())
}

#[test]
fn background() {
    modes::everywhere(1, || {
        let context = Context::background();
        assert!(blocks(&context));
        assert!(context.err().is_none() && context.cause().is_none() && context.deadline().is_none());
    });
}

#[test]
fn with_cancel() {
    modes::everywhere(1, || {
        let (first, cancel) = Context::background().with_cancel();
        let (second, _cancel) = first.clone().with_cancel();
        let contexts = [first.clone(), first, second];
        for context in &contexts {
            assert!(blocks(context) && context.err().is_none());
        }
        cancel.cancel(); // Propagates before it returns.
        contexts.iter().for_each(|context| check(context, ContextError::Canceled));
    });
}

#[test]
fn parent_finishes_child() {
    modes::everywhere(2, || {
        let (parent, cancel) = Context::background().with_cancel();
        let (cancel_child, _stop) = parent.with_cancel();
        let value_child = parent.with_value("value");
        let (timer_child, _stop) = value_child.with_timeout(VERY_LONG);
        let (called, calls) = chan(1);
        let after = parent.after_func(move || called.send(()).unwrap());
        let all = [parent.clone(), cancel_child, value_child, timer_child];
        assert!(all.iter().all(blocks));
        cancel.cancel();
        all.iter().for_each(|context| check(context, ContextError::Canceled));
        assert!(!after.stop());
        assert!(calls.recv_timeout(STUCK).is_ok());
        check(&parent.with_value("value"), ContextError::Canceled);
        let (late, _stop) = parent.with_cancel();
        check(&late, ContextError::Canceled);
    });
}

#[test]
fn child_finishes_first() {
    modes::everywhere(1, || {
        let (cancelable, _stop) = Context::background().with_cancel();
        for parent in [Context::background(), cancelable] {
            let (child, cancel) = parent.with_cancel();
            assert!(blocks(&parent) && blocks(&child));
            cancel.cancel();
            check(&child, ContextError::Canceled);
            assert!(blocks(&parent) && parent.err().is_none());
        }
    });
}

#[track_caller]
fn times_out(context: &Context) {
    wait(context.done());
    assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
}

#[test]
fn deadline() {
    modes::everywhere(2, || {
        let (context, _cancel) = Context::background().with_deadline(Instant::now() + SHORT);
        times_out(&context);
        let (earlier, _cancel) = Context::background().with_deadline(Instant::now() + SHORT);
        let (context, _cancel) = earlier.with_value(1).with_deadline(Instant::now() + VERY_LONG);
        assert_eq!(context.deadline(), earlier.deadline());
        times_out(&context);
        let (context, _cancel) = Context::background().with_deadline(Instant::now() - SHORT);
        times_out(&context);
        let (context, _cancel) = Context::background().with_deadline(Instant::now());
        times_out(&context);
    });
}

#[test]
fn timeout() {
    modes::everywhere(2, || {
        let begun = Instant::now();
        let (context, _cancel) = Context::background().with_timeout(SHORT);
        times_out(&context);
        assert!(begun.elapsed() >= SHORT);
        let (short, _cancel) = Context::background().with_timeout(SHORT);
        let (context, _cancel) = short.with_timeout(VERY_LONG);
        times_out(&context);
        // Later than any clock goes.
        let (context, _cancel) = Context::background().with_timeout(Duration::MAX);
        assert!(context.deadline().is_none() && blocks(&context));
    });
}

#[test]
fn canceled_timeout() {
    modes::everywhere(1, || {
        let (parent, _stop) = Context::background().with_timeout(Duration::from_secs(1000));
        let (context, cancel) = parent.with_timeout(VERY_LONG);
        cancel.cancel(); // Propagates before it returns.
        check(&context, ContextError::Canceled);
        assert!(blocks(&parent));
    });
}

#[test]
fn values() {
    #[derive(Debug, PartialEq)]
    struct First(&'static str);
    #[derive(Debug, PartialEq)]
    struct Second(&'static str);
    modes::everywhere(1, || {
        let c0 = Context::background();
        let c1 = c0.with_value(First("c1"));
        let c2 = c1.with_value(Second("c2"));
        let (c3, _cancel) = c2.with_cancel();
        let c4 = c3.with_value(First("c4"));
        let check = |context: &Context, first, second| {
            assert_eq!(context.value::<First>(), first);
            assert_eq!(context.value::<Second>(), second);
        };
        check(&c0, None, None);
        check(&c1, Some(&First("c1")), None);
        check(&c2, Some(&First("c1")), Some(&Second("c2")));
        check(&c3, Some(&First("c1")), Some(&Second("c2")));
        check(&c4, Some(&First("c4")), Some(&Second("c2")));
    });
}

#[test]
fn simultaneous_cancels() {
    modes::everywhere(4, || {
        let (root, cancel) = Context::background().with_cancel();
        let mut made = vec![(root, cancel)];
        let mut next = 0;
        while made.len() < 100 {
            for _ in 0..4 {
                let child = made[next].0.with_cancel();
                made.push(child);
            }
            next += 1;
        }
        // In an order that has nothing to do with the tree.
        made.sort_by_key(|(context, _)| std::ptr::from_ref(context.done()).addr().wrapping_mul(0x9e37_79b9));
        let all = WaitGroup::new();
        let contexts: Vec<_> = made
            .into_iter()
            .map(|(context, cancel)| {
                all.go(move || cancel.cancel());
                context
            })
            .collect();
        contexts.iter().for_each(|context| wait(context.done()));
        assert!(all.wait_timeout(STUCK));
    });
}

#[test]
fn interlocked_cancels() {
    modes::everywhere(2, || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let waits = gmp::go(move || {
            wait(parent.done());
            cancel_child.cancel();
        });
        cancel_parent.cancel();
        wait(child.done());
        waits.join().unwrap();
    });
}

fn layers(seed: u64, times_out: bool) {
    struct Layer<const N: usize>(usize);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut context = Context::background();
    let (mut cancels, mut values, mut timers, mut layer): (Vec<Cancel>, [usize; 2], _, _) =
        (Vec::new(), [0; 2], 0, 0);
    while layer < 30 || timers == 0 || cancels.is_empty() || values.contains(&0) {
        layer += 1;
        let (derived, cancel) = match random.u32(..4) {
            0 => (context.with_value(Layer::<0>(layer)), None),
            1 => (context.with_value(Layer::<1>(layer)), None),
            2 => {
                let (derived, cancel) = context.with_cancel();
                (derived, Some(cancel))
            }
            _ => {
                timers += 1;
                let (derived, cancel) = context.with_timeout(if times_out { SHORT } else { VERY_LONG });
                (derived, Some(cancel))
            }
        };
        values[0] = derived.value::<Layer<0>>().map_or(0, |layer| layer.0);
        values[1] = derived.value::<Layer<1>>().map_or(0, |layer| layer.0);
        (context, _) = (derived, cancel.map(|cancel| cancels.push(cancel)));
    }
    let check_values = || {
        assert_eq!(context.value::<Layer<0>>().map(|layer| layer.0), Some(values[0]), "seed {seed}");
        assert_eq!(context.value::<Layer<1>>().map(|layer| layer.0), Some(values[1]), "seed {seed}");
    };
    check_values();
    if times_out {
        wait(context.done());
        assert_eq!(context.err(), Some(ContextError::DeadlineExceeded), "seed {seed}");
    } else {
        assert!(blocks(&context), "seed {seed}");
        cancels[random.usize(..cancels.len())].cancel();
        check(&context, ContextError::Canceled);
    }
    check_values();
}

#[test]
fn layers_cancel() {
    modes::everywhere(2, || (0..50).for_each(|_| layers(fastrand::u64(..), false)));
}

#[test]
fn layers_timeout() {
    modes::everywhere(2, || (0..10).for_each(|_| layers(fastrand::u64(..), true)));
}

#[test]
fn with_cancel_canceled_parent() {
    modes::everywhere(1, || {
        let (parent, cancel) = Context::background().with_cancel();
        cancel.cancel_because("Because!");
        let (child, _cancel) = parent.with_cancel();
        check(&child, ContextError::Canceled);
        assert_eq!(cause_of(&child).as_deref(), Some("Because!"));
    });
}

#[test]
fn with_cancel_simultaneously_canceled_parent() {
    modes::everywhere(4, || {
        for _ in 0..100 {
            let (parent, cancel) = Context::background().with_cancel();
            gmp::go(move || cancel.cancel_because("Because!"));
            let (child, _cancel) = parent.with_cancel();
            wait(child.done());
            assert_eq!(child.err(), Some(ContextError::Canceled));
            assert_eq!(cause_of(&child).as_deref(), Some("Because!"));
        }
    });
}

/// `TestCause`: which cause wins, of parent and child, by cancellation and by deadline.
#[test]
fn cause() {
    #[derive(Debug)]
    struct TooSlow;
    impl std::fmt::Display for TooSlow {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("too slow")
        }
    }
    impl std::error::Error for TooSlow {}
    #[track_caller]
    fn is(context: &Context, error: ContextError, cause: &str) {
        assert_eq!(context.err(), Some(error));
        assert_eq!(cause_of(context).as_deref(), Some(cause));
    }
    modes::everywhere(1, || {
        let background = Context::background();
        let (context, cancel) = background.with_cancel();
        cancel.cancel();
        is(&context, ContextError::Canceled, "context canceled");
        for child_first in [false, true] {
            let (parent, cancel_parent) = background.with_cancel();
            let (child, cancel_child) = parent.with_cancel();
            if child_first {
                cancel_child.cancel_because("child's");
            }
            cancel_parent.cancel_because("parent's");
            cancel_child.cancel_because("child's");
            is(&parent, ContextError::Canceled, "parent's");
            is(&child, ContextError::Canceled, if child_first { "child's" } else { "parent's" });
        }
        let (context, _cancel) = background.with_timeout_cause(Duration::ZERO, TooSlow);
        is(&context, ContextError::DeadlineExceeded, "too slow");
        let (context, _cancel) = background.with_timeout_cause(SHORT, TooSlow);
        wait(context.done());
        is(&context, ContextError::DeadlineExceeded, "too slow");
        let (context, cancel) = background.with_timeout_cause(VERY_LONG, TooSlow);
        cancel.cancel_because("finished early");
        cancel.cancel_because("too late");
        is(&context, ContextError::Canceled, "finished early");
        // An earlier deadline of the parent's hides the child's.
        let (parent, _cancel) = background.with_timeout(Duration::ZERO);
        let (child, _cancel) = parent.with_timeout_cause(VERY_LONG, TooSlow);
        is(&child, ContextError::DeadlineExceeded, "context deadline exceeded");
        let (parent, cancel) = background.with_cancel();
        cancel.cancel_because("parent's");
        let freed = parent.without_cancel();
        assert!(freed.err().is_none() && freed.cause().is_none());
        let (child, cancel) = freed.with_cancel();
        cancel.cancel_because("child's");
        is(&child, ContextError::Canceled, "child's");
    });
}

#[test]
fn cause_race() {
    modes::everywhere(2, || {
        let (context, cancel) = Context::background().with_cancel();
        gmp::go(move || cancel.cancel_because("TestCauseRace"));
        let cause = loop {
            if let Some(cause) = cause_of(&context) {
                break cause;
            }
            gmp::yield_now();
        };
        assert_eq!(cause, "TestCauseRace");
    });
}

#[test]
fn without_cancel() {
    modes::everywhere(1, || {
        let (canceled, _) = Context::background().with_value("value").with_timeout(VERY_LONG);
        let context = canceled.without_cancel();
        assert!(context.deadline().is_none() && blocks(&context) && context.err().is_none());
        assert_eq!(context.value::<&str>(), Some(&"value"));
        check(&canceled, ContextError::Canceled); // `_` has dropped the right to cancel.
    });
}

/// `TestContextErrDoneRace`: an error is not there before the channel is closed.
#[test]
fn context_err_done_race() {
    modes::everywhere(4, || {
        for _ in 0..20 {
            let (context, cancel) = Context::background().with_cancel();
            let done = context.done();
            gmp::go(move || cancel.cancel());
            while context.err().is_none() {
                gmp::yield_now();
            }
            assert_eq!(done.try_recv(), Err(gmp::channel::TryRecvError::Closed));
        }
    });
}
