//! Where blocks come from and where they wait: memory that is never given back, a depot, and a store for each thread.
//!
//! Like a goroutine's record, a block outlives its goroutine and its runtime: glibc's list leads through it. There are
//! as many as there ever were goroutines with a stack at once.

use core::cell::Cell;
use core::ptr::null_mut;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::blueprint::{blueprint, image, renew_image};
use super::{chain, fork, modules};

/// How many free blocks a thread keeps.
const CAPACITY: usize = 64;
/// How many go to or come from the depot at once.
const HALF: usize = CAPACITY / 2;
/// The most memory that is reserved at once, in bytes.
const MOST: usize = 4 << 20;

struct Depot {
    free: Vec<usize>,
    /// Reserved memory that no block has been made in.
    next: usize,
    end: usize,
    reserved: usize,
}

static DEPOT: Mutex<Depot> = Mutex::new(Depot { free: Vec::new(), next: 0, end: 0, reserved: 0 });

/// A thread's free blocks, the warmest last.
struct Store {
    len: usize,
    blocks: [usize; CAPACITY],
}

thread_local! {
    /// It is used on threads' own stacks only, where nothing suspends. It is a pointer, since each block has a copy of
    /// it that is never used.
    static STORE: Cell<*mut Store> = const { Cell::new(null_mut()) };
}

/// The calling thread's store, which [`flush`] frees.
#[inline]
fn with_store<R>(f: impl FnOnce(&mut Store) -> R) -> R {
    let mut store = STORE.get();
    if store.is_null() {
        store = Box::into_raw(Box::new(Store { len: 0, blocks: [0; CAPACITY] }));
        STORE.set(store);
    }
    // SAFETY: one thread's, and no caller's `f` comes back here.
    f(unsafe { &mut *store })
}

/// Nothing that holds the lock panics, so poison means nothing.
fn depot() -> MutexGuard<'static, Depot> {
    DEPOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a fresh block, by its base. To be called on the thread's own stack, with its own block.
///
/// # Errors
/// The operating system has no memory.
#[inline]
pub(crate) fn take() -> io::Result<usize> {
    with_store(|store| {
        if store.len == 0 {
            return refill(store);
        }
        store.len -= 1;
        Ok(store.blocks[store.len])
    })
}

/// Makes the block of a flow that has ended as it is in a new one. The flow itself calls this, as the last thing that
/// it does, or a thread that has the block in hand.
#[inline(never)]
pub(crate) fn make_fresh(base: usize) {
    let blueprint = blueprint();
    blueprint.free_dynamic(base);
    blueprint.freshen(base, present_image());
}

/// Takes a fresh block back. To be called on the thread's own stack, with its own block.
#[inline]
pub(crate) fn put(base: usize) {
    with_store(|store| {
        if store.len == CAPACITY {
            drain(store, HALF);
        }
        store.blocks[store.len] = base;
        store.len += 1;
    });
}

/// Gives all that the calling thread keeps to the depot.
pub(crate) fn flush() {
    let store = STORE.replace(null_mut());
    if !store.is_null() {
        // SAFETY: made by `with_store`, and this thread's alone.
        let mut store = unsafe { Box::from_raw(store) };
        let all = store.len;
        drain(&mut store, all);
    }
}

/// What a fresh block holds now.
#[inline]
fn present_image() -> &'static super::blueprint::Image {
    if modules::may_have_changed() { renew_if_changed() } else { image() }
}

#[cold]
fn renew_if_changed() -> &'static super::blueprint::Image {
    let present = image();
    if present.adds == modules::adds() { present } else { renew_image() }
}

/// Moves the coldest blocks to the depot.
#[cold]
fn drain(store: &mut Store, count: usize) {
    depot().free.extend_from_slice(&store.blocks[..count]);
    store.blocks.copy_within(count.., 0);
    store.len -= count;
}

/// Gets a block from the depot, with some more for the store, or makes one.
#[cold]
fn refill(store: &mut Store) -> io::Result<usize> {
    fork::after_fork();
    let mut depot = depot();
    if let Some(block) = depot.free.pop() {
        let more = depot.free.len().min(HALF);
        let from = depot.free.len() - more;
        for (place, block) in store.blocks.iter_mut().zip(depot.free.drain(from..)) {
            *place = block;
        }
        store.len = more;
        return Ok(block);
    }
    let base = depot.carve()?;
    drop(depot);
    if blueprint().stamp(base).is_none() {
        // The memory is lost, and it is not much.
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    chain::link(base);
    // If a library was loaded before the block was on the chain, nobody has told the block of it.
    blueprint().freshen(base, present_image());
    Ok(base)
}

impl Depot {
    /// Memory for a block, zeroed.
    fn carve(&mut self) -> io::Result<usize> {
        let blueprint = blueprint();
        let stride = blueprint.below + blueprint.above;
        if self.end - self.next < stride {
            // It takes as much again as there is; the first piece is for some ten blocks.
            let bytes =
                self.reserved.clamp(64 << 10, MOST).max(stride + blueprint.align).next_multiple_of(4096);
            // SAFETY: a fresh private mapping.
            let low = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                libc::mmap(null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
            };
            if low == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: advice about our own fresh memory, which is filled bit by bit.
            unsafe { libc::madvise(low, bytes, libc::MADV_NOHUGEPAGE) };
            self.next = low.expose_provenance();
            self.end = self.next + bytes;
            self.reserved += bytes;
        }
        // The mapping begins on a page, and the stride is a multiple of the alignment, which is not larger than a page.
        let base = self.next + blueprint.below;
        self.next += stride;
        Ok(base)
    }
}
