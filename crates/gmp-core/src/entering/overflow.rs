//! What to say when a goroutine overflows its stack. Called in a signal handler: no allocation, no lock.

use crate::entering::current::{Current, current};
use core::fmt::Write;

/// If the calling thread runs a goroutine and `address` lies in the `guard` bytes below its stack, writes one line
/// about it and returns `true`.
pub fn describe(address: usize, guard: usize, out: &mut dyn Write) -> bool {
    let Current::G(g) = current() else { return false };
    // SAFETY: the record is this thread's own while it runs the goroutine; the stack is only looked at.
    let Some(stack) = (unsafe { &*g.stack.as_ptr() }) else { return false };
    let bottom = stack.bottom().as_ptr().addr();
    if !(bottom.saturating_sub(guard)..bottom).contains(&address) {
        return false;
    }
    // Promised is a power of two (`Builder::stack_size`); what a stack has beyond it, its first frame may leave unused.
    let kib = (1_usize << stack.size().ilog2()) / 1024;
    let name = g.extra().and_then(|extra| extra.name.as_deref());
    let at = g.created_at.get();
    let number = g.number.get();
    // A writer of bounded length does not fail.
    let _ = match name {
        Some(name) => write!(out, "goroutine {number} [{name}]"),
        None => write!(out, "goroutine {number}"),
    };
    let _ = write!(
        out,
        " overflowed its stack of {kib} KiB; created by {}:{}; see Builder::stack_size",
        at.file(),
        at.line()
    );
    true
}
