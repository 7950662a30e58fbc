//! Contexts: which goroutine learns of a cancellation, when, and why.

use crate::prelude::*;
use gmp::context::{Context, ContextError};
use gmp::sync::WaitGroup;
use std::time::Duration;

/// Go returns the error itself as the cause if none was named; this prints none then.
fn why(context: &Context) -> String {
    let error = context.err().unwrap().to_string();
    let cause = context.cause().map_or_else(|| error.clone(), |cause| cause.to_string());
    format!("{error}/{cause}")
}

/// Starts one that waits for the context.
fn wait(wg: &WaitGroup, name: &'static str, context: &Context) {
    wg.add(1);
    go!(wg, context, || {
        let _done = done_at_end(&wg);
        ev(&format!("w{name}"));
        context.done().recv().unwrap_err();
        ev(&format!("{name}:{}", why(&context)));
    });
}

/// A chain of contexts, those who wait for them, causes, deadlines and functions to call.
pub(crate) fn context_tree() {
    let wg = WaitGroup::new();
    let background = Context::background();
    let (root, cancel) = background.with_cancel();
    let (mid, cancel_mid) = root.with_cancel();
    let (leaf, cancel_leaf) = mid.with_timeout(Duration::from_secs(3600));
    wait(&wg, "leaf1", &leaf);
    wait(&wg, "mid1", &mid);
    wait(&wg, "leaf2", &leaf);
    wait(&wg, "root1", &root);
    wait(&wg, "mid2", &mid);
    gmp::yield_now();
    let stop = leaf.after_func(|| ev("never"));
    ev(&stop.stop().to_string());
    wg.add(1);
    let after = wg.clone();
    let _after = leaf.after_func(move || {
        ev("after");
        after.done();
    });
    ev(&leaf.err().is_none().to_string());
    cancel.cancel_because("why");
    ev("canceled");
    ev(&leaf.err().unwrap().to_string());
    cancel.cancel_because("again");
    cancel_mid.cancel();
    cancel_leaf.cancel();
    wg.wait();
    let (late, _cancel_late) = leaf.with_cancel();
    ev(&why(&late));
    ev("|");
    let (short, _c1) = background.with_timeout(Duration::from_millis(30));
    let (child, _c2) = short.with_cancel();
    wait(&wg, "child", &child);
    wait(&wg, "short", &short);
    wg.wait();
    ev(&child.deadline().is_some().to_string());
    ev(&child.without_cancel().err().is_none().to_string());
    assert_eq!(child.err(), Some(ContextError::DeadlineExceeded));
    ev("main");
}
