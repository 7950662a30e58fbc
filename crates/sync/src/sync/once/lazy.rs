//! `Lazy`: a value that is made when it is first asked for.

use super::cell::OnceCell;
use crate::seam::const_fn;
use core::cell::Cell;
use core::fmt;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A value made by a function when it is first used.
///
/// ```
/// use gmp::sync::Lazy;
///
/// static SQUARES: Lazy<Vec<u32>> = Lazy::new(|| (0..10).map(|n| n * n).collect());
///
/// assert_eq!(SQUARES[3], 9);
/// ```
#[doc(alias = "LazyLock")]
#[doc(alias = "LazyCell")]
#[doc(alias = "OnceValue")]
pub struct Lazy<T, F = fn() -> T> {
    cell: OnceCell<T>,
    init: Cell<Option<F>>,
}

// SAFETY: `init` is taken out by the one who fills the cell, under the cell's mutex, possibly on another thread.
unsafe impl<T: Send + Sync, F: Send> Sync for Lazy<T, F> {}

impl<T, F> Lazy<T, F> {
    const_fn! {
        /// A value to be made by `init`. Never suspends.
        pub const fn new(init: F) -> Self {
            Self { cell: OnceCell::new(), init: Cell::new(Some(init)) }
        }
    }
}

impl<T, F: FnOnce() -> T> Lazy<T, F> {
    /// The value, which is made now if it was not made before. **Suspends**, if somebody else is making it.
    ///
    /// ```
    /// use gmp::sync::Lazy;
    ///
    /// let answer = Lazy::new(|| 6 * 7);
    /// assert_eq!(Lazy::get(&answer), None);
    /// assert_eq!(Lazy::force(&answer), &42);
    /// assert_eq!(Lazy::get(&answer), Some(&42));
    /// ```
    ///
    /// # Panics
    /// If the function panics. If it has panicked, every later call panics, since the function cannot be called again.
    #[track_caller]
    #[inline]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(|| match this.init.take() {
            Some(init) => init(),
            None => panic!("Lazy: the function that makes the value has panicked before"),
        })
    }

    /// The value, if it was made. Never suspends.
    ///
    /// Shown at [`Lazy::force`].
    pub fn get(this: &Self) -> Option<&T> {
        this.cell.get()
    }
}

impl<T, F: FnOnce() -> T> Deref for Lazy<T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

// As for its cell: a function that has panicked is never called again.
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for Lazy<T, F> {}

impl<T: fmt::Debug, F> fmt::Debug for Lazy<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&self.cell.get()).finish()
    }
}
