//! `Amd64Slot`: one word per OS thread, read in two instructions and never cached by the compiler.
//!
//! A `thread_local!` will not do. A goroutine can wake up on another thread, and LLVM may compute a thread-local's
//! address before a switch and use it after. So the slot is declared and reached in assembly (clause K2):
//!
//! 1. The slot lies in `.tbss`: the loader makes one for each thread, zeroed (clause K1).
//! 2. Its offset from the thread's base comes from the global offset table (the initial-exec model; in an executable
//!    the linker turns the load into a constant).
//! 3. The address is formed and used inside one asm block that is not `pure`, so the compiler may neither move it over
//!    a switch nor merge two of them, and never sees the address.
//!
//! A library loaded with `dlopen` takes 8 bytes of the reserve that glibc keeps for this model.

use core::arch::{asm, global_asm};
use gmp_core::contract::CurrentSlot;

global_asm!(
    ".pushsection .tbss.gmp_current_g, \"awT\", @nobits",
    ".balign 8",
    ".globl gmp_current_g",
    ".hidden gmp_current_g",
    ".type gmp_current_g, @object",
    ".size gmp_current_g, 8",
    "gmp_current_g:",
    ".zero 8",
    ".popsection",
);

/// The slot in which a thread keeps its current goroutine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amd64Slot;

// SAFETY: K1: the section is thread-local and zeroed, one word per thread. K2: see the head of this file.
unsafe impl CurrentSlot for Amd64Slot {
    #[inline(always)]
    fn get() -> *mut () {
        let value;
        // SAFETY: reads this thread's own slot, which lives as long as the thread.
        unsafe {
            asm!(
                "mov {value}, qword ptr [rip + gmp_current_g@GOTTPOFF]",
                "mov {value}, qword ptr fs:[{value}]",
                value = out(reg) value,
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    }

    #[inline(always)]
    unsafe fn set(value: *mut ()) {
        // SAFETY: writes this thread's own slot, which lives as long as the thread; what the value means is the
        // caller's business.
        unsafe {
            asm!(
                "mov {offset}, qword ptr [rip + gmp_current_g@GOTTPOFF]",
                "mov qword ptr fs:[{offset}], {value}",
                offset = out(reg) _,
                value = in(reg) value,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Where the calling thread's slot lies.
fn address() -> usize {
    let address;
    // SAFETY: computes what `get` and `set` compute; the base's first word holds the base.
    unsafe {
        asm!(
            "mov {address}, qword ptr [rip + gmp_current_g@GOTTPOFF]",
            "add {address}, qword ptr fs:[0]",
            address = out(reg) address,
            options(nostack, readonly),
        );
    }
    address
}

/// Checks that each thread really has a slot of its own, as a wrong linker script or a merged section would break it
/// silently. Costs one short thread; meant for a runtime's start. Nothing is written: allocators and signal handlers
/// may read the slot at any time.
///
/// # Errors
/// The thread could not be started, or two threads share the slot.
pub fn verify_slot() -> std::io::Result<()> {
    let look = || (address(), Amd64Slot::get().is_null());
    let other = std::thread::Builder::new().name("gmp-verify-slot".into()).spawn(look)?;
    match other.join() {
        Ok((theirs, true)) if theirs != address() => Ok(()),
        _ => Err(std::io::Error::other("two threads share the slot of the current goroutine")),
    }
}
