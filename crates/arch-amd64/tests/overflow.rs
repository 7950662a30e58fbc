//! Clause C7: a goroutine's overflow ends in a report, whatever is locked; every other fault goes where it went before.

mod child;
mod fresh;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::fmt::Write;
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gmp_arch_amd64::{Amd64, Fault, GuardMode, Guarded, Report, set_overflow_describer};
use gmp_core::contract::{Carry, Context, Region, Stack, Switch};

const REPORT: &str = "goroutine 17 [worker] overflowed its stack of 128 KiB; created by main.rs:12";

/// The guard that the describer knows.
static GUARD_START: AtomicUsize = AtomicUsize::new(0);
static GUARD_BYTES: AtomicUsize = AtomicUsize::new(0);

/// An allocator with a lock that is not reentrant: taken by the overflowing flow, it must not be needed again.
struct Locked;

static ALLOCATOR_LOCK: AtomicBool = AtomicBool::new(false);

fn wait_for_allocator_lock() {
    let mut turns = 0_u64;
    while ALLOCATOR_LOCK.load(Ordering::Acquire) {
        turns += 1;
        assert!(turns < 1 << 32, "the allocator's lock is never given back");
    }
}

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        wait_for_allocator_lock();
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        wait_for_allocator_lock();
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Locked = Locked;

fn describe(fault: Fault, report: &mut Report) -> bool {
    let start = GUARD_START.load(Ordering::Relaxed);
    let ours = fault.address >= start && fault.address < start + GUARD_BYTES.load(Ordering::Relaxed);
    if ours {
        let kib = fresh::SIZE >> 10;
        write!(report, "goroutine {} [worker] overflowed its stack of {kib} KiB; created by main.rs:12", 17)
            .unwrap();
    }
    ours
}

struct Flows {
    outside: UnsafeCell<Context>,
    inside: Context,
}

fn run_on(stack: &Stack, entry: gmp_core::contract::Entry) {
    // SAFETY: the stack is fresh and lives for ever.
    let inside = unsafe { Amd64::init(stack, entry) }.unwrap();
    let flows = Flows { outside: UnsafeCell::new(Context::NULL), inside };
    // SAFETY: the entry gets the flows and leaves to the outer one.
    unsafe { Amd64::switch(flows.outside.get(), flows.inside, (&raw const flows).cast_mut().cast()) };
}

#[allow(unconditional_recursion)]
fn recurse(depth: usize) -> usize {
    let frame = black_box([depth; 32]);
    recurse(depth + 1) + frame[depth % 32]
}

unsafe extern "C" fn overflow(_: Carry) -> Context {
    black_box(recurse(0));
    Context::NULL
}

unsafe extern "C" fn overflow_in_allocator(_: Carry) -> Context {
    ALLOCATOR_LOCK.store(true, Ordering::Release);
    black_box(recurse(0));
    Context::NULL
}

unsafe extern "C" fn overflow_with_stderr(_: Carry) -> Context {
    let _locked = std::io::stderr().lock();
    black_box(recurse(0));
    Context::NULL
}

unsafe extern "C" fn touch_null(_: Carry) -> Context {
    // SAFETY: not at all, which is the point: address 8 is mapped nowhere.
    unsafe { black_box(std::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) };
    Context::NULL
}

/// In the child: runs the entry on a guarded stack of an attached thread.
fn in_child(mode: GuardMode, entry: gmp_core::contract::Entry) {
    let region = Guarded::new(mode);
    let (stack, slab) = fresh::stack_of(&region);
    GUARD_START.store(slab.base().addr().get(), Ordering::Relaxed);
    GUARD_BYTES.store(region.page_size(), Ordering::Relaxed);
    set_overflow_describer(describe);
    let _attached = Amd64::attach_thread().unwrap();
    run_on(&stack, entry);
}

fn reports(name: &str, mode: GuardMode, entry: gmp_core::contract::Entry) {
    if child::is_child() {
        return in_child(mode, entry);
    }
    let (output, text) = child::run(name);
    assert!(child::ended_by(&output, libc::SIGABRT), "{:?}\n{text}", output.status);
    assert!(text.lines().any(|line| line == REPORT), "{text}");
    assert!(!text.contains("has overflowed its stack"), "the standard library is not asked: {text}");
}

#[test]
fn an_overflow_is_reported() {
    reports("an_overflow_is_reported", GuardMode::Auto, overflow);
}

#[test]
fn an_overflow_into_an_mprotect_guard_is_reported() {
    reports("an_overflow_into_an_mprotect_guard_is_reported", GuardMode::Mprotect, overflow);
}

#[test]
fn an_overflow_is_reported_while_stderr_is_locked() {
    reports("an_overflow_is_reported_while_stderr_is_locked", GuardMode::Auto, overflow_with_stderr);
}

#[test]
fn an_overflow_is_reported_while_the_allocator_is_locked() {
    reports("an_overflow_is_reported_while_the_allocator_is_locked", GuardMode::Auto, overflow_in_allocator);
}

#[test]
fn another_fault_on_a_goroutine_kills_as_it_always_did() {
    if child::is_child() {
        return in_child(GuardMode::Auto, touch_null);
    }
    let (output, text) = child::run("another_fault_on_a_goroutine_kills_as_it_always_did");
    assert!(child::ended_by(&output, libc::SIGSEGV), "{:?}\n{text}", output.status);
    assert!(!text.contains("goroutine"), "{text}");
}

#[test]
fn an_overflow_of_a_plain_thread_is_reported_by_the_standard_library() {
    if child::is_child() {
        set_overflow_describer(describe);
        drop(Amd64::attach_thread().unwrap());
        let _attached = Amd64::attach_thread().unwrap();
        black_box(recurse(0));
        return;
    }
    let (output, text) = child::run("an_overflow_of_a_plain_thread_is_reported_by_the_standard_library");
    assert!(child::ended_by(&output, libc::SIGABRT), "{:?}\n{text}", output.status);
    assert!(text.contains("has overflowed its stack"), "{text}");
}

#[test]
fn a_signal_that_someone_sent_is_not_an_overflow() {
    if child::is_child() {
        set_overflow_describer(|_, report| write!(report, "goroutine 1 overflowed").is_ok());
        let _attached = Amd64::attach_thread().unwrap();
        // SAFETY: a signal to ourselves.
        unsafe { libc::raise(libc::SIGSEGV) };
        return;
    }
    let (output, text) = child::run("a_signal_that_someone_sent_is_not_an_overflow");
    assert!(!child::ended_by(&output, libc::SIGABRT), "{:?}\n{text}", output.status);
    assert!(!text.contains("goroutine"), "{text}");
}

static SEEN: AtomicUsize = AtomicUsize::new(0);
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// A handler of the kind that garbage collectors have: makes the page accessible and goes on.
fn repair(address: usize) {
    SEEN.fetch_add(1, Ordering::Relaxed);
    let page = PAGE.load(Ordering::Relaxed);
    if address.wrapping_sub(page) < 4096 {
        let start = std::ptr::without_provenance_mut(page);
        // SAFETY: the page was mapped for this test.
        unsafe { libc::mprotect(start, 4096, libc::PROT_READ | libc::PROT_WRITE) };
    }
    nix::errno::Errno::set_raw(libc::EXDEV);
}

extern "C" fn repair_with_info(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel's siginfo, passed on.
    repair(unsafe { (*info).si_addr() }.addr());
}

extern "C" fn repair_plainly(signal: libc::c_int) {
    assert_eq!(signal, libc::SIGSEGV);
    repair(PAGE.load(Ordering::Relaxed));
}

/// In the child: a fault that the handler before ours repairs; the program goes on with its errno.
fn goes_on_after_repair(handler: usize, flags: libc::c_int) {
    // SAFETY: all zeroes is a valid action with an empty mask.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    before.sa_sigaction = handler;
    before.sa_flags = flags;
    // SAFETY: the handler keeps to what a handler may do.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &raw const before, null_mut()) }, 0);
    set_overflow_describer(describe);
    let _attached = Amd64::attach_thread().unwrap();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping.
    let page = unsafe { libc::mmap(null_mut(), 4096, libc::PROT_NONE, flags, -1, 0) };
    PAGE.store(page.addr(), Ordering::Relaxed);
    nix::errno::Errno::set_raw(libc::EDOM);
    // SAFETY: the page becomes writable by the handler.
    unsafe { page.cast::<u8>().write_volatile(5) };
    assert_eq!(nix::errno::Errno::last_raw(), libc::EDOM, "errno is kept over a fault");
    // SAFETY: it is writable by now.
    assert_eq!(unsafe { page.cast::<u8>().read_volatile() }, 5);
    assert_eq!(SEEN.load(Ordering::Relaxed), 1);
}

#[test]
fn a_handler_with_info_gets_the_fault_and_errno_is_kept() {
    if child::is_child() {
        return goes_on_after_repair(repair_with_info as *const () as usize, libc::SA_SIGINFO);
    }
    let (output, text) = child::run("a_handler_with_info_gets_the_fault_and_errno_is_kept");
    assert!(output.status.success(), "{text}");
}

#[test]
fn a_plain_handler_gets_the_fault_and_errno_is_kept() {
    if child::is_child() {
        return goes_on_after_repair(repair_plainly as *const () as usize, libc::SA_RESETHAND);
    }
    let (output, text) = child::run("a_plain_handler_gets_the_fault_and_errno_is_kept");
    assert!(output.status.success(), "{text}");
}

fn signal_stack() -> (usize, libc::c_int) {
    // SAFETY: all zeroes is a valid description, and the call only fills it in.
    let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: reads this thread's signal stack.
    assert_eq!(unsafe { libc::sigaltstack(std::ptr::null(), &raw mut now) }, 0);
    (now.ss_sp.addr(), now.ss_flags)
}

#[test]
fn a_detached_thread_has_its_signal_stack_back() {
    let before = signal_stack();
    let outer = Amd64::attach_thread().unwrap();
    let attached = signal_stack();
    assert_ne!(attached.0, before.0);
    assert_eq!(attached.1 & libc::SS_DISABLE, 0);
    drop(Amd64::attach_thread().unwrap());
    assert_eq!(signal_stack(), attached, "attached twice, detached once");
    drop(outer);
    assert_eq!(signal_stack(), before);
}
