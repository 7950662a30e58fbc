//! What to say when a goroutine overflows its stack. Called in a signal handler: no allocation, no lock.

use crate::entering::caller::{Caller, caller};
use core::fmt::{self, Write};

/// A fault that may be an overflow, and what its report has to know.
#[derive(Clone, Copy, Debug)]
pub struct Suspect {
    /// The address that was touched.
    pub address: usize,
    /// How far down the function that touched it was going to reach, if that is known.
    pub frame_end: Option<usize>,
    /// Bytes below a stack that count as its guard.
    pub guard: usize,
    /// The largest stack that can be had, in bytes.
    pub most: usize,
}

/// If the calling thread runs a goroutine and the address lies in the guard of its stack, writes one line about it and
/// returns `true`.
pub fn describe(suspect: &Suspect, out: &mut dyn Write) -> bool {
    let g = match caller() {
        Caller::G(here) => here.g(),
        // A call with the thread's own thread-locals (`thread_home`), whose slot names the M, on a goroutine's stack.
        // SAFETY: records are never freed.
        Caller::Scheduler(m) => match unsafe { m.running().as_ref() } {
            Some(g) => g,
            None => return false,
        },
        Caller::Plain => return false,
    };
    let stack = g.stack.addresses();
    if stack.is_empty()
        || !(stack.start.saturating_sub(suspect.guard)..stack.start).contains(&suspect.address)
    {
        return false;
    }
    // What was promised is a power of two (`Builder::stack_size`); what a stack has beyond that, its first frame may
    // leave unused.
    let promised = 1_usize << stack.len().ilog2();
    let needed = suspect.frame_end.map(|end| stack.end.saturating_sub(end));
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
        " overflowed its stack of {} KiB; created by {}:{}",
        promised / 1024,
        at.file(),
        at.line()
    );
    let _ = advise(promised, needed, suspect.most, out);
    true
}

/// Says how large a stack was needed, if that is known, and how to get it.
fn advise(had: usize, needed: Option<usize>, most: usize, out: &mut dyn Write) -> fmt::Result {
    if let Some(needed) = needed {
        write!(out, "; it needed at least {} KiB", needed.div_ceil(1024))?;
    }
    // What is not known is how far a recursion would have gone on.
    let next = needed.unwrap_or(0).max(had + 1).next_power_of_two();
    if next > most {
        return write!(out, "; a stack of more than {} MiB can only be a thread's", most >> 20);
    }
    let (count, unit) = if next < 1 << 20 { (next >> 10, 'K') } else { (next >> 20, 'M') };
    write!(out, "; set GMP_STACK_SIZE={count}{unit} in the environment, or see Builder::stack_size")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(had: usize, needed: Option<usize>) -> String {
        let mut text = String::new();
        advise(had, needed, 64 << 20, &mut text).unwrap();
        text
    }

    #[test]
    fn the_next_size_is_advised_or_the_one_that_was_needed() {
        assert!(advice(64 << 10, None).starts_with("; set GMP_STACK_SIZE=128K in the environment"));
        assert!(advice(512 << 10, None).starts_with("; set GMP_STACK_SIZE=1M "));
        let needed = advice(64 << 10, Some((1 << 20) + 1));
        assert!(needed.starts_with("; it needed at least 1025 KiB; set GMP_STACK_SIZE=2M "), "{needed}");
    }

    #[test]
    fn above_the_largest_stack_a_thread_is_advised() {
        assert_eq!(advice(64 << 20, None), "; a stack of more than 64 MiB can only be a thread's");
    }
}
