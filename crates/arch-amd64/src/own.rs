//! `OwnAmd64`: the switch for flows that have thread-locals of their own.
//!
//! It is the switch of `switch.rs`, argued there point by point, with one register more: the base of the flow's block,
//! which lies in FS. The kernel and glibc never look at FS while a flow is suspended, so it is saved and restored like
//! rbx:
//!
//! ```text
//!   higher addresses
//!   |  the flow's frames          |            |  base of the block, kept    |  a fresh stack
//!   +-----------------------------+            |  unused                     |
//!   |  rbp                        |            |  0                          |
//!   |  rbx                        |            |  entry                      |
//!   |  base of the flow's block   |            +-----------------------------+
//!   |  where to resume            |            |  base of the block          |
//!   +-----------------------------+            |  own_first_frame            |  <- Context
//!   lower addresses
//! ```
//!
//! A block stays with its stack while that is used again and again: the base that is kept at the top says which it is.
//! It is made fresh by the flow that ends, as the last thing that it does (`make_fresh`).
//!
//! # What is the thread's
//!
//! Two words of the block belong to the thread and not to the flow: those that lead to malloc's cache and arena
//! (`thread_block.rs`). The switch reads them in the block that it leaves and writes them in the one that it goes to. No
//! flow is ever suspended inside malloc, so malloc always finds the words of its thread.
//!
//! A signal handler that runs in the middle finds the FS and the words of the one or the other flow, and a stack that is
//! one of theirs: it returns before either goes on.

use core::arch::{asm, naked_asm};
use gmp_core::contract::{Carry, Context, Entry, SavedRegisters, Stack, Switch, ThreadSlice};

use crate::thread_block::{self, CARRIED, HomeGuard};
use crate::{Amd64, Amd64Slot, AttachedThread, first_frame};

/// The context switch of x86-64 Linux with glibc for flows with thread-locals of their own. It may be used only where
/// [`own_thread_locals_available`](crate::own_thread_locals_available) says so.
///
/// Only who ends a flow may end its thread-locals:
///
/// ```compile_fail,E0133
/// use gmp_core::contract::Switch;
/// std::thread_local! { static TEXT: String = String::from("still borrowed") }
/// TEXT.with(|text| {
///     gmp_arch_amd64::OwnAmd64::end_of_flow();
///     println!("{text}");
/// });
/// ```
///
/// ```compile_fail,E0133
/// use gmp_core::contract::Switch;
/// gmp_arch_amd64::OwnAmd64::make_fresh();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnAmd64;

/// What a thread needs while it runs flows with thread-locals of their own.
#[derive(Debug)]
pub struct OwnThread {
    home: HomeGuard,
    _signals: AttachedThread,
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        thread_block::flush();
    }
}

// SAFETY: C1 to C5 and C7 as for `Amd64`, and FS is kept like any register. C6: a flow's thread-locals stay at their
// addresses wherever it runs, because they are its own; of the thread nothing is read here but what the switch takes along.
unsafe impl Switch for OwnAmd64 {
    type Slot = Amd64Slot;
    type Thread = OwnThread;

    const OWN_THREAD_LOCALS: bool = true;

    const SAVED: Option<SavedRegisters> = Some(SavedRegisters { pc: 0, frame_pointer: 3, words: 4 });

    fn thread_id() -> Option<i32> {
        Amd64::thread_id()
    }

    #[inline(always)]
    fn prefetch(at: *const (), bytes: usize) {
        Amd64::prefetch(at, bytes);
    }

    fn cpu_clock() -> Option<i32> {
        Amd64::cpu_clock()
    }

    fn cpu_time(clock: i32) -> Option<u64> {
        Amd64::cpu_time(clock)
    }

    fn sleeps(clock: i32) -> Option<bool> {
        Amd64::sleeps(clock)
    }

    fn ask_for_slice(thread: i32, slice: ThreadSlice) {
        Amd64::ask_for_slice(thread, slice);
    }

    fn cpu() -> Option<usize> {
        Amd64::cpu()
    }

    fn heavy_fence() -> Option<fn()> {
        Amd64::heavy_fence()
    }

    fn probe_memory() -> Option<fn(usize) -> std::io::Result<()>> {
        Amd64::probe_memory()
    }

    fn attach_thread() -> std::io::Result<OwnThread> {
        thread_block::available().map_err(std::io::Error::other)?;
        Ok(OwnThread { _signals: AttachedThread::attach()?, home: HomeGuard::new() })
    }

    fn home(thread: &OwnThread) -> usize {
        thread.home.base()
    }

    #[inline]
    unsafe fn init(stack: &Stack, entry: Entry) -> std::io::Result<Context> {
        let block = thread_block::take()?;
        thread_block::describe_stack(block, stack.bottom().as_ptr().addr(), stack.size());
        // SAFETY: the caller owns the unused stack, as `Switch::init` demands.
        Ok(unsafe {
            first_frame::init_with(stack, entry, own_first_frame as *const () as usize, Some(block))
        })
    }

    #[inline(always)]
    unsafe fn switch(save: *mut Context, to: Context, carry: Carry) -> Carry {
        #[cfg(debug_assertions)]
        let before = crate::switch::float_control::read();
        // SAFETY: the caller's promises are the same.
        let carry = unsafe { switch_raw(save, to, carry) };
        #[cfg(debug_assertions)]
        crate::switch::float_control::expect(before);
        carry
    }

    #[inline]
    unsafe fn init_again(stack: &Stack, entry: Entry) -> Context {
        // SAFETY: a flow has ended on it, as `Switch::init_again` demands, and it was laid out here.
        let block = unsafe { first_frame::block_of(stack) };
        // SAFETY: the caller owns the unused stack.
        unsafe { first_frame::init_with(stack, entry, own_first_frame as *const () as usize, Some(block)) }
    }

    #[inline]
    unsafe fn release(stack: &Stack) {
        // SAFETY: a flow has ended on it, as `Switch::release` demands, and it was laid out here.
        thread_block::put(unsafe { first_frame::block_of(stack) });
    }

    fn flush() {
        thread_block::flush();
    }

    #[inline]
    unsafe fn end_of_flow() {
        thread_block::end_of_flow();
    }

    #[inline]
    unsafe fn make_fresh() {
        thread_block::make_fresh(thread_block::base());
    }

    unsafe fn call_for(of: Context, f: unsafe fn(*mut ()), data: *mut ()) {
        /// What passes through the C interface.
        struct Call {
            f: unsafe fn(*mut ()),
            data: *mut (),
        }
        unsafe extern "C" fn call(call: *mut core::ffi::c_void) {
            // SAFETY: made below, and used once.
            let call = unsafe { &*call.cast::<Call>() };
            // SAFETY: the caller of `call_for` says so.
            unsafe { (call.f)(call.data) };
        }
        let mut wanted = Call { f, data };
        // SAFETY: a suspended flow has its block's base above its resume address.
        unsafe {
            let block = of.0.cast::<usize>().add(1).read();
            thread_block::call_on(block, call, (&raw mut wanted).cast());
        }
    }
}

/// The switch proper.
///
/// # Safety
/// The same as for [`Switch::switch`].
#[inline(always)]
unsafe fn switch_raw(save: *mut Context, to: Context, carry: Carry) -> Carry {
    let brought: Carry;
    // SAFETY: the head of `switch.rs` argues point by point that everything not declared here is as before when control
    // comes back, and so is FS; `save` is valid for a write, and `to` is the stack pointer of a flow with a block.
    unsafe {
        asm!(
            // Here: rdi = carry, rsi = to, rdx = save, rsp = the present stack, 16-aligned.
            "lea rax, [rip + 2f]",
            "mov rcx, [rip + {carried}]",
            "mov r10, [rip + {carried} + 8]",
            "mov r8, fs:[rcx]",
            "mov r9, fs:[r10]",
            "push rbp",
            "push rbx",
            "push qword ptr fs:[0]",
            "push rax",
            "mov [rdx], rsp",
            "mov rsp, rsi",
            "pop rax",
            "pop r11",
            "wrfsbase r11",
            "mov fs:[rcx], r8",
            "mov fs:[r10], r9",
            "jmp rax",
            // Here, some time later: rdi = the carry of whoever switched to us, rsp = above the base, FS = our block;
            // of all others nothing is known.
            "2:",
            "pop rbx",
            "pop rbp",
            carried = sym CARRIED,
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

/// Where a fresh stack begins: see `first_frame.rs`.
#[unsafe(naked)]
unsafe extern "C" fn own_first_frame() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        // Here: rdi = carry, rsp = top - 32, [rsp] = entry, FS = the block.
        "2:",
        "xor ebp, ebp",
        "call [rsp]",
        // Here: rax = the context to leave to. Nothing on this stack is needed again, and the block is fresh.
        "xor edi, edi",
        "test rax, rax",
        "jz 2b",
        "mov rcx, [rip + {carried}]",
        "mov r10, [rip + {carried} + 8]",
        "mov r8, fs:[rcx]",
        "mov r9, fs:[r10]",
        "mov rsp, rax",
        "pop rax",
        "pop r11",
        "wrfsbase r11",
        "mov fs:[rcx], r8",
        "mov fs:[r10], r9",
        "jmp rax",
        "ud2",
        ".cfi_endproc",
        carried = sym CARRIED,
    )
}
