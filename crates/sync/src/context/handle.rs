//! `Context`: the handle that programs hold on a place in the tree and on a chain of values.

use super::after_func::AfterFunc;
use super::cancel::Cancel;
use super::error::{Cause, ContextError, Never};
use super::tree::Node;
use super::values::Values;
use crate::channel::{Receiver, never};
use crate::seam::step_aside;
use core::fmt;
use std::any::Any;
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Carries a cancellation, a deadline and values from a caller to everything that works for it. Clones are the same
/// context.
///
/// A context is derived from another, and what cancels that one cancels it too. It is passed down, as an argument, and
/// asked by those who work: by a case of a select on [`Context::done`], or by [`Context::err`] in a loop.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::context::{Context, ContextError};
///
/// runtime.run(|| {
///     let (context, cancel) = Context::background().with_cancel();
///     let worker = gmp::go({
///         let context = context.clone();
///         move || {
///             // Closes when the context is done.
///             assert!(context.done().recv().is_err());
///             context.err()
///         }
///     });
///     cancel.cancel();
///     assert_eq!(worker.join().unwrap(), Some(ContextError::Canceled));
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct Context {
    pub(super) node: Option<Arc<Node>>,
    values: Values,
}

/// The channel of contexts that are never done.
static NEVER_DONE: OnceLock<Receiver<Never>> = OnceLock::new();

impl Context {
    /// The context that others are derived from: never done, without values or deadline. Never suspends.
    ///
    /// ```
    /// use gmp::context::Context;
    ///
    /// let context = Context::background();
    /// assert!(context.err().is_none() && context.deadline().is_none());
    /// ```
    #[doc(alias = "Background")]
    #[doc(alias = "TODO")]
    pub fn background() -> Self {
        Self { node: None, values: Values::none() }
    }

    /// A context that is done when its [`Cancel`] is used, or when this one is done. Never suspends.
    ///
    /// Dropping the last clone of the `Cancel` cancels, too.
    ///
    /// ```
    /// use gmp::context::{Context, ContextError};
    ///
    /// let (parent, cancel) = Context::background().with_cancel();
    /// let (child, _cancel) = parent.with_cancel();
    /// cancel.cancel();
    /// assert_eq!(child.err(), Some(ContextError::Canceled));
    /// ```
    #[doc(alias = "WithCancel")]
    #[doc(alias = "WithCancelCause")]
    pub fn with_cancel(&self) -> (Self, Cancel) {
        step_aside();
        self.derive(Node::under(self.node.as_ref(), None))
    }

    /// A context that is also done at `at`, unless this one's deadline is earlier. Never suspends.
    ///
    /// The caller's runtime keeps the timer: if the runtime closes first, the deadline never passes.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::context::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (context, _cancel) = Context::background().with_timeout(Duration::from_millis(5));
    ///     assert!(context.done().recv().is_err());
    ///     assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Outside a goroutine: the timer belongs to the caller's runtime.
    #[doc(alias = "WithDeadline")]
    #[track_caller]
    pub fn with_deadline(&self, at: Instant) -> (Self, Cancel) {
        self.with_deadline_cause(at, ContextError::DeadlineExceeded)
    }

    /// Like [`Context::with_deadline`], but `timeout` later than now. Never suspends.
    ///
    /// As shown at [`Context::with_deadline`].
    ///
    /// # Panics
    /// The same as for [`Context::with_deadline`].
    #[doc(alias = "WithTimeout")]
    #[track_caller]
    pub fn with_timeout(&self, timeout: Duration) -> (Self, Cancel) {
        self.with_timeout_cause(timeout, ContextError::DeadlineExceeded)
    }

    /// Like [`Context::with_deadline`], but with the `cause` that [`Context::cause`] returns if it is this deadline
    /// that passes. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::context::{Context, ContextError};
    /// use std::time::{Duration, Instant};
    ///
    /// runtime.run(|| {
    ///     let late = std::io::Error::other("the reader took too long");
    ///     let at = Instant::now() + Duration::from_millis(1);
    ///     let (context, _cancel) = Context::background().with_deadline_cause(at, late);
    ///     assert_eq!(context.deadline(), Some(at));
    ///     assert!(context.done().recv().is_err());
    ///     assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
    ///     assert_eq!(context.cause().unwrap().to_string(), "the reader took too long");
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`Context::with_deadline`].
    #[doc(alias = "WithDeadlineCause")]
    #[track_caller]
    pub fn with_deadline_cause(
        &self,
        at: Instant,
        cause: impl Error + Send + Sync + 'static,
    ) -> (Self, Cancel) {
        if self.deadline().is_some_and(|earlier| earlier <= at) {
            return self.with_cancel();
        }
        let node = Node::under(self.node.as_ref(), Some(at));
        let derived = self.derive(node.clone());
        node.cancel_at(at, Arc::new(cause));
        derived
    }

    /// Like [`Context::with_deadline_cause`], but `timeout` later than now. Never suspends.
    ///
    /// As shown at [`Context::with_deadline_cause`].
    ///
    /// # Panics
    /// The same as for [`Context::with_deadline`].
    #[doc(alias = "WithTimeoutCause")]
    #[track_caller]
    pub fn with_timeout_cause(
        &self,
        timeout: Duration,
        cause: impl Error + Send + Sync + 'static,
    ) -> (Self, Cancel) {
        match crate::seam::after_now(timeout) {
            Some(at) => self.with_deadline_cause(at, cause),
            // That is later than the clock reaches.
            None => self.with_cancel(),
        }
    }

    /// A context with one more value, which is found by its type: a later value of the same type hides an earlier
    /// one. Never suspends.
    ///
    /// Use it for data that belongs to a request and crosses interfaces, not for arguments. A type of your own crate
    /// is a key that no other crate uses by chance.
    ///
    /// ```
    /// use gmp::context::Context;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct RequestId(u64);
    ///
    /// let context = Context::background().with_value(RequestId(7));
    /// let (derived, _cancel) = context.with_cancel();
    /// assert_eq!(derived.value::<RequestId>(), Some(&RequestId(7)));
    /// assert_eq!(derived.value::<String>(), None);
    /// ```
    #[doc(alias = "WithValue")]
    pub fn with_value<T: Any + Send + Sync>(&self, value: T) -> Self {
        Self { node: self.node.clone(), values: self.values.with(value) }
    }

    /// A context with this one's values, which nobody can cancel and which has no deadline. Never suspends.
    ///
    /// ```
    /// use gmp::context::Context;
    ///
    /// let (request, cancel) = Context::background().with_value(7_u32).with_cancel();
    /// let clean_up = request.without_cancel();
    /// cancel.cancel();
    /// assert!(request.err().is_some() && clean_up.err().is_none());
    /// assert_eq!(clean_up.value::<u32>(), Some(&7));
    /// ```
    #[doc(alias = "WithoutCancel")]
    pub fn without_cancel(&self) -> Self {
        Self { node: None, values: self.values.clone() }
    }

    /// The value of this type that was put in last. Never suspends.
    ///
    /// Shown at [`Context::with_value`].
    #[doc(alias = "Value")]
    pub fn value<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.values.get()
    }

    /// A channel that closes when the context is done; no value ever comes through it. Never suspends, though
    /// receiving from the channel does.
    ///
    /// A context that is never done has a channel, too, so that a select need not distinguish the cases.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::context::Context;
    ///
    /// runtime.run(|| {
    ///     let (context, cancel) = Context::background().with_cancel();
    ///     let (sender, numbers) = gmp::chan(0);
    ///     gmp::go(move || {
    ///         for n in 0.. {
    ///             gmp::select! {
    ///                 send(sender, n) -> _ => {}
    ///                 recv(context.done()) -> _ => return,
    ///             }
    ///         }
    ///     });
    ///     assert_eq!(numbers.iter().take(3).sum::<u32>(), 3);
    ///     cancel.cancel();
    ///     // The sender has gone with its goroutine, after at most one value more.
    ///     assert!(numbers.iter().count() <= 1);
    /// }).unwrap();
    /// ```
    #[doc(alias = "Done")]
    pub fn done(&self) -> &Receiver<Never> {
        match &self.node {
            Some(node) => node.done(),
            None => NEVER_DONE.get_or_init(never),
        }
    }

    /// Why the context is done; `None`: it is not. Never suspends.
    ///
    /// It returns the reason from the moment at which [`Context::done`] closes, and not before.
    ///
    /// Shown at [`Context`].
    #[doc(alias = "Err")]
    pub fn err(&self) -> Option<ContextError> {
        step_aside();
        self.node.as_ref()?.ended().map(|ended| ended.error)
    }

    /// Why the context is done, in the words of whoever cancelled it: see [`Cancel::cancel_because`]. If no cause was
    /// given, it is the [`ContextError`]. Never suspends.
    ///
    /// Shown at [`Cancel::cancel_because`].
    #[doc(alias = "Cause")]
    pub fn cause(&self) -> Option<Cause> {
        step_aside();
        self.node.as_ref()?.ended().map(|ended| ended.cause.clone())
    }

    /// When the context will be done at the latest. Never suspends.
    ///
    /// Shown at [`Context::with_deadline_cause`].
    #[doc(alias = "Deadline")]
    pub fn deadline(&self) -> Option<Instant> {
        step_aside();
        self.node.as_ref()?.deadline()
    }

    /// Calls `f` in a goroutine of the caller's runtime when the context is done, at once if it is already. Never
    /// suspends.
    ///
    /// Dropping the handle changes nothing. If the runtime closes first, `f` is dropped instead.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::context::Context;
    ///
    /// runtime.run(|| {
    ///     let (context, cancel) = Context::background().with_cancel();
    ///     let (told, hears) = gmp::chan(1);
    ///     let other = told.clone();
    ///     context.after_func(move || told.send("done").unwrap());
    ///     assert!(context.after_func(move || other.send("never").unwrap()).stop());
    ///     cancel.cancel();
    ///     assert_eq!(hears.iter().collect::<Vec<_>>(), ["done"]);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Outside a goroutine.
    #[doc(alias = "AfterFunc")]
    #[track_caller]
    pub fn after_func(&self, f: impl FnOnce() + Send + 'static) -> AfterFunc {
        let Some(runtime) = gmp_core::goroutine::handle() else {
            panic!(
                "gmp::Context::after_func was called outside a goroutine; the function runs in a goroutine of the \
                 caller's runtime"
            )
        };
        AfterFunc::new(self.node.as_ref(), runtime, f)
    }

    fn derive(&self, node: Arc<Node>) -> (Self, Cancel) {
        (Self { node: Some(node.clone()), values: self.values.clone() }, Cancel::new(node))
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::background()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Context");
        shown.field("err", &self.err()).field("deadline", &self.deadline());
        shown.field("values", &self.values).finish()
    }
}
