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

/// What has ended and is out of hand is freed: parent and child no longer hold each other.
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
