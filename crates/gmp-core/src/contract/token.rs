//! `Token`: a queued thing, whether the right to run a goroutine or a test's probe.

use core::cell::UnsafeCell;
use core::ptr::NonNull;

/// The intrusive link of a queued thing: one pointer, so that a list of tokens needs no memory of its own.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Link {
    next: UnsafeCell<Option<NonNull<Link>>>,
}

// SAFETY: the pointer is read and written only through `Token`'s list, whose clause T2 says that one list at a time
// owns the link; the lock or hand-over that moves the list between threads orders the accesses.
unsafe impl Send for Link {}
// SAFETY: as above: shared references to a link do not touch the pointer.
unsafe impl Sync for Link {}

impl Link {
    /// A link that points nowhere.
    pub const fn new() -> Self {
        Self { next: UnsafeCell::new(None) }
    }

    /// Where the link points.
    ///
    /// # Safety
    /// The caller owns the token that this link belongs to (clause T2).
    #[inline]
    pub(crate) unsafe fn next(&self) -> Option<NonNull<Link>> {
        // SAFETY: the caller owns the token, so nobody else reads or writes the cell.
        unsafe { *self.next.get() }
    }

    /// Points the link at `next`.
    ///
    /// # Safety
    /// The same as for [`Link::next`].
    #[inline]
    pub(crate) unsafe fn set_next(&self, next: Option<NonNull<Link>>) {
        // SAFETY: the caller owns the token, so nobody else reads or writes the cell.
        unsafe { *self.next.get() = next }
    }
}

/// A queued thing. In the runtime it is a [`Runnable`](crate::Runnable), the one right to run a goroutine; in suites,
/// fuzzers, models and benches it is a probe. So a queue is judged without a runtime, and no safe code can forge the
/// right to run a goroutine: this trait is implemented by core and by its suites, never by a policy.
///
/// A token is linear: it is neither copied nor silently dropped. What a `drop` means is the implementer's business
/// (a `Runnable` aborts the process and names its goroutine).
///
/// # Safety
/// - **T1** `into_raw` gives away ownership, `from_raw` takes it back; the same address means the same token.
/// - **T2** The pointer stays valid, with its [`Link`], for as long as the token is owned by anyone; whoever owns the
///   raw pointer owns the link.
/// - **T3** The address is at least 8-aligned, so that an atomic slot may keep up to three bits beside it.
pub unsafe trait Token: Send + Sized + 'static {
    /// The number to name this token by in a diagnosis (the goroutine's number).
    fn number(&self) -> u64;

    /// Gives up the token for its address. Pair with [`Token::from_raw`], or it leaks.
    fn into_raw(self) -> NonNull<Link>;

    /// Takes the token back.
    ///
    /// # Safety
    /// `raw` came from `into_raw` of the same type, and nobody has called `from_raw` on it since.
    unsafe fn from_raw(raw: NonNull<Link>) -> Self;
}
