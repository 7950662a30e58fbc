//! `Guarded`: slabs of stacks in one mapping, with guards that cost no mapping of their own.
//!
//! The usual guard is a page made inaccessible with `mprotect`. It splits the mapping, two mappings a stack, and a
//! process may have 65,530: room for about 32,750 stacks. Linux 6.13 brought `MADV_GUARD_INSTALL`, which marks the
//! guard in the page tables: a slab stays one mapping, the call costs a quarter, and the mark outlives
//! `MADV_DONTNEED` and `fork`. Which of the two is used is decided by what the kernel answers, not by its version: it
//! also refuses (EINVAL) in locked memory, and valgrind and seccomp filters refuse what they do not know.
//!
//! # Where the slabs lie
//!
//! Crates that grow the stack by themselves (`stacker`, by which `sqlparser` and `syn`'s users recurse) ask the system
//! once for the bounds of the *thread's* stack and compare the stack pointer with its lower end. On a goroutine's stack
//! the answer depends on the addresses alone. If our stacks lie above the thread's, such a crate believes that there
//! are gigabytes left, and overflows. If they lie below, it believes that nothing is left and takes a stack of its own,
//! which is right. So slabs are placed below everything that the kernel places by itself, one after the other from a
//! random address on. The kernel takes the address as a hint: where it is already in use, the slab lies elsewhere and
//! works as well.

use core::ffi::c_void;
use core::num::NonZero;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use gmp_core::contract::{Region, Slab, StackError};
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::{place, valgrind};

/// `MADV_GUARD_INSTALL` of Linux 6.13, which neither libc nor nix names yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// How guards are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardMode {
    /// By `madvise` where the kernel does it, and by `mprotect` where it refuses.
    #[default]
    Auto,
    /// Always by `mprotect`: two mappings a stack.
    Mprotect,
}

/// Where the stacks of the process lie that came from here, those in use and the free ones.
#[derive(Clone, Debug, Default)]
pub struct StackSlabs {
    /// The addresses of each slab, and how far its stacks are apart.
    all: Vec<(Range<usize>, usize)>,
    given_back: usize,
}

static SLABS: Mutex<Vec<(Range<usize>, usize)>> = Mutex::new(Vec::new());
/// How many slabs were given back.
static GIVEN_BACK: AtomicUsize = AtomicUsize::new(0);

impl StackSlabs {
    /// Those of this moment.
    #[must_use]
    pub fn now() -> Self {
        let slabs = SLABS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = slabs.clone();
        all.sort_unstable_by_key(|(slab, _)| slab.start);
        Self { all, given_back: GIVEN_BACK.load(Relaxed) }
    }

    /// Whether all of them are still what they were. It takes no lock.
    #[must_use]
    pub fn are_there(&self) -> bool {
        GIVEN_BACK.load(Relaxed) == self.given_back
    }

    /// The slabs, by address.
    pub fn all(&self) -> impl Iterator<Item = &Range<usize>> {
        self.all.iter().map(|(slab, _)| slab)
    }

    /// The addresses of the stack, its guard included, in which this one lies.
    #[must_use]
    pub fn stack_at(&self, address: usize) -> Option<Range<usize>> {
        let after = self.all.partition_point(|(slab, _)| slab.start <= address);
        let (slab, stride) = self.all.get(after.checked_sub(1)?)?;
        let start = slab.start + (address - slab.start) / stride * stride;
        slab.contains(&address).then(|| start..start + stride)
    }
}

/// Guarded stack memory by `mmap`.
///
/// With `mlockall(MCL_FUTURE)` in force the kernel populates each slab as it is reserved, and `discard` does nothing,
/// because that memory is meant to stay.
#[derive(Clone, Copy, Debug)]
pub struct Guarded {
    mode: GuardMode,
    page: usize,
}

impl Guarded {
    /// A source of slabs whose guards are made as `mode` says.
    pub fn new(mode: GuardMode) -> Self {
        // SAFETY: asks for a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self { mode, page: usize::try_from(page).unwrap_or(4096) }
    }
}

impl Default for Guarded {
    fn default() -> Self {
        Self::new(GuardMode::Auto)
    }
}

/// The error that the contract knows.
fn out_of_memory(errno: Errno) -> StackError {
    StackError::OutOfMemory { errno: errno as i32 }
}

// SAFETY: R1: a private anonymous mapping is the caller's alone and zeroed on first touch; MAP_NORESERVE commits
// nothing. R2: a guard of either kind stays until the mapping goes, and neither is lifted by MADV_DONTNEED. R3:
// MADV_DONTNEED keeps the mapping and drops the pages, but for locked memory as the type's documentation says.
unsafe impl Region for Guarded {
    fn page_size(&self) -> usize {
        self.page
    }

    fn reserve(&self, count: usize, stride: usize, guard: usize) -> Result<Slab, StackError> {
        assert!(
            stride.is_multiple_of(self.page) && guard.is_multiple_of(self.page) && guard < stride,
            "Region::reserve: {guard} bytes of guard in {stride} are not whole pages of {} bytes, fewer than all",
            self.page
        );
        let bytes = count.checked_mul(stride).and_then(NonZero::new).ok_or(out_of_memory(Errno::ENOMEM))?;
        let hint = place::next(bytes.get().next_multiple_of(self.page));
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE | MapFlags::MAP_STACK;
        // SAFETY: a new mapping touches no memory in use: without MAP_FIXED the address is a hint.
        let base = unsafe {
            mmap_anonymous(NonZero::new(hint), bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags)
        };
        let base = base.map_err(out_of_memory)?;
        // A huge page would back 30 stacks at once, each of which needs one small page. Older kernels do not take
        // MAP_STACK as a hint of that; a kernel without huge pages refuses, which is as good.
        // SAFETY: advice about our own fresh mapping changes nothing that a program can see.
        let _ = unsafe { madvise(base, bytes.get(), MmapAdvise::MADV_NOHUGEPAGE) };
        let start = base.addr().get();
        SLABS.lock().unwrap_or_else(PoisonError::into_inner).push((start..start + bytes.get(), stride));
        // SAFETY: the mapping is fresh, of this size, and nobody else's.
        Ok(unsafe { Slab::new(base.cast(), count, stride, guard) })
    }

    fn guard(&self, slab: &Slab, index: usize) -> Result<(), StackError> {
        let low = slab.stack(index);
        // SAFETY: the range is the guard of a stack, which whoever made the slab has set aside for this.
        unsafe { self.guard_range(low.cast(), slab.guard()) }?;
        valgrind::register(low.addr().get() + slab.guard(), slab.stride() - slab.guard());
        Ok(())
    }

    unsafe fn discard(&self, start: NonNull<u8>, bytes: usize) {
        // Locked memory answers EINVAL and keeps its pages, which is what whoever locked it asked for.
        // SAFETY: the caller says that the range is page-aligned, ours, and never read again.
        let _ = unsafe { madvise(start.cast(), bytes, MmapAdvise::MADV_DONTNEED) };
    }

    unsafe fn release(&self, slab: Slab) {
        let bytes = slab.bytes();
        {
            let start = slab.base().addr().get();
            let mut slabs = SLABS.lock().unwrap_or_else(PoisonError::into_inner);
            slabs.retain(|(slab, _)| slab.start != start);
            // Under the lock, and before the memory may become something else.
            GIVEN_BACK.fetch_add(1, Relaxed);
        }
        valgrind::deregister(slab.base().addr().get(), bytes);
        // It can fail where it would have to split a mapping that the kernel has merged with a neighbour and the
        // process is at its limit: then the address space is lost, and nothing else.
        // SAFETY: the caller says that the slab is ours and that no stack of it is in use.
        let _ = unsafe { munmap(slab.base().cast(), bytes) };
    }
}

impl Guarded {
    /// Makes a range fault on every touch.
    ///
    /// # Safety
    /// The range is there to fault: a guard, in a mapping of ours.
    unsafe fn guard_range(self, low: NonNull<c_void>, bytes: usize) -> Result<(), StackError> {
        if self.mode == GuardMode::Auto {
            // SAFETY: as the caller promises. Not by nix, as its list of advice does not have this one.
            if unsafe { libc::madvise(low.as_ptr(), bytes, MADV_GUARD_INSTALL) } == 0 {
                return Ok(());
            }
        }
        // SAFETY: as above.
        unsafe { mprotect(low, bytes, ProtFlags::PROT_NONE) }.map_err(out_of_memory)
    }
}
