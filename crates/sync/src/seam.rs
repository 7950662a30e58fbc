//! The seam between the protocols and the machine: atomics and threads, or loom's models of them.

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

/// A function that is `const`, except under loom, whose atomics are made at run time.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])*
        #[cfg(not(loom))]
        $vis const fn $name($($arg: $type),*) -> $ret $body
        $(#[$attr])*
        #[cfg(loom)]
        $vis fn $name($($arg: $type),*) -> $ret $body
    };
}
pub(crate) use const_fn;

/// A random word, of a generator of this thread's own.
///
/// Not to be inlined: its caller may come back from a sleep on another thread, and must not remember where this thread's
/// generator is.
#[cfg(not(loom))]
#[inline(never)]
pub(crate) fn random() -> u64 {
    fastrand::u64(..)
}

/// In a model the word is part of the model: all orders are explored by setting it.
#[cfg(loom)]
pub(crate) fn random() -> u64 {
    RANDOM.load(std::sync::atomic::Ordering::Relaxed)
}

/// What [`random`] gives in a model.
#[cfg(loom)]
pub(crate) static RANDOM: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
