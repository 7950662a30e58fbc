//! `PerThread`: an allocator that keeps its caches with threads and not with flows.
//!
//! mimalloc, jemalloc and their like find a thread's cache by a thread-local. A flow with thread-locals of its own is a
//! thread to them, and gets a cache of its own: tens of kilobytes that lie idle while it is suspended, and that are made
//! and torn down for each flow. Nothing suspends inside an allocator, so its cache may as well be the thread's: the call
//! is made with the thread's own block (`thread_block.rs`), and the flow's is put back before it returns.
//!
//! malloc of glibc needs none of this: the switch takes its two words along (`own.rs`).

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::hint::black_box;

use crate::thread_block;

/// Makes an allocator keep its caches with threads, where goroutines have thread-locals of their own.
///
/// For allocators that keep a cache for each thread: mimalloc, jemalloc, snmalloc and their like. The system's allocator
/// does not need it. Where goroutines share their threads' thread-locals, and on plain threads, it only passes the call on.
///
/// ```
/// # use std::alloc::System as MiMalloc;
/// #[global_allocator]
/// static ALLOCATOR: gmp_arch_amd64::PerThread<MiMalloc> = gmp_arch_amd64::PerThread::new(MiMalloc);
/// # fn main() {}
/// ```
///
/// A call costs two writes of the FS register more, some 15 ns each. Without it the program is right, too, but each
/// goroutine that has allocated has a cache of its own until it ends.
///
/// What the allocator calls while it works must not be of gmp, except for what any thread may call and what does not
/// suspend. To it the caller is the thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerThread<A>(A);

impl<A> PerThread<A> {
    /// Around this allocator.
    pub const fn new(allocator: A) -> Self {
        Self(allocator)
    }
}

/// Makes the call with the thread's own thread-locals.
#[inline]
fn at_home<R>(call: impl FnOnce() -> R) -> R {
    let home = gmp_core::thread_home();
    if home == 0 || home == thread_block::base() {
        return call();
    }
    from_away(home, call)
}

/// What passes through the C interface.
struct Errand<F, R> {
    call: Option<F>,
    result: Option<R>,
}

#[inline(never)]
fn from_away<F: FnOnce() -> R, R>(home: usize, call: F) -> R {
    unsafe extern "C" fn run<F: FnOnce() -> R, R>(errand: *mut c_void) {
        // SAFETY: made below, and used by nobody else meanwhile.
        let errand = unsafe { &mut *errand.cast::<Errand<F, R>>() };
        errand.result = errand.call.take().map(|call| call());
    }
    let mut errand = Errand { call: Some(call), result: None };
    // The compiler must not know what is called: it would compute addresses of thread-locals on the wrong side.
    let run = black_box(run::<F, R> as unsafe extern "C" fn(*mut c_void));
    // SAFETY: the home is that of the thread that calls, whose own flow is not running; an allocator does not unwind, and
    // nothing suspends in it.
    unsafe { thread_block::call_on(home, run, (&raw mut errand).cast()) };
    errand.result.unwrap_or_else(|| unreachable!("it was called"))
}

// SAFETY: each call is passed on as it is, so it is as good as the allocator's own. Whether a call is made with the flow's
// block or with the thread's makes no difference to it but which cache it uses.
unsafe impl<A: GlobalAlloc> GlobalAlloc for PerThread<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        at_home(|| unsafe { self.0.alloc(layout) })
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        at_home(|| unsafe { self.0.dealloc(block, layout) });
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        at_home(|| unsafe { self.0.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        at_home(|| unsafe { self.0.realloc(block, layout, size) })
    }
}
