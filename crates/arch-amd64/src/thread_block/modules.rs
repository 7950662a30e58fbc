//! Notices when libraries have been loaded or unloaded.
//!
//! The loader's list of libraries is public (`_r_debug`, `link_map`) and grows at its end. As long as nothing follows
//! the library that was last when we began, nothing has been loaded, and to find that out takes one look at memory.
//! Later the loader must be asked.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

/// The public part of the loader's `struct link_map`.
#[repr(C)]
struct LinkMap {
    addr: usize,
    name: *const c_char,
    dynamic: *const c_void,
    next: AtomicPtr<LinkMap>,
    prev: *const LinkMap,
}

/// The beginning of the loader's `struct r_debug`.
#[repr(C)]
struct Debug {
    version: c_int,
    map: *mut LinkMap,
}

/// The library that was the last, kept loaded; null: it is not known, and the loader is asked each time.
static LAST: AtomicPtr<LinkMap> = AtomicPtr::new(null_mut());

/// Begins to watch.
pub(super) fn watch() {
    // SAFETY: looks a name up.
    let debug = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_r_debug".as_ptr()) }.cast::<Debug>();
    if debug.is_null() {
        return;
    }
    // SAFETY: the loader's public list, as <link.h> has it. A library that is unloaded in this very moment is a risk that
    // debuggers take as well; whoever builds a runtime does not unload libraries meanwhile.
    unsafe {
        let mut last = (*debug).map;
        while !last.is_null() {
            let next = (*last).next.load(Ordering::Relaxed);
            if next.is_null() {
                break;
            }
            last = next;
        }
        if last.is_null() {
            return;
        }
        // It stays loaded from here on, so that each look is at a library that is there.
        let kept = libc::dlopen((*last).name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        if ptr::eq(kept.cast::<LinkMap>(), last) {
            LAST.store(last, Ordering::Relaxed);
        }
    }
}

/// Whether anything may have been loaded or unloaded since [`watch`].
#[inline]
pub(super) fn may_have_changed() -> bool {
    let last = LAST.load(Ordering::Relaxed);
    // SAFETY: the library stays loaded. Relaxed: whoever calls into a new library has been told of it.
    last.is_null() || !unsafe { &*last }.next.load(Ordering::Relaxed).is_null()
}

/// How many libraries have been loaded and unloaded so far.
pub(super) fn adds() -> u64 {
    unsafe extern "C" fn read(info: *mut libc::dl_phdr_info, _: usize, arg: *mut c_void) -> c_int {
        // SAFETY: the loader's description, and our own count.
        unsafe { *arg.cast::<u64>() = (*info).dlpi_adds.wrapping_add((*info).dlpi_subs) };
        1
    }
    let mut count = 0_u64;
    // SAFETY: the callback gets our count.
    unsafe { libc::dl_iterate_phdr(Some(read), (&raw mut count).cast()) };
    count
}
