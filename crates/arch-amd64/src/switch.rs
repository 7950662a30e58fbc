//! `Amd64`: save one flow of control and continue another.
//!
//! # How
//!
//! A suspended flow is one address, its stack pointer. Below it lies nothing, above it what the switch pushed:
//!
//! ```text
//!   higher addresses
//!   |  the flow's frames          |
//!   |  ... up to 128 bytes that the compiler keeps clear of (it knows that this asm pushes)
//!   +-----------------------------+
//!   |  rbp                        |  +16
//!   |  rbx                        |  +8
//!   |  where to resume            |  <- Context
//!   +-----------------------------+
//!   lower addresses
//! ```
//!
//! A fresh stack has the same word at its `Context`, so that the switch can not tell the two apart; see
//! `first_frame.rs` for what lies above it.
//!
//! # Why it is right (clause C1)
//!
//! 1. The calling convention wants rbx, rbp, rsp, r12 to r15, the direction flag and the floating-point control words
//!    kept over a call. A switch looks like a call that keeps even less: whatever asm declares as clobbered, the
//!    compiler does not use over it.
//! 2. r12 to r15 are declared clobbered, as is everything that `clobber_abi` names. So the compiler saves those that
//!    are in use, and only those, beside the switch: in a scheduler's loop that is often none.
//! 3. rbx and rbp can not be declared, as LLVM reserves them for itself; they are pushed and popped here.
//! 4. rsp is `Context`. After the two pops it is what it was before the two pushes.
//! 5. The direction flag is clear on entry to any asm and nothing here sets it.
//! 6. Control leaves by `jmp`, not by `ret`: the processor predicts a `ret` by the `call` before it, which was made on
//!    another stack, and would be wrong each time (11 to 16 ns a switch instead of 3).
//! 7. The asm is not `pure`, may read and write memory, and is no `nostack`: the compiler finishes its stores
//!    before it, forgets what it has read after it, and keeps the red zone clear.
//! 8. It is inlined into its caller, which gives each place of use a jump of its own to predict.
//!
//! Shadow stacks (CET) are not supported: glibc leaves them off unless asked.

use core::arch::asm;
use gmp_core::contract::{Carry, Context, Entry, SavedRegisters, Stack, Switch, ThreadSlice};

use crate::{Amd64Slot, AttachedThread, first_frame};

/// The context switch of x86-64 Linux, in inline assembly. See the crate's documentation for what it does not keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amd64;

// SAFETY: C1 is argued point by point at the head of this file. C2: `first_frame` lays out the stack and its
// trampoline. C3: the carry stays in rdi from one side to the other. C4: both flows run on one thread here, and
// whoever resumes the saved context elsewhere got it through core's own synchronisation, which comes after this
// thread's stores. C5: the entry is `extern "C"`, so an unwind out of it aborts. C6: no address of a thread is read
// here. C7: `AttachedThread` keeps it.
unsafe impl Switch for Amd64 {
    type Slot = Amd64Slot;
    type Thread = AttachedThread;

    const SAVED: Option<SavedRegisters> = Some(SavedRegisters { pc: 0, frame_pointer: 2, words: 3 });

    fn thread_id() -> Option<i32> {
        Some(crate::cpus::thread_id())
    }

    #[inline(always)]
    fn prefetch(at: *const (), bytes: usize) {
        for offset in (0..bytes).step_by(64) {
            // The line is fetched for writing, so that it need not be asked for a second time. Processors that do not
            // know this prefetch do nothing at all.
            // SAFETY: a prefetch changes nothing that a program could see, and never faults.
            unsafe {
                asm!("prefetchw [{}]", in(reg) at.wrapping_byte_add(offset), options(nostack, preserves_flags));
            }
        }
    }

    fn cpu_clock() -> Option<i32> {
        crate::cpus::own_clock()
    }

    fn cpu_time(clock: i32) -> Option<u64> {
        crate::cpus::time_of(clock)
    }

    fn sleeps(clock: i32) -> Option<bool> {
        crate::asleep::sleeps(clock)
    }

    fn ask_for_slice(thread: i32, slice: ThreadSlice) {
        crate::thread_slice::ask(thread, slice);
    }

    fn cpu() -> Option<usize> {
        crate::cpus::current_cpu()
    }

    fn heavy_fence() -> Option<fn()> {
        crate::heavy_fence::heavy_fence()
    }

    fn probe_memory() -> Option<fn(usize) -> std::io::Result<()>> {
        Some(crate::memory::probe_memory)
    }

    #[inline]
    fn attach_thread() -> std::io::Result<AttachedThread> {
        AttachedThread::attach()
    }

    #[inline]
    unsafe fn init(stack: &Stack, entry: Entry) -> std::io::Result<Context> {
        // SAFETY: the caller owns the unused stack, as `Switch::init` demands.
        Ok(unsafe { first_frame::init(stack, entry) })
    }

    #[inline]
    unsafe fn init_again(stack: &Stack, entry: Entry) -> Context {
        // SAFETY: as above; a context here has nothing beside its stack.
        unsafe { first_frame::init(stack, entry) }
    }

    #[inline(always)]
    unsafe fn switch(save: *mut Context, to: Context, carry: Carry) -> Carry {
        #[cfg(debug_assertions)]
        let before = float_control::read();
        // SAFETY: the caller's promises are the same.
        let carry = unsafe { switch_raw(save, to, carry) };
        #[cfg(debug_assertions)]
        float_control::expect(before);
        carry
    }
}

/// The switch proper.
///
/// # Safety
/// The same as for [`Switch::switch`].
#[inline(always)]
unsafe fn switch_raw(save: *mut Context, to: Context, carry: Carry) -> Carry {
    let brought: Carry;
    // SAFETY: the head of this file argues point by point that everything not declared here is as before when control
    // comes back; `save` is valid for a write, and `to` is a stack pointer with a resume address under it.
    unsafe {
        asm!(
            // Here: rdi = carry, rsi = to, rdx = save, rsp = the present stack, 16-aligned.
            "lea rax, [rip + 2f]",
            "push rbp",
            "push rbx",
            "push rax",
            "mov [rdx], rsp",
            "mov rsp, rsi",
            "pop rax",
            "jmp rax",
            // Here, some time later: rdi = the carry of whoever switched to us, rsp = above the resume address;
            // of all others nothing is known.
            "2:",
            "pop rbx",
            "pop rbp",
            inlateout("rdi") carry => brought,
            inlateout("rsi") to.0 => _,
            inlateout("rdx") save => _,
            lateout("r12") _,
            lateout("r13") _,
            lateout("r14") _,
            lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    brought
}

/// The floating-point control words, checked in builds with debug assertions because a switch does not keep them.
#[cfg(debug_assertions)]
pub(crate) mod float_control {
    use core::arch::asm;

    /// The low six bits of MXCSR are sticky flags, which any arithmetic may set; the rest is control.
    const MXCSR_FLAGS: u32 = 0x3f;

    /// MXCSR's control bits and the x87 control word of this thread.
    #[inline]
    pub(crate) fn read() -> (u32, u16) {
        let mut mxcsr = 0_u32;
        let mut x87 = 0_u16;
        // SAFETY: both instructions only store to the two locals.
        unsafe {
            asm!(
                "stmxcsr [{mxcsr}]",
                "fnstcw [{x87}]",
                mxcsr = in(reg) &raw mut mxcsr,
                x87 = in(reg) &raw mut x87,
                options(nostack, preserves_flags),
            );
        }
        (mxcsr & !MXCSR_FLAGS, x87)
    }

    /// Aborts if the words are not what this flow had when it switched away.
    #[inline]
    pub(crate) fn expect(before: (u32, u16)) {
        let after = read();
        if after != before {
            changed(before, after);
        }
    }

    #[cold]
    #[inline(never)]
    fn changed(before: (u32, u16), after: (u32, u16)) -> ! {
        eprintln!(
            "fatal: floating-point control changed over a context switch: MXCSR {:#x} -> {:#x}, x87 {:#x} -> {:#x}; \
             a goroutine must restore it before it suspends",
            before.0, after.0, before.1, after.1
        );
        std::process::abort();
    }
}
