//! `OnceCell`: a value that is set once.

use crate::seam::{AtomicBool, const_fn, give_way, step_aside};
use crate::sync::mutex::Mutex;
use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::sync::atomic::Ordering::{Acquire, Release};
use gmp_core::WaitReason;

/// A value that is set once and then shared.
///
/// ```
/// use gmp::sync::OnceCell;
///
/// static NAME: OnceCell<String> = OnceCell::new();
///
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "gopher".into()), "gopher");
/// assert_eq!(NAME.set("other".into()), Err("other".into()));
/// ```
#[doc(alias = "OnceLock")]
#[doc(alias = "OnceValue")]
pub struct OnceCell<T> {
    filled: AtomicBool,
    filling: Mutex<()>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written under the mutex, before `filled` says so, and only shared after that. One thread may
// fill the cell and another drop it, hence `Send`.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    const_fn! {
        /// An empty cell. Never suspends.
        pub const fn new() -> Self {
            Self { filled: AtomicBool::new(false), filling: Mutex::new(()), value: UnsafeCell::new(None) }
        }
    }

    /// The value, if there is one yet. Never suspends.
    ///
    /// Shown at [`OnceCell`].
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // ORDER: once-cell. Pairs with the store in `fill`: whoever sees the cell filled sees the value.
        if !self.filled.load(Acquire) {
            // Somebody may be waiting for it in a loop.
            step_aside();
            return None;
        }
        // SAFETY: filled, and never written to again while shared.
        unsafe { &*self.value.get() }.as_ref()
    }

    /// The value, which `init` makes if there is none yet. If somebody else is making it, this waits for that.
    /// **Suspends.**
    ///
    /// A panic in `init` leaves the cell empty, and the next caller tries again. An `init` that asks for the value of
    /// the same cell waits for ever.
    ///
    /// Shown at [`OnceCell`].
    ///
    /// # Panics
    /// If `init` panics; and where nobody may wait, if somebody else is making the value.
    #[track_caller]
    #[inline]
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(init())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Like [`OnceCell::get_or_init`], but with an `init` that may fail and then leaves the cell empty. **Suspends.**
    ///
    /// ```
    /// let port = gmp::sync::OnceCell::<u16>::new();
    /// assert!(port.get_or_try_init(|| "no number".parse()).is_err());
    /// assert_eq!(port.get_or_try_init(|| "80".parse()), Ok(&80));
    /// ```
    ///
    /// # Errors
    /// The error of `init`.
    ///
    /// # Panics
    /// The same as for [`OnceCell::get_or_init`].
    #[track_caller]
    #[inline]
    pub fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        give_way();
        match self.get() {
            Some(value) => Ok(value),
            None => self.fill(init),
        }
    }

    #[cold]
    #[track_caller]
    fn fill<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let _filling = self.filling.lock_for(WaitReason::Once);
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = init()?;
        // SAFETY: not filled, so nobody reads, and the mutex is ours, so nobody else writes.
        let value = unsafe { &mut *self.value.get() }.insert(value);
        // ORDER: once-cell. Pairs with the load in `get`.
        self.filled.store(true, Release);
        Ok(value)
    }

    /// Sets the value. **Suspends**, if somebody else is making one.
    ///
    /// Shown at [`OnceCell`].
    ///
    /// # Errors
    /// There is a value already; `value` comes back.
    ///
    /// # Panics
    /// Where nobody may wait, if somebody else is making a value.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        // The value is taken only if this call is the one that fills the cell.
        let _ = self.get_or_try_init(|| value.take().ok_or(()));
        value.map_or(Ok(()), Err)
    }

    /// The value, which nobody else can reach. Never suspends.
    ///
    /// ```
    /// let mut name = gmp::sync::OnceCell::from(String::from("go"));
    /// name.get_mut().unwrap().push_str("pher");
    /// assert_eq!(name.get().unwrap(), "gopher");
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Takes the value out, which leaves the cell empty. Never suspends.
    ///
    /// ```
    /// let mut cell = gmp::sync::OnceCell::from(7);
    /// assert_eq!(cell.take(), Some(7));
    /// assert_eq!(cell.set(8), Ok(()));
    /// assert_eq!(cell.into_inner(), Some(8));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        core::mem::take(self).into_inner()
    }

    /// The value, if there is one. Never suspends.
    ///
    /// Shown at [`OnceCell::take`].
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

// A panic in `init` leaves the cell empty, so nobody sees a half-made value.
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceCell<T> {}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self { filled: AtomicBool::new(true), value: UnsafeCell::new(Some(value)), ..Self::new() }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}
