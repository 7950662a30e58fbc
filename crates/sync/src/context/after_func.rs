//! `AfterFunc`: a function that waits for a context to be done.

use super::call::Call;
use super::tree::{Child, Node, Slot};
use gmp_core::runtime::Handle;
use std::sync::Arc;

/// A function that is to run when a context is done. Made by [`Context::after_func`](super::Context::after_func).
///
/// Shown at [`Context::after_func`](super::Context::after_func).
#[derive(Debug)]
pub struct AfterFunc(State);

/// Where the function waits.
#[derive(Debug)]
enum State {
    /// Among a node's children.
    Waits(Arc<Node>, Slot),
    /// Nowhere: the context is never done.
    Never,
    /// Nowhere any more: the context was done already.
    Started,
}

impl AfterFunc {
    pub(super) fn new(node: Option<&Arc<Node>>, runtime: Handle, f: impl FnOnce() + Send + 'static) -> Self {
        let Some(node) = node else { return Self(State::Never) };
        let call = Call::new(runtime, f);
        match node.add_child(Child::Call(call)) {
            Ok(slot) => Self(State::Waits(node.clone(), slot)),
            Err(Child::Call(call)) => {
                call.start();
                Self(State::Started)
            }
            Err(Child::Node(_)) => unreachable!("what is refused is what was offered"),
        }
    }

    /// Keeps the function from being called. `false`: its goroutine has been started. Never suspends.
    ///
    /// Shown at [`Context::after_func`](super::Context::after_func).
    pub fn stop(self) -> bool {
        match self.0 {
            State::Waits(node, slot) => node.remove_child(slot),
            State::Never => true,
            State::Started => false,
        }
    }
}
