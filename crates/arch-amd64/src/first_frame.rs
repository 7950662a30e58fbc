//! A fresh stack: what lies on it, how its first call begins, and how it ends.
//!
//! ```text
//!   higher addresses
//!   +-----------------------------+  <- the stack's top, 16-aligned
//!   |  nothing                    |        0 to 960 bytes: the stack's colour
//!   +-----------------------------+  <- top, in what follows
//!   |  0                          |  -8    nobody's return address, for tools that walk by frame pointers
//!   |  entry                      |  -16
//!   |  first_frame                |  -24   <- Context: where to resume
//!   +-----------------------------+
//!   lower addresses
//! ```
//!
//! # Colours
//!
//! The uppermost frames of a stack are the ones that every switch touches. If all stacks began at the end of a page,
//! those frames would share a few sets of the processor's caches, however many stacks there are. So each begins some
//! cache lines lower, by a hash of its address. Going round 1,000 suspended stacks, there and back, costs 45 ns for
//! each when every colour is made 0, and 4.3 ns with the colours (the benchmark `rounds` of gmp-stack). The price is up
//! to 960 bytes of each stack.
//!
//! # The first call
//!
//! The first switch pops `first_frame` and jumps to it. Then:
//!
//! 1. rsp is `top - 16`, 16-aligned as the calling convention wants it before a `call`, and rdi holds the carry, which
//!    is where a first argument belongs.
//! 2. rbp is zeroed: a walk along frame pointers ends here.
//! 3. `.cfi_undefined rip` says that this frame has no caller: an unwinder ends here, in debug and in release builds.
//! 4. The entry is called, and its return address is this frame's.
//! 5. What the entry returns, in rax, is the context to leave to for good: the same three steps as in a switch, except
//!    that nothing is saved and that the carry is null. If it is null, the entry is called once more instead: rsp is what
//!    it was, and of what lies below nothing is needed again.

use core::arch::naked_asm;
use gmp_core::contract::{Context, Entry, Stack};

/// Distance between two colours in bytes: a cache line.
const LINE: usize = 64;

/// How many colours there are. More would spread better and leave less of the first page.
const COLOURS_LOG2: u32 = 4;

/// How many bytes of the stack that ends here are left out.
#[inline]
fn colour_of(top: usize) -> usize {
    // Fibonacci hashing spreads any regular sequence of pages evenly, whatever its stride is.
    ((top >> 12).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - COLOURS_LOG2)) * LINE
}

/// Lays out a fresh stack.
///
/// # Safety
/// The caller owns the stack, nothing on it is in use, and it outlives the context (`Switch::init`).
#[inline]
pub(crate) unsafe fn init(stack: &Stack, entry: Entry) -> Context {
    // SAFETY: the caller's promise.
    unsafe { init_with(stack, entry, first_frame as *const () as usize, None) }
}

/// Lays out a fresh stack that begins at `first`, with the base of the flow's block above that word if it has one
/// (`own.rs` has the picture).
///
/// # Safety
/// The same as for [`init`]; `first` finds such a stack.
#[inline(always)]
pub(crate) unsafe fn init_with(stack: &Stack, entry: Entry, first: usize, block: Option<usize>) -> Context {
    debug_assert!(stack.top().addr().is_multiple_of(16), "clause A2: a stack's top is 16-aligned");
    debug_assert!(stack.size() >= 4096, "clause A1: a stack has room for a colour and its first frame");
    let top = coloured_top(stack);
    // SAFETY: the words lie in the stack's uppermost KiB, whose bytes are readable and writable (A1), aligned (A2)
    // and the caller's alone (A3).
    unsafe {
        let at = match block {
            None => top,
            Some(block) => {
                // The base is kept here, since the call overwrites the one below; with it goes a word that keeps what
                // follows aligned.
                top.sub(1).write(block);
                top.sub(5).write(block);
                top.sub(2)
            }
        };
        at.sub(1).write(0);
        at.sub(2).write(entry as usize);
        let last = top.sub(if block.is_some() { 6 } else { 3 });
        last.write(first);
        Context(last.cast())
    }
}

/// Where the words of a stack's first frame end.
#[inline]
fn coloured_top(stack: &Stack) -> *mut usize {
    stack.top().wrapping_sub(colour_of(stack.top().addr())).cast()
}

/// The block of the flow that has ended on a stack.
///
/// # Safety
/// [`init_with`] has laid the stack out with a block, and the stack has not been given back since.
#[inline]
pub(crate) unsafe fn block_of(stack: &Stack) -> usize {
    // SAFETY: written there, and no flow writes above its first frame.
    unsafe { coloured_top(stack).sub(1).read() }
}

/// Where a fresh stack begins. Never called: the first switch jumps here.
#[unsafe(naked)]
unsafe extern "C" fn first_frame() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        // Here: rdi = carry, rsp = top - 16, [rsp] = entry; of all others nothing is known.
        "2:",
        "xor ebp, ebp",
        "call [rsp]",
        // Here: rax = the context to leave to, rsp = top - 16. Nothing on this stack is needed again.
        "xor edi, edi",
        "test rax, rax",
        "jz 2b",
        "mov rsp, rax",
        "pop rax",
        "jmp rax",
        // Never reached; it keeps the return address of the call inside this function for every unwinder.
        "ud2",
        ".cfi_endproc",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_spread_evenly_and_keep_the_alignment() {
        for stride in [1, 4, 6, 10, 16, 17, 18, 34, 66, 1 << 10] {
            let mut times = [0; 1 << COLOURS_LOG2];
            for index in 0..1600 {
                let colour = colour_of(0x7f12_3456_7000 + index * (stride << 12));
                assert!(colour.is_multiple_of(LINE) && colour <= 960);
                times[colour / LINE] += 1;
            }
            assert!(times.iter().all(|times| (80..=120).contains(times)), "stride {stride}: {times:?}");
        }
    }
}
