//! A fresh stack: what lies on it, how its first call begins, and how it ends.
//!
//! ```text
//!   higher addresses
//!   +-----------------------------+  <- top, 16-aligned
//!   |  0                          |  -8    nobody's return address, for tools that walk by frame pointers
//!   |  entry                      |  -16
//!   |  first_frame                |  -24   <- Context: where to resume
//!   +-----------------------------+
//!   lower addresses
//! ```
//!
//! The first switch pops `first_frame` and jumps to it. Then:
//!
//! 1. rsp is `top - 16`, 16-aligned as the calling convention wants it before a `call`, and rdi holds the carry, which
//!    is where a first argument belongs.
//! 2. rbp is zeroed: a walk along frame pointers ends here.
//! 3. `.cfi_undefined rip` says that this frame has no caller: an unwinder ends here, in debug and in release builds.
//! 4. The entry is called, and its return address is this frame's.
//! 5. What the entry returns, in rax, is the context to leave to for good: the same three steps as in a switch, except
//!    that nothing is saved and that the carry is null.

use core::arch::naked_asm;
use gmp_core::contract::{Context, Entry, Stack};

/// Lays out a fresh stack.
///
/// # Safety
/// The caller owns the stack, nothing on it is in use, and it outlives the context (`Switch::init`).
#[inline]
pub(crate) unsafe fn init(stack: &Stack, entry: Entry) -> Context {
    let top = stack.top().cast::<usize>();
    debug_assert!(top.addr().is_multiple_of(16), "clause A2: a stack's top is 16-aligned");
    debug_assert!(stack.size() >= 24, "clause A1: a stack has room for its first frame");
    // SAFETY: the three words lie in the stack's uppermost bytes, which are readable and writable (A1), aligned (A2)
    // and the caller's alone (A3).
    unsafe {
        top.sub(1).write(0);
        top.sub(2).write(entry as usize);
        top.sub(3).write(first_frame as *const () as usize);
    }
    Context(top.wrapping_sub(3).cast())
}

/// Where a fresh stack begins. Never called: the first switch jumps here.
#[unsafe(naked)]
unsafe extern "C" fn first_frame() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        // Here: rdi = carry, rsp = top - 16, [rsp] = entry; of all others nothing is known.
        "xor ebp, ebp",
        "call [rsp]",
        // Here: rax = the context to leave to, rsp = top - 16. Nothing on this stack is needed again.
        "mov rsp, rax",
        "xor edi, edi",
        "pop rax",
        "jmp rax",
        // Never reached; it keeps the return address of the call inside this function for every unwinder.
        "ud2",
        ".cfi_endproc",
    )
}
