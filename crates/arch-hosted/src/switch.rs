//! `Hosted` and `HostedSlot`: `Switch` and `CurrentSlot` by the standard library alone.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::null_mut;

use gmp_core::contract::{Carry, Context, CurrentSlot, Entry, Stack, Switch};

use crate::flow::{self, Flow};

/// The context switch as mail between OS threads; `S` keeps each thread's current goroutine.
///
/// Of a [`Stack`] only the size is used: it becomes the thread's own, if it is more than the 2 MiB that a thread has
/// anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hosted<S = HostedSlot>(PhantomData<fn() -> S>);

// SAFETY: C1: a flow waits inside an ordinary call on its own thread, so all its registers are kept; the control words
// too, which is more than asked. C2: a thread's first call is aligned, and its backtrace ends as any thread's does.
// C3: the carry is the letter. C4: see `flow.rs`, point 4. C5: the entry is `extern "C"`, so an unwind out of it
// aborts. C6: a flow never moves. C7: the standard library gives each thread a guard and reports its overflow.
unsafe impl<S: CurrentSlot> Switch for Hosted<S> {
    type Slot = S;
    type Thread = ();

    const THREAD_EACH: bool = true;

    /// The process's: one thread of a machine and its goroutines runs at a time, and none of them for long.
    #[cfg(target_os = "linux")]
    fn cpu_clock() -> Option<i32> {
        Some(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID.as_raw())
    }

    #[cfg(target_os = "linux")]
    fn cpu_time(clock: i32) -> Option<u64> {
        let time = nix::time::clock_gettime(nix::time::ClockId::from_raw(clock)).ok()?;
        u64::try_from(std::time::Duration::from(time).as_nanos()).ok()
    }

    fn thread_id() -> Option<i32> {
        flow::own_thread_id()
    }

    unsafe fn thread_of(of: Context) -> Option<i32> {
        // SAFETY: the flow is suspended, as the caller says.
        unsafe { Flow::of(of) }.thread_id()
    }

    /// Does nothing: the standard library has prepared its threads already.
    ///
    /// # Errors
    /// Never.
    fn attach_thread() -> std::io::Result<()> {
        Ok(())
    }

    /// # Errors
    /// The operating system gives no other thread.
    unsafe fn init(stack: &Stack, entry: Entry) -> std::io::Result<Context> {
        flow::start(stack.size(), entry)
    }

    unsafe fn init_again(_stack: &Stack, _entry: Entry) -> Context {
        gmp_core::fatal!("where each goroutine is a thread no stack is used again", "one is")
    }

    unsafe fn switch(save: *mut Context, to: Context, carry: Carry) -> Carry {
        let own = Flow::own();
        // SAFETY: the caller keeps `save` valid.
        unsafe { save.write(own.context()) };
        // SAFETY: the caller says that `to` is suspended and continued once.
        unsafe { Flow::of(to) }.send(carry);
        own.wait()
    }
}

thread_local! {
    static CURRENT: Cell<*mut ()> = const { Cell::new(null_mut()) };
}

/// The slot as a plain thread-local. Only for switches whose flows stay on their threads, as [`Hosted`]'s do: the
/// compiler may remember a thread-local's address, and here it may.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostedSlot;

// SAFETY: K1: a thread-local, null at first. K2: the flow that calls is on the same thread before and after any switch
// of `Hosted`, so a remembered address is the right one.
unsafe impl CurrentSlot for HostedSlot {
    fn get() -> *mut () {
        CURRENT.get()
    }

    unsafe fn set(value: *mut ()) {
        CURRENT.set(value);
    }
}
