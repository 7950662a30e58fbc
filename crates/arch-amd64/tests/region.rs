//! Clauses R1 to R3 of `Region`, for both kinds of guard.

mod child;

use std::ptr::NonNull;
use std::sync::Mutex;

use gmp_arch_amd64::{GuardMode, Guarded, running_on_valgrind};
use gmp_core::contract::{Region, Slab, StackError};

const KIB: usize = 1 << 10;

/// Mappings are counted by one test at a time.
static MAPPINGS: Mutex<()> = Mutex::new(());

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// Whether a byte can be read, asked of the kernel so that nothing faults.
fn readable(address: usize) -> bool {
    let mut byte = 0_u8;
    let into = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let from = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: 1 };
    // SAFETY: the local vector is valid; a bad remote one is an error, not a fault.
    unsafe { libc::process_vm_readv(libc::getpid(), &raw const into, 1, &raw const from, 1, 0) == 1 }
}

fn usable(slab: &Slab, index: usize) -> NonNull<u8> {
    // SAFETY: lies inside the slab's mapping.
    unsafe { slab.base().add(index * slab.stride() + slab.guard()) }
}

fn has_guards(slab: &Slab) {
    let base = slab.base().addr().get();
    for index in 0..slab.count() {
        let low = base + index * slab.stride();
        assert!(!readable(low) && !readable(low + slab.guard() - 1), "the guard of stack {index}");
        assert!(readable(low + slab.guard()) && readable(low + slab.stride() - 1), "stack {index}");
    }
}

fn keeps_its_promises(mode: GuardMode) {
    let region = Guarded::new(mode);
    let page = region.page_size();
    let slab = region.reserve(5, 16 * page, 2 * page).unwrap();
    assert_eq!((slab.count(), slab.stride(), slab.guard()), (5, 16 * page, 2 * page));
    for index in 0..5 {
        region.guard(&slab, index).unwrap();
    }
    has_guards(&slab);
    for index in 0..5 {
        let stack = usable(&slab, index);
        let size = slab.stride() - slab.guard();
        // SAFETY: the stack's own bytes, all usable.
        unsafe {
            assert_eq!(stack.add(size - 1).read(), 0, "R1: zeroed");
            stack.write_bytes(7, size);
            region.discard(stack, size - page);
            assert_eq!(stack.add(size - page).read(), 7, "what was not discarded stays");
            assert_eq!(stack.add(size - page - 1).read(), 0, "R3: discarded pages read as zero");
        }
    }
    has_guards(&slab);
    let address = usable(&slab, 4).addr().get();
    // SAFETY: nothing in the slab is used any more.
    unsafe { region.release(slab) };
    assert!(!readable(address), "released memory is gone");
}

/// Runs the test in a process of its own, so that no other test's thread maps memory where some was just released.
fn keeps_its_promises_alone(name: &str, mode: GuardMode) {
    if child::is_child() {
        return keeps_its_promises(mode);
    }
    let (output, text) = child::run(name);
    assert!(output.status.success(), "{text}");
}

#[test]
fn promises_hold_with_the_guards_of_the_kernel() {
    keeps_its_promises_alone("promises_hold_with_the_guards_of_the_kernel", GuardMode::Auto);
}

#[test]
fn promises_hold_with_mprotect() {
    keeps_its_promises_alone("promises_hold_with_mprotect", GuardMode::Mprotect);
}

#[test]
fn more_than_there_is_says_so() {
    let region = Guarded::default();
    for (count, stride) in [(1 << 30, 1 << 30), (usize::MAX, 64 * KIB), (0, 64 * KIB)] {
        let error = region.reserve(count, stride, 4 * KIB).unwrap_err();
        // valgrind answers for the kernel, in its own way.
        let errno = if running_on_valgrind() && count > 0 { libc::EINVAL } else { libc::ENOMEM };
        let overflows = count.checked_mul(stride).is_none();
        assert_eq!(error, StackError::OutOfMemory { errno: if overflows { libc::ENOMEM } else { errno } });
    }
}

#[test]
fn a_hundred_thousand_stacks_take_one_mapping() {
    let _alone = MAPPINGS.lock().unwrap_or_else(|poison| poison.into_inner());
    let region = Guarded::default();
    let count = 100_000;
    let before = mappings();
    let slab = region.reserve(count, 68 * KIB, 4 * KIB).unwrap();
    // Other tests' threads come and go and have a few mappings each; a split mapping shows as a hundred.
    (0..100).for_each(|index| region.guard(&slab, index).unwrap());
    if mappings() > before + 60 || running_on_valgrind() {
        eprintln!("skipped: this kernel has no MADV_GUARD_INSTALL, or valgrind answers for it");
        return;
    }
    (100..count).for_each(|index| region.guard(&slab, index).unwrap());
    for index in [0, 1, count / 2, count - 1] {
        let low = slab.base().addr().get() + index * slab.stride();
        assert!(!readable(low) && readable(low + slab.guard()), "stack {index}");
    }
    assert!(mappings() < before + 60, "{before} mappings have become {}", mappings());
    // SAFETY: nothing in the slab is used.
    unsafe { region.release(slab) };
}

#[test]
fn at_the_limit_of_mappings_an_error_comes_back() {
    if !child::is_child() {
        let (output, text) = child::run("at_the_limit_of_mappings_an_error_comes_back");
        assert!(output.status.success(), "{text}");
        return;
    }
    let limit: usize = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
    if limit > 100_000 {
        eprintln!("skipped: {limit} mappings are allowed");
        return;
    }
    let region = Guarded::new(GuardMode::Mprotect);
    let slab = region.reserve(limit, 16 * KIB, 4 * KIB).unwrap();
    let failed = (0..limit).find_map(|index| region.guard(&slab, index).err().map(|error| (index, error)));
    let (index, error) = failed.expect("two mappings a stack reach the limit");
    assert_eq!(error, StackError::OutOfMemory { errno: libc::ENOMEM });
    assert!(index > limit / 2 - 1000 && index < limit / 2, "at stack {index} of a limit of {limit}");
}

#[test]
fn locked_memory_falls_back_to_mprotect() {
    if !child::is_child() {
        let (output, text) = child::run("locked_memory_falls_back_to_mprotect");
        assert!(output.status.success(), "{text}");
        return;
    }
    let flags = nix::sys::mman::MlockAllFlags::MCL_CURRENT | nix::sys::mman::MlockAllFlags::MCL_FUTURE;
    if let Err(error) = nix::sys::mman::mlockall(flags) {
        eprintln!("skipped: mlockall says {error}");
        return;
    }
    let region = Guarded::default();
    let page = region.page_size();
    let slab = region.reserve(4, 16 * page, page).unwrap();
    let before = mappings();
    for index in 0..4 {
        region.guard(&slab, index).unwrap();
    }
    assert!(mappings() > before, "mprotect splits the mapping");
    has_guards(&slab);
    let stack = usable(&slab, 2);
    // SAFETY: the stack's own bytes.
    unsafe {
        stack.write_bytes(7, 15 * page);
        region.discard(stack, 15 * page);
        assert_eq!(stack.read(), 7, "locked memory stays");
    }
    has_guards(&slab);
}
