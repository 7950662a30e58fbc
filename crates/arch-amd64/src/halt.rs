//! Halt: how a thread stops in a signal handler, and says where, for a standstill (`standstill.rs`).

use core::ffi::c_void;
use core::ptr::null;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The most threads that can be stopped.
pub(crate) const THREADS: usize = 4096;
/// After so long a stopped thread goes on by itself.
pub(crate) const MOST: Duration = Duration::from_secs(2);
/// Which standstill is under way; 0: none.
pub(crate) static WANTED: AtomicU32 = AtomicU32::new(0);
/// How many have written down where they stand, or are about to.
pub(crate) static ARRIVED: AtomicUsize = AtomicUsize::new(0);
/// How many of them are through.
pub(crate) static LEFT: AtomicUsize = AtomicUsize::new(0);
/// The last standstill that somebody left before its end.
pub(crate) static BROKEN: AtomicU32 = AtomicU32::new(0);
static PLACES: [Place; THREADS] = [const { Place::new() }; THREADS];

/// Where one thread stands.
pub(crate) struct Place {
    /// The standstill that it is of.
    round: AtomicU32,
    thread: AtomicI32,
    /// Inverted: nobody who searches the memory is to find a pointer into a stack here.
    from: AtomicUsize,
}

impl Place {
    const fn new() -> Self {
        Self { round: AtomicU32::new(0), thread: AtomicI32::new(0), from: AtomicUsize::new(0) }
    }

    /// Whether it is this thread's.
    pub(crate) fn is_of(&self, thread: i32) -> bool {
        self.thread.load(Ordering::Relaxed) == thread
    }

    /// From where on its stack is alive.
    pub(crate) fn from(&self) -> usize {
        !self.from.load(Ordering::Relaxed)
    }

    /// Those of a standstill.
    pub(crate) fn of(round: u32) -> impl Iterator<Item = &'static Place> {
        let arrived = ARRIVED.load(Ordering::Relaxed).min(THREADS);
        // ORDER: standstill. Acquire pairs with the handler's release: what it wrote down is read.
        PLACES[..arrived].iter().filter(move |place| place.round.load(Ordering::Acquire) == round)
    }
}

/// For the handler of the signal: stops the calling thread, if that is wanted. `false`: it is not. Its stack is alive from
/// `stack` on, and `context` was laid down by the kernel.
pub(crate) fn stop_if_wanted(stack: usize, context: *mut c_void) -> bool {
    // ORDER: standstill. Acquire pairs with the release of who asks.
    let round = WANTED.load(Ordering::Acquire);
    if round == 0 {
        return false;
    }
    let index = ARRIVED.fetch_add(1, Ordering::Relaxed);
    if let Some(place) = PLACES.get(index) {
        // The kernel lays registers below the red zone of the stack, or on the thread's signal stack.
        let context = context.addr();
        let near = context < stack && stack - context < 1 << 16;
        place.from.store(!if near { context } else { stack - RED_ZONE }, Ordering::Relaxed);
        place.thread.store(crate::cpus::thread_id(), Ordering::Relaxed);
        // One that comes too late for its round is none that has arrived in the next.
        // ORDER: standstill. Release pairs with the acquire of who asks.
        place.round.store(round, Ordering::Release);
    }
    let until = Instant::now() + MOST;
    // ORDER: standstill. Acquire pairs with the release of who asks: it is through.
    while WANTED.load(Ordering::Acquire) == round {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            BROKEN.store(round, Ordering::Relaxed);
            break;
        }
        let left = libc::timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        // SAFETY: sleeps at a word that is there for ever.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                WANTED.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                round,
                &raw const left,
                null::<c_void>(),
                0,
            )
        };
    }
    // ORDER: standstill. Release pairs with the acquire of who asks: it is the last thing done here.
    LEFT.fetch_add(1, Ordering::Release);
    true
}

/// What a function may use below its stack pointer (System V ABI).
const RED_ZONE: usize = 128;
