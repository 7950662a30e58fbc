//! The fault handler: a goroutine's stack overflow ends in a report and an abort, any other fault is passed on.
//!
//! One handler for SIGSEGV and SIGBUS in a process, installed when the first thread is attached. It asks the registered
//! *describer*, which knows goroutines, whether the address lies in a goroutine's guard. If so the describer has
//! written the report; it goes out by `write(2)` and the process aborts. Nothing on this way allocates or takes a
//! lock, for the goroutine may have overflowed while it held the allocator's lock or standard error's.
//!
//! Any other fault is not ours, and everything must look as if we were not there. What was installed before us is
//! called the way the kernel would have called it:
//!
//! | before us | then |
//! | --- | --- |
//! | a handler with SA_SIGINFO | it is called with the three arguments |
//! | a plain handler | it is called with the number |
//! | SIG_DFL | restored; the instruction faults again, a signal that someone sent is sent again |
//! | SIG_IGN | restored; the kernel kills a process that ignores its own fault; a signal that someone sent is dropped |
//!
//! Its signal mask, SA_NODEFER and SA_RESTART are taken over when we are installed; SA_RESETHAND is done by hand.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::io;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::errno::Errno;

use crate::{Report, probe};

/// A fault, as far as it matters for telling an overflow from other faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The address that was touched.
    pub address: usize,
    /// Where the frame ends that was being made, if the access was the probe of a large frame.
    pub frame_end: Option<usize>,
}

/// Says whether a fault is a goroutine's stack overflow and, if so, describes it in one line (the line's end is added).
/// Called in a signal handler: it must not allocate, lock, or touch what a thread may be changing.
pub type Describe = fn(fault: Fault, report: &mut Report) -> bool;

/// The describer, or null.
static DESCRIBER: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// The signals that a touched guard raises.
const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was installed before us, one for each of `SIGNALS`.
static PREVIOUS: [OnceLock<libc::sigaction>; 2] = [const { OnceLock::new() }; 2];

/// Sets the function that tells a goroutine's overflow from other faults, for the whole process. The last one set is
/// asked; if none is set, every fault is passed on.
pub fn set_overflow_describer(describe: Describe) {
    // ORDER: describer. Pairs with the load in `describe`: what the caller prepared is there when it is called.
    DESCRIBER.store(describe as *mut (), Ordering::Release);
}

/// Asks the describer.
fn describe(fault: Fault, report: &mut Report) -> bool {
    // ORDER: describer. Pairs with the store in `set_overflow_describer`.
    let describer = DESCRIBER.load(Ordering::Acquire);
    if describer.is_null() {
        return false;
    }
    // SAFETY: only `set_overflow_describer` stores here, and it stores a `Describe`.
    let describer = unsafe { core::mem::transmute::<*mut (), Describe>(describer) };
    describer(fault, report)
}

/// Installs the handler for both signals, once in a process; after a failure the next call tries again.
pub(crate) fn install_handlers() -> io::Result<()> {
    static INSTALLED: Mutex<[bool; 2]> = Mutex::new([false; 2]);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    for (which, &signal) in SIGNALS.iter().enumerate() {
        if !installed[which] {
            // What was there is stored before our handler can run and ask for it.
            let previous = PREVIOUS[which].get_or_init(|| current_action(signal));
            let mut ours = *previous;
            ours.sa_sigaction = handler as *const () as usize;
            ours.sa_flags &= libc::SA_NODEFER | libc::SA_RESTART;
            ours.sa_flags |= libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler keeps to what a signal handler may do; see the head of this file.
            if unsafe { libc::sigaction(signal, &raw const ours, null_mut()) } != 0 {
                return Err(io::Error::last_os_error());
            }
            installed[which] = true;
        }
    }
    Ok(())
}

/// What is installed for a signal.
fn current_action(signal: libc::c_int) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: only reads the present action into a valid place.
    unsafe { libc::sigaction(signal, null(), action.as_mut_ptr()) };
    // SAFETY: filled in by the call, which can not fail for a signal that exists; all zeroes would be SIG_DFL.
    unsafe { action.assume_init() }
}

/// Entered by the kernel on the thread's signal stack.
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let code = unsafe { (*info).si_code };
    // Codes of 0 and below are signals that someone sent: their address means nothing.
    if code > 0 {
        // SAFETY: as above, and the two signals carry an address.
        let address = unsafe { (*info).si_addr() }.addr();
        // SAFETY: the kernel passes the context of the instruction that faulted.
        let frame_end = unsafe { frame_end_at(address, context) };
        let mut report = Report::new();
        if describe(Fault { address, frame_end }, &mut report) {
            report.print();
            std::process::abort();
        }
    }
    // SAFETY: the arguments are the kernel's.
    unsafe { pass_on(signal, info, context) };
    Errno::set_raw(errno);
}

/// Where the frame ends whose probe touched this address.
///
/// # Safety
/// The context is the kernel's for an instruction that faulted.
unsafe fn frame_end_at(address: usize, context: *const c_void) -> Option<usize> {
    // SAFETY: the caller's promise.
    let registers = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register = |which: libc::c_int| registers[which as usize] as usize;
    let (rip, rsp) = (register(libc::REG_RIP), register(libc::REG_RSP));
    // A probe touches the address that rsp points to. A jump to nowhere faults at its target, where no code can be
    // read.
    if rsp != address || rip == address {
        return None;
    }
    // The rest of the page on which the instruction begins: the page behind it may not be there.
    let left = 4096 - rip % 4096;
    // SAFETY: the processor has just read an instruction there, and what it may execute it may read.
    let code = unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(rip), left) };
    probe::frame_end(code, rsp, register(libc::REG_R11))
}

/// Does what would have happened without us.
///
/// # Safety
/// The arguments are those that the kernel gave to the handler.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let which = usize::from(signal != SIGNALS[0]);
    let Some(previous) = PREVIOUS[which].get() else { return restore_default(signal) };
    // SAFETY: the kernel's own siginfo.
    let sent = unsafe { (*info).si_code } <= 0;
    match previous.sa_sigaction {
        libc::SIG_DFL => {
            restore_default(signal);
            if sent {
                // SAFETY: the signal is blocked while we are here and arrives when we return.
                unsafe { libc::raise(signal) };
            }
        }
        libc::SIG_IGN if sent => {}
        libc::SIG_IGN => restore(signal, previous),
        _ => {
            if previous.sa_flags & libc::SA_RESETHAND != 0 {
                restore_default(signal);
            }
            // SAFETY: the arguments are the kernel's, and so was the action.
            unsafe { call(previous, signal, info, context) };
        }
    }
}

/// Calls what was installed before us, if that is a function.
///
/// # Safety
/// The arguments are those that the kernel gave to the handler, and the action is what it had for this signal.
pub(crate) unsafe fn call(
    previous: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    let address = previous.sa_sigaction;
    if address == libc::SIG_DFL || address == libc::SIG_IGN {
        return;
    }
    if previous.sa_flags & libc::SA_SIGINFO != 0 {
        type WithInfo = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: whoever installed it said by SA_SIGINFO that it is a function of this kind.
        let previous = unsafe { core::mem::transmute::<usize, WithInfo>(address) };
        // SAFETY: called as the kernel would have, with the kernel's arguments.
        unsafe { previous(signal, info, context) };
    } else {
        // SAFETY: without SA_SIGINFO a handler is a function of this kind.
        let previous = unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(libc::c_int)>(address) };
        // SAFETY: called as the kernel would have.
        unsafe { previous(signal) };
    }
}

/// Installs the default action.
fn restore_default(signal: libc::c_int) {
    // SAFETY: all zeroes is the default action, no flags and an empty mask.
    let default = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    restore(signal, &default);
}

/// Installs an action that was there before.
fn restore(signal: libc::c_int, action: &libc::sigaction) {
    // SAFETY: the action was valid for this signal when it was there. A failure is impossible for a valid signal, and
    // could not be told to anyone here.
    unsafe { libc::sigaction(signal, action, null_mut()) };
}
