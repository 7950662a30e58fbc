//! `Switch` and `CurrentSlot`: the seam that keeps assembly out of core.

use crate::contract::Stack;

/// A suspended flow of control: where a switch goes to. Null before the first `init`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context(pub *mut ());

impl Context {
    /// No context.
    pub const NULL: Context = Context(core::ptr::null_mut());

    /// Whether there is none.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }
}

/// Where a suspended flow keeps what an unwinder begins with: offsets from its context, in words.
#[derive(Clone, Copy, Debug)]
pub struct SavedRegisters {
    /// Where it goes on.
    pub pc: usize,
    /// Its frame pointer.
    pub frame_pointer: usize,
    /// How many words the switch takes off the stack before the flow goes on.
    pub words: usize,
}

/// The one word a switch takes along; core passes the M that a goroutine wakes up on.
pub type Carry = *mut ();

/// What a fresh stack runs: gets the carry of the first switch to it, and returns the context to leave to for good,
/// which wakes with a null carry. If it returns [`Context::NULL`] it is called again, on the same stack, with a null carry.
/// It must not unwind.
pub type Entry = unsafe extern "C" fn(Carry) -> Context;

/// How long a thread is to run at a time, without a change of its share of the CPUs: who wakes and has the shorter slice
/// need not wait for one that has a longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadSlice {
    /// It works for a moment, and others wait for that.
    Short,
    /// As the system does without being asked.
    Usual,
    /// It computes, and nobody waits for it.
    Long,
}

/// Saves one flow of control and continues another.
///
/// # Safety
/// - **C1** `switch` returns only when someone switches to what it saved, with everything that the platform's calling
///   convention preserves over a call intact, except the floating-point control words, which belong to the thread.
/// - **C2** The first switch to an initialised context calls its entry on that stack, with the stack as the calling
///   convention wants it and a backtrace that ends there.
/// - **C3** The carry arrives unchanged as the result of the `switch` (or the argument of the entry) it wakes.
/// - **C4** What was written before a switch is seen by the flow that the switch wakes, and by whoever resumes the
///   saved context after that: a switch is a full hand-over even when the implementation uses several OS threads.
/// - **C5** Nothing unwinds across a switch.
/// - **C6** After a switch the flow may be on another OS thread; no implementation caches a thread's address across it.
/// - **C7** `attach_thread` makes a stack overflow on a goroutine of this thread end in a report and an abort, while
///   its guard lives.
/// - **C8** If `heavy_fence` gives a call, then what this thread wrote before the call is seen by every other thread after
///   some moment of it, and the reverse.
pub unsafe trait Switch: Send + Sync + 'static {
    /// Where the thread's current G is kept. Each flow sets the slot itself after it has arrived on a thread.
    type Slot: CurrentSlot;

    /// What a thread needs while it runs goroutines (an alternate signal stack). Dropped by the same thread.
    type Thread;

    /// Whether each initialised context is a thread of its own, with a thread's stack, to be counted with the runtime's.
    const THREAD_EACH: bool = false;

    /// Whether each initialised context has thread-locals of its own, which stay with it on whichever thread it runs. Then
    /// std's count of panics, for one, is the flow's and not the thread's.
    const OWN_THREAD_LOCALS: bool = false;

    /// Names the clock of the CPU time that the calling thread has used, for [`Switch::cpu_time`] on another thread.
    /// sysmon ends a slice after 10 ms of it, so that a thread that the system did not let run is not blamed.
    fn cpu_clock() -> Option<i32> {
        None
    }

    /// What that clock says, in nanoseconds; `None`: the thread has ended, or there are no such clocks.
    fn cpu_time(_clock: i32) -> Option<u64> {
        None
    }

    /// Whether the thread behind that clock sleeps in the operating system, rather than runs or waits for a CPU: sysmon
    /// takes the P from a goroutine that has blocked its thread. `None`: it cannot be told, and no P is taken for that.
    fn sleeps(_clock: i32) -> Option<bool> {
        None
    }

    /// Asks the operating system to let a thread, by the number of [`Switch::thread_id`], run for so long at a time while
    /// others want its CPU. A wish that need not be granted.
    fn ask_for_slice(_thread: i32, _slice: ThreadSlice) {}

    /// On which CPU the calling thread runs, by the operating system's number: a hint, old by the time it is read.
    /// `None`: it cannot be told, or says nothing about where goroutines run.
    fn cpu() -> Option<usize> {
        None
    }

    /// Where a flow that `switch` has suspended keeps what an unwinder begins with; `None`: its context is not on its
    /// stack.
    const SAVED: Option<SavedRegisters> = None;

    /// The operating system's number of the calling thread, by which it can be signalled; `None`: there is none.
    fn thread_id() -> Option<i32> {
        None
    }

    /// The number of the thread that a suspended flow is, where each flow is a thread.
    ///
    /// # Safety
    /// The flow in `of` was suspended by `switch` and is not continued meanwhile.
    unsafe fn thread_of(_of: Context) -> Option<i32> {
        None
    }

    /// A call during which every other thread of the process passes a full fence; `None`: there is none here.
    fn heavy_fence() -> Option<fn()> {
        None
    }

    /// A call that asks the operating system for this many bytes of address space, gives them back, and returns the
    /// system's answer; `None`: there is none here. It is made before a thread is: a thread that is refused memory as
    /// it starts aborts the process.
    fn probe_memory() -> Option<fn(usize) -> std::io::Result<()>> {
        None
    }

    /// A hint: these `bytes` of memory will be written soon. The address need not be valid.
    #[inline(always)]
    fn prefetch(_at: *const (), _bytes: usize) {}

    /// Prepares the calling thread to run goroutines.
    ///
    /// # Errors
    /// What the operating system said.
    #[doc(alias = "minit")]
    #[doc(alias = "mpreinit")]
    fn attach_thread() -> std::io::Result<Self::Thread>;

    /// Where the thread keeps thread-locals of its own while it runs flows that have others: a number that only this
    /// implementation understands. 0: flows use the thread's.
    fn home(_thread: &Self::Thread) -> usize {
        0
    }

    /// Ends what the calling flow has of its own: called once by each, on its stack, when its code is over. Destructors
    /// of its thread-locals run here; they are anybody's code, and may suspend.
    ///
    /// # Safety
    /// The calling flow was made by `init` or `init_again`, and its code is over: nothing refers to its thread-locals.
    #[inline(always)]
    unsafe fn end_of_flow() {}

    /// Makes what the calling flow has of its own as it is in a new one. Called on its stack, last of all before its entry
    /// returns.
    ///
    /// # Safety
    /// As [`Switch::end_of_flow`], which was called before.
    #[inline(always)]
    unsafe fn make_fresh() {}

    /// Calls `f` here, on the calling thread's stack, with the thread-locals of a suspended flow that has its own.
    ///
    /// # Safety
    /// The flow in `of` was suspended by `switch` and is not continued meanwhile; `f` may be called with `data`, and does
    /// not unwind.
    #[inline(always)]
    unsafe fn call_for(_of: Context, f: unsafe fn(*mut ()), data: *mut ()) {
        // SAFETY: the caller's promise.
        unsafe { f(data) };
    }

    /// Prepares a stack so that the first switch to the result calls `entry`.
    ///
    /// # Errors
    /// What the operating system said, where a context needs more of it than its stack: the stack is unused then, and
    /// its goroutine waits as if there were no stack.
    ///
    /// # Safety
    /// The stack is owned by the caller and unused; it outlives the context.
    #[doc(alias = "gostartcall")]
    unsafe fn init(stack: &Stack, entry: Entry) -> std::io::Result<Context>;

    /// [`Switch::init`] for a stack on which a context has ended: with what that one had beside its stack, so nothing
    /// can be missing. Never called where each context is a thread of its own ([`Switch::THREAD_EACH`]).
    ///
    /// # Safety
    /// The same as for [`Switch::init`]. A context that was made on this very stack has ended, by an entry that
    /// returned; since then the stack has not been given back, and nothing was made on it.
    unsafe fn init_again(stack: &Stack, entry: Entry) -> Context;

    /// Takes back what an ended context had beside its stack, which is about to be given back. Not on a flow's stack.
    ///
    /// # Safety
    /// The same as for [`Switch::init_again`], and that is not called for this stack any more.
    #[inline(always)]
    unsafe fn release(_stack: &Stack) {}

    /// Gives what the calling thread keeps of that to all threads.
    #[inline(always)]
    fn flush() {}

    /// Saves the present flow in `*save` and continues `to`, which takes `carry` along. Returns the carry of whoever
    /// switches back.
    ///
    /// # Safety
    /// `to` came from `init` or from a `switch` that saved it, and is continued once; `save` stays valid until the
    /// flow in it has been continued.
    #[doc(alias = "mcall")]
    #[doc(alias = "gogo")]
    unsafe fn switch(save: *mut Context, to: Context, carry: Carry) -> Carry;
}

/// The thread's current-G slot. What its value means is core's business.
///
/// # Safety
/// - **K1** One slot per OS thread, null at first; `get` gives what this thread set last.
/// - **K2** Neither call lets the compiler remember the thread's address over it: `get` after a switch reads the slot
///   of the thread it is on by then.
pub unsafe trait CurrentSlot: Send + Sync + 'static {
    /// What this thread set last.
    #[doc(alias = "getg")]
    fn get() -> *mut ();

    /// Sets the slot.
    ///
    /// # Safety
    /// Core owns the meaning: only core calls this.
    #[doc(alias = "settls")]
    unsafe fn set(value: *mut ());
}
