//! The end of a flow that has a block: what a thread's end does with thread-locals, on the flow's own stack.

use core::ffi::c_void;
use core::ptr;

use super::base::{PER_LEVEL, at, base};
use super::blueprint::blueprint;

/// `LC_GLOBAL_LOCALE`: the process's locale, which a thread begins with.
const GLOBAL_LOCALE: libc::locale_t = ptr::without_provenance_mut(usize::MAX);
/// How often POSIX has destructors of keys tried while they leave new values.
const ROUNDS: usize = 4;

/// One value under a key.
#[repr(C)]
struct Value {
    sequence: usize,
    data: *mut c_void,
}

/// Runs the destructors of the calling flow's thread-locals: first those of Rust and C++, the last registered first,
/// then those of pthread keys, as glibc does at a thread's end. They are anybody's code, and may suspend.
pub(crate) fn end_of_flow() {
    let blueprint = blueprint();
    // SAFETY: it takes nothing, and the calling flow's code is over, as that of a thread that ends.
    unsafe { (blueprint.symbols.call_tls_dtors)() };
    if uses_keys() {
        drop_values();
    }
    // SAFETY: asks for the locale, and makes it the process's.
    unsafe {
        if libc::uselocale(ptr::null_mut()) != GLOBAL_LOCALE {
            libc::uselocale(GLOBAL_LOCALE);
        }
    }
}

/// The flag of the calling flow which says that some key has had a value. A flow may have moved since it last asked.
fn flag() -> *mut u8 {
    ptr::with_exposed_provenance_mut(base().wrapping_add_signed(blueprint().keys.used))
}

fn uses_keys() -> bool {
    // SAFETY: inside the calling flow's block.
    unsafe { flag().read_volatile() != 0 }
}

#[cold]
fn drop_values() {
    let block = base();
    for _ in 0..ROUNDS {
        if !uses_keys() {
            return;
        }
        // SAFETY: as above; `pthread_setspecific` sets it again.
        unsafe { flag().write_volatile(0) };
        for index in 0..PER_LEVEL * PER_LEVEL {
            if let Some((data, destructor)) = take_value(block, index) {
                // SAFETY: what a thread's end would do: the value, and the destructor that its key was made with.
                unsafe { destructor(data) };
            }
        }
    }
    // What is left after that many rounds is lost, as it is at a thread's end; the next flow must not find it.
    for index in 0..PER_LEVEL * PER_LEVEL {
        take_value(block, index);
    }
    // SAFETY: as above.
    unsafe { flag().write_volatile(0) };
}

type Destructor = unsafe extern "C" fn(*mut c_void);

/// Takes the value of a key out. `None`: it has none, or its key has no destructor.
fn take_value(block: usize, index: usize) -> Option<(*mut c_void, Destructor)> {
    let blueprint = blueprint();
    let level = blueprint.keys.levels + 8 * (index / PER_LEVEL).cast_signed();
    // SAFETY: the block's own words; a second-level block that exists has so many values, and the table of keys an entry
    // for each.
    unsafe {
        let values: *mut Value = ptr::with_exposed_provenance_mut(at(block, level).read() as usize);
        if values.is_null() {
            return None;
        }
        let value = values.add(index % PER_LEVEL);
        let data = (*value).data;
        if data.is_null() {
            return None;
        }
        (*value).data = ptr::null_mut();
        let key = blueprint.symbols.keys.as_ptr().add(index);
        let (sequence, destructor) =
            ((&raw const (*key).sequence).read_volatile(), (&raw const (*key).destructor).read_volatile());
        // A value of an earlier key of this number belongs to nobody.
        if sequence != (*value).sequence { None } else { destructor.map(|destructor| (data, destructor)) }
    }
}
