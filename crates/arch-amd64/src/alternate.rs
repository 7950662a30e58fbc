//! `AttachedThread`: a signal stack of its own for a thread that runs goroutines.
//!
//! When a goroutine has run into its guard there is no stack left to run a signal handler on, so the kernel must be
//! told of another. The standard library does the same for its threads, with a stack just large enough for its own
//! handler; ours also has room for a describer that formats, and is put back on when the thread is detached.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use std::io;

use gmp_core::contract::{Region, Slab, StackError};

use crate::{Guarded, overflow};

/// Room on the signal stack beyond the frame that the kernel itself pushes: enough for formatting a report, for the
/// standard library's handler and for one of a crash reporter. Only touched pages cost memory.
const ROOM: usize = 64 << 10;

/// What a thread needs while it runs goroutines. Dropped, the thread has its former signal stack again.
///
/// It stays on its thread (it is not `Send`). Dropping it inside a signal handler, or while another signal stack has
/// been put over ours, leaves the stack in place and leaks it.
#[derive(Debug)]
pub struct AttachedThread {
    region: Guarded,
    slab: Option<Slab>,
    before: libc::stack_t,
    stays_on_its_thread: PhantomData<*mut ()>,
}

impl AttachedThread {
    /// Puts a signal stack under the calling thread and, once in a process, installs the fault handler.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn attach() -> io::Result<Self> {
        overflow::install_handlers()?;
        let region = Guarded::default();
        let page = region.page_size();
        let size = (kernel_frame() + ROOM).next_multiple_of(page);
        let slab = region.reserve(1, size + page, page).map_err(into_io)?;
        let mut thread = Self { region, slab: None, before: no_stack(), stays_on_its_thread: PhantomData };
        let ready = region.guard(&slab, 0).map_err(into_io).and_then(|()| {
            // SAFETY: the guard is the lowest page of a mapping of `page + size` bytes.
            let bottom = unsafe { slab.base().add(page) };
            let ours = libc::stack_t { ss_sp: bottom.as_ptr().cast(), ss_flags: 0, ss_size: size };
            exchange(Some(&ours))
        });
        match ready {
            Ok(before) => {
                thread.before = before;
                thread.slab = Some(slab);
                Ok(thread)
            }
            Err(error) => {
                // SAFETY: the slab is ours and was never put to use.
                unsafe { region.release(slab) };
                Err(error)
            }
        }
    }
}

impl Drop for AttachedThread {
    fn drop(&mut self) {
        crate::asleep::forget_this_thread();
        let Some(slab) = self.slab.take() else { return };
        let ours = slab.base().addr().get() + slab.guard();
        let in_place = exchange(None).is_ok_and(|now| now.ss_sp.addr() == ours);
        if in_place && exchange(Some(&self.before)).is_ok() {
            // SAFETY: the kernel no longer knows this stack, and it refuses the exchange (EPERM) while the thread is
            // on it.
            unsafe { self.region.release(slab) };
        }
    }
}

/// The description of no stack at all.
fn no_stack() -> libc::stack_t {
    libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 }
}

/// Reads the thread's signal stack, and replaces it if there is a new one.
fn exchange(new: Option<&libc::stack_t>) -> io::Result<libc::stack_t> {
    let mut old = MaybeUninit::uninit();
    let new = new.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: both pointers are null or valid; a new stack is memory that stays mapped until it is replaced again.
    if unsafe { libc::sigaltstack(new, old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and so has filled it in.
    Ok(unsafe { old.assume_init() })
}

/// How much the kernel pushes at most when it delivers a signal; with AVX-512 and AMX it is more than SIGSTKSZ says.
fn kernel_frame() -> usize {
    // SAFETY: reads the vector that the kernel passed to the process; 0 if the entry is missing.
    let said = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) };
    usize::try_from(said).unwrap_or(0).max(libc::MINSIGSTKSZ)
}

/// The operating system's words for a stack error.
fn into_io(error: StackError) -> io::Error {
    match error {
        StackError::OutOfMemory { errno } => io::Error::from_raw_os_error(errno),
        other => io::Error::other(other),
    }
}
