//! Clauses C1 to C4 of `Switch`, and K1 of `CurrentSlot`, with a thread for each flow.

use std::cell::UnsafeCell;
use std::ptr::{null_mut, without_provenance_mut};

use gmp_arch_hosted::{Hosted, HostedSlot, ThreadStacks};
use gmp_core::contract::{Carry, Context, CurrentSlot, Entry, StackAllocator, Switch};

type Threads = Hosted<HostedSlot>;

/// Two flows that know each other: the carry of the first switch points here. `count` is plain memory that both
/// write, so a sanitizer sees whether a switch is a full hand-over.
struct Pair {
    outside: UnsafeCell<Context>,
    inside: UnsafeCell<Context>,
    count: UnsafeCell<usize>,
}

impl Pair {
    fn new(entry: Entry) -> Self {
        let stacks = ThreadStacks::default();
        let stack = stacks.allocate(&mut stacks.cache(), 64 << 10).unwrap();
        // SAFETY: the stack is fresh.
        let inside = unsafe { Threads::init(&stack, entry) }.unwrap();
        Self {
            outside: UnsafeCell::new(Context::NULL),
            inside: UnsafeCell::new(inside),
            count: UnsafeCell::new(0),
        }
    }

    fn enter(&self, carry: Carry) -> Carry {
        // SAFETY: the inner flow is suspended while the outer one runs, and the other way round.
        unsafe { Threads::switch(self.outside.get(), *self.inside.get(), carry) }
    }

    fn leave(&self, carry: Carry) -> Carry {
        // SAFETY: as above.
        unsafe { Threads::switch(self.inside.get(), *self.outside.get(), carry) }
    }

    fn add(&self) -> usize {
        // SAFETY: only the flow that runs calls this.
        unsafe {
            *self.count.get() += 1;
            *self.count.get()
        }
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

unsafe extern "C" fn add_one(carry: Carry) -> Context {
    // SAFETY: the test enters with its pair.
    let pair = unsafe { Pair::of(carry) };
    let mut carry = pair.leave(without_provenance_mut(1));
    while !carry.is_null() {
        pair.add();
        carry = pair.leave(without_provenance_mut(carry.addr() + 1));
    }
    // SAFETY: the outer flow is suspended in `enter`.
    unsafe { *pair.outside.get() }
}

#[test]
fn the_carry_arrives_both_ways() {
    let pair = Pair::new(add_one);
    assert_eq!(pair.enter(pair.carry()).addr(), 1);
    let mut times = 0;
    for sent in [41, usize::MAX - 1, 1 << 63] {
        assert_eq!(pair.enter(without_provenance_mut(sent)).addr(), sent + 1);
        times += 2;
        assert_eq!(pair.add(), times, "what the other flow wrote is seen");
    }
    assert!(pair.enter(null_mut()).is_null(), "the entry's return leaves with a null carry");
}

#[test]
fn a_thousand_rounds_of_ping_pong() {
    let pair = Pair::new(add_one);
    pair.enter(pair.carry());
    for round in 1..=1000_usize {
        assert_eq!(pair.enter(without_provenance_mut(round)).addr(), round + 1);
        assert_eq!(pair.add(), 2 * round);
    }
    assert!(pair.enter(null_mut()).is_null());
}

unsafe extern "C" fn return_at_once(carry: Carry) -> Context {
    // SAFETY: the test enters with its pair, whose outer flow is suspended.
    let pair = unsafe { Pair::of(carry) };
    pair.add();
    // SAFETY: as above.
    unsafe { *pair.outside.get() }
}

#[test]
fn a_returning_entry_leaves_for_good_and_ends_its_thread() {
    // Far more flows than the system has threads for, if they did not end.
    let flows = if cfg!(miri) { 20 } else { 2000 };
    for _ in 0..flows {
        let pair = Pair::new(return_at_once);
        assert!(pair.enter(pair.carry()).is_null());
        assert_eq!(pair.add(), 2);
    }
}

unsafe extern "C" fn panic_and_catch(carry: Carry) -> Context {
    let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7)));
    assert_eq!(*caught.unwrap_err().downcast::<i32>().unwrap(), 7);
    // SAFETY: as in `return_at_once`.
    unsafe { *Pair::of(carry).outside.get() }
}

#[test]
fn a_panic_is_caught_inside_a_flow() {
    let pair = Pair::new(panic_and_catch);
    assert!(pair.enter(pair.carry()).is_null());
}

unsafe extern "C" fn set_own_slot(carry: Carry) -> Context {
    assert!(HostedSlot::get().is_null(), "a fresh thread has a fresh slot");
    // SAFETY: this flow runs only this test.
    unsafe { HostedSlot::set(without_provenance_mut(2)) };
    // SAFETY: the test enters with its pair.
    let pair = unsafe { Pair::of(carry) };
    pair.leave(null_mut());
    assert_eq!(HostedSlot::get().addr(), 2);
    // SAFETY: as in `return_at_once`.
    unsafe { *pair.outside.get() }
}

#[test]
fn each_flow_has_its_own_slot() {
    <Threads as Switch>::attach_thread().unwrap();
    // SAFETY: this thread runs only this test.
    unsafe { HostedSlot::set(without_provenance_mut(1)) };
    let pair = Pair::new(set_own_slot);
    pair.enter(pair.carry());
    assert_eq!(HostedSlot::get().addr(), 1);
    assert!(pair.enter(null_mut()).is_null());
    assert_eq!(HostedSlot::get().addr(), 1);
}

#[test]
fn a_flow_is_continued_from_another_thread() {
    struct Shared(Pair);
    // SAFETY: the threads use the pair one after the other, ordered by spawn and join.
    unsafe impl Sync for Shared {}
    let pair = Shared(Pair::new(add_one));
    assert_eq!(pair.0.enter(pair.0.carry()).addr(), 1);
    for round in 1..50_usize {
        let pair = &pair;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(pair.0.enter(without_provenance_mut(round)).addr(), round + 1);
                assert_eq!(pair.0.add(), 2 * round);
            });
        });
    }
    assert!(pair.0.enter(null_mut()).is_null());
}
