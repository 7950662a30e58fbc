//! `Cancel`: the right to cancel a context.

use super::error::{Cause, ContextError};
use super::tree::Node;
use crate::seam::step_aside;
use core::fmt;
use std::error::Error;
use std::sync::Arc;

/// The right to cancel a context. Clones cancel the same one.
///
/// **Dropping the last clone cancels**, with [`ContextError::Canceled`]: a context that nobody can cancel any more
/// would stay among its parent's children for as long as that lives, which is what Go's `defer cancel()` is for. So
/// bind it to a name, as `_cancel`; `_` would drop it at once. [`Cancel::detach`] leaves the context to its parent and
/// its deadline.
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
        step_aside();
        self.0.cancel(None);
    }

    /// [`Cancel::cancel`], with a cause for [`Context::cause`](super::Context::cause). If the context is done already,
    /// its cause stays. Never suspends.
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
        step_aside();
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
