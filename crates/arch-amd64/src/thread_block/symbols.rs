//! What glibc is asked for by name, because no public header has it: two symbols of its private version, and the place
//! of rseq.

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use super::missing::Missing;

/// One entry of glibc's table of keys.
#[repr(C)]
pub(super) struct Key {
    /// Odd while the key is in use.
    pub(super) sequence: usize,
    pub(super) destructor: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// What was found.
#[derive(Clone, Copy)]
pub(super) struct Symbols {
    /// Runs the destructors that were registered by `__cxa_thread_atexit_impl`, as `std` does.
    pub(super) call_tls_dtors: unsafe extern "C" fn(),
    /// The table of keys.
    pub(super) keys: NonNull<Key>,
    /// Where the rseq area begins, in bytes from the base; `None`: this glibc registers none.
    pub(super) rseq: Option<isize>,
    /// Bytes of the rseq area.
    rseq_size: usize,
}

/// What the rseq area takes at the least, whatever part of it the kernel fills in.
const RSEQ_AREA: usize = 32;

// SAFETY: addresses of the process's own libc.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}

impl Symbols {
    /// Whether the word at this distance from the base belongs to the rseq area. The kernel writes there at any time: on
    /// which CPU the thread runs, and which of the process's numbers it has there.
    pub(super) fn is_rseq(&self, offset: isize) -> bool {
        self.rseq.is_some_and(|rseq| (rseq..rseq + self.rseq_size.cast_signed()).contains(&offset))
    }
}

/// Looks them up.
pub(super) fn find() -> Result<Symbols, Missing> {
    let dtors = private(c"__call_tls_dtors")?;
    // SAFETY: the function of this name takes nothing and returns nothing, in every glibc since 2.18; `trial.rs` calls
    // it.
    let call_tls_dtors = unsafe { core::mem::transmute::<NonNull<c_void>, unsafe extern "C" fn()>(dtors) };
    let keys = private(c"__pthread_keys")?.cast();
    // SAFETY: looks a name up.
    let (offset, size) = unsafe { (public(c"__rseq_offset"), public(c"__rseq_size")) };
    let (rseq, rseq_size) = match (offset, size) {
        (Some(offset), Some(size)) => {
            // SAFETY: glibc's documentation says that they are of these types.
            let (offset, size) = unsafe { (offset.cast::<isize>().read(), size.cast::<u32>().read()) };
            ((size != 0).then_some(offset), (size as usize).max(RSEQ_AREA))
        }
        _ => (None, RSEQ_AREA),
    };
    Ok(Symbols { call_tls_dtors, keys, rseq, rseq_size })
}

fn private(name: &CStr) -> Result<NonNull<c_void>, Missing> {
    // SAFETY: looks a name up.
    let found = unsafe { libc::dlvsym(libc::RTLD_DEFAULT, name.as_ptr(), c"GLIBC_PRIVATE".as_ptr()) };
    NonNull::new(found).ok_or_else(|| {
        Missing::new(format!(
            "this libc has no {}, which runs destructors (it must be glibc, linked dynamically)",
            name.to_string_lossy()
        ))
    })
}

/// # Safety
/// There is no requirement, except that what is found is used as what it is.
unsafe fn public(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: looks a name up.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}
