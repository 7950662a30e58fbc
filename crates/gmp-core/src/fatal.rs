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
    use std::io::Write;
    let message = format!("fatal error: gmp: broken invariant: {invariant}: {what}\n");
    // Nothing is left to be done about a failing standard error.
    let _ = std::io::stderr().write_all(message.as_bytes());
    std::process::abort()
}

/// Turns an unwind through its scope into a [`fatal!`](crate::fatal!); forget it where the scope ends well. It does not
/// ask `thread::panicking`, which is true as well while a goroutine that unwinds is parked. Go: none; Rust's answer to
/// foreign code.
#[derive(Debug)]
pub(crate) struct NoUnwind(pub(crate) &'static str);

impl NoUnwind {
    /// The scope ends well.
    pub(crate) fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for NoUnwind {
    fn drop(&mut self) {
        crate::fatal!("nothing unwinds through the scheduler", "a panic came out of {}", self.0);
    }
}
