//! What glibc does about *threads* has to happen on the thread's own block: fork, and changing the user.
//!
//! `fork` takes the calling thread out of glibc's list in the child, tells the kernel where its tid lies, and resets
//! its locks: all of that goes by the base. `setuid` and its kin interrupt each thread by a signal, whose handler marks
//! in the thread's block that it has obeyed. Both must find the block that glibc made for the thread, its *home*, and
//! not a goroutine's.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use super::base::{base, set_base};
use super::blueprint::blueprint;
use super::missing::Missing;
use super::{chain, newborn};

/// A thread that runs flows with blocks, and its home.
struct Home {
    /// 0: it belongs to no thread.
    tid: AtomicU32,
    base: AtomicUsize,
    next: *const Home,
}

/// All entries that there ever were. They are read in signal handlers, and so are never freed.
static HOMES: AtomicPtr<Home> = AtomicPtr::new(ptr::null_mut());

/// The calling thread's entry in the list of homes, while it runs flows.
#[derive(Debug)]
pub(crate) struct HomeGuard(&'static Entry);

/// Hides the list from `Debug`.
struct Entry(Home);

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Home")
    }
}

// SAFETY: `next` is written once, before the entry is shared.
unsafe impl Sync for Entry {}

fn tid() -> u32 {
    // SAFETY: a system call without arguments.
    u32::try_from(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap_or(0)
}

/// Every entry.
fn homes() -> impl Iterator<Item = &'static Home> {
    // ORDER: homes. Pairs with the exchange in `HomeGuard::new`.
    let mut next = HOMES.load(Ordering::Acquire).cast_const();
    core::iter::from_fn(move || {
        // SAFETY: entries are never freed.
        let home = unsafe { next.as_ref() }?;
        next = home.next;
        Some(home)
    })
}

impl HomeGuard {
    /// Registers the calling thread, which is on its own block and about to run flows.
    pub(crate) fn new() -> Self {
        let (own, tid) = (base(), tid());
        for home in homes() {
            if home.tid.compare_exchange(0, u32::MAX, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                home.base.store(own, Ordering::Relaxed);
                // ORDER: homes. The base stands before the tid.
                home.tid.store(tid, Ordering::Release);
                // SAFETY: an `Entry` is nothing but its home, and entries are never freed.
                return Self(unsafe { &*ptr::from_ref(home).cast::<Entry>() });
            }
        }
        let entry = Box::leak(Box::new(Entry(Home {
            tid: AtomicU32::new(tid),
            base: AtomicUsize::new(own),
            next: ptr::null(),
        })));
        let place: *mut Home = &raw mut entry.0;
        let mut head = HOMES.load(Ordering::Relaxed);
        loop {
            // SAFETY: not shared before the exchange below.
            unsafe { (*place).next = head };
            // ORDER: homes. The entry stands before it is found.
            match HOMES.compare_exchange(head, place, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: never freed, and shared from here on.
                Ok(_) => return Self(unsafe { &*place.cast::<Entry>() }),
                Err(now) => head = now,
            }
        }
    }

    /// The home's base.
    pub(crate) fn base(&self) -> usize {
        self.0.0.base.load(Ordering::Relaxed)
    }
}

impl Drop for HomeGuard {
    fn drop(&mut self) {
        self.0.0.tid.store(0, Ordering::Release);
    }
}

/// The home of the calling thread, if the thread is on a flow's block.
fn away() -> Option<usize> {
    let tid = tid();
    // ORDER: homes. Pairs with the store of the tid.
    let home = homes().find(|home| home.tid.load(Ordering::Acquire) == tid)?.base.load(Ordering::Relaxed);
    (home != base()).then_some(home)
}

thread_local! {
    /// The block that a fork is being made from, or 0. It is used at home.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Makes forks and changes of the user work in flows with blocks. One thread at a time calls this.
pub(super) fn install() -> Result<(), Missing> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Relaxed) {
        // SAFETY: the handlers use nothing but the FS register and thread-locals without destructors.
        let error = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        if error != 0 {
            let error = std::io::Error::from_raw_os_error(error);
            return Err(Missing::for_now(format!("no handlers around fork: {error}")));
        }
        INSTALLED.store(true, Ordering::Relaxed);
    }
    wrap_setxid();
    Ok(())
}

unsafe extern "C" fn before() {
    if let Some(home) = away() {
        let block = base();
        // SAFETY: the calling thread's own block; `after` puts the flow's back.
        unsafe { set_base(home) };
        go_on_from(block);
    }
}

/// Notes the flow's block, at home. It is a function of its own, so that the address of the thread-local is computed
/// there.
#[inline(never)]
fn go_on_from(block: usize) {
    LEFT.set(block);
}

#[inline(never)]
fn left() -> usize {
    LEFT.take()
}

unsafe extern "C" fn in_parent() {
    let block = left();
    if block != 0 {
        // SAFETY: the block that this flow was on before the fork.
        unsafe { set_base(block) };
    }
}

unsafe extern "C" fn in_child() {
    chain::cut();
    let (own, tid) = (base(), tid());
    // The thread has another tid here, and is the only one.
    for home in homes() {
        let is_own = home.base.load(Ordering::Relaxed) == own && home.tid.load(Ordering::Relaxed) != 0;
        home.tid.store(if is_own { tid } else { 0 }, Ordering::Release);
    }
    // SAFETY: as in the parent.
    unsafe { in_parent() };
}

/// Puts the chain back on glibc's list, if this is the child of a fork.
pub(super) fn after_fork() {
    chain::mend(|| {
        // A key costs nothing here, and the experiments have been made before.
        for _ in 0..8 {
            let (older, newer) = (newborn::bookend(0, false).ok()?, newborn::bookend(0, false).ok()?);
            if chain::find_links(&older, &newer) == Some(blueprint().list) {
                return Some((newer.base, older.base));
            }
        }
        None
    });
}

/// The kernel's description of a signal's action.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// The signal by which glibc makes each thread change its user (`SIGSETXID`). The C interface does not let anybody have it.
const SETXID: c_int = 33;

/// glibc's handler.
static SETXID_HANDLER: AtomicUsize = AtomicUsize::new(0);
static WRAPPED: AtomicBool = AtomicBool::new(false);

/// Puts a handler around glibc's that goes home first. glibc installed its own when the first thread was made.
fn wrap_setxid() {
    let mut action = KernelAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let size = size_of::<u64>();
    // SAFETY: reads the action into a valid place.
    let read = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, SETXID, ptr::null::<c_void>(), &raw mut action, size)
    };
    if read != 0 || action.handler <= libc::SIG_IGN || WRAPPED.swap(true, Ordering::Relaxed) {
        return;
    }
    SETXID_HANDLER.store(action.handler, Ordering::Relaxed);
    action.handler = setxid as *const () as usize;
    // SAFETY: our handler does what was there, on the right block.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, SETXID, &raw const action, ptr::null_mut::<c_void>(), size)
    };
}

unsafe extern "C" fn setxid(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    // SAFETY: glibc's own, which it installed with SA_SIGINFO.
    let handler = unsafe { core::mem::transmute::<usize, Handler>(SETXID_HANDLER.load(Ordering::Relaxed)) };
    let (block, home) = (base(), away());
    // SAFETY: the thread's own block, then the interrupted flow's again; the arguments are the kernel's.
    unsafe {
        if let Some(home) = home {
            set_base(home);
        }
        handler(signal, info, context);
        if home.is_some() {
            set_base(block);
        }
    }
}
