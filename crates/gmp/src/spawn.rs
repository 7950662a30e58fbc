//! `Spawn`: a goroutine with a name, labels or a stack size.

use crate::error::SpawnError;
use crate::{Handle, JoinHandle, Scope, ScopedJoinHandle};
use gmp_core::{NoRecord, Spec, goroutine};

/// A goroutine with a name, labels or a stack size, to be started by [`Spawn::go`]. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let handle = gmp::spawn().name("parser").label("file", "a.txt").stack_size(256 << 10).go(|| {
///         gmp::current().unwrap().name
///     });
///     assert_eq!(handle.unwrap().join().unwrap().as_deref(), Some("parser"));
/// }).unwrap();
/// ```
pub fn spawn() -> Spawn {
    Spawn { spec: Spec::default() }
}

/// A goroutine about to be started. Made by [`spawn()`]; may be kept and used as a template, as each start takes a clone.
///
/// No call of it suspends. Shown at [`spawn()`] and [`Spawn::go_in`].
#[derive(Clone, Debug)]
#[must_use = "nothing is started until go is called"]
pub struct Spawn {
    spec: Spec,
}

impl Spawn {
    /// A name, for reports: panics, deadlocks, stack overflows, [`current`](crate::current()).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = Some(name.into().into());
        self
    }

    /// Usable bytes of its stack, rounded up to a power of two; see [`Builder::stack_size`](crate::Builder::stack_size).
    /// Less than 16 KiB counts as 16 KiB; more than can be had ends in `JoinError::OutOfStacks`.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.spec.stack_size = bytes.max(1);
        self
    }

    /// A label, inherited by the goroutines it starts; replaces an inherited one of the same key.
    #[doc(alias = "SetGoroutineLabels")]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.labels.push((key.into(), value.into()));
        self
    }

    /// Stays on the thread that first runs it.
    pub fn pinned(mut self) -> Self {
        self.spec.pinned = true;
        self
    }

    /// Starts it. Never suspends.
    ///
    /// # Errors
    /// [`SpawnError::OutOfMemory`], with the closure.
    ///
    /// # Panics
    /// Outside a goroutine.
    #[track_caller]
    pub fn go<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        goroutine::spawn("Spawn::go", Some(&self.spec), f).map_err(|NoRecord(f)| SpawnError::OutOfMemory(f))
    }

    /// Starts it in a scope, see [`scope`](crate::scope()). Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let words = ["one", "two"];
    ///     let named = gmp::scope(|s| {
    ///         let reader = gmp::spawn().name("reader").go_in(s, || (gmp::current().unwrap().name, words.len()));
    ///         reader.join().unwrap()
    ///     });
    ///     assert_eq!(named, (Some("reader".into()), 2));
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`Scope::go`].
    #[track_caller]
    pub fn go_in<'scope, F, T>(self, scope: &'scope Scope<'scope, '_>, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.spawn("Spawn::go_in", Some(&self.spec), f)
    }

    /// Starts it from a plain thread, at the shared queue's tail. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// let handle = runtime.handle();
    /// let thread = std::thread::spawn(move || {
    ///     gmp::spawn().name("answer").go_on(&handle, || 6 * 7).unwrap().join().unwrap()
    /// });
    /// runtime.run(move || gmp::blocking(|| assert_eq!(thread.join().unwrap(), 42))).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`SpawnError`], with the closure.
    #[track_caller]
    pub fn go_on<F, T>(self, runtime: &Handle, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        runtime.0.spawn(Some(&self.spec), f).map_err(SpawnError::from)
    }
}
