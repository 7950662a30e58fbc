//! The tree's links. From Go's `context_test.go` (Go 1.27): which children a node has when; see LICENSE-THIRD-PARTY.

use super::{Context, ContextError};
use std::sync::Arc;

fn children(context: &Context) -> usize {
    context.node.as_ref().expect("cancellable").children()
}

/// Go: `TestCancelRemoves`, `TestChildFinishesFirst`.
#[test]
fn cancel_removes() {
    let (context, _cancel) = Context::background().with_cancel();
    assert_eq!(children(&context), 0);
    let (_first, cancel_first) = context.with_cancel();
    let (_second, cancel_second) = context.with_value(1).with_cancel();
    assert_eq!(children(&context), 2);
    cancel_first.cancel();
    assert_eq!(children(&context), 1);
    cancel_first.cancel();
    let (_third, _cancel_third) = context.with_cancel();
    drop(cancel_first);
    assert_eq!(children(&context), 2, "a slot used again is not emptied by the one before");
    drop(cancel_second);
    assert_eq!(children(&context), 1);
}

/// Go: `TestParentFinishesChild`.
#[test]
fn parent_finishes_child() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _cancel) = parent.with_value("value").with_cancel();
    let linked = child.node.as_ref().and_then(|node| node.parent()).expect("a parent");
    assert!(Arc::ptr_eq(linked, parent.node.as_ref().expect("cancellable")));
    cancel.cancel();
    assert_eq!((children(&parent), child.err()), (0, Some(ContextError::Canceled)));
}

/// A node that has ended and has no handle left is freed: parent and child no longer hold each other.
#[test]
fn ended_nodes_are_freed() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, cancel_child) = parent.with_cancel();
    let nodes = [&parent, &child].map(|context| Arc::downgrade(context.node.as_ref().expect("cancellable")));
    drop((child, cancel_child));
    assert!(nodes[1].upgrade().is_none() && nodes[0].upgrade().is_some());
    drop((parent, cancel));
    assert!(nodes[0].upgrade().is_none());
}

/// The second of two concurrent cancels returned at once, before everything derived from the node had ended. In Go the
/// second one waits for the first one's lock.
#[test]
fn a_second_cancel_returns_when_all_have_ended() {
    for _ in 0..50 {
        let (context, cancel) = Context::background().with_cancel();
        let mut derived = vec![context.with_cancel()];
        for _ in 0..500 {
            let next = derived[derived.len() - 1].0.with_cancel();
            derived.push(next);
        }
        let (deepest, middle) = (&derived[500].0, &derived[250].1);
        let start = std::sync::Barrier::new(3);
        std::thread::scope(|threads| {
            for cancel in [&cancel, &cancel, middle] {
                let start = &start;
                threads.spawn(move || {
                    start.wait();
                    cancel.cancel();
                    assert_eq!(deepest.err(), Some(ContextError::Canceled));
                });
            }
        });
        assert!(derived.iter().all(|(context, _)| children(context) == 0));
        let nodes: Vec<_> =
            derived.iter().map(|(context, _)| Arc::downgrade(context.node.as_ref().unwrap())).collect();
        drop(derived);
        assert!(nodes.iter().all(|node| node.upgrade().is_none()), "nothing holds them any more");
    }
}
