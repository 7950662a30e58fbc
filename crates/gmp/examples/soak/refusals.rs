//! Refusals: the two functions of the C library by which all code of this program asks for threads and for mappings.
//! The linker finds the functions here before those of the C library. When told to, they refuse as the system does.
//!
//! The C library's own calls do not come here, so there is always memory for values: without it std aborts, whichever
//! code asks.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Something that can be refused.
pub(crate) struct Refusal {
    /// How many of 256 requests are refused.
    odds: AtomicU64,
    asked: AtomicU64,
    refused: AtomicU64,
}

pub(crate) static THREADS: Refusal = Refusal::new();
pub(crate) static MAPPINGS: Refusal = Refusal::new();

/// Every request is refused.
pub(crate) const ALWAYS: u64 = 256;

impl Refusal {
    const fn new() -> Self {
        Self { odds: AtomicU64::new(0), asked: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// From here on this many of 256 requests are refused.
    pub(crate) fn set(&self, odds: u64) {
        self.odds.store(odds, Relaxed);
    }

    /// How often it has been refused so far.
    pub(crate) fn count(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn refuses(&self) -> bool {
        let odds = self.odds.load(Relaxed);
        if odds == 0 || SPARED.get() {
            return false;
        }
        // Knuth's multiplicative hash spreads the numbers of the askings evenly.
        let number = self.asked.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let refuses = number >> 56 < odds;
        self.refused.fetch_add(u64::from(refuses), Relaxed);
        refuses
    }
}

std::thread_local! {
    static SPARED: Cell<bool> = const { Cell::new(false) };
}

/// Starts threads of the soak's own, which are never refused, since std panics then. `f` does not suspend.
pub(crate) fn spared<T>(f: impl FnOnce() -> T) -> T {
    let before = SPARED.replace(true);
    let result = f();
    SPARED.set(before);
    result
}

type Main = extern "C" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, Main, *mut c_void) -> c_int;

/// The C library's own.
fn create() -> Create {
    static CREATE: OnceLock<Create> = OnceLock::new();
    *CREATE.get_or_init(|| {
        // SAFETY: the name is a string of C's.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
        assert!(!found.is_null(), "the C library can start threads");
        // SAFETY: it is the function of that name, and this is its type.
        unsafe { core::mem::transmute::<*mut c_void, Create>(found) }
    })
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    main: Main,
    argument: *mut c_void,
) -> c_int {
    if THREADS.refuses() {
        return libc::EAGAIN;
    }
    // SAFETY: as the caller promises.
    unsafe { create()(thread, attributes, main, argument) }
}

/// # Safety
/// As of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    bytes: usize,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: libc::off_t,
) -> *mut c_void {
    if MAPPINGS.refuses() {
        // SAFETY: this thread's own errno.
        unsafe { *libc::__errno_location() = libc::ENOMEM };
        return libc::MAP_FAILED;
    }
    // SAFETY: as the caller promises. The C library's own does no more than this call.
    let at = unsafe { libc::syscall(libc::SYS_mmap, address, bytes, protection, flags, descriptor, offset) };
    core::ptr::with_exposed_provenance_mut(at.cast_unsigned() as usize)
}
