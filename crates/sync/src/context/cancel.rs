//! What holders of a context's strings have: the right to cancel it, and a function that waits for that.

use super::tree::{Child, Node, Slot};
use super::{Cause, ContextError};
use core::fmt;
use gmp_core::runtime::{Handle, OutsideError};
use std::error::Error;
use std::sync::Arc;

/// The right to cancel a context. Clones cancel the same one.
///
/// **Dropping the last clone cancels**, with [`ContextError::Canceled`]: a context that nobody can cancel any more would
/// stay among its parent's children for as long as that lives, which is what Go's `defer cancel()` is for. So bind it to
/// a name, as `_cancel`; `_` would drop it at once. [`Cancel::detach`] leaves the context to its parent and its deadline.
///
/// ```
/// use gmp::context::Context;
///
/// let (context, cancel) = Context::background().with_cancel();
/// assert!(context.err().is_none());
/// drop(cancel);
/// assert!(context.err().is_some());
/// ```
#[derive(Clone)]
#[must_use = "dropping it cancels the context"]
#[doc(alias = "CancelFunc")]
#[doc(alias = "CancelCauseFunc")]
pub struct Cancel(Arc<OnDrop>);

struct OnDrop(Option<Arc<Node>>);

impl Cancel {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self(Arc::new(OnDrop(Some(node))))
    }

    /// Cancels the context and everything derived from it, unless that is done already. When this returns, all their
    /// channels are closed. From goroutines and plain threads. Never suspends.
    ///
    /// Shown at [`Context`](super::Context).
    pub fn cancel(&self) {
        self.0.cancel(None);
    }

    /// [`Cancel::cancel`], with a cause for [`Context::cause`](super::Context::cause). If the context is done already, its
    /// cause stays. Never suspends.
    ///
    /// ```
    /// use gmp::context::{Context, ContextError};
    ///
    /// let (context, cancel) = Context::background().with_cancel();
    /// cancel.cancel_because("the user went away");
    /// assert_eq!(context.err(), Some(ContextError::Canceled));
    /// assert_eq!(context.cause().unwrap().to_string(), "the user went away");
    /// ```
    pub fn cancel_because(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.0.cancel(Some(Arc::from(cause.into())));
    }

    /// Gives the right up without cancelling: the context is done when its parent is, or at its deadline. Other clones
    /// keep theirs. Never suspends.
    ///
    /// ```
    /// use gmp::context::Context;
    ///
    /// let (parent, cancel) = Context::background().with_cancel();
    /// let (child, of_child) = parent.with_cancel();
    /// of_child.detach();
    /// assert!(child.err().is_none());
    /// cancel.cancel();
    /// assert!(child.err().is_some());
    /// ```
    pub fn detach(self) {
        if let Ok(mut last) = Arc::try_unwrap(self.0) {
            last.0 = None;
        }
    }
}

impl OnDrop {
    fn cancel(&self, cause: Option<Cause>) {
        if let Some(node) = &self.0 {
            node.cancel(ContextError::Canceled, cause);
        }
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.cancel(None);
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").finish_non_exhaustive()
    }
}

/// A function that is to run when a context is done. Made by [`Context::after_func`](super::Context::after_func).
///
/// Shown at [`Context::after_func`](super::Context::after_func).
#[derive(Debug)]
pub struct AfterFunc(Place);

/// Where the function waits.
#[derive(Debug)]
enum Place {
    /// Among a node's children.
    Waits(Arc<Node>, Slot),
    /// Nowhere: the context is never done.
    Never,
    /// Nowhere any more: the context was done already.
    Started,
}

impl AfterFunc {
    pub(super) fn new(node: Option<&Arc<Node>>, runtime: Handle, f: impl FnOnce() + Send + 'static) -> Self {
        let Some(node) = node else { return Self(Place::Never) };
        let call = Call { runtime, f: Box::new(f) };
        match node.adopt(Child::Call(call)) {
            Ok(slot) => Self(Place::Waits(node.clone(), slot)),
            Err(Child::Call(call)) => {
                call.start();
                Self(Place::Started)
            }
            Err(Child::Node(_)) => unreachable!("what is refused is what was offered"),
        }
    }

    /// Keeps the function from being called. `false`: its goroutine has been started. Never suspends.
    ///
    /// Shown at [`Context::after_func`](super::Context::after_func).
    pub fn stop(self) -> bool {
        match self.0 {
            Place::Waits(node, slot) => node.disown(slot),
            Place::Never => true,
            Place::Started => false,
        }
    }
}

/// A function and the runtime in which it is to run.
pub(super) struct Call {
    runtime: Handle,
    f: Box<dyn FnOnce() + Send>,
}

impl Call {
    /// Starts a goroutine for it: next on this P if the caller is a goroutine of that runtime.
    pub(super) fn start(self) {
        match self.runtime.spawn(None, self.f) {
            // In a closed runtime it would never run; it is dropped as one that had not started.
            Ok(_) | Err(OutsideError::Closed(_)) => {}
            Err(OutsideError::NoRecord(_)) => {
                panic!("gmp::Context::after_func: no memory for another goroutine's record")
            }
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
