//! `errgroup`: goroutines that work on parts of one task, whose first error is the task's.
//!
//! It is a [`WaitGroup`] that counts them, a [`Semaphore`] if their number is limited, a place for the first error, and a
//! context's [`Cancel`] that the first error uses. Go: `golang.org/x/sync/errgroup`, of 2026.
//!
//! Here a panic is the result of its goroutine, and [`Group::wait`] gets it by joining that goroutine. For this each
//! goroutine is sent its own handle by a [`oneshot`], and one that does not return leaves the handle for `wait`.

use super::oneshot;
use super::semaphore::Semaphore;
use super::wait_group::WaitGroup;
use crate::context::{Cancel, Context};
use crate::wait::Lock;
use core::fmt;
use gmp_core::{JoinError, JoinHandle, NoRecord};
use std::error::Error;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Goroutines that work on parts of one task. Clones are handles on the same group.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::errgroup::Group;
/// use std::num::ParseIntError;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// static SUM: AtomicU32 = AtomicU32::new(0);
///
/// fn sum(words: &[&'static str]) -> Result<u32, ParseIntError> {
///     let group = Group::new();
///     for word in words.iter().copied() {
///         group.go(move || {
///             SUM.fetch_add(word.parse()?, Relaxed);
///             Ok(())
///         });
///     }
///     group.wait()?;
///     Ok(SUM.load(Relaxed))
/// }
///
/// runtime.run(|| {
///     assert_eq!(sum(&["1", "2", "39"]).unwrap(), 42);
///     assert!(sum(&["1", "two"]).is_err());
/// }).unwrap();
/// ```
///
/// | Go | here |
/// | --- | --- |
/// | `Wait` gives the first error, each time | the first [`Group::wait`] after it takes it, and the group begins anew |
/// | a panic ends the process | it is raised again in `wait`, after all goroutines have ended. Go did so for a while in 2025 ([golang/go#53757](https://github.com/golang/go/issues/53757)) |
/// | a negative limit means no limit | `None` does |
#[doc(alias = "errgroup.Group")]
#[doc(alias = "JoinSet")]
pub struct Group<E = Box<dyn Error + Send + Sync>>(Arc<Shared<E>>);

struct Shared<E> {
    tasks: WaitGroup,
    state: Lock<State<E>>,
    cancels: Option<Cancels<E>>,
}

/// How the group's context is cancelled.
struct Cancels<E> {
    cancel: Cancel,
    because: fn(&Cancel, &E),
}

/// What the lock protects.
struct State<E> {
    /// Somebody has the first error since the last `wait`, and will leave it here.
    failed: bool,
    error: Option<E>,
    /// The handle of the first goroutine since then that did not return.
    unreturned: Option<oneshot::Receiver<JoinHandle<()>>>,
    limit: Option<Arc<Limit>>,
}

struct Limit {
    most: usize,
    free: Semaphore,
}

impl<E> Group<E> {
    /// A group without goroutines, limit or context. Never suspends.
    pub fn new() -> Self {
        Self::cancelling(None)
    }

    /// A group, and a context derived from `context`. The group's first error cancels the context, and its text is the
    /// context's [`cause`](Context::cause). The context is also cancelled by a goroutine that panics or exits, by the
    /// end of [`Group::wait`], and by the drop of the group's last handle, of which each goroutine has one. Never
    /// suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::context::Context;
    /// use gmp::sync::errgroup::Group;
    ///
    /// runtime.run(|| {
    ///     let (group, context) = Group::with_context(&Context::background());
    ///     group.go({
    ///         let context = context.clone();
    ///         move || {
    ///             // Works until nobody wants the rest any more.
    ///             context.done().recv().unwrap_err();
    ///             Err("stopped")
    ///         }
    ///     });
    ///     group.go(|| Err("no such file"));
    ///     assert_eq!(group.wait(), Err("no such file"));
    ///     assert_eq!(context.cause().unwrap().to_string(), "no such file");
    /// }).unwrap();
    /// ```
    #[doc(alias = "WithContext")]
    pub fn with_context(context: &Context) -> (Self, Context)
    where
        E: fmt::Display,
    {
        let (context, cancel) = context.with_cancel();
        let because = |cancel: &Cancel, error: &E| cancel.cancel_because(error.to_string());
        (Self::cancelling(Some(Cancels { cancel, because })), context)
    }

    fn cancelling(cancels: Option<Cancels<E>>) -> Self {
        let state = Lock::new(State { failed: false, error: None, unreturned: None, limit: None });
        Self(Arc::new(Shared { tasks: WaitGroup::new(), state, cancels }))
    }

    /// Lets at most this many goroutines of the group exist at once, or any number with `None`. Never suspends.
    ///
    /// With a limit of 0 none can be started: [`Group::go`] waits for ever, as in Go.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// # use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    /// use gmp::sync::errgroup::Group;
    ///
    /// static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    ///
    /// runtime.run(|| {
    ///     let group = Group::<String>::new();
    ///     group.set_limit(Some(3));
    ///     for _ in 0..10 {
    ///         group.go(|| {
    ///             assert!(AT_ONCE.fetch_add(1, SeqCst) < 3);
    ///             gmp::yield_now();
    ///             AT_ONCE.fetch_sub(1, SeqCst);
    ///             Ok(())
    ///         });
    ///     }
    ///     group.wait().unwrap();
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// If goroutines that count against the previous limit still exist.
    #[doc(alias = "SetLimit")]
    #[track_caller]
    pub fn set_limit(&self, limit: Option<usize>) {
        let limit = limit.map(|most| Arc::new(Limit { most, free: Semaphore::new(most) }));
        let before = self.limit();
        let there = before.map_or(0, |before| before.most.saturating_sub(before.free.available()));
        assert!(
            there == 0,
            "errgroup::Group::set_limit: {there} goroutines of the group have not ended; set the limit before they are \
             started, or after `wait`"
        );
        let before = core::mem::replace(&mut self.0.state.lock().limit, limit);
        drop(before);
    }

    fn limit(&self) -> Option<Arc<Limit>> {
        self.0.state.lock().limit.clone()
    }

    /// Starts a goroutine of the group. If the limit is reached, it first waits until another has ended: **Suspends.**
    ///
    /// Shown at [`Group`].
    ///
    /// # Panics
    /// Outside a goroutine, and if there is no memory for the goroutine's record.
    #[doc(alias = "Go")]
    #[track_caller]
    pub fn go<F>(&self, f: F)
    where
        F: FnOnce() -> Result<(), E> + Send + 'static,
        E: Send + 'static,
    {
        let limit = self.limit();
        if let Some(limit) = &limit {
            // `Task` gives it back.
            limit.free.acquire().forget();
        }
        self.start("sync::errgroup::Group::go", limit, f);
    }

    /// Starts a goroutine of the group, unless the limit is reached. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::errgroup::Group;
    ///
    /// runtime.run(|| {
    ///     let group = Group::<String>::new();
    ///     group.set_limit(Some(1));
    ///     let (go_on, waits) = gmp::chan(0);
    ///     group.go(move || waits.recv().map_err(|error| error.to_string()));
    ///     let part = || Ok(());
    ///     // Do it here, then.
    ///     let part = group.try_go(part).unwrap_err();
    ///     assert_eq!(part(), Ok(()));
    ///     go_on.send(()).unwrap();
    ///     group.wait().unwrap();
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As many goroutines exist as the limit allows. The closure comes back; Go returns `false`.
    ///
    /// # Panics
    /// The same as for [`Group::go`].
    #[doc(alias = "TryGo")]
    #[track_caller]
    pub fn try_go<F>(&self, f: F) -> Result<(), F>
    where
        F: FnOnce() -> Result<(), E> + Send + 'static,
        E: Send + 'static,
    {
        let limit = self.limit();
        if let Some(limit) = &limit {
            match limit.free.try_acquire() {
                Some(permit) => permit.forget(),
                None => return Err(f),
            }
        }
        self.start("sync::errgroup::Group::try_go", limit, f);
        Ok(())
    }

    #[track_caller]
    fn start<F>(&self, call: &'static str, limit: Option<Arc<Limit>>, f: F)
    where
        F: FnOnce() -> Result<(), E> + Send + 'static,
        E: Send + 'static,
    {
        self.0.tasks.add(1);
        let (sender, handle) = oneshot::channel();
        let mut task = Task { shared: self.0.clone(), limit, handle: Some(handle) };
        let counted = move || {
            if let Err(error) = f() {
                task.shared.failed(error);
            }
            // Not before: it has not returned if the error's own code, of which a cause is made, has panicked.
            let handle = task.handle.take();
            drop(task);
            drop(handle);
        };
        match gmp_core::goroutine::spawn(call, None, counted) {
            // If the goroutine has returned by now, the handle comes back and is dropped, which detaches the goroutine.
            Ok(handle) => drop(sender.send(handle)),
            Err(NoRecord(counted)) => {
                drop(counted);
                panic!("{call}: no memory for another goroutine's record of 192 bytes");
            }
        }
    }

    /// Waits until all goroutines of the group have ended, cancels the group's context, and returns the first error.
    /// **Suspends.**
    ///
    /// If several wait at once, one of them gets it. A goroutine that calls `exit` counts as one without an error. If the
    /// runtime closes meanwhile, this ends as [`Mutex::lock`](super::Mutex::lock) does.
    ///
    /// Shown at [`Group`] and [`Group::with_context`].
    ///
    /// # Errors
    /// The first that a goroutine of the group has returned since the last `wait`.
    ///
    /// # Panics
    /// With the panic of the first goroutine that panicked, if one did, whatever errors there were; also if there was
    /// no stack for a goroutine, which then never ran. Where nobody may wait: in a policy, an event sink or a call on
    /// the system stack.
    #[doc(alias = "Wait")]
    #[track_caller]
    pub fn wait(&self) -> Result<(), E> {
        self.0.tasks.wait();
        self.outcome()
    }

    /// Like [`Group::wait`], but waits for at most `timeout`. `None`: not all goroutines have ended; nothing is cancelled,
    /// and no error is taken. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::errgroup::Group;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let group = Group::new();
    ///     let (go_on, waits) = gmp::chan::<()>(0);
    ///     group.go(move || waits.recv().map_err(|_| "nobody sends"));
    ///     assert_eq!(group.wait_timeout(Duration::from_millis(1)), None);
    ///     drop(go_on);
    ///     assert_eq!(group.wait_timeout(Duration::from_secs(60)), Some(Err("nobody sends")));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The same as for [`Group::wait`].
    ///
    /// # Panics
    /// The same as for [`Group::wait`].
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<(), E>> {
        self.0.tasks.wait_timeout(timeout).then(|| self.outcome())
    }

    /// Like [`Group::wait_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Group::wait_timeout`].
    ///
    /// # Errors
    /// The same as for [`Group::wait`].
    ///
    /// # Panics
    /// The same as for [`Group::wait`].
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Option<Result<(), E>> {
        self.0.tasks.wait_deadline(deadline).then(|| self.outcome())
    }

    /// What the goroutines have left since the last time. They have all ended.
    #[track_caller]
    fn outcome(&self) -> Result<(), E> {
        let mut state = self.0.state.lock();
        state.failed = false;
        let (error, unreturned) = (state.error.take(), state.unreturned.take());
        drop(state);
        self.0.cancel(None);
        // A goroutine that could not be started has no handle.
        if let Some(Ok(handle)) = unreturned.map(oneshot::Receiver::recv) {
            match handle.join() {
                Err(JoinError::Panicked(payload)) => resume_unwind(payload.into_inner()),
                Err(never_ran @ JoinError::OutOfStacks) => panic!("errgroup::Group::wait: {never_ran}"),
                _ => {}
            }
        }
        error.map_or(Ok(()), Err)
    }
}

impl<E> Shared<E> {
    /// A goroutine has returned an error.
    fn failed(&self, error: E) {
        if core::mem::replace(&mut self.state.lock().failed, true) {
            return;
        }
        self.cancel(Some(&error));
        self.state.lock().error = Some(error);
    }

    fn cancel(&self, because: Option<&E>) {
        if let Some(cancels) = &self.cancels {
            match because {
                Some(error) => (cancels.because)(&cancels.cancel, error),
                None => cancels.cancel.cancel(),
            }
        }
    }
}

/// What a goroutine of a group gives back when it ends, or goes unrun.
struct Task<E> {
    shared: Arc<Shared<E>>,
    limit: Option<Arc<Limit>>,
    /// Its own handle. Taken out when it returns.
    handle: Option<oneshot::Receiver<JoinHandle<()>>>,
}

impl<E> Drop for Task<E> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            let mut state = self.shared.state.lock();
            let later = match state.unreturned {
                None => state.unreturned.replace(handle),
                Some(_) => Some(handle),
            };
            drop(state);
            drop(later);
            self.shared.cancel(None);
        }
        // This comes before the goroutine counts as done: after `wait` the limit may be set.
        if let Some(limit) = &self.limit {
            limit.free.add_permits(1);
        }
        self.shared.tasks.done();
    }
}

impl<E> Clone for Group<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Default for Group<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit().map(|limit| limit.most);
        f.debug_struct("Group").field("tasks", &self.0.tasks).field("limit", &limit).finish()
    }
}
