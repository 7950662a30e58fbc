//! Clauses C1 to C5 of `Switch`, and K1 of `CurrentSlot`, on the processor itself.

mod child;
mod fresh;

use std::arch::{asm, naked_asm};
use std::cell::UnsafeCell;
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use gmp_arch_amd64::{Amd64, Amd64Slot, verify_slot};
use gmp_core::contract::{Carry, Context, CurrentSlot, Entry, Switch};

/// Two flows that know each other: the carry of the first switch points here.
struct Pair {
    outside: UnsafeCell<Context>,
    inside: UnsafeCell<Context>,
}

impl Pair {
    fn new(entry: Entry) -> Self {
        // SAFETY: the stack is fresh and lives for ever.
        let inside = unsafe { Amd64::init(&fresh::stack(), entry) }.unwrap();
        Self { outside: UnsafeCell::new(Context::NULL), inside: UnsafeCell::new(inside) }
    }

    fn enter(&self, carry: Carry) -> Carry {
        // SAFETY: the inner flow is suspended while the outer one runs, and the other way round.
        unsafe { Amd64::switch(self.outside.get(), *self.inside.get(), carry) }
    }

    fn leave(&self, carry: Carry) -> Carry {
        // SAFETY: as above.
        unsafe { Amd64::switch(self.inside.get(), *self.outside.get(), carry) }
    }

    fn carry(&self) -> Carry {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// # Safety
    /// The carry is that of a living pair.
    unsafe fn of<'a>(carry: Carry) -> &'a Self {
        // SAFETY: the caller's promise.
        unsafe { &*carry.cast() }
    }
}

unsafe extern "C" fn trash_all_registers(carry: Carry) -> Context {
    // SAFETY: the tests below enter with their pair.
    let pair = unsafe { Pair::of(carry) };
    loop {
        // SAFETY: what can be declared is declared, and rbx and rbp are put back: only the switch inherits the trash.
        unsafe {
            asm!(
                "mov r12, 0x11", "mov r13, 0x22", "mov r14, 0x33", "mov r15, 0x44",
                "mov rax, 0x55", "mov rcx, 0x66", "mov r8, 0x77", "mov r11, 0x88",
                "vpxor xmm0, xmm0, xmm0", "movq xmm7, rax", "movq xmm15, rcx",
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                clobber_abi("sysv64"),
            );
        }
        pair.leave(null_mut());
    }
}

extern "C" fn there_and_back(pair: &Pair) {
    pair.enter(pair.carry());
}

/// Calls `there_and_back` with a known value in each callee-saved register; returns one bit for each that changed.
#[unsafe(naked)]
extern "C" fn changed_registers(pair: &Pair) -> u32 {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15", "push rsp",
        "mov rbp, 0x1001", "mov rbx, 0x1002", "mov r12, 0x1003", "mov r13, 0x1004", "mov r14, 0x1005",
        "mov r15, 0x1006",
        "call {there_and_back}",
        "xor eax, eax",
        "cmp rbp, 0x1001", "setne cl", "or al, cl",
        "cmp rbx, 0x1002", "setne cl", "shl cl, 1", "or al, cl",
        "cmp r12, 0x1003", "setne cl", "shl cl, 2", "or al, cl",
        "cmp r13, 0x1004", "setne cl", "shl cl, 3", "or al, cl",
        "cmp r14, 0x1005", "setne cl", "shl cl, 4", "or al, cl",
        "cmp r15, 0x1006", "setne cl", "shl cl, 5", "or al, cl",
        // `push rsp` has stored its own value before the push.
        "lea rdx, [rsp + 8]", "cmp rdx, [rsp]", "setne cl", "shl cl, 6", "or al, cl",
        "add rsp, 8", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp",
        "ret",
        there_and_back = sym there_and_back,
    )
}

#[test]
fn every_callee_saved_register_survives() {
    let pair = Pair::new(trash_all_registers);
    for _ in 0..3 {
        assert_eq!(changed_registers(&pair), 0, "a bit for each of rbp, rbx, r12 to r15, rsp");
    }
}

unsafe extern "C" fn add_one(carry: Carry) -> Context {
    // SAFETY: the test enters with its pair.
    let pair = unsafe { Pair::of(carry) };
    let mut carry = pair.leave(without_provenance_mut(1));
    loop {
        carry = pair.leave(without_provenance_mut(carry.addr() + 1));
    }
}

#[test]
fn the_carry_arrives_both_ways() {
    let pair = Pair::new(add_one);
    assert_eq!(pair.enter(pair.carry()).addr(), 1);
    for sent in [0, 41, usize::MAX - 1, 1 << 63] {
        assert_eq!(pair.enter(without_provenance_mut(sent)).addr(), sent + 1);
    }
}

static TIMES_LEFT: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn return_at_once(carry: Carry) -> Context {
    TIMES_LEFT.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the test enters with its pair, whose outer flow is suspended.
    unsafe { *Pair::of(carry).outside.get() }
}

#[test]
fn a_returning_entry_leaves_for_good_with_a_null_carry() {
    for round in 1..=100 {
        let pair = Pair::new(return_at_once);
        assert!(pair.enter(pair.carry()).is_null());
        assert_eq!(TIMES_LEFT.load(Ordering::Relaxed), round);
    }
}

unsafe extern "C" fn check_alignment(carry: Carry) -> Context {
    let rbp: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rbp, options(nomem, nostack)) };
    assert_eq!(rbp % 8, 0);
    // An aligned vector store to a local faults if the entry was called on a misaligned stack.
    #[repr(align(16))]
    struct Aligned([u64; 2]);
    let mut local = Aligned([0; 2]);
    // SAFETY: stores 16 bytes to a local of 16 bytes.
    unsafe {
        asm!("pcmpeqd xmm0, xmm0", "movaps [{}], xmm0", in(reg) &raw mut local, out("xmm0") _, options(nostack));
    }
    assert_eq!(local.0, [u64::MAX; 2]);
    // SAFETY: as in `return_at_once`.
    unsafe { *Pair::of(carry).outside.get() }
}

#[test]
fn the_first_call_is_aligned() {
    let pair = Pair::new(check_alignment);
    assert!(pair.enter(pair.carry()).is_null());
}

unsafe extern "C" fn panic_and_catch(carry: Carry) -> Context {
    // SAFETY: the test enters with its pair.
    let pair = unsafe { Pair::of(carry) };
    let caught = std::panic::catch_unwind(|| -> usize {
        let dropped = DropCount;
        std::panic::resume_unwind(Box::new(std::mem::size_of_val(&dropped)));
    });
    let payload = caught.unwrap_err().downcast::<usize>().unwrap();
    pair.leave(without_provenance_mut(*payload + 7));
    // SAFETY: as in `return_at_once`.
    unsafe { *pair.outside.get() }
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct DropCount;

impl Drop for DropCount {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_panic_is_caught_inside_a_stack() {
    let pair = Pair::new(panic_and_catch);
    assert_eq!(pair.enter(pair.carry()).addr(), 7);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    assert!(pair.enter(null_mut()).is_null());
}

unsafe extern "C" fn print_backtrace(carry: Carry) -> Context {
    eprintln!("{:#}", std::backtrace::Backtrace::force_capture());
    // SAFETY: as in `return_at_once`.
    unsafe { *Pair::of(carry).outside.get() }
}

#[test]
fn a_backtrace_ends_at_the_first_frame() {
    if child::is_child() {
        let pair = Pair::new(print_backtrace);
        pair.enter(pair.carry());
        return;
    }
    let (output, text) = child::run("a_backtrace_ends_at_the_first_frame");
    assert!(output.status.success(), "{text}");
    let frames: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("at ")).collect();
    assert!(frames.iter().any(|line| line.contains("print_backtrace")), "{text}");
    // libgcc shows the end itself as a frame at address 0, under the first frame of any thread.
    let last = frames.iter().rfind(|line| line.contains(" - ") && !line.contains(" 0x0 - ")).unwrap();
    assert!(last.contains("first_frame"), "the last frame is {last}\n{text}");
    assert!(!text.contains("a_backtrace_ends_at_the_first_frame::"), "{text}");
}

unsafe extern "C" fn change_rounding(carry: Carry) -> Context {
    let flush_to_zero = 0x9f80_u32;
    // SAFETY: changes how this thread computes, and only this child process sees it.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const flush_to_zero, options(nostack)) };
    // SAFETY: as in `return_at_once`.
    unsafe { *Pair::of(carry).outside.get() }
}

#[test]
fn changed_float_control_is_caught_where_debug_assertions_are_on() {
    if child::is_child() {
        let pair = Pair::new(change_rounding);
        pair.enter(pair.carry());
        return;
    }
    let (output, text) = child::run("changed_float_control_is_caught_where_debug_assertions_are_on");
    assert_eq!(child::ended_by(&output, libc::SIGABRT), cfg!(debug_assertions), "{text}");
    assert_eq!(text.contains("0x1f80 -> 0x9f80"), cfg!(debug_assertions), "{text}");
}

unsafe extern "C" fn unwind_out(_: Carry) -> Context {
    panic!("out of the entry");
}

#[test]
fn an_unwind_out_of_the_entry_aborts() {
    if child::is_child() {
        let pair = Pair::new(unwind_out);
        pair.enter(pair.carry());
        return;
    }
    let (output, text) = child::run("an_unwind_out_of_the_entry_aborts");
    assert!(child::ended_by(&output, libc::SIGABRT), "{text}");
    assert!(text.contains("out of the entry"), "{text}");
}

#[test]
fn each_thread_has_its_own_slot() {
    verify_slot().unwrap();
    let threads: Vec<_> = (1..=8_usize)
        .map(|number| {
            std::thread::spawn(move || {
                assert!(Amd64Slot::get().is_null());
                for round in 0..1000 {
                    let value = without_provenance_mut(number << 32 | round);
                    // SAFETY: this thread runs only this test.
                    unsafe { Amd64Slot::set(value) };
                    assert_eq!(Amd64Slot::get(), value);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: as above.
    unsafe { Amd64Slot::set(without_provenance_mut(3)) };
    verify_slot().unwrap();
    assert_eq!(Amd64Slot::get().addr(), 3, "the check leaves the slot as it was");
}

unsafe extern "C" fn compare_slots(mut carry: Carry) -> Context {
    // SAFETY: the test enters with its pair.
    let pair = unsafe { Pair::of(carry) };
    let before = Amd64Slot::get();
    carry = pair.leave(null_mut());
    let after = Amd64Slot::get();
    assert_ne!(before, after, "read again on the other thread");
    assert_eq!(after, carry);
    // SAFETY: as in `return_at_once`; the other thread waits inside `enter`.
    unsafe { *pair.outside.get() }
}

#[test]
fn a_flow_that_moved_reads_the_slot_of_its_new_thread() {
    struct Shared(Pair);
    // SAFETY: the two threads use the pair one after the other, ordered by spawn and join.
    unsafe impl Sync for Shared {}
    let pair = Shared(Pair::new(compare_slots));
    // SAFETY: this thread runs only this test.
    unsafe { Amd64Slot::set(without_provenance_mut(100)) };
    pair.0.enter(pair.0.carry());
    let pair = &pair;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: as above.
            unsafe { Amd64Slot::set(without_provenance_mut(200)) };
            pair.0.enter(without_provenance_mut(200));
        });
    });
    assert_eq!(Amd64Slot::get().addr(), 100);
}
