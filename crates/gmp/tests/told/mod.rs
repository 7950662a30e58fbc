//! The mode in which the tests' goroutines run, unless a test is about modes: with thread-locals of their own, as is
//! the default, or with those of their threads, as `GMP_TEST_MODE=shared` asks. `cargo xtask ci shared` runs them so.

use gmp::Builder;
use gmp::contract::Policy;

/// A builder for goroutines that move between threads.
pub(crate) fn moving<P: Policy>(builder: Builder<P>) -> Builder<P> {
    let shared = std::env::var_os("GMP_TEST_MODE").is_some_and(|mode| mode == "shared");
    // Under valgrind there is no other mode.
    if shared || gmp_arch_amd64::own_thread_locals_available().is_err() {
        // SAFETY: no test that asks for this holds a borrow of a thread-local, or a lock of std's, across a suspension.
        unsafe { builder.share_thread_locals() }
    } else {
        builder.own_thread_locals()
    }
}
