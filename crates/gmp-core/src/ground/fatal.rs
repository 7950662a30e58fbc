//! `fatal!`: an invariant of ours is broken; say which, and abort.

/// Prints the broken invariant with what is known and aborts the process. Go: `throw`.
///
/// Written with one `write` to standard error, so that it works on a goroutine's small stack.
#[macro_export]
#[doc(hidden)]
macro_rules! fatal {
    ($invariant:expr, $($what:tt)+) => {
        $crate::fatal::abort($invariant, ::core::format_args!($($what)+))
    };
}

/// The end of [`fatal!`](crate::fatal!).
#[doc(hidden)]
#[cold]
#[inline(never)]
pub fn abort(invariant: &str, what: core::fmt::Arguments<'_>) -> ! {
    crate::ground::tell::tell(&format!("fatal error: gmp: broken invariant: {invariant}: {what}\n"));
    std::process::abort()
}

/// Turns an unwind out of `call` into a [`fatal!`](crate::fatal!). Go: none; Rust's answer to foreign code.
///
/// Not by `thread::panicking`: on g0 that is true too while the M is reserved for a goroutine that unwinds.
pub(crate) fn no_unwind<R>(what: &'static str, call: impl FnOnce() -> R) -> R {
    struct Guard(&'static str);
    impl Drop for Guard {
        fn drop(&mut self) {
            crate::fatal!("nothing unwinds through the scheduler", "a panic came out of {}", self.0);
        }
    }
    let guard = Guard(what);
    let result = call();
    core::mem::forget(guard);
    result
}
