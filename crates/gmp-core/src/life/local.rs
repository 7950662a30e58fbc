//! Goroutine-locals: `g_local!`, and the key that it makes. Go: none; the shape is `std::thread::LocalKey`'s.
//!
//! ```text
//!   record ── extra ── locals ── slot of the key ──► value, in a box of its own
//!                                    │ first access: the key takes the next number of the process
//!   the goroutine's closure is over: last made, first dropped, until no value is left; then its join is told
//! ```
//!
//! A goroutine that uses none pays one test of its flags at its end. One that does keeps its values in a table
//! that hangs in the part of the record that few goroutines have (`Extra`).
//!
//! **Whose.** The table belongs to the goroutine while it runs: nobody else looks at it, ever. A goroutine that is
//! abandoned by a closing runtime leaves its values as it leaves its stack: leaked, since that stack may refer to them.
//!
//! **`Send`.** A value need not be `Send`. It is made, used and dropped by one goroutine, as a variable on its stack is,
//! and comes to another thread only as that does: with the goroutine, and in the modes whose `unsafe` constructors have
//! the caller promise that all code can bear it (`docs/thread-locals.md`). `&T` leaves the goroutine only where
//! `T: Sync` lets it.

use crate::entering::caller::{Caller, Here, caller};
use crate::entering::gate;
use crate::records::g::extra::Extra;
use crate::records::g::locals::Found;
use crate::records::g::{Flags, G};
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::any::Any;

/// A goroutine-local: each goroutine has a value of its own, made at its first access. Declared by
/// [`g_local!`](crate::g_local).
///
/// On a plain thread, and in the scheduler's callbacks, it is a thread-local of that thread.
///
/// References live for the duration of a closure, in which the goroutine **may suspend**: nobody else gets at the value
/// meanwhile. The value's destructor runs on the goroutine's own stack after its closure has returned or unwound,
/// before anyone who joins it is told; it may suspend. Values are dropped in the reverse of the order in which they
/// were made. A goroutine that its runtime abandons keeps them for ever, as it keeps its stack.
///
/// No call of it suspends, unless what it calls does: the initial expression, a closure that it is given, a destructor.
///
/// `T` need not be `Send`: a value never leaves its goroutine, any more than a variable on the goroutine's stack does.
/// What holds for such variables holds here: where goroutines move between threads, the value must be able to bear
/// that.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::cell::{Cell, RefCell};
///
/// gmp::g_local! {
///     static DEPTH: Cell<u32> = Cell::new(0);
///     static PATH: RefCell<Vec<&'static str>> = RefCell::new(vec!["root"]);
///     static ID: u64 = gmp::current().unwrap().number;
/// }
///
/// runtime.run(|| {
///     // Any type: `with` lends a shared reference. Each goroutine makes a value of its own.
///     let mine = ID.with(|id| *id);
///     assert_ne!(gmp::go(|| ID.with(|id| *id)).join().unwrap(), mine);
///
///     // A `Cell`:
///     DEPTH.set(1);
///     assert_eq!(DEPTH.replace(2), 1);
///     assert_eq!((DEPTH.take(), DEPTH.get()), (2, 0));
///
///     // A `RefCell`:
///     PATH.with_borrow_mut(|path| path.push("leaf"));
///     assert_eq!(PATH.with_borrow(|path| path.len()), 2);
///     assert_eq!(PATH.replace(vec!["other"]), ["root", "leaf"]);
///     assert_eq!(PATH.take(), ["other"]);
///     PATH.set(vec!["root"]);
/// }).unwrap();
/// ```
pub struct LocalKey<T: 'static> {
    /// This key's slot in every table, plus one; 0: never used.
    number: AtomicUsize,
    init: fn() -> T,
    plain: PlainAccess<T>,
}

/// Calls its argument with the thread-local that stands in for the key on plain threads.
type PlainAccess<T> = fn(&mut dyn FnMut(&OnceCell<T>)) -> Result<(), std::thread::AccessError>;

/// The value is being dropped, or was.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::cell::Cell;
///
/// gmp::g_local! {
///     static FIRST: Cell<u32> = Cell::new(7);
///     static LAST: Guard = Guard;
/// }
///
/// struct Guard;
/// impl Drop for Guard {
///     fn drop(&mut self) {
///         // Made after `FIRST`, so dropped before it; but this very value is on its way out.
///         assert_eq!(FIRST.try_with(Cell::get), Ok(7));
///         assert!(LAST.try_with(|_| ()).is_err());
///     }
/// }
///
/// runtime.run(|| {
///     gmp::go(|| {
///         assert_eq!(FIRST.get(), 7);
///         LAST.with(|_| ());
///     }).join().unwrap();
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the goroutine ends, and its value of this goroutine-local has been dropped already")
    }
}

impl std::error::Error for AccessError {}

/// How many keys have been used in this process.
static KEYS: AtomicUsize = AtomicUsize::new(0);

impl<T: 'static> LocalKey<T> {
    /// For [`g_local!`](crate::g_local).
    #[doc(hidden)]
    pub const fn new(init: fn() -> T, plain: PlainAccess<T>) -> Self {
        Self { number: AtomicUsize::new(0), init, plain }
    }

    /// Calls `f` with the goroutine's value, which is made now if this is the first access. Suspends only if `f` or the
    /// initial expression does.
    ///
    /// # Panics
    /// If the value has been dropped already, at the goroutine's end; and as `f` or the initial expression does. A panic
    /// of the latter leaves the value unmade, and the next access tries again.
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("gmp::LocalKey::with: {error}"),
        }
    }

    /// [`LocalKey::with`], with an error where that panics for lack of a value.
    ///
    /// # Errors
    /// [`AccessError`]: the value has been dropped already, at the goroutine's end.
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        self.reach(self.init, |value| f(value))
    }

    /// The goroutine's value, made by `make` if there is none.
    #[inline]
    fn reach<R>(&'static self, make: impl FnOnce() -> T, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let Some(here) = gate::here() else { return self.reach_plain(make, f) };
        let owner = Owner(here);
        let found = match self.number.load(Ordering::Relaxed) {
            0 => Found::Nothing,
            number => owner.find::<T>(number - 1),
        };
        let value = match found {
            Found::Value(value) => value,
            Found::Gone => return Err(AccessError),
            Found::Nothing => owner.put(self.slot(), make())?,
        };
        // SAFETY: the value stays in its box until the goroutine's end, and a goroutine that has not come back from `f`
        // has not come to its end.
        Ok(f(unsafe { value.as_ref() }))
    }

    #[cold]
    fn reach_plain<R>(
        &'static self,
        make: impl FnOnce() -> T,
        f: impl FnOnce(&T) -> R,
    ) -> Result<R, AccessError> {
        let (mut make, mut f, mut result) = (Some(make), Some(f), None);
        let reached = (self.plain)(&mut |cell| {
            if let (Some(make), Some(f)) = (make.take(), f.take()) {
                let value = cell.get().unwrap_or_else(|| {
                    // What `make` itself has put there stays.
                    let made = make();
                    cell.get_or_init(|| made)
                });
                result = Some(f(value));
            }
        });
        match (reached, result) {
            (Ok(()), Some(result)) => Ok(result),
            _ => Err(AccessError),
        }
    }

    /// This key's slot in every goroutine's table.
    #[cold]
    fn slot(&'static self) -> usize {
        let number = self.number.load(Ordering::Relaxed);
        if number != 0 {
            return number - 1;
        }
        let next = KEYS.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever comes second leaves a slot unused.
        match self.number.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => next - 1,
            Err(number) => number - 1,
        }
    }

    /// Like [`LocalKey::with`], but a value that has to be made is `value`, and `f` gets it back if there is one already.
    #[track_caller]
    fn with_initial<R>(&'static self, value: T, f: impl FnOnce(Option<T>, &T) -> R) -> R {
        let offered = Cell::new(Some(value));
        let make = || offered.take().unwrap_or_else(self.init);
        match self.reach(make, |place| f(offered.take(), place)) {
            Ok(result) => result,
            Err(error) => panic!("gmp::LocalKey::set: {error}"),
        }
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the value, without making the initial one first. Never suspends, unless a destructor of what was there does.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`].
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_initial(Cell::new(value), |left, cell| {
            if let Some(left) = left {
                cell.set(left.into_inner());
            }
        });
    }

    /// A copy of the value.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`].
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the value and leaves a default one.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`].
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Puts a value in and returns what was there.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`].
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with a shared borrow.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`], and if the value is borrowed mutably.
    #[track_caller]
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with an exclusive borrow.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`], and if the value is borrowed.
    #[track_caller]
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the value, without making the initial one first.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`], and if the value is borrowed.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_initial(RefCell::new(value), |left, cell| {
            if let Some(left) = left {
                *cell.borrow_mut() = left.into_inner();
            }
        });
    }

    /// Takes the value and leaves a default one.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`], and if the value is borrowed.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Puts a value in and returns what was there.
    ///
    /// # Panics
    /// The same as for [`LocalKey::with`], and if the value is borrowed.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// A goroutine, as its own code sees it.
struct Owner(Here);

impl Owner {
    /// Looks a value up.
    #[inline]
    fn find<T>(&self, slot: usize) -> Found<T> {
        if !self.0.g().has(Flags::EXTRA) {
            return Found::Nothing;
        }
        match self.0.g().extra() {
            // SAFETY: the goroutine is the caller, and the slot is that of a key of this type.
            Some(extra) => unsafe { extra.locals.find(slot) },
            None => Found::Nothing,
        }
    }

    /// Puts a value in and says where it is; if one came in while this one was being made, that stays.
    #[cold]
    fn put<T: 'static>(&self, slot: usize, value: T) -> Result<core::ptr::NonNull<T>, AccessError> {
        if !self.0.g().has(Flags::EXTRA) {
            self.0.g().set_extra(Some(Box::default()));
        }
        let Some(extra) = self.0.g().extra() else { return Err(AccessError) };
        // SAFETY: the goroutine is the caller, and the slot is that of a key of this type.
        match unsafe { extra.locals.find(slot) } {
            Found::Value(first) => Ok(first),
            Found::Gone => Err(AccessError),
            // SAFETY: as above, and it is empty.
            Found::Nothing => Ok(unsafe { extra.locals.put(slot, value) }),
        }
    }
}

/// Drops the calling goroutine's locals, on its own stack; the first panic of a destructor comes back.
#[inline]
pub(crate) fn end_of_goroutine() -> Option<Box<dyn Any + Send>> {
    match caller() {
        Caller::G(here) if here.g().has(Flags::EXTRA) => drop_all(here.g()),
        _ => None,
    }
}

#[cold]
fn drop_all(g: &'static G) -> Option<Box<dyn Any + Send>> {
    let mut panic = None;
    let locals = &g.extra()?.locals;
    // SAFETY: the goroutine is the caller; its closure is over, so nothing borrows from the values but their destructors.
    while let Some(dropped) = unsafe { locals.drop_last() } {
        if let Err(payload) = dropped {
            if panic.is_none() && !payload.is::<crate::records::g::body::Goexit>() {
                panic = Some(payload);
            } else {
                // A payload whose own drop panics is not worth more care than this.
                core::mem::forget(payload);
            }
        }
    }
    // SAFETY: no value is left.
    unsafe { locals.free() };
    if g.extra().is_some_and(Extra::is_plain) {
        g.set_extra(None);
    }
    panic
}

/// Declares goroutine-locals, as `thread_local!` does thread-locals.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::cell::{Cell, RefCell};
///
/// gmp::g_local! {
///     /// Which request this goroutine serves.
///     static REQUEST: Cell<u32> = Cell::new(0);
///     static NOTES: RefCell<Vec<String>> = RefCell::new(Vec::new());
/// }
///
/// runtime.run(|| {
///     REQUEST.set(1);
///     gmp::go(|| {
///         assert_eq!(REQUEST.get(), 0);
///         REQUEST.set(2);
///         gmp::yield_now();
///         NOTES.with_borrow_mut(|notes| notes.push(format!("request {}", REQUEST.get())));
///         assert_eq!(NOTES.take(), ["request 2"]);
///     }).join().unwrap();
///     assert_eq!(REQUEST.get(), 1);
/// }).unwrap();
/// ```
#[macro_export]
macro_rules! g_local {
    () => {};
    ($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visible static $name: $crate::local::LocalKey<$type> = {
            fn init() -> $type {
                $init
            }
            ::std::thread_local! {
                static PLAIN: ::core::cell::OnceCell<$type> = const { ::core::cell::OnceCell::new() };
            }
            $crate::local::LocalKey::new(init, |access| PLAIN.try_with(|cell| access(cell)))
        };
        $($crate::g_local! { $($rest)* })?
    };
}
