//! The trial: a block is used on the calling thread's stack, and everything must be as in a thread.

use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use super::base::{base, call_on, shares_malloc};
use super::blueprint::blueprint;
use super::ending::end_of_flow;
use super::missing::Missing;
use super::pool;

/// What a thread-local of the trial begins with.
const FIRST: u32 = 0x900d_0007;

thread_local! {
    static PLAIN: Cell<u32> = const { Cell::new(FIRST) };
    static LAZY: RefCell<Vec<Counted>> = RefCell::new(vec![Counted]);
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);
static KEYS_ENDED: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the trial passes to itself.
struct Trial {
    block: usize,
    key: libc::pthread_key_t,
    outside: ThreadId,
    wrong: Option<&'static str>,
    shares_malloc: bool,
    chunk: *mut c_void,
}

/// Uses a block twice.
pub(super) fn run() -> Result<(), Missing> {
    let mut key = 0;
    // SAFETY: a valid place and a function of our own.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(key_ended)) } != 0 {
        return Err(Missing::for_now("no pthread key for a trial"));
    }
    PLAIN.set(7);
    let result = try_twice(key);
    PLAIN.set(FIRST);
    // SAFETY: made above.
    unsafe { libc::pthread_key_delete(key) };
    result
}

fn try_twice(key: libc::pthread_key_t) -> Result<(), Missing> {
    let before = [&DROPPED, &KEYS_ENDED].map(|count| count.load(Ordering::Relaxed));
    let mut wrong = None;
    for round in 1..=2 {
        let memory = |error| Missing::for_now(format!("no memory for a block: {error}"));
        let block = pool::take().map_err(memory)?;
        let shares_malloc = shares_malloc();
        let mut trial = Trial {
            block,
            key,
            outside: thread::current().id(),
            wrong,
            shares_malloc,
            chunk: core::ptr::null_mut(),
        };
        // SAFETY: nobody else has the block, and the trial does not suspend.
        unsafe { call_on(block, try_block, (&raw mut trial).cast()) };
        let outside = PLAIN.get() == 7 && base() != block && thread::current().id() == trial.outside;
        let after = [&DROPPED, &KEYS_ENDED].map(|count| count.load(Ordering::Relaxed));
        let dropped = before.iter().zip(after).all(|(before, after)| after - before >= round);
        wrong = trial.wrong;
        wrong = wrong.or((!outside).then_some("the thread's own thread-locals changed"));
        wrong = wrong.or((!dropped).then_some("destructors did not run"));
        wrong = wrong.or((!has_chunk(&trial)).then_some("malloc's cache did not come back"));
        pool::make_fresh(block);
        pool::put(block);
    }
    wrong.map_or(Ok(()), |what| Err(Missing::new(format!("a block was tried, and in it {what}"))))
}

/// Whether what was freed on the block is what malloc has at hand on this one.
fn has_chunk(trial: &Trial) -> bool {
    if !trial.shares_malloc {
        return true;
    }
    // SAFETY: allocates and frees.
    unsafe {
        let chunk = libc::malloc(core::hint::black_box(968));
        libc::free(chunk);
        core::ptr::eq(chunk, trial.chunk)
    }
}

unsafe extern "C" fn key_ended(_: *mut c_void) {
    KEYS_ENDED.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn try_block(trial: *mut c_void) {
    // SAFETY: `run` passes it.
    let trial = unsafe { &mut *trial.cast::<Trial>() };
    // Both rounds ask the same, so the second one shows that the block was made fresh.
    let found = try_all(trial);
    end_of_flow();
    let found = found.or(LAZY.try_with(|_| ()).is_ok().then_some("a thread-local outlived its destructor"));
    trial.wrong = trial.wrong.or(found);
}

fn try_all(trial: &mut Trial) -> Option<&'static str> {
    // SAFETY: asks for the place of errno.
    let errno = unsafe { libc::__errno_location() };
    if base() != trial.block || errno.addr() != trial.block.wrapping_add_signed(blueprint().errno) {
        return Some("errno is elsewhere");
    }
    // SAFETY: this flow's own errno.
    if core::mem::replace(unsafe { &mut *errno }, 17) != 0 {
        return Some("errno is not 0");
    }
    // SAFETY: asks who is calling.
    if unsafe { libc::pthread_self() } as usize != trial.block {
        return Some("pthread_self is another");
    }
    if PLAIN.replace(1) != FIRST || LAZY.with_borrow(Vec::len) != 1 {
        return Some("thread-locals are not fresh");
    }
    // SAFETY: a letter is a valid argument.
    if unsafe { libc::toupper(c_int_of(b'a')) } != c_int_of(b'A') {
        return Some("there are no ctype tables");
    }
    // SAFETY: the key is the trial's; the value is never followed.
    unsafe {
        if !libc::pthread_getspecific(trial.key).is_null() {
            return Some("a pthread key has a value");
        }
        libc::pthread_setspecific(trial.key, core::ptr::without_provenance(8));
    }
    if thread::current().id() == trial.outside {
        return Some("std's thread is the same");
    }
    // SAFETY: allocates and frees.
    unsafe {
        trial.chunk = libc::malloc(core::hint::black_box(968));
        libc::free(trial.chunk);
    }
    None
}

fn c_int_of(letter: u8) -> libc::c_int {
    letter.into()
}
